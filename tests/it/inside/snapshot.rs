//! `proxy snapshot`: what is in the file, and what becomes of it where something fails.

use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Bench, assert_said, gateway_pods};
use crate::stage::wait_for;
use crate::support::Sandbox;
use crate::support::pod_server::{PodServer, reply};

/// The members as Python's own reader finds them, once it has checked each one's sum.
const LIST: &str = "import sys, zipfile
packed = zipfile.ZipFile(sys.argv[1])
assert packed.testzip() is None
print(*packed.namelist(), sep='\\n')
if len(sys.argv) > 2:
    print(packed.read(sys.argv[2]).decode())
";

fn python(sandbox: &Sandbox, arguments: &[&str]) -> Result<String> {
    let output = Command::new("python3").args(["-c", LIST]).args(arguments).current_dir(sandbox.dir()).output()?;
    anyhow::ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}

const MEMBERS: [&str; 10] = [
    "server_info.json",
    "config.json",
    "stats.txt",
    "clusters.txt",
    "listeners.txt",
    "certs.json",
    "memory.json",
    "ready.txt",
    "init_dump.json",
    "manifest.json",
];

#[test]
fn a_snapshot_has_all_that_envoy_says_of_itself() -> Result<()> {
    let bench = Bench::busy("snapshot")?;
    let sandbox = bench.sandbox();
    let output = sandbox.run(&bench.words("snapshot --output-file out.zip"));
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "proxy snapshot written to out.zip\n"), "{output:#?}");
    let mode = std::fs::metadata(sandbox.dir().join("out.zip"))?.permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let listed = python(&sandbox, &["out.zip", "manifest.json"])?;
    let names: Vec<_> = listed.lines().take(MEMBERS.len()).collect();
    assert_eq!(names, MEMBERS);
    let manifest: Value = serde_json::from_str(&listed.lines().skip(MEMBERS.len()).collect::<String>())?;
    assert_eq!((&manifest["kind"], &manifest["pods"][0]["pod"]), (&"Snapshot".into(), &bench.pod()?.into()));
    let config = python(&sandbox, &["out.zip", "config.json"])?;
    let endpoints = "dynamic_endpoint_configs";
    assert!(
        config.contains("default-httpbin-8000_gloo-system") && config.contains(endpoints)
            || config.contains("static_endpoint_configs"),
        "no endpoints"
    );

    let again = sandbox.run(&bench.words("snapshot --output-file out.zip"));
    assert_said(&again, 1, &["out.zip: already exists and is not replaced", "--output-file chooses another file"]);
    let nowhere = sandbox.run(&bench.words("snapshot --output-file no/where.zip"));
    assert_said(&nowhere, 1, &["no/where.zip: cannot be written: "]);

    // The file is read again without a cluster.
    let view = Sandbox::new().run(&[
        "proxy",
        "dump",
        "endpoints",
        "-f",
        sandbox.dir().join("out.zip").to_str().context("UTF-8")?,
    ]);
    assert_eq!(view.code, Some(0), "{view:#?}");
    assert!(view.stdout.contains("10.0.0.1:8080  default-petstore-8080_gloo-system"), "{view:#?}");
    Ok(())
}

#[test]
fn a_snapshot_without_a_name_has_one_of_its_own_and_leaves_endpoints_out_if_told() -> Result<()> {
    let bench = Bench::busy("snapshot-name")?;
    let sandbox = bench.sandbox();
    let mut files = Vec::new();
    for _ in 0..2 {
        let output = sandbox.run(&bench.words("snapshot --include-eds=false"));
        let file = output.stdout.trim_end().strip_prefix("proxy snapshot written to ").context("the line")?.to_owned();
        assert!(file.starts_with(&format!("gloo-rs-proxy-snapshot-{}-gateway-proxy-", bench.gloo)), "{file}");
        files.push(file);
    }
    assert_ne!(files[0], files[1]);
    assert!(!python(&sandbox, &[&files[0], "config.json"])?.contains("endpoint_config"));
    Ok(())
}

#[test]
fn each_pod_has_a_directory_of_its_own() -> Result<()> {
    let bench = Bench::busy("snapshot-two")?;
    bench.plane.api().merge("apps/v1/Deployment", &bench.gloo, "gateway-proxy", &json!({"spec": {"replicas": 2}}))?;
    bench.plane.api().wait_available(&bench.gloo)?;
    let pods = wait_for("two pods", Duration::from_mins(2), || {
        Ok(Some(gateway_pods(bench.plane, &bench.gloo)?).filter(|pods| pods.len() == 2))
    })?;
    let sandbox = bench.sandbox();
    let output = sandbox.run(&bench.words("snapshot --all-pods --output-file all.zip -o json"));
    let document: Value = serde_json::from_str(&output.stdout).with_context(|| format!("{output:#?}"))?;
    assert_eq!(document["snapshot"]["pods"].as_array().map(Vec::len), Some(2), "{document:#}");
    let listed = python(&sandbox, &["all.zip"])?;
    for pod in &pods {
        assert!(listed.contains(&format!("{pod}/config.json\n")), "{listed}");
    }
    let file = sandbox.dir().join("all.zip");
    let view = Sandbox::new().run(&["proxy", "dump", "clusters", "-f", file.to_str().context("UTF-8")?]);
    assert!(view.stdout.starts_with("POD ") && pods.iter().all(|pod| view.stdout.contains(pod)), "{view:#?}");
    Ok(())
}

#[test]
fn what_could_be_had_is_kept_and_what_not_is_a_failure() -> Result<()> {
    let bench = Bench::without_envoy("snapshot-part")?;
    let server = PodServer::start(|asked, stream| match asked.path.as_str() {
        "/stats" => reply(stream, "500 Internal Server Error", b"no"),
        "/init_dump" => reply(stream, "404 Not Found", b"invalid path"),
        "/ready" => reply(stream, "503 Service Unavailable", b"PRE_INITIALIZING\n"),
        _ => reply(stream, "200 OK", b"{}"),
    });
    bench.plane.forward(&bench.gloo, &[(19000, server.address)])?;
    let sandbox = bench.sandbox();
    let output = sandbox.run(&bench.words("snapshot --output-file part.zip"));
    let said = ["answers 500: no", "the snapshot does not contain it", "note: init_dump.json is skipped: "];
    assert_said(&output, 1, &said);
    assert_eq!(output.stdout, "proxy snapshot written to part.zip\n");
    let listed = python(&sandbox, &["part.zip", "ready.txt"])?;
    assert!(!listed.contains("stats.txt") && listed.contains("PRE_INITIALIZING"), "{listed}");
    Ok(())
}

#[test]
fn where_nothing_can_be_had_no_file_is_left() -> Result<()> {
    let bench = Bench::without_envoy("snapshot-none")?;
    let server = PodServer::start(|_, stream| reply(stream, "500 Internal Server Error", b"no"));
    bench.plane.forward(&bench.gloo, &[(19000, server.address)])?;
    let sandbox = bench.sandbox();
    let output = sandbox.run(&bench.words("snapshot --output-file none.zip"));
    assert_said(&output, 1, &["answers 500: no"]);
    assert_eq!((output.stdout.as_str(), std::fs::read_dir(sandbox.dir())?.count()), ("", 0));
    Ok(())
}
