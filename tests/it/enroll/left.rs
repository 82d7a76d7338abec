//! What is not restarted, each with its reason, and the namespaces that are not for the mesh.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Bench, assert_said, meshed, plain, workload};
use crate::stage::wait_for;

#[test]
fn what_is_not_restarted_is_named_with_its_reason() -> Result<()> {
    let bench = Bench::with_web("left")?;
    let template = |more: Value| json!({"spec": {"template": more}});
    let opted_out = json!({"sidecar.istio.io/inject": "false"});
    bench.deploy("by-label", &template(json!({"metadata": {"labels": opted_out}})))?;
    bench.deploy("by-annotation", &template(json!({"metadata": {"annotations": opted_out}})))?;
    bench.deploy("host", &template(json!({"spec": {"hostNetwork": true}})))?;
    bench.deploy("paused", &json!({}))?;
    bench.plane().api().merge("apps/v1/Deployment", &bench.apps, "paused", &json!({"spec": {"paused": true}}))?;
    bench.apply(workload("DaemonSet", "by-hand", &json!({"spec": {"updateStrategy": {"type": "OnDelete"}}})))?;
    let rolling = json!({"rollingUpdate": {"partition": 1}});
    bench.apply(workload(
        "StatefulSet",
        "part",
        &json!({"spec": {"serviceName": "part", "updateStrategy": rolling}}),
    ))?;
    bench.apply(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "bare", "labels": {"app": "bare"}},
        "spec": {"containers": [{"name": "app", "image": "app:1"}]},
    }))?;
    // As Argo Rollouts make them; the CRD is not there, and need not be.
    let labels = json!({"app": "argo", "rollouts-pod-template-hash": "5c"});
    let set = json!({"spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}}}});
    bench.apply(workload("ReplicaSet", "argo-5c", &set))?;
    // It waits for a node; one that has run is over.
    bench.apply(json!({
        "apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"},
        "spec": {"template": {"metadata": {"labels": {"app": "once"}}, "spec": {
            "restartPolicy": "Never", "nodeSelector": {"nowhere": "here"},
            "containers": [{"name": "app", "image": "app:1"}]}}},
    }))?;
    bench.apply(json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": {"name": "nightly"},
        "spec": {"schedule": "0 4 1 1 *", "jobTemplate": {"spec": {"template": {"spec": {
            "restartPolicy": "Never", "containers": [{"name": "app", "image": "app:1"}]}}}}},
    }))?;
    for app in ["by-hand", "part", "bare", "once", "argo"] {
        wait_for(&format!("{app} has a pod"), super::PATIENCE, || Ok((!bench.pods(app)?.is_empty()).then_some(())))?;
    }

    let (document, output) = bench.json("enroll NS --revision OLD")?;
    let said = [
        "not restarted: deployment/by-label: opted out by sidecar.istio.io/inject=false\n",
        "not restarted: deployment/by-annotation: opted out by sidecar.istio.io/inject=false\n",
        "not restarted: deployment/host: uses the host's network: Istio injects nothing there\n",
        "not restarted: deployment/paused: is paused: its pods are not replaced\n  hint: kubectl rollout resume deployment/paused -n ",
        "not restarted: daemonset/by-hand: has updateStrategy OnDelete: ",
        "not restarted: statefulset/part: has a partition: its pods below number 1 are not replaced\n",
        "not restarted: pod/bare: nothing creates it again after it is deleted\n",
        "not restarted: rollout/argo: an Argo Rollout is restarted by its own controller\n  hint: kubectl argo rollouts restart argo -n ",
        "not restarted: job/once: a Job cannot be restarted\n",
        "not restarted: cronjob/nightly: its next Jobs get a sidecar",
    ];
    assert_said(&output, 0, &said);
    assert_eq!(document["summary"]["skipped"], said.len(), "{document:#}");
    assert_eq!(bench.shape("web")?, [meshed(&bench.old)]);
    for name in ["by-label", "by-annotation", "host", "paused"] {
        assert_eq!((bench.restarted(name)?, bench.shape(name)?), (Value::Null, vec![plain()]), "{name}");
    }
    // One that is named is no matter of course.
    let output = bench.run("enroll NS --workload deployment/paused");
    assert_said(
        &output,
        1,
        &["error: deployment.apps/paused: is paused: its pods are not replaced", "nothing was changed"],
    );
    let output = bench.run("unenroll NS --yes");
    assert!(output.code == Some(0) && !output.stderr.contains("not restarted"), "{output:#?}");
    Ok(())
}

