//! A watched policy: what is rolled back, what the document says of it, and what a killed run leaves.

use std::time::Duration;

use anyhow::Result;
use serde_json::{Value, json};

use super::{MARK, Many, UPSTREAM, document, failed, outcomes};
use crate::stage::many::Backend::{Dead, Healthy};
use crate::stage::{Options, Plane, wait_for};
use crate::support::Output;

const POLICY: &str = "security.istio.io/v1/PeerAuthentication";

fn words<'w>(many: &'w Many<'_>, wish: &'w str, more: &[&'w str]) -> Vec<&'w str> {
    let words = ["istio", "peer-auth", wish, "-n", &many.apps, "--gloo-namespace", &many.gloo, "--yes"];
    let force: &[_] = if wish == "strict" { &["--force"] } else { &[] };
    [&words[..], &["--observe", "3s", "-o", "json"], force, more].concat()
}

fn peer_auth(many: &Many<'_>, wish: &str, more: &[&str]) -> Output {
    many.sandbox.run(&words(many, wish, more))
}

fn policies(many: &Many<'_>) -> Result<Vec<Value>> {
    many.plane.api().list(POLICY, &many.apps)
}

fn is_marked(policy: &Value) -> bool {
    !policy["metadata"]["annotations"][MARK].is_null()
}

/// Turns mutual TLS on for an Upstream, and waits until the gateways use it.
fn enable(many: &Many<'_>, name: &str) -> Result<()> {
    let enabled = many.sandbox.run(&["istio", "enable-mtls", "-u", name, "-n", &many.gloo, "--force", "--yes"]);
    assert_eq!(enabled.code, Some(0), "{enabled:?}");
    wait_for("mutual TLS is used", Duration::from_mins(1), || {
        let filter = format!("/stats?filter=cluster.{name}_{}.ssl.handshake", many.gloo);
        let stats = many.gateways.gateway(0).get(&filter)?;
        Ok((!stats.trim().is_empty() && !stats.trim().ends_with(": 0")).then_some(()))
    })
}

#[test]
fn strict_for_a_namespace_with_a_plaintext_upstream_is_rolled_back_and_names_it() -> Result<()> {
    let many = Many::start("strict", &[("u0", Healthy), ("u1", Healthy), ("u2", Dead)])?;
    let load = many.gateways.load(&[])?;
    enable(&many, "u0")?;
    let output = peer_auth(&many, "strict", &[]);
    assert_eq!((output.code, outcomes(&document(&output))), (Some(5), vec!["rolledBack"]), "{output:?}");
    let named = format!("upstream.gloo.solo.io/u1 in {}: requests became worse", many.gloo);
    assert!(output.stderr.contains(&named) && !output.stderr.contains("/u0 in"), "{output:?}");
    assert_eq!(policies(&many)?, Vec::<Value>::new());

    // The policy of a run that was killed is found and watched first. The Upstream failed before this run too.
    let running = many.sandbox.start(&words(&many, "strict", &["--max-5xx", "100%"]));
    running.wait_until(|| policies(&many).is_ok_and(|all| all.iter().any(is_marked)));
    running.kill();
    drop(many.sandbox.end_of(running));
    let preview = document(&peer_auth(&many, "strict", &["--dry-run"]));
    assert_eq!((outcomes(&preview), &preview["batches"][0]["changedByEarlierRun"]), (vec!["planned"], &json!(true)));
    let output = peer_auth(&many, "strict", &["--max-5xx", "1%"]);
    let shown = document(&output);
    assert_eq!((output.code, outcomes(&shown)), (Some(5), vec!["rolledBack"]), "{output:?}");
    assert_eq!(shown["batches"][0]["changedByEarlierRun"], true, "{shown:#}");
    assert_eq!(policies(&many)?, Vec::<Value>::new());

    enable(&many, "u1")?;
    let output = peer_auth(&many, "strict", &[]);
    assert_eq!((output.code, outcomes(&document(&output))), (Some(0), vec!["passed"]), "{output:?}");
    let (policies, upstreams) = (policies(&many)?, many.plane.api().list(UPSTREAM, &many.gloo)?);
    assert_eq!(policies.len(), 1);
    assert!(!policies.iter().chain(&upstreams).any(is_marked));
    assert!(failed(&load.end(), "u0").0.is_empty());
    Ok(())
}

#[test]
fn a_quiet_policy_is_proven_by_requests_or_rolled_back_and_the_document_says_which() -> Result<()> {
    let many = Many::start("quiet-strict", &[("u0", Healthy)])?;
    let load = many.gateways.load(&[])?;
    // No route of Gloo leads to the Upstream, so no request can be sent to it.
    let quiet = ["--min-requests", "1000000", "--on-silence", "verify"];
    let output = peer_auth(&many, "permissive", &quiet);
    assert_eq!((output.code, outcomes(&document(&output))), (Some(5), vec!["rolledBack"]), "{output:?}");
    assert!(output.stderr.contains("u0 in "), "{output:?}");
    assert_eq!(policies(&many)?, Vec::<Value>::new());

    let output = peer_auth(&many, "permissive", &quiet[..2]);
    assert_eq!((output.code, outcomes(&document(&output))), (Some(7), vec!["tooFewRequests"]), "{output:?}");
    assert!(policies(&many)?.iter().all(is_marked));
    let output = peer_auth(&many, "permissive", &[]);
    let shown = document(&output);
    assert_eq!((output.code, outcomes(&shown)), (Some(0), vec!["passed"]), "{output:?}");
    assert_eq!(shown["batches"][0]["changedByEarlierRun"], true, "{shown:#}");
    assert!(!policies(&many)?.iter().any(is_marked));
    let output = peer_auth(&many, "permissive", &[]);
    assert_eq!((output.code, outcomes(&document(&output))), (Some(0), vec![]), "nothing is left to watch: {output:?}");

    // Others change the mode within the window, and then the run is interrupted.
    let running = many.sandbox.start(&words(&many, "strict", &["--max-5xx", "100%"]));
    running.wait_until(|| policies(&many).is_ok_and(|all| all.iter().any(is_marked)));
    let theirs = json!({"spec": {"mtls": {"mode": "DISABLE"}}});
    many.plane.api().merge(POLICY, &many.apps, "default", &theirs)?;
    running.interrupt();
    let output = many.sandbox.end_of(running);
    assert_eq!((output.code, outcomes(&document(&output))), (Some(6), vec!["rollbackIncomplete"]), "{output:?}");
    assert!(!load.end().is_empty());
    Ok(())
}

#[test]
fn a_policy_whose_window_has_no_counters_is_no_success() -> Result<()> {
    let plane = Plane::start(&Options::default())?;
    plane.install_guide()?;
    let many = Many::on(&plane, "unread-strict", &[("u0", Healthy)])?;
    let load = many.gateways.load(&[])?;
    enable(&many, "u0")?;
    let running = many.sandbox.start(&words(&many, "strict", &["--timeout", "2s"]));
    running.wait_until(|| policies(&many).is_ok_and(|all| all.iter().any(is_marked)));
    plane.kill_apiserver()?;
    let output = many.sandbox.end_of(running);
    assert_eq!((output.code, outcomes(&document(&output))), (Some(6), vec!["rollbackIncomplete"]), "{output:?}");
    plane.start_apiserver()?;
    let output = peer_auth(&many, "strict", &[]);
    let shown = document(&output);
    assert_eq!((output.code, outcomes(&shown)), (Some(0), vec!["passed"]), "{output:?}");
    assert_eq!(shown["batches"][0]["changedByEarlierRun"], true, "{shown:#}");
    assert!(policies(&many)?.iter().all(|policy| !is_marked(policy)));
    assert!(failed(&load.end(), "u0").0.is_empty());
    Ok(())
}
