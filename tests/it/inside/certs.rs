//! `proxy certs`: what Envoy's own page and its secrets say together.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::gateway::{Mesh, SPIFFE};
use super::{Bench, assert_said};
use crate::stage::wait_for;

/// What istiod puts into every namespace.
fn root(bench: &Bench, mesh: &Mesh) -> Result<()> {
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"namespace": bench.gloo, "name": "istio-ca-root-cert"}, "data": {"root-cert.pem": mesh.root},
    });
    bench.plane.api().apply(&map.to_string())
}

/// The rows, once Envoy uses the certificates.
fn rows(bench: &Bench, flags: &str) -> Result<Vec<Value>> {
    wait_for("Envoy uses the certificates", Duration::from_mins(2), || {
        let (document, _) = bench.json(&format!("certs{flags}"))?;
        let rows = document["certificates"].as_array().context("rows")?.clone();
        Ok(Some(rows).filter(|rows| rows.len() == 2))
    })
}

#[test]
fn certificates_say_of_which_secret_they_are_and_whose_root_it_is() -> Result<()> {
    let bench = Bench::busy("certs")?;
    let mesh = Mesh::until(2100);
    root(&bench, &mesh)?;
    mesh.serve(&bench.envoy)?;
    let rows = rows(&bench, "")?;
    let leaf = rows.iter().find(|row| row["kind"] == "certificate").context("a certificate")?;
    assert_eq!((&leaf["secret"], &leaf["id"]), (&"istio_server_cert".into(), &SPIFFE.into()));
    assert_eq!((&leaf["trustDomain"], &leaf["validTo"]), (&"cluster.local".into(), &"2100-01-01T00:00:00Z".into()));
    assert!(leaf["issuer"].as_str().is_some_and(|issuer| issuer.contains("O=cluster.local")), "{leaf:#}");
    assert!(leaf["days"].as_i64().is_some_and(|days| days > 20_000), "{leaf:#}");
    let ca = rows.iter().find(|row| row["kind"] == "CA").context("a CA")?;
    assert_eq!((&ca["secret"], &ca["meshRoot"]), (&"istio_validation_context".into(), &"yes".into()));

    root(&bench, &Mesh::until(2100))?;
    let output = bench.run("certs");
    let ca = output.stdout.lines().find(|line| line.contains(" CA ")).context("a CA")?;
    assert!(ca.ends_with("  no"), "{output:#?}");
    Ok(())
}

#[test]
fn one_that_ends_too_soon_is_3() -> Result<()> {
    let bench = Bench::busy("certs-soon")?;
    let mesh = Mesh::until(2090);
    root(&bench, &mesh)?;
    mesh.serve(&bench.envoy)?;
    rows(&bench, "")?;
    let output = bench.run("certs --fail-under 65000");
    let said =
        ["warning: 2 of 2 certificates are valid for less than 65000d", "istio_server_cert certificate until 2090"];
    assert_said(&output, 3, &said);
    assert!(output.stdout.contains(SPIFFE), "{output:#?}");
    assert_said(&bench.run("certs --fail-under 30"), 0, &[]);
    assert_said(&bench.run("certs --fail-under 12h"), 0, &[]);
    assert_said(&bench.run("certs --fail-under soon"), 2, &["--fail-under \"soon\" is not a time"]);
    assert!(output.stdout.lines().next().is_some_and(|head| head.contains("VALID FOR")), "{output:#?}");
    Ok(())
}

#[test]
fn a_secret_that_never_came_is_said_to_be_waited_for() -> Result<()> {
    let bench = Bench::busy("certs-wait")?;
    let (document, output) = bench.json("certs")?;
    assert_said(
        &output,
        0,
        &["warning: pod gateway-proxy-", "Envoy waits for the secret istio_server_cert, istio_validation_context"],
    );
    assert_eq!(document["certificates"], json!([]));
    Ok(())
}

#[test]
fn nothing_there_is_said_as_such_and_a_missing_root_is_unknown() -> Result<()> {
    let mut bench = Bench::busy("certs-none")?;
    bench.envoy = crate::stage::Envoy::start(|_| json!({"node": {"id": "x", "cluster": "gateway"}}))?;
    bench.plane.forward(&bench.gloo, &[(19000, bench.envoy.admin())])?;
    let output = bench.run("certs");
    assert_said(
        &output,
        0,
        &[
            "no certificate, because nothing in Envoy's configuration uses a secret yet",
            "hint: gloo-rs istio enable-mtls",
        ],
    );
    assert_eq!(output.stdout, "");
    Ok(())
}
