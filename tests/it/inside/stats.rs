//! `proxy stats`.

use anyhow::{Context as _, Result};

use super::{Bench, assert_said};

#[test]
fn statistics_come_as_envoy_prints_them() -> Result<()> {
    let bench = Bench::new("stats")?;
    let pod = bench.pod()?;
    let output = bench.run("stats --filter ^server\\.(live|state)$");
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "server.live: 1\nserver.state: 0\n"), "{output:#?}");
    assert_eq!(output.stderr, format!("pod {}/{pod}\n", bench.gloo));

    let (all, used) = (bench.run("stats"), bench.run("stats --used"));
    assert!(used.stdout.lines().count() < all.stdout.lines().count(), "{used:#?}");
    let prometheus = bench.run("stats --format prometheus --filter server.live");
    assert!(
        prometheus.stdout.contains("\n# TYPE envoy_server_live gauge\n") || prometheus.stdout.starts_with("# TYPE")
    );
    let json = bench.run("stats --format json --filter server.live");
    let json: serde_json::Value = serde_json::from_str(&json.stdout)?;
    assert_eq!(json["stats"][0]["name"], "server.live");
    Ok(())
}

#[test]
fn the_document_has_the_statistics_of_each_pod() -> Result<()> {
    let bench = Bench::new("stats-json")?;
    let (document, _) = bench.json("stats --filter server.live")?;
    let pods = document["stats"].as_array().context("pods")?;
    assert_eq!((pods.len(), &pods[0]["pod"]), (1, &bench.pod()?.into()));
    assert_eq!((&pods[0]["stats"][0]["name"], &pods[0]["stats"][0]["value"]), (&"server.live".into(), &1.into()));
    Ok(())
}

#[test]
fn a_filter_that_is_no_regular_expression_is_a_matter_of_the_command_line() -> Result<()> {
    let bench = Bench::new("stats-regex")?;
    let output = bench.run("stats --filter a(b");
    assert_said(&output, 2, &["error: --filter \"a(b\": "]);
    assert_eq!(output.stdout, "");
    Ok(())
}
