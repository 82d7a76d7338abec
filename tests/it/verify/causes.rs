//! Each cause has its own verdict, and no verdict is one that is not true.

use anyhow::Result;
use serde_json::{Value, json};

use super::{Bench, facts, istio};
use crate::stage::mesh::{Authority, Valid};
use crate::stage::pair::{Endpoints, GATEWAY, Pair, Sends, Takes};

/// The verdict, its exit code, and that what proves a cause is printed.
#[track_caller]
fn is(verdict: &Value, kind: &str, exit: u8) {
    assert_eq!((&verdict["verdict"], &verdict["exitCode"]), (&json!(kind), &json!(exit)), "{verdict:#}");
    let causes = ["strictPeer", "noEndpoint", "noSecret", "noSidecar", "certificateInvalid", "backendNotTrusted"];
    if causes.contains(&kind) || ["noRoute", "noCluster", "noConnection", "plaintext"].contains(&kind) {
        assert!(facts(verdict, "fact").len() >= 2, "{verdict:#}");
    }
}

#[test]
fn each_way_in_which_tls_fails_has_its_own_verdict() -> Result<()> {
    let bench = Bench::new("verify-tls")?;
    let pair = &bench.pair;
    bench.ssl_config(&bench.upstream("httpbin-8000"), &istio())?;
    let root = pair.authority.validation();
    let other = Authority::new()?;

    bench.demand(Takes::Strict)?;
    pair.sends(&Sends::Istio { keys: pair.keys(Valid::Now)?, root: other.validation() })?;
    is(&bench.verdict("--path /headers")?, "backendNotTrusted", 7);

    pair.sends(&Sends::Istio { keys: pair.keys(Valid::Expired)?, root: root.clone() })?;
    let verdict = bench.verdict("--path /headers")?;
    is(&verdict, "certificateInvalid", 7);
    assert!(verdict["facts"].to_string().contains("expired at 2021-01-01T00:00:00Z"), "{verdict:#}");

    // Of another root: the gateway sees no more than that the backend ended TLS.
    pair.sends(&Sends::Istio { keys: other.workload(GATEWAY, Valid::Now)?, root: root.clone() })?;
    let verdict = bench.verdict("--path /headers")?;
    is(&verdict, "notProven", 7);
    assert!(facts(&verdict, "for").iter().any(|fact| fact.starts_with("gateway not trusted: ")), "{verdict:#}");
    assert!(facts(&verdict, "against").iter().any(|fact| fact.starts_with("no sidecar: ")), "{verdict:#}");

    pair.sends(&Sends::IstioWithoutSecret)?;
    is(&bench.verdict("--path /headers")?, "noSecret", 7);

    bench.demand(Takes::StrictExpired)?;
    pair.sends(&Sends::Istio { keys: pair.keys(Valid::Now)?, root })?;
    is(&bench.verdict("--path /headers")?, "backendNotTrusted", 7);
    Ok(())
}

#[test]
fn where_the_request_gets_no_further_than_the_gateway_that_is_told() -> Result<()> {
    let bench = Bench::new("verify-route")?;
    let pair = &bench.pair;
    bench.demand(Takes::Permissive)?;
    pair.sends(&Sends::Plaintext)?;
    is(&bench.verdict("--path /nowhere")?, "noRoute", 7);
    is(&bench.verdict("--path /no-cluster")?, "noCluster", 7);
    let verdict = bench.verdict("--path /moved-by-gateway")?;
    is(&verdict, "gateway", 7);
    assert!(facts(&verdict, "location")[0].ends_with("(not followed)"), "{verdict:#}");
    is(&bench.verdict("--path /moved-by-gateway --expect 301")?, "gateway", 0);

    pair.set(&Sends::Plaintext, Endpoints::Dead)?;
    is(&bench.verdict("--path /headers")?, "noConnection", 7);
    pair.set(&Sends::Plaintext, Endpoints::None)?;
    is(&bench.verdict("--path /headers")?, "noEndpoint", 7);
    pair.forget()?;
    is(&bench.verdict("--path /headers")?, "noCluster", 7);
    Ok(())
}

