//! The API server goes away between the two writes: a webhook that never answers holds the second one up, and
//! the server is killed while it waits.

use std::time::Duration;

use anyhow::{Context as _, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{INJECTED, assert_said, containers, document, last_line, names};
use crate::stage::{Options, Plane};
use crate::support::stub::Stub;
use crate::support::{Certificate, Output, Sandbox};

const INJECT: &str = "istio inject --revision 1-28 -o json";
const WEBHOOK: &str = "admissionregistration.k8s.io/v1/ValidatingWebhookConfiguration";

/// Lets the API server ask the stub before it changes a Deployment for good.
fn hold_up(plane: &Plane, gate: &Stub) -> Result<()> {
    let rule = json!({
        "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"],
    });
    let client = json!({"url": format!("{}/gate", gate.url()), "caBundle": STANDARD.encode(gate.ca())});
    let has_sds = |object: &str| format!("{object}.spec.template.spec.containers.exists(it, it.name == 'sds')");
    let expression = format!("!request.dryRun && {} && !{}", has_sds("object"), has_sds("oldObject"));
    let webhook = json!({
        "name": "gate.example.com", "sideEffects": "None", "admissionReviewVersions": ["v1"], "clientConfig": client,
        "failurePolicy": "Fail", "timeoutSeconds": 30, "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "gloo-system"}},
        "matchConditions": [{"name": "our-writes", "expression": expression}],
    });
    let gate = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": "gate"}, "webhooks": [webhook],
    });
    plane.api().apply(&gate.to_string())
}

fn run(plane: &Plane, line: &str) -> Output {
    let sandbox = Sandbox::new().env("KUBECONFIG", plane.kubeconfig().to_str().expect("UTF-8"));
    sandbox.run(&line.split(' ').collect::<Vec<_>>())
}

fn state(plane: &Plane) -> Result<[Value; 2]> {
    let api = plane.api();
    let workload = api.get("apps/v1/Deployment", "gloo-system", "gateway-proxy")?.context("the Deployment")?;
    let map = api.get("v1/ConfigMap", "gloo-system", "gateway-proxy-envoy-config")?.context("the bootstrap")?;
    Ok([workload["spec"].clone(), map["data"].clone()])
}

/// Runs until the second write is at the gate, kills the API server, and lets `then` happen.
fn killed_between(plane: &Plane, line: &str, then: impl FnOnce() -> Result<()>) -> Result<Output> {
    let gate = Stub::tls(Certificate::Good);
    gate.on("POST", "/gate").json(200, &json!({})).slow(Duration::from_mins(10)).always();
    hold_up(plane, &gate)?;
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run(plane, line));
        crate::stage::wait_for("the second write is at the gate", super::PATIENCE, || {
            Ok((!gate.requests().is_empty() || running.is_finished()).then_some(()))
        })?;
        plane.kill_apiserver()?;
        then()?;
        Ok(running.join().expect("no panic"))
    })
}

#[test]
fn an_api_server_that_dies_between_the_writes_leaves_the_old_state_or_one_that_a_rerun_completes() -> Result<()> {
    let plane = Plane::start(&Options { context: "outage".into(), ..Options::default() })?;
    plane.install_guide()?;
    let before = state(&plane)?;

    // It comes back while the run waits for it: the first write is taken back.
    let output = killed_between(&plane, &format!("{INJECT} --timeout 3m"), || plane.start_apiserver())?;
    let (document_, output) = document(output)?;
    assert_said(&output, 5, &["outcome is unknown", "everything is rolled back"]);
    assert_eq!(document_["error"]["reason"], "unreachable");
    assert_eq!(state(&plane)?, before);
    plane.api().delete(WEBHOOK, "", "gate")?;

    // It stays away: the run says what is in which state, and a rerun completes it.
    let output = killed_between(&plane, &format!("{INJECT} --timeout 3s"), || Ok(()))?;
    plane.start_apiserver()?;
    let (document_, output) = document(output)?;
    let said = [
        "NOT fully rolled back",
        "deployment.apps/gateway-proxy  still changed: ",
        "configmap/gateway-proxy-envoy-config  still changed: ",
        "gloo-rs istio uninject",
    ];
    assert_said(&output, 6, &said);
    assert_eq!(document_["error"]["reason"], "halfDone");
    let half = state(&plane)?;
    assert_eq!(half[0], before[0]);
    assert!(half[1] != before[1], "the bootstrap alone was written");
    plane.api().delete(WEBHOOK, "", "gate")?;

    let output = run(&plane, "istio inject --revision 1-28");
    assert_said(&output, 0, &["was partly injected; missing: container sds, container istio-proxy"]);
    assert_eq!(last_line(&output.stdout), INJECTED);
    let deployment = plane.api().get("apps/v1/Deployment", "gloo-system", "gateway-proxy")?.context("it")?;
    assert_eq!(names(containers(&deployment)).len(), 3);
    assert_eq!(run(&plane, "istio uninject").code, Some(0));
    assert_eq!(state(&plane)?, before);
    Ok(())
}

/// The wait outlasts an API server that is away for a moment.
#[test]
fn an_api_server_that_is_away_during_the_wait_is_waited_for() -> Result<()> {
    let plane = Plane::start(&Options { context: "away".into(), ..Options::default() })?;
    plane.install_guide()?;
    let api = plane.api();
    let quota = json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full", "namespace": "gloo-system"},
        "spec": {"hard": {"pods": "2"}},
    });
    api.apply(&quota.to_string())?;
    api.wait("v1/ResourceQuota", "gloo-system", "full", |quota| quota["status"]["used"]["pods"] == "2")?;
    std::thread::scope(|scope| {
        let running = scope.spawn(|| run(&plane, "istio inject --revision 1-28 --timeout 5s"));
        api.wait("apps/v1/Deployment", "gloo-system", "gateway-proxy", |it| names(containers(it)).len() == 3)?;
        plane.kill_apiserver()?;
        plane.start_apiserver()?;
        api.delete("v1/ResourceQuota", "gloo-system", "full")?;
        let output = running.join().expect("no panic");
        assert_eq!((output.code, last_line(&output.stdout)), (Some(0), INJECTED), "{output:#?}");
        Ok(())
    })
}