#[test]
fn a_pod_that_asks_for_its_sidecar_itself_keeps_it() -> Result<()> {
    let bench = Bench::with_web("itself")?;
    assert_eq!(bench.run("enroll NS --revision OLD").code, Some(0));
    let own = json!({"spec": {"template": {"metadata": {"labels": {"istio.io/rev": bench.old.name}}}}});
    bench.deploy("own", &own)?;
    let output = bench.run("unenroll NS --yes");
    let said = format!("not restarted: deployment/own: requests its own sidecar by istio.io/rev={}\n", bench.old.name);
    assert_said(&output, 0, &[&said]);
    assert_eq!((bench.shape("own")?, bench.shape("web")?), (vec![meshed(&bench.old)], vec![plain()]));
    Ok(())
}

#[test]
fn namespaces_that_are_not_for_the_mesh_are_refused() -> Result<()> {
    let bench = Bench::with_web("refused")?;
    let gloo = bench.plane().namespace("refused-gloo")?;
    let mesh = bench.istio_namespace().to_owned();
    for (namespace, why) in [
        ("kube-system", "belongs to Kubernetes: Istio injects nothing there"),
        (mesh.as_str(), "belongs to istiod"),
        (
            gloo.as_str(),
            "belongs to Gloo: the hook Jobs of its chart would get a sidecar and never end\n  hint: gloo-rs istio inject",
        ),
    ] {
        let (document, output) = bench.json(&format!("enroll {namespace} --revision OLD --gloo-namespace {gloo}"))?;
        assert_said(&output, 1, &[&format!("error: namespace/{namespace}: {why}"), "nothing was changed"]);
        assert_eq!(document["results"][0]["reason"], "systemNamespace");
        let forced = bench.run(&format!(
            "enroll {namespace} --revision OLD --gloo-namespace {gloo} --include-gloo-namespace --dry-run"
        ));
        assert_eq!(forced.code, Some(i32::from(namespace != gloo)), "{forced:#?}");
    }
    let forced = bench.run(&format!("enroll {gloo} --revision OLD --gloo-namespace {gloo} --include-gloo-namespace"));
    assert_said(&forced, 2, &["enroll interrupts the hook Jobs of Gloo in "]);
    // It is the way out of there.
    let out = bench.run(&format!("unenroll {gloo} --gloo-namespace {gloo} --yes"));
    assert_eq!(out.code, Some(0), "{out:#?}");

    bench.label(&json!({"istio.io/dataplane-mode": "ambient"}))?;
    let output = bench.run("enroll NS --revision OLD");
    let said =
        format!("error: namespace/{}: is in ambient mode: its pods are in the mesh without sidecars", bench.apps);
    assert_said(&output, 1, &[&said, "hint: gloo-rs istio unenroll "]);
    let labels = bench.labels()?;
    assert_eq!(labels, json!({"istio.io/dataplane-mode": "ambient"}));
    let first = document_rows(&bench)?;
    assert_eq!(first, ["refused"]);
    Ok(())
}

/// Of two namespaces of which one is refused, neither is touched.
fn document_rows(bench: &Bench) -> Result<Vec<String>> {
    let other = bench.plane().namespace("refused")?;
    let (document, output) = bench.json(&format!("enroll {other} NS --revision OLD"))?;
    assert_eq!(output.code, Some(1), "{output:#?}");
    let labels =
        bench.plane().api().get("v1/Namespace", "", &other)?.context("it is there")?["metadata"]["labels"].take();
    assert_eq!(labels["istio.io/rev"], Value::Null);
    let rows = document["results"].as_array().context("rows")?;
    Ok(rows.iter().filter_map(|row| row["outcome"].as_str().map(str::to_owned)).collect())
}
