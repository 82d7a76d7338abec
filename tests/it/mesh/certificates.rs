//! Certificates that istiod signs, judged by what they are: a day long, of the mesh's root, renewed in time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::bench::{Bench, GATEWAY, HTTPBIN, PATIENCE, PORTS, UPSTREAM, bench, mtls_of};
use crate::stage::{echo, istio::Workload, pair::Endpoints, wait_for};

const HOUR: u64 = 3_600;

/// The rows of `proxy certs`, once Envoy uses certificates that last so long.
fn rows(bench: &Bench, lasts: std::ops::Range<u64>) -> Result<[Value; 2]> {
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map(|now| now.as_secs());
    wait_for(&format!("the gateway's certificate lasts {lasts:?} s"), PATIENCE, || {
        let document = bench.json("proxy certs")?;
        let rows = document["certificates"].as_array().context("rows")?;
        // istiod's chain ends with the root too.
        let of =
            |kind: &str, secret: &str| rows.iter().find(|row| row["kind"] == kind && row["secret"] == secret).cloned();
        let leaf = of("certificate", "istio_server_cert").zip(of("CA", "istio_validation_context"));
        let Some((leaf, root)) = leaf else { return Ok(None) };
        let end: jiff::Timestamp = leaf["validTo"].as_str().context("an end")?.parse()?;
        let left = u64::try_from(end.as_second()).unwrap_or_default().saturating_sub(now()?);
        Ok(lasts.contains(&left).then_some([leaf, root]))
    })
}

/// The codes of `check` about the gateway's certificate.
fn found(bench: &Bench) -> Result<Vec<String>> {
    let document = bench.json("check")?;
    let findings = document["findings"].as_array().with_context(|| format!("{document:#}"))?;
    let codes = findings.iter().filter_map(|finding| finding["code"].as_str());
    Ok(codes.filter(|code| ["GRS210", "GRS211", "GRS212"].contains(code)).map(str::to_owned).collect())
}

#[test]
fn a_days_certificate_is_in_order_and_one_that_ends_soon_is_found() -> Result<()> {
    let bench = bench()?;
    bench.done("istio inject --revision default --yes")?;
    bench.done(&format!("istio enable-mtls -u {UPSTREAM} --force --yes"))?;
    bench.sends(&bench.mtls, PORTS[0])?;
    let [leaf, root] = rows(&bench, 22 * HOUR..24 * HOUR + 1)?;
    let identity = "spiffe://cluster.local/ns/gloo-system/sa/gateway-proxy";
    assert_eq!((&leaf["id"], &leaf["trustDomain"]), (&json!(identity), &json!("cluster.local")));
    assert_eq!(root["meshRoot"], "yes");
    for (under, code) in [("12h", 0), ("22h", 0), ("25h", 3), ("2d", 3)] {
        let output = bench.run(&format!("proxy certs --fail-under {under}"))?;
        assert_eq!(output.code, Some(code), "{under}: {output:#?}");
    }
    assert_eq!(found(&bench)?, [""; 0]);
    let described = bench.json(&format!("istio describe upstream {UPSTREAM}"))?;
    let target = &described["targets"][0];
    let certificate = &target["gateways"][0]["certificates"][0];
    assert_eq!((&target["verdict"], &certificate["meshRoot"]), (&json!("mtls"), &json!(true)), "{target:#}");
    assert_eq!(bench.status()?, 200);

    let soon = Workload { lifetime: Some(Duration::from_secs(HOUR / 2)), ..GATEWAY };
    bench.sends(&mtls_of(&bench.istiod, soon)?, PORTS[0])?;
    rows(&bench, 60..HOUR / 2 + 1)?;
    assert_eq!(found(&bench)?, ["GRS211"]);
    let output = bench.run("proxy certs --fail-under 12h")?;
    assert_eq!(output.code, Some(3), "{output:#?}");
    Ok(())
}

#[test]
fn a_certificate_is_renewed_before_it_ends_and_no_request_fails() -> Result<()> {
    let bench = bench()?;
    let short =
        Workload { account: "short", labels: &[("app", "short")], lifetime: Some(Duration::from_secs(20)), ..HTTPBIN };
    let sidecar = bench.istiod.sidecar(short, &PORTS[..1], echo::start()?)?;
    bench.pair.set(&bench.mtls, Endpoints::At(sidecar.port(PORTS[0])))?;
    let serial = || -> Result<String> {
        let certificates: Value = serde_json::from_str(&sidecar.get("/certs")?)?;
        let serial = certificates["certificates"][0]["cert_chain"][0]["serial_number"].as_str();
        Ok(serial.with_context(|| certificates.to_string())?.to_owned())
    };
    let first = serial()?;
    wait_for("the sidecar has another certificate", Duration::from_mins(2), || {
        assert_eq!(bench.status()?, 200);
        Ok((serial()? != first).then_some(()))
    })?;
    assert_eq!(bench.status()?, 200);
    Ok(())
}
