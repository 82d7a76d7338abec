//! `proxy restart`: new pods, or none if they do not become ready.

use anyhow::{Context as _, Result};
use serde_json::json;

use super::Bench;
use crate::support::Output;

const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

fn restart(bench: &Bench, arguments: &[&str]) -> Output {
    let words = [&["proxy", "restart", "-n", &bench.gloo], arguments].concat();
    bench.sandbox().run(&words)
}

fn pod(bench: &Bench) -> Result<String> {
    let pods = bench.pods("gateway-proxy")?;
    let living: Vec<_> = pods.iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null()).collect();
    assert_eq!(living.len(), 1, "{pods:#?}");
    Ok(living[0]["metadata"]["name"].as_str().context("a name")?.to_owned())
}

#[test]
fn the_pods_are_new_and_nothing_else_is_changed() -> Result<()> {
    let bench = Bench::new("restart")?;
    let (before, old) = (bench.deployment()?, pod(&bench)?);
    assert_eq!(restart(&bench, &["--dry-run"]).code, Some(0));
    assert_eq!(restart(&bench, &["--check"]).code, Some(3));
    assert_eq!(bench.deployment()?["metadata"]["generation"], before["metadata"]["generation"]);
    let output = restart(&bench, &[]);
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert_ne!(pod(&bench)?, old);
    let mut after = bench.deployment()?["spec"].take();
    let template = after["template"]["metadata"].as_object_mut().context("metadata")?;
    let annotations = template.get_mut("annotations").and_then(|it| it.as_object_mut()).context("annotations")?;
    assert!(annotations.remove(RESTARTED_AT).is_some());
    if annotations.is_empty() && before["spec"]["template"]["metadata"]["annotations"].is_null() {
        template.remove("annotations");
    }
    assert_eq!(after, before["spec"]);
    Ok(())
}

#[test]
fn pods_that_do_not_become_ready_end_in_the_state_from_before() -> Result<()> {
    let bench = Bench::new("restart-stuck")?;
    assert_eq!(bench.run("inject --revision 1-28").code, Some(0));
    bench.strand_new_pods()?;
    let before = bench.state()?;
    let output = restart(&bench, &["gateway-proxy", "--wait-timeout", "6s"]);
    assert_eq!(output.code, Some(5), "{output:#?}");
    assert_eq!(bench.state()?, before);
    Ok(())
}

#[test]
fn a_proxy_that_is_not_there_changes_nothing() -> Result<()> {
    let bench = Bench::new("restart-typo")?;
    let before = bench.versions()?;
    let output = restart(&bench, &["gateway-proxi"]);
    assert_eq!(output.code, Some(4), "{output:#?}");
    assert!(output.stderr.contains("near: gateway-proxy"), "{output:#?}");
    assert_eq!(restart(&bench, &["service/gateway-proxy"]).code, Some(2));
    assert_eq!(bench.versions()?, before);
    Ok(())
}

#[test]
fn the_proxy_of_a_gateway_is_restarted_wherever_the_gateway_is() -> Result<()> {
    let bench = Bench::new("restart-gateway")?;
    let name = format!("gloo-proxy-{}", bench.gloo);
    let labels = json!({"gloo": "kube-gateway", "gateway.networking.k8s.io/gateway-name": bench.gloo});
    bench.apply(json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "gloo-gateway", "image": "quay.io/solo-io/gloo-envoy-wrapper:1.22.1"}]},
            },
        },
    }))?;
    bench.plane.api().wait_available(&bench.gloo)?;
    let restarted = || -> Result<bool> {
        let template = bench.get("apps/v1/Deployment", &name)?["spec"]["template"].take();
        Ok(template["metadata"]["annotations"][RESTARTED_AT].is_string())
    };
    let typo = bench.sandbox().run(&["proxy", "restart", "--gateway", &bench.gloo[1..]]);
    assert_eq!(typo.code, Some(4), "{typo:#?}");
    assert!(typo.stderr.contains(&format!("near: {}", bench.gloo)), "{typo:#?}");
    assert_eq!(bench.sandbox().run(&["proxy", "restart", "--gateway", &bench.gloo, "--dry-run"]).code, Some(0));
    assert!(!restarted()?);
    let output = bench.sandbox().run(&["proxy", "restart", "--gateway", &bench.gloo]);
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert!(restarted()?);
    assert_eq!(restart(&bench, &["--gateway", &bench.gloo]).code, Some(0), "in its namespace");
    assert_eq!(restart(&bench, &["--gateway", "../x"]).code, Some(2));
    Ok(())
}