#[test]
fn what_the_backend_does_for_its_own_reasons_is_not_blamed_on_tls() -> Result<()> {
    let bench = Bench::new("verify-own")?;
    let pair = &bench.pair;
    bench.ssl_config(&bench.upstream("httpbin-8000"), &istio())?;
    bench.demand(Takes::Strict)?;
    pair.sends(&pair.mtls()?)?;
    // The sidecar says so itself, over TLS that is fine.
    let verdict = bench.verdict("--path /close")?;
    is(&verdict, "backend", 7);
    assert_eq!(verdict["title"], "503 from the backend, mTLS proven");
    let verdict = bench.verdict("--path /status/404")?;
    assert_eq!(verdict["title"], "404 from the backend, mTLS proven");
    is(&bench.verdict("--path /status/404 --expect 404")?, "mtls", 0);
    is(&bench.verdict("--path /page")?, "mtls", 0);
    let verdict = bench.verdict("--path /moved")?;
    assert_eq!(facts(&verdict, "location"), ["http://203.0.113.1/ (not followed)"]);

    // Without a sidecar in between it is the words that a strict peer causes as well.
    let plain = bench.upstream("plain-8080");
    bench.route(&plain)?;
    bench.demand(Takes::NoSidecar)?;
    pair.sends(&Sends::Plaintext)?;
    let verdict = bench.verdict("--path /close")?;
    is(&verdict, "notProven", 7);
    assert_eq!(verdict["statuses"], json!([503, 503, 503]), "{verdict:#}");
    assert!(verdict["title"].as_str().is_some_and(|title| title.contains("connection termination")), "{verdict:#}");
    Ok(())
}

#[test]
fn plaintext_that_is_answered_is_told_from_tls_that_nothing_shows() -> Result<()> {
    let bench = Bench::new("verify-open")?;
    let pair = &bench.pair;
    bench.demand(Takes::Permissive)?;
    pair.sends(&Sends::Plaintext)?;
    let verdict = bench.verdict("--path /headers")?;
    is(&verdict, "plaintext", 7);
    // Before the gateway has a certificate mutual TLS would break what works.
    assert_eq!(verdict["mend"], json!(format!("gloo-rs istio inject -n {} --name gateway-proxy", bench.gloo)));

    bench.ssl_config(&bench.upstream("httpbin-8000"), &istio())?;
    pair.sends(&pair.mtls()?)?;
    is(&bench.verdict("--path /headers")?, "mtls", 0);
    let verdict = bench.verdict("--path /page")?;
    is(&verdict, "answered", 7);
    assert!(verdict["next"].as_str().is_some_and(|next| next.contains("/headers")), "{verdict:#}");
    // An echo of what we brought ourselves is none.
    let brought = format!("x-forwarded-client-cert:By=spiffe://a;URI={GATEWAY}");
    is(&bench.verdict(&format!("--path /headers -H {brought}"))?, "answered", 7);
    Ok(())
}

#[test]
fn tls_to_pods_without_a_sidecar_is_told_as_that() -> Result<()> {
    let bench = Bench::new("verify-plain")?;
    let plain = bench.upstream("plain-8080");
    bench.ssl_config(&plain, &istio())?;
    bench.route(&plain)?;
    let pair = Pair::start(&format!("{plain}_{}", bench.gloo))?;
    pair.stand_in(bench.plane, &bench.gloo)?;
    pair.takes(Takes::NoSidecar);
    pair.sends(&pair.mtls()?)?;
    let (document, _) = bench.json(&format!("-u {plain} --via forward"))?;
    is(&document["verdicts"][0], "noSidecar", 7);
    let mend = document["verdicts"][0]["mend"].as_str().unwrap_or_default();
    assert!(mend.contains(&bench.apps), "{mend}");
    Ok(())
}
