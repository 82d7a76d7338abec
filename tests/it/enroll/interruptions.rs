//! What a restart interrupts is said before, and needs a yes.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Bench, assert_said, meshed, workload};
use crate::stage::wait_for;

#[test]
fn a_workload_without_pods_meanwhile_needs_a_yes() -> Result<()> {
    let bench = Bench::new("recreate")?;
    bench.deploy("one", &json!({"spec": {"strategy": {"type": "Recreate"}}}))?;
    let in_place = json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": "100%"}});
    bench.deploy("two", &json!({"spec": {"replicas": 2, "strategy": in_place}}))?;
    let versions = bench.versions()?;
    let output = bench.run("enroll NS --revision OLD");
    let said = [
        "warning: deployment/one is interrupted by its restart: its only pod (Recreate)",
        "warning: deployment/two is interrupted by its restart: all 2 pods at once",
        "error: enroll interrupts 2 workloads: --yes is required",
    ];
    assert_said(&output, 2, &said);
    assert_eq!(bench.versions()?, versions);
    let output = bench.run("enroll NS --revision OLD --workload deploy/one --dry-run");
    assert_said(&output, 0, &[said[0]]);

    let sandbox = bench.sandbox();
    let words = bench.words("enroll NS --revision OLD");
    let mut running = sandbox.start_on_terminal(&words.iter().map(String::as_str).collect::<Vec<_>>());
    running.wait_for("[y/N]");
    running.give("y\n");
    let output = sandbox.end_of(running);
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert_eq!(bench.shape("two")?, [meshed(&bench.old), meshed(&bench.old)]);
    Ok(())
}

#[test]
fn more_than_a_budget_allows_needs_a_yes_though_it_stops_no_restart() -> Result<()> {
    let bench = Bench::new("budget")?;
    let half = json!({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 2}});
    bench.deploy("web", &json!({"spec": {"replicas": 4, "strategy": half}}))?;
    bench.apply(json!({
        "apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "most"},
        "spec": {"minAvailable": 3, "selector": {"matchLabels": {"app": "web"}}},
    }))?;
    wait_for("the budget is counted", super::PATIENCE, || {
        Ok((bench.get("policy/v1/PodDisruptionBudget", "most")?["status"]["disruptionsAllowed"] == 1).then_some(()))
    })?;
    let output = bench.run("enroll NS --revision OLD");
    let gap = "deployment/web is interrupted by its restart: 2 of 4 pods at once, PodDisruptionBudget most allows 1";
    assert_said(&output, 2, &[gap, "enroll interrupts deployment/web: --yes is required"]);
    let (document, output) = bench.json("enroll NS --revision OLD --yes")?;
    assert_eq!(output.code, Some(0), "{output:#?}");
    let codes: Vec<_> = document["warnings"].as_array().context("warnings")?.iter().map(|it| &it["code"]).collect();
    assert_eq!(codes, ["interruption"]);
    assert_eq!(bench.shape("web")?.len(), 4);
    Ok(())
}

#[test]
fn who_owns_the_objects_and_what_will_answer_503_is_said() -> Result<()> {
    let bench = Bench::with_web("said")?;
    let by_argo = json!({"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "shop:/Namespace:/x"}}});
    bench.plane().api().merge("v1/Namespace", "", &bench.apps, &by_argo)?;
    bench.plane().api().merge("apps/v1/Deployment", &bench.apps, "web", &by_argo)?;
    bench.apply(json!({
        "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": {"name": "strict"},
        "spec": {"mtls": {"mode": "STRICT"}},
    }))?;
    let output = bench.run("enroll NS --revision OLD");
    let said = [
        format!("warning: Argo CD application shop owns namespace {} and will undo the change", bench.apps),
        format!("istio enroll {} --revision {} -f PATH --write", bench.apps, bench.old.name),
        "note: Argo CD application shop owns deployment/web: it may remove restartedAt".to_owned(),
        format!("warning: STRICT applies in {}: once its pods have sidecars, plaintext to them gets 503", bench.apps),
        format!("peerauthentication {}/strict, namespace", bench.apps),
    ];
    assert_said(&output, 0, &said.each_ref().map(String::as_str));

    let gloo = bench.plane().namespace("said-gloo")?;
    let kube = json!({"serviceName": "web", "serviceNamespace": bench.apps, "servicePort": 80});
    let sds = json!({"certificatesSecretName": "istio_server_cert", "validationContextName": "istio_validation_context",
        "clusterName": "gateway_proxy_sds", "targetUri": "127.0.0.1:8234"});
    for (name, ssl) in [("with", json!({"alpnProtocols": ["istio"], "sds": sds})), ("without", Value::Null)] {
        let mut upstream = json!({
            "apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "metadata": {"name": name, "namespace": gloo},
            "spec": {"kube": kube},
        });
        if !ssl.is_null() {
            upstream["spec"]["sslConfig"] = ssl;
        }
        bench.plane().api().apply(&upstream.to_string())?;
    }
    let output = bench.run("unenroll NS --yes");
    let said = [
        format!("warning: 1 Upstream sends Istio's mTLS to {}: 503 once its pods have no sidecars", bench.apps),
        format!("upstream {gloo}/with\n"),
        format!("hint: gloo-rs istio disable-mtls -u with -n {gloo}"),
        format!("warning: STRICT applies in {}: its pods will leave the mesh", bench.apps),
    ];
    assert_said(&output, 0, &said.each_ref().map(String::as_str));
    Ok(())
}

#[test]
fn only_the_workload_that_is_named_is_restarted() -> Result<()> {
    let bench = Bench::with_web("named")?;
    bench.deploy("api", &json!({}))?;
    bench.apply(workload("StatefulSet", "web", &json!({"spec": {"replicas": 0, "serviceName": "web"}})))?;
    let output = bench.run("enroll NS --revision OLD --workload web");
    assert_said(&output, 1, &["several workloads are named web", "hint: --workload deployment/web or statefulset/web"]);
    let output = bench.run("enroll NS --revision OLD --workload deployment/wep");
    assert_said(&output, 1, &["error: deployment.apps/wep: not found in ", "near: web", "nothing was changed"]);
    let output = bench.run("enroll NS --revision OLD --workload pod/web");
    assert_said(&output, 2, &["\"pod\" is not a kind that can be restarted"]);
    let output = bench.run("enroll NS --revision OLD --workload deployments.apps/web");
    assert_said(&output, 0, &["not restarted: deployment/api: not one of those that --workload names"]);
    assert_eq!((bench.shape("web")?, bench.restarted("api")?), (vec![meshed(&bench.old)], Value::Null));
    Ok(())
}
