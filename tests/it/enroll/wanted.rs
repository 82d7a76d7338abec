//! Workloads that want more pods than there are: what prevents their pods is found, and nothing is called enrolled.

use anyhow::Result;
use serde_json::{Value, json};

use super::{Bench, PATIENCE, assert_said, meshed, plain, row, workload};
use crate::stage::wait_for;

/// A hook for `istio-injection=enabled` in this test's namespace alone, which nobody answers.
fn dead_default(bench: &Bench) -> Result<()> {
    let labels = json!({"app": "istiod", "istio.io/rev": "default"});
    let discovery = json!({"name": "discovery", "image": "docker.io/istio/pilot:1.29.1"});
    let nowhere = json!({"containers": [discovery], "nodeSelector": {"no": "node"}});
    let istiod = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "istiod", "namespace": bench.istio_namespace(), "labels": labels},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": nowhere}},
    });
    let selector = json!({"matchLabels": {"kubernetes.io/metadata.name": bench.apps, "istio-injection": "enabled"}});
    let webhook = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "MutatingWebhookConfiguration",
        "metadata": {"name": format!("dead-{}", bench.apps)},
        "webhooks": [{
            "name": "namespace.sidecar-injector.istio.io", "clientConfig": {"url": "https://127.0.0.1:1/inject"},
            "sideEffects": "None", "failurePolicy": "Fail", "admissionReviewVersions": ["v1"],
            "namespaceSelector": selector,
            "rules": [{"operations": ["CREATE"], "apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"]}],
        }],
    });
    bench.plane().api().apply(&istiod.to_string())?;
    bench.plane().api().apply(&webhook.to_string())
}

/// No pod can be created in this test's namespace.
fn no_room(bench: &Bench) -> Result<()> {
    bench.apply(json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}},
    }))?;
    let quota = || bench.get("v1/ResourceQuota", "none");
    wait_for("the quota counts", PATIENCE, || Ok((quota()?["status"]["hard"]["pods"] == "0").then_some(())))
}

/// Applies a Deployment and waits until its `ReplicaSet` reports that it may not create a pod.
fn deploy_blocked(bench: &Bench, name: &str) -> Result<()> {
    bench.apply(workload("Deployment", name, &json!({})))?;
    wait_for("no pod can be created", PATIENCE, || {
        let conditions = bench.deployment(name)?["status"]["conditions"].take();
        let refused = conditions.as_array().into_iter().flatten().any(|it| it["type"] == "ReplicaFailure");
        Ok(refused.then_some(()))
    })
}

/// Waits until an app has one pod, of this shape. A `ReplicaSet` that was blocked may make one more for a moment.
fn one_pod(bench: &Bench, app: &str, shape: &(Option<String>, String)) -> Result<()> {
    let what = format!("{app} has one pod: {shape:?}");
    wait_for(&what, PATIENCE, || Ok((bench.shape(app)? == std::slice::from_ref(shape)).then_some(())))
}

fn both(bench: &Bench) -> Value {
    json!({"istio-injection": "enabled", "istio.io/rev": bench.old.name})
}

#[test]
fn of_two_labels_the_dead_one_is_removed() -> Result<()> {
    let bench = Bench::with_own_istiods("two-labels")?;
    dead_default(&bench)?;
    bench.label(&both(&bench))?;
    deploy_blocked(&bench, "web")?;
    let (document, output) = bench.json("enroll NS --istio-namespace MESH")?;
    assert_eq!(output.code, Some(0), "{output:#?}");
    let enrolled = format!("enrolled (istio.io/rev={}, was istio-injection=enabled)", bench.old.name);
    assert_eq!(row(&document, &bench.apps), Some(("changed", enrolled.as_str())), "{document:#}");
    assert_eq!(row(&document, "web").map(|row| row.0), Some("changed"), "{document:#}");
    assert_eq!(document["warnings"][0]["code"], "istiodNotReady", "{document:#}");
    assert_eq!(bench.labels()?, json!({"istio.io/rev": bench.old.name}));
    one_pod(&bench, "web", &meshed(&bench.old))
}

