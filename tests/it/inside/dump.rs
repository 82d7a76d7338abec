//! `proxy dump`: every byte, and the views of it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::gateway::{HTTPBIN, Mesh, endpoint, plain_cluster};
use super::{Bench, assert_said};
use crate::stage::envoy::dynamic_resources;
use crate::stage::{Envoy, wait_for};
use crate::support::pod_server::{PodServer, reply};

/// Envoy prints maps in another order each time.
fn sorted(dump: &str) -> Vec<&str> {
    let mut lines: Vec<_> = dump.lines().map(|line| line.trim_end_matches(',')).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn a_dump_is_what_envoy_gives() -> Result<()> {
    let bench = Bench::busy("dump")?;
    let theirs = bench.envoy.get("/config_dump?include_eds")?;
    for format in ["dump", "dump -o json"] {
        let output = bench.run(format);
        assert_eq!(output.code, Some(0), "{output:#?}");
        assert_eq!(sorted(&output.stdout), sorted(&theirs), "{format}");
    }
    // A part is not the whole: every view of the saved dump shows what the view of the pod shows.
    let sandbox = bench.sandbox();
    let saved = sandbox.write("dump.json", &theirs).display().to_string();
    for view in ["endpoints", "clusters", "bootstrap"] {
        let (of_file, of_pod) =
            (sandbox.run(&["proxy", "dump", view, "-f", &saved]), bench.run(&format!("dump {view}")));
        assert_eq!((of_file.code, of_pod.code), (Some(0), Some(0)), "{view}: {of_file:#?}");
        assert_eq!(sorted(&of_file.stdout), sorted(&of_pod.stdout), "{view}");
    }
    Ok(())
}

#[test]
fn a_dump_is_not_touched_whatever_is_in_it() -> Result<()> {
    let bench = Bench::without_envoy("dump-bytes")?;
    let odd = "{\r\n\t\"configs\" :[ ]}\u{1b}[31m\u{202e}no end of line";
    let server = PodServer::start(move |_, stream| reply(stream, "200 OK", odd.as_bytes()));
    bench.plane.forward(&bench.gloo, &[(19000, server.address)])?;
    let output = bench.run("dump");
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), odd), "{output:#?}");
    Ok(())
}

const LARGE: [&str; 11] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"];

/// Clusters whose endpoints have as much metadata as makes the dump larger than 50 MB.
fn large(files: &std::path::Path) -> Value {
    let padding = json!({"padding": {"text": "x".repeat(5000)}});
    let clusters = LARGE.map(|name| {
        let endpoints: Vec<_> =
            (0..1_000).map(|number| endpoint(&format!("10.0.{}.{}", number / 250, number % 250), &padding)).collect();
        let mut cluster = plain_cluster(name, 0);
        cluster["load_assignment"]["endpoints"] = json!([{"lb_endpoints": endpoints}]);
        cluster
    });
    crate::stage::envoy::put(files, "cds", "1", &clusters).expect("the directory is ours");
    json!({"node": {"id": "large", "cluster": "gateway"}, "dynamic_resources": dynamic_resources(files)})
}

#[test]
fn a_dump_of_more_than_50_mb_comes_whole_and_its_view_too() -> Result<()> {
    let mut bench = Bench::busy("dump-large")?;
    bench.envoy = Envoy::start(large)?;
    bench.plane.forward(&bench.gloo, &[(19000, bench.envoy.admin())])?;
    let theirs = bench.envoy.get("/config_dump?include_eds")?;
    assert!(theirs.len() > 50_000_000, "{}", theirs.len());
    let output = bench.run("dump");
    assert_eq!((output.code, output.stdout.len()), (Some(0), theirs.len()), "{}", output.stderr);
    assert!(sorted(&output.stdout) == sorted(&theirs), "it differs");
    let output = bench.run("dump clusters");
    let mut names: Vec<_> = output.stdout.lines().skip(1).filter_map(|line| line.split(' ').next()).collect();
    names.sort_unstable();
    assert_eq!((output.code, names.as_slice()), (Some(0), &LARGE[..]), "{output:#?}");
    Ok(())
}

#[test]
fn whoever_reads_only_the_beginning_ends_it_without_a_failure() -> Result<()> {
    let bench = Bench::busy("dump-head")?;
    let mut running = bench.sandbox().start_unread(&bench.words("dump"));
    assert_eq!(running.read_one_line(), "{");
    let output = bench.sandbox().end_of(running);
    assert_eq!(output.code, Some(0), "{output:#?}");
    Ok(())
}

#[test]
fn clusters_say_where_they_lead_and_whether_by_tls() -> Result<()> {
    let bench = Bench::busy("dump-clusters")?;
    Mesh::until(2100).serve(&bench.envoy)?;
    wait_for("Envoy has the secrets", Duration::from_mins(2), || {
        Ok(bench.run("dump clusters").stdout.contains("active\n").then_some(()))
    })?;
    let output = bench.run("dump clusters");
    let lines: Vec<_> = output.stdout.lines().collect();
    assert_eq!(
        lines[0],
        "CLUSTER                            TYPE    TLS   SECRETS                                     STATE"
    );
    assert!(
        lines.contains(
            &"default-petstore-8080_gloo-system  STATIC  -     -                                           active"
        ),
        "{lines:#?}"
    );
    let mtls = "default-httpbin-8000_gloo-system   STATIC  mTLS  istio_server_cert,istio_validation_context";
    assert!(lines.iter().any(|line| line.starts_with(mtls)), "{lines:#?}");

    let (document, _) = bench.json(&format!("dump clusters {HTTPBIN}"))?;
    let rows = document["clusters"].as_array().context("rows")?;
    let row = rows.first().context("a row")?;
    assert_eq!(
        (rows.len(), &row["tls"], &row["alpn"], &row["version"]),
        (1, &json!("mTLS"), &json!(["istio"]), &json!("7"))
    );
    assert_eq!(row["config"]["name"], HTTPBIN);
    for upstream in ["default-httpbin-8000", "gloo-system/default-httpbin-8000"] {
        let output = bench.sandbox().run(&[&bench.words("dump clusters")[..], &["-u", upstream]].concat());
        let expected = if upstream.contains('/') { 0 } else { 4 };
        // Without a namespace it is the one of -n, as everywhere.
        assert_eq!(output.code, Some(expected), "{upstream}: {output:#?}");
    }
    Ok(())
}

