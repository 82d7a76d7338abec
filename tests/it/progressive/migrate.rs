//! `istio auto-mtls migrate`: `sslConfig`s are removed under load while requests stay encrypted, and the Upstream that
//! auto-mTLS would harm opts out and answers as before.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{LABEL, MARK, Many, UPSTREAM, document, failed, outcomes, strings};
use crate::stage::many::Backend::{self, Disabled, Healthy, NoSidecar};
use crate::stage::{Options, Plane};
use crate::support::Output;

const SETTINGS: &str = "gloo.solo.io/v1/Settings";
const HEALTHY: [&str; 6] = ["u0", "u1", "u2", "u3", "u4", "u5"];
/// Its pods have a sidecar that takes plaintext alone.
const HARMED: &str = "u6";
/// Its pods have no sidecar. Istio's `sslConfig` is wrong there.
const WRONG: &str = "u7";

/// A plane with no other Gloo that reads the Upstreams.
fn plane() -> Result<Plane> {
    let plane = Plane::start(&Options::default())?;
    plane.install_guide()?;
    Ok(plane)
}

struct Migrating<'p>(Many<'p>);

impl<'p> Migrating<'p> {
    fn start(plane: &'p Plane, prefix: &str, upstreams: &[(&str, Backend)]) -> Result<Self> {
        let many = Many::on(plane, prefix, upstreams)?;
        // What the path model reads: the Services and pods behind the Upstreams, and the policy.
        for (name, backend) in upstreams {
            let mesh = if *backend == NoSidecar { json!(null) } else { json!("istio") };
            let service = json!({
                "apiVersion": "v1", "kind": "Service", "metadata": {"name": name, "namespace": many.apps},
                "spec": {"selector": {"app": name}, "ports": [{"port": 80}]},
            });
            let mut labels = json!({"app": name});
            if !mesh.is_null() {
                labels["security.istio.io/tlsMode"] = mesh;
            }
            let pod = json!({
                "apiVersion": "v1", "kind": "Pod",
                "metadata": {"name": format!("{name}-1"), "namespace": many.apps, "labels": labels},
                "spec": {"containers": [{"name": "app", "image": "app"}]},
            });
            plane.api().apply(&format!("{service}\n---\n{pod}"))?;
            if *backend == Disabled {
                let policy = json!({
                    "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
                    "metadata": {"name": "plain", "namespace": many.apps},
                    "spec": {"selector": {"matchLabels": {"app": name}}, "mtls": {"mode": "DISABLE"}},
                });
                plane.api().apply(&policy.to_string())?;
            }
        }
        Ok(Self(many))
    }

    fn migrate(&self, more: &[&str]) -> Output {
        let words = ["istio", "auto-mtls", "migrate", "-n", &self.0.gloo, "-o", "json", "--yes"];
        self.0.sandbox.run(&[&words[..], more].concat())
    }

    fn enable_mtls(&self, names: &str) {
        let enabled =
            self.0.sandbox.run(&["istio", "enable-mtls", "-u", names, "-n", &self.0.gloo, "--force", "--yes"]);
        assert_eq!(enabled.code, Some(0), "{enabled:?}");
    }

    fn switch(&self, gloo: &str, is_on: bool) -> Result<()> {
        let options = json!({"enableAutoMtls": is_on, "enableIntegration": is_on});
        let spec = json!({"spec": {"gloo": {"istioOptions": options}}});
        self.0.plane.api().merge(SETTINGS, gloo, "default", &spec)
    }

    fn spec(&self, name: &str) -> Result<Value> {
        let upstream = self.0.plane.api().get(UPSTREAM, &self.0.gloo, name)?.context("it is there")?;
        Ok(upstream["spec"].clone())
    }
}

/// What became of an object, and why.
fn became(document: &Value, name: &str) -> (String, String) {
    let rows = document["results"].as_array().into_iter().flatten();
    let row = rows.clone().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}: {document:#}"));
    let text = |key: &str| row[key].as_str().unwrap_or_default().to_owned();
    (text("outcome"), text("reason"))
}

fn is(outcome: &str, reason: &str) -> (String, String) {
    (outcome.to_owned(), reason.to_owned())
}