#[test]
fn a_dead_label_is_no_success_and_the_workload_without_pods_is_named() -> Result<()> {
    let bench = Bench::with_own_istiods("dead-label")?;
    dead_default(&bench)?;
    bench.label(&both(&bench))?;
    deploy_blocked(&bench, "web")?;
    let said = [
        "would not get the sidecar of default",
        "failed calling webhook \"namespace.sidecar-injector.istio.io\"",
        "deployment/web before this run: 0 of 1 pods ready",
        "event FailedCreate: ",
    ];
    // It was asked for by name, so it replaces the label that works, and is rolled back.
    let output = bench.run("enroll NS --istio-namespace MESH --revision default");
    assert_said(&output, 5, &said);
    assert_eq!(bench.labels()?, both(&bench));

    bench.label(&json!({"istio.io/rev": null}))?;
    let versions = bench.versions()?;
    let output = bench.run("enroll NS --istio-namespace MESH");
    assert_said(&output, 1, &said);
    assert_eq!(bench.versions()?, versions);

    // A namespace without workloads is not enrolled by a dead label either.
    bench.plane().api().delete("apps/v1/Deployment", &bench.apps, "web")?;
    bench.label(&json!({"istio-injection": null}))?;
    let output = bench.run("enroll NS --istio-namespace MESH --revision default");
    assert_said(&output, 5, &said[..2]);
    assert_eq!(bench.labels()?, json!({}));
    Ok(())
}

#[test]
fn pods_that_the_injector_prevented_exist_once_it_is_left() -> Result<()> {
    let bench = Bench::with_own_istiods("left-dead")?;
    bench.injector().go_down();
    bench.label(&json!({"istio.io/rev": bench.old.name}))?;
    deploy_blocked(&bench, "web")?;
    let output = bench.run("unenroll NS --yes");
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert!(output.stdout.contains("deployment.apps/web restarted (missing pods -> no sidecar)\n"), "{output:#?}");
    assert_eq!(bench.labels()?, json!({}));
    one_pod(&bench, "web", &plain())
}

#[test]
fn a_quota_keeps_a_namespace_out_and_was_there_before() -> Result<()> {
    let bench = Bench::new("no-room")?;
    no_room(&bench)?;
    for kind in ["StatefulSet", "DaemonSet"] {
        bench.apply(workload(kind, &kind.to_lowercase(), &json!({})))?;
    }
    bench.apply(workload("Deployment", "idle", &json!({"spec": {"replicas": 0}})))?;
    bench.apply(workload("Deployment", "paused", &json!({"spec": {"paused": true}})))?;
    deploy_blocked(&bench, "web")?;
    bench
        .plane()
        .api()
        .wait("apps/v1/DaemonSet", &bench.apps, "daemonset", |it| it["status"]["desiredNumberScheduled"] == 1)?;
    let named = |name: &str| format!("error: {name} did not become ready (0 of 1 new, ");
    let errors = ["deployment/web", "statefulset/statefulset", "daemonset/daemonset"].map(named);
    let reasons = [
        "exceeded quota: none",
        "event FailedCreate: ",
        "before this run: 0 of 1 pods ready",
        "has 0 of 1 pods; is paused",
    ];
    let said: Vec<_> = errors.iter().map(String::as_str).chain(reasons).collect();

    let (document, output) = bench.json("enroll NS --revision OLD --yes --parallel 3 --wait-timeout 5s")?;
    assert_said(&output, 5, &said);
    assert_eq!((bench.labels()?, bench.restarted("web")?), (json!({}), Value::Null));
    assert_eq!(row(&document, "idle"), Some(("unchanged", "has no pods")), "{document:#}");
    assert_eq!(row(&document, "paused").map(|row| row.0), Some("skipped"), "{document:#}");

    // The label is there: nothing is written, so nothing is rolled back or verified.
    bench.label(&json!({"istio.io/rev": bench.old.name}))?;
    let versions = bench.versions()?;
    let output = bench.run("enroll NS --parallel 3 --wait-timeout 5s");
    assert_said(&output, 7, &said);
    assert_eq!(bench.versions()?, versions);

    bench.label(&json!({"istio.io/rev": null}))?;
    bench.plane().api().delete("v1/ResourceQuota", &bench.apps, "none")?;
    let output = bench.run("enroll NS --revision OLD --yes");
    assert_eq!(output.code, Some(0), "{output:#?}");
    for name in ["web", "statefulset", "daemonset"] {
        one_pod(&bench, name, &meshed(&bench.old))?;
    }
    Ok(())
}