#[test]
fn listeners_routes_and_endpoints_are_narrowed_by_what_a_request_has() -> Result<()> {
    let bench = Bench::busy("dump-views")?;
    let output = bench.run("dump listeners");
    let table = output.stdout.clone();
    assert!(
        table.contains("routes listener-::-8080-routes") && table.contains(&format!("cluster {HTTPBIN}")),
        "{table}"
    );
    let port = bench.envoy.listener("listener-::-8080")?.port();
    assert!(!bench.run("dump listeners -o wide").stdout.is_empty());

    let (document, _) = bench.json("dump routes --domain cart.shop.example.com")?;
    let targets: Vec<_> = document["routes"].as_array().context("rows")?.iter().map(|row| &row["target"]).collect();
    assert_eq!(targets, ["default-petstore-8080_gloo-system", "redirect /new", HTTPBIN]);
    let output = bench.run("dump routes --upstream gloo-system/default-petstore-8080");
    assert_eq!(output.stdout.lines().count(), 2, "{output:#?}");
    assert!(output.stdout.contains("  prefix /pets  default-petstore-8080_gloo-system  static"), "{output:#?}");
    // Envoy chose the listener's port itself, and the dump has what it was told.
    let output = bench.run("dump routes --port 0");
    assert_eq!(output.stdout.lines().count(), 4, "{port}: {output:#?}");

    let output = bench.run("dump endpoints --upstream gloo-system/default-petstore-8080 --port 8080");
    let rows: Vec<_> = output.stdout.lines().collect();
    assert_eq!(rows.len(), 3, "{output:#?}");
    assert!(rows[1].starts_with("10.0.0.0:8080  default-petstore-8080_gloo-system  HEALTHY"), "{output:#?}");
    Ok(())
}

#[test]
fn secrets_are_shown_by_whose_they_are_and_never_their_keys() -> Result<()> {
    let bench = Bench::busy("dump-secrets")?;
    let output = bench.run("dump secrets");
    assert_said(&output, 0, &[]);
    let mesh = Mesh::until(2100);
    mesh.serve(&bench.envoy)?;
    let output = wait_for("Envoy has the secrets", Duration::from_mins(2), || {
        Ok(Some(bench.run("dump secrets")).filter(|output| output.stdout.contains("spiffe://")))
    })?;
    let row =
        format!("istio_server_cert         certificate  {}  2100-01-01T00:00:00Z  active", super::gateway::SPIFFE);
    assert!(output.stdout.lines().any(|line| line == row), "{output:#?}");
    let document = bench.run("dump secrets istio_server_cert -o yaml").stdout;
    assert!(document.contains("istio_server_cert") && document.contains("private_key"), "{document}");
    let key: String = mesh.key.lines().nth(1).context("a key")?.to_owned();
    assert!(!document.contains(&key) && !document.contains("PRIVATE KEY"), "{document}");
    Ok(())
}

#[test]
fn the_bootstrap_says_who_envoy_is() -> Result<()> {
    let bench = Bench::busy("dump-bootstrap")?;
    let output = bench.run("dump bootstrap");
    let role = format!("{}~gateway-proxy", bench.gloo);
    assert!(output.stdout.lines().any(|line| line == format!("role          {role}")), "{output:#?}");
    assert!(output.stdout.contains("\nenvoy         1."), "{output:#?}");
    let (document, _) = bench.json("dump bootstrap")?;
    assert_eq!(document["bootstrap"]["node"]["metadata"]["role"], role);
    Ok(())
}

#[test]
fn a_rejected_update_is_told_with_envoys_reason() -> Result<()> {
    let bench = Bench::busy("dump-rejected")?;
    let broken = json!({
        "@type": "type.googleapis.com/envoy.config.listener.v3.Listener", "name": "listener-broken",
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
        "filter_chains": [{"filters": [{"name": "nobody.has.it", "typed_config": {
            "@type": "type.googleapis.com/google.protobuf.StringValue", "value": "x"}}]}],
    });
    bench.envoy.put("lds", "8", &[broken])?;
    let (document, output) = wait_for("Envoy has rejected it", Duration::from_mins(2), || {
        let (document, output) = bench.json("dump listeners")?;
        Ok(output.stderr.contains("Envoy rejected").then_some((document, output)))
    })?;
    assert_said(&output, 0, &["warning: listener-broken: Envoy rejected its last update: "]);
    assert!(document["warnings"].as_array().is_some_and(|all| all.iter().any(|one| one["code"] == "rejected")));
    Ok(())
}

#[test]
fn a_name_that_is_not_there_is_not_found_and_what_is_near_is_told() -> Result<()> {
    let bench = Bench::busy("dump-near")?;
    let (document, output) = bench.json("dump clusters default-htpbin-8000_gloo-system")?;
    assert_said(&output, 4, &["not found in Envoy's clusters", &format!("near: {HTTPBIN}")]);
    assert_eq!(document["clusters"], json!([]));
    Ok(())
}