#[test]
fn requests_stay_encrypted_and_the_harmed_one_opts_out_before_auto_mtls_is_turned_on() -> Result<()> {
    let plane = plane()?;
    let upstreams: Vec<_> = HEALTHY.iter().map(|name| (*name, Healthy)).collect();
    let all = [&upstreams[..], &[(HARMED, Disabled), (WRONG, NoSidecar)]].concat();
    let it = Migrating::start(&plane, "migrate", &all)?;
    it.enable_mtls(&[&HEALTHY[..], &[WRONG]].concat().join(","));
    let handshakes = |name: &str| {
        let path = format!("/stats?filter=cluster.{name}_{}.ssl.handshake", it.0.gloo);
        let stats = it.0.gateways.gateway(0).get(&path)?;
        anyhow::Ok(stats.trim().rsplit(' ').next().and_then(|text| text.parse::<u64>().ok()).unwrap_or_default())
    };
    let load = it.0.gateways.load(&[])?;
    crate::stage::wait_for("mutual TLS", Duration::from_mins(1), || Ok((handshakes("u5")? > 0).then_some(())))?;
    let watched = ["-l", LABEL, "--batch", "2", "--observe", "3s", "--min-requests", "5"];

    // While auto-mTLS is off, only the opt-out is made.
    let output = it.migrate(&watched);
    let first = document(&output);
    assert_eq!((output.code, outcomes(&first)), (Some(0), vec!["passed"]), "{output:?}");
    assert_eq!(became(&first, HARMED), is("changed", "autoMtlsHarms"), "{first:#}");
    assert_eq!(became(&first, "u0"), is("skipped", "autoMtlsOff"), "{first:#}");
    assert_eq!(it.spec(HARMED)?["disableIstioAutoMtls"], true);
    assert_eq!(it.0.state()?.0.len(), HEALTHY.len() + 1);

    // Another Gloo reads them too, and sends plaintext without their sslConfigs.
    it.switch(&it.0.gloo, true)?;
    let both = json!({"spec": {"watchNamespaces": ["gloo-system", it.0.gloo]}});
    plane.api().merge(SETTINGS, "gloo-system", "default", &both)?;
    let preview = document(&it.migrate(&[&watched[..], &["--dry-run"]].concat()));
    assert_eq!(became(&preview, "u0"), is("skipped", "autoMtlsOff"), "{preview:#}");
    let elsewhere = json!({"spec": {"watchNamespaces": ["gloo-system"]}});
    plane.api().merge(SETTINGS, "gloo-system", "default", &elsewhere)?;

    let preview = document(&it.migrate(&[&watched[..], &["--dry-run"]].concat()));
    assert_eq!(outcomes(&preview), ["planned"; 3], "{preview:#}");
    assert_eq!(became(&preview, "u0"), is("changed", "samePath"));
    assert_eq!(became(&preview, WRONG), is("skipped", "noSidecar"));
    let before = handshakes("u5")?;
    let output = it.migrate(&watched);
    let second = document(&output);
    assert_eq!((output.code, outcomes(&second)), (Some(0), vec!["passed"; 3]), "{output:?}");
    assert_eq!(it.0.state()?, (strings(&[WRONG]), Vec::new()), "{second:#}");
    for name in HEALTHY {
        assert_eq!(became(&second, name), is("changed", "samePath"), "{second:#}");
    }
    assert_eq!(became(&second, HARMED), is("unchanged", "already"));
    assert!(handshakes("u5")? > before, "its requests are encrypted after the change too");
    assert_eq!(handshakes(HARMED)?, 0);

    // Nothing is left to do, and no request was lost, except where it failed before.
    let output = it.migrate(&[&watched[..], &["--check"]].concat());
    assert_eq!(output.code, Some(0), "{output:?}");
    let log = load.end();
    for name in HEALTHY.iter().chain([&HARMED]) {
        let (failed, sent) = failed(&log, name);
        assert!(failed.is_empty() && sent > 100, "{name}: {failed:?} of {sent}");
    }
    Ok(())
}

#[test]
fn an_upstream_that_gets_plaintext_instead_is_rolled_back_and_a_signal_and_silence_end_the_run() -> Result<()> {
    let plane = plane()?;
    // The pods have the label of a sidecar, and Gloo does not send mutual TLS there.
    let it = Migrating::start(&plane, "stale", &[("u0", Healthy), ("u1", NoSidecar)])?;
    let elsewhere = json!({"spec": {"watchNamespaces": ["gloo-system"]}});
    plane.api().merge(SETTINGS, "gloo-system", "default", &elsewhere)?;
    let label = json!({"metadata": {"labels": {"security.istio.io/tlsMode": "istio"}}});
    plane.api().merge("v1/Pod", &it.0.apps, "u1-1", &label)?;
    it.enable_mtls("u0,u1");
    it.switch(&it.0.gloo, true)?;
    let both = strings(&["u0", "u1"]);
    let watched = ["-l", LABEL, "--observe", "3s", "--min-requests", "5"];

    // Without traffic the batch stays, and the next run watches it first.
    let output = it.migrate(&["-u", "u0", "--observe", "1s"]);
    assert_eq!((output.code, outcomes(&document(&output))), (Some(7), vec!["tooFewRequests"]), "{output:?}");
    assert_eq!(it.0.state()?, (strings(&["u1"]), strings(&["u0"])));

    let load = it.0.gateways.load(&[])?;
    let output = it.migrate(&watched);
    let document_of = document(&output);
    assert_eq!((output.code, outcomes(&document_of)), (Some(5), vec!["passed", "rolledBack"]), "{output:?}");
    assert_eq!(document_of["batches"][0]["changedByEarlierRun"], true);
    assert_eq!(became(&document_of, "u1"), is("failed", "errorsRose"), "{document_of:#}");
    assert!(output.stderr.contains("without a TLS handshake"), "{output:?}");
    assert_eq!(it.0.state()?, (strings(&["u1"]), Vec::new()));

    it.enable_mtls("u0");
    let words = [&["istio", "auto-mtls", "migrate", "-n", &it.0.gloo, "--yes"], &watched[..]].concat();
    let running = it.0.sandbox.start(&words);
    running.interrupt_once(|| it.0.state().is_ok_and(|(_, marked)| marked.len() == 2));
    let output = it.0.sandbox.end_of(running);
    assert_eq!((output.code, it.0.state()?), (Some(130), (both, Vec::new())), "{output:?}");

    // A killed run leaves its mark, and the next one can roll back by it.
    let running = it.0.sandbox.start(&words);
    running.wait_until(|| it.0.state().is_ok_and(|(_, marked)| marked.len() == 2));
    running.kill();
    drop(it.0.sandbox.end_of(running));
    let upstream = plane.api().get(UPSTREAM, &it.0.gloo, "u0")?.context("u0")?;
    assert!(upstream["spec"]["sslConfig"].is_null() && !upstream["metadata"]["annotations"][MARK].is_null());
    let output = it.migrate(&watched);
    assert_eq!((output.code, outcomes(&document(&output))), (Some(0), vec!["passed"]), "{output:?}");
    assert!(!load.end().is_empty());
    Ok(())
}

#[test]
fn a_request_proves_each_change_and_none_is_made_where_it_cannot() -> Result<()> {
    let plane = plane()?;
    let it = Migrating::start(&plane, "unrouted", &[("u0", Healthy), (HARMED, Disabled)])?;
    let elsewhere = json!({"spec": {"watchNamespaces": ["gloo-system"]}});
    plane.api().merge(SETTINGS, "gloo-system", "default", &elsewhere)?;
    it.enable_mtls("u0");
    it.switch(&it.0.gloo, true)?;
    let output = it.migrate(&["-u", "u0"]);
    let refused = document(&output);
    assert_eq!((output.code, became(&refused, "u0")), (Some(1), is("refused", "unproven")), "{output:?}");
    let output = it.migrate(&["-l", LABEL]);
    let swept = document(&output);
    assert_eq!((output.code, became(&swept, "u0")), (Some(0), is("skipped", "unproven")), "{output:?}");
    // The opt-out has nothing to lose.
    assert_eq!(became(&swept, HARMED), is("changed", "autoMtlsHarms"));
    assert_eq!(it.0.state()?, (strings(&["u0"]), Vec::new()));

    // With a route, a request proves mutual TLS before and after the change.
    let route = json!({"matchers": [{"exact": "/headers"}], "routeAction": {"single": {"upstream": {"name": "u0", "namespace": it.0.gloo}}}});
    let virtual_service = json!({
        "apiVersion": "gateway.solo.io/v1", "kind": "VirtualService", "metadata": {"namespace": it.0.gloo, "name": "u0"},
        "spec": {"virtualHost": {"domains": ["u0"], "routes": [route]}},
    });
    plane.api().apply(&virtual_service.to_string())?;
    let output = it.migrate(&["-l", LABEL]);
    let proven = document(&output);
    assert_eq!((output.code, became(&proven, "u0")), (Some(0), is("changed", "samePath")), "{output:?}");
    assert!(output.stdout.contains("verified by a request"), "{output:?}");
    assert_eq!(it.0.state()?, (Vec::new(), Vec::new()));
    Ok(())
}
