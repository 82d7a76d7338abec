//! Rollouts that do not get ready: what the pods say, whether the old ones served, and everything taken back.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{
    Bench, INJECTED, PATIENCE, UNINJECTED, assert_said, containers, document, fixture, last_line, named, names, raw,
};
use crate::stage::wait_for;

const INJECT: &str = "inject --revision 1-28 --istio-namespace istio-system";
const SOON: &str = "inject --revision 1-28 --istio-namespace istio-system --wait-timeout 10s";
const BACK: &str = "everything is rolled back";
const SERVED: &str = "old pods kept serving (1 of 1 ready)";

/// Runs in another thread while something happens to what it does.
fn meanwhile(bench: &Bench, line: &str, happens: impl FnOnce() -> Result<()>) -> Result<crate::support::Output> {
    std::thread::scope(|scope| {
        let running = scope.spawn(|| bench.run(line));
        let happened = happens();
        let output = running.join().expect("no panic");
        happened.with_context(|| format!("{output:#?}"))?;
        Ok(output)
    })
}

fn enforce_restricted(bench: &Bench) -> Result<()> {
    let level = json!({"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}});
    bench.plane.api().merge("v1/Namespace", "", &bench.gloo, &level)
}

/// What a restricted namespace admits, on the proxy itself.
fn restricted() -> Value {
    json!({
        "allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}, "runAsNonRoot": true, "runAsUser": 10101,
        "seccompProfile": {"type": "RuntimeDefault"},
    })
}

#[test]
fn a_quota_that_leaves_no_room_is_quoted_and_the_old_pods_serve() -> Result<()> {
    let bench = Bench::new("quota")?;
    bench.apply(json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "two"}, "spec": {"hard": {"pods": "2"}},
    }))?;
    wait_for("the quota counts", PATIENCE, || {
        Ok((bench.get("v1/ResourceQuota", "two")?["status"]["used"]["pods"] == "2").then_some(()))
    })?;
    let before = bench.state()?;
    let (document, output) = bench.json(SOON)?;
    assert_said(&output, 5, &["did not become ready (0 of 1 new, ", "exceeded quota: two", SERVED, BACK]);
    assert_eq!(document["error"]["reason"], "rollout");
    let rows: Vec<_> = document["results"].as_array().context("rows")?.iter().map(|row| &row["message"]).collect();
    assert_eq!(rows, ["rolled back", "rolled back"]);
    assert_eq!(bench.state()?, before);

    bench.plane.api().delete("v1/ResourceQuota", &bench.gloo, "two")?;
    let output = bench.run(INJECT);
    assert_eq!((output.code, last_line(&output.stdout)), (Some(0), INJECTED), "{output:#?}");
    Ok(())
}

#[test]
fn a_gateway_that_was_without_pods_before_is_not_called_injected() -> Result<()> {
    let bench = Bench::new("no-pods")?;
    let scale = |replicas: u64| {
        bench.merge("apps/v1/Deployment", "gateway-proxy", &json!({"spec": {"replicas": replicas}}))?;
        wait_for("the old pods are gone or refused", PATIENCE, || {
            let status = bench.deployment()?["status"].take();
            let refused =
                status["conditions"].as_array().into_iter().flatten().any(|it| it["type"] == "ReplicaFailure");
            Ok((status["replicas"].as_u64().unwrap_or_default() == 0 && refused == (replicas > 0)).then_some(()))
        })
    };
    bench.apply(json!({
        "apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "none"}, "spec": {"hard": {"pods": "0"}},
    }))?;
    wait_for("the quota counts", PATIENCE, || {
        Ok((bench.get("v1/ResourceQuota", "none")?["status"]["hard"]["pods"] == "0").then_some(()))
    })?;
    scale(0)?;
    scale(1)?;
    let before = bench.state()?;
    let said = [
        "error: deployment/gateway-proxy did not become ready (0 of 1 new, ",
        "exceeded quota: none",
        "event FailedCreate: ",
        "before this run: 0 of 1 pods ready",
    ];
    let output = bench.run(SOON);
    assert_said(&output, 5, &said);
    assert_eq!(bench.state()?, before);
    assert_eq!(bench.run(&format!("{INJECT} --no-wait")).code, Some(0));
    let output = bench.run(SOON);
    assert_said(&output, 7, &said);
    assert!(!output.stdout.contains(INJECTED), "{output:#?}");

    // A terminal sees how many pods are ready, and why the others are not.
    let sandbox = bench.sandbox().env("TERM", "xterm");
    let output = sandbox.end_of(sandbox.start_on_terminal(&bench.words(SOON)));
    let lines: Vec<_> =
        output.stderr.split("\u{1b}[2K").filter(|line| line.contains(": 0 of 1 pods new and ready (")).collect();
    assert!(lines.iter().any(|line| line.contains("s): pods ")), "{output:#?}");
    assert_eq!(output.code, Some(7), "{output:#?}");

    // The same for the way back: the second run has nothing to change, and the pods are still missing.
    assert_eq!(bench.run("uninject --no-wait").code, Some(0));
    let output = bench.run("uninject --wait-timeout 3s");
    assert_said(&output, 7, &said[1..3]);
    assert!(!output.stdout.contains("successfully uninjected"), "{output:#?}");

    // Nothing is wrong with a gateway that wants no pods.
    bench.merge("apps/v1/Deployment", "gateway-proxy", &json!({"spec": {"replicas": 0}}))?;
    let output = bench.run(INJECT);
    assert_eq!((output.code, last_line(&output.stdout)), (Some(0), INJECTED), "{output:#?}");
    Ok(())
}

#[test]
fn a_restricted_namespace_wants_the_flag_that_it_names() -> Result<()> {
    let bench = Bench::new("restricted")?;
    let mut spec = bench.deployment()?["spec"]["template"]["spec"].take();
    spec["containers"][0]["securityContext"] = restricted();
    bench.merge("apps/v1/Deployment", "gateway-proxy", &json!({"spec": {"template": {"spec": spec}}}))?;
    bench.plane.api().wait_available(&bench.gloo)?;
    enforce_restricted(&bench)?;
    let before = bench.state()?;
    let output = bench.run(SOON);
    assert_said(&output, 5, &["violates PodSecurity \"restricted:latest\"", SERVED, BACK, "hint: --restricted"]);
    assert!(!output.stdout.contains(INJECTED), "{output:#?}");
    assert_eq!(bench.state()?, before);

    let output = bench.run(&format!("{INJECT} --restricted"));
    assert_eq!((output.code, last_line(&output.stdout)), (Some(0), INJECTED), "{output:#?}");
    let output = bench.run("uninject");
    assert_eq!((output.code, last_line(&output.stdout)), (Some(0), UNINJECTED), "{output:#?}");
    assert_eq!(bench.state()?, before);
    Ok(())
}

/// Its pods are replaced one by one, in their places: the tool says that nothing served.
#[test]
fn a_daemon_set_whose_new_pods_are_refused_is_back_and_its_gap_is_said() -> Result<()> {
    let bench = Bench::new("daemon")?;
    let mut workload = fixture("Deployment", "gateway-proxy");
    workload["kind"] = json!("DaemonSet");
    workload["spec"].as_object_mut().context("a map")?.remove("replicas");
    workload["spec"]["template"]["spec"]["containers"][0]["securityContext"] = restricted();
    bench.plane.api().delete("apps/v1/Deployment", &bench.gloo, "gateway-proxy")?;
    bench.apply(workload)?;
    let served = |it: &Value| {
        it["status"]["numberAvailable"] == 1 && it["status"]["observedGeneration"] == it["metadata"]["generation"]
    };
    let before = bench.plane.api().wait("apps/v1/DaemonSet", &bench.gloo, "gateway-proxy", served)?;
    enforce_restricted(&bench)?;
    let output = bench.run(SOON);
    let said = [
        "daemonset/gateway-proxy did not become ready",
        "violates PodSecurity",
        "during the rollout only 0 of 1 pods served at times",
        BACK,
    ];
    assert_said(&output, 5, &said);
    let after = bench.plane.api().wait("apps/v1/DaemonSet", &bench.gloo, "gateway-proxy", served)?;
    assert_eq!(after["spec"], before["spec"]);
    Ok(())
}

#[test]
fn pods_that_find_no_node_are_named_and_rolled_back() -> Result<()> {
    let bench = Bench::new("no-node")?;
    bench.strand_new_pods()?;
    let before = bench.state()?;
    let output = bench.run(SOON);
    assert_said(&output, 5, &["pod gateway-proxy-", "not scheduled: 0/1 nodes are available", SERVED, BACK]);
    let said: Vec<_> = output.stdout.lines().collect();
    assert_eq!(
        said,
        [
            "configmap/gateway-proxy-envoy-config patched",
            "deployment.apps/gateway-proxy patched",
            "deployment.apps/gateway-proxy rolled back",
            "configmap/gateway-proxy-envoy-config rolled back",
        ]
    );
    assert_eq!(bench.state()?, before);
    Ok(())
}

/// Lets a pod stand on a node that nobody keeps, where a container waits for its image.
fn fail_to_pull(bench: &Bench, container: &str) -> Result<()> {
    let pod = bench.new_pod()?;
    let name = pod["metadata"]["name"].as_str().context("a name")?;
    let path = format!("/api/v1/namespaces/{}/pods/{name}", bench.gloo);
    let target = json!({"apiVersion": "v1", "kind": "Node", "name": "ghost"});
    let binding = json!({"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target});
    raw(bench.plane, "POST", &format!("{path}/binding"), &binding)?;
    let waiting = json!({"waiting": {"reason": "ImagePullBackOff", "message": "429 Too Many Requests"}});
    let statuses = names(&pod["spec"]["containers"]).into_iter().map(|name| {
        let is_bad = name == container;
        let state = if is_bad { waiting.clone() } else { json!({"running": {}}) };
        json!({"name": name, "image": "x", "imageID": "", "restartCount": 0, "ready": !is_bad, "state": state})
    });
    let status = json!({"status": {"containerStatuses": statuses.collect::<Vec<_>>()}});
    raw(bench.plane, "PATCH", &format!("{path}/status"), &status)?;
    Ok(())
}

#[test]
fn an_image_that_cannot_be_pulled_is_named_with_pod_and_container() -> Result<()> {
    let bench = Bench::new("pull")?;
    bench.strand_new_pods()?;
    let before = bench.state()?;
    let line = format!("{INJECT} --wait-timeout 20s");
    let output = meanwhile(&bench, &line, || fail_to_pull(&bench, "istio-proxy"))?;
    let said = [
        "container istio-proxy: ImagePullBackOff\n    429 Too Many Requests",
        SERVED,
        BACK,
        "hint: --istio-proxy-image REGISTRY/proxyv2:TAG",
    ];
    assert_said(&output, 5, &said);
    assert_eq!(bench.state()?, before);
    Ok(())
}

#[test]
fn a_removal_that_does_not_get_ready_is_taken_back_in_the_old_order() -> Result<()> {
    let bench = Bench::new("removal")?;
    assert_eq!(bench.run(INJECT).code, Some(0));
    bench.strand_new_pods()?;
    let before = bench.state()?;
    let output = bench.run("uninject --wait-timeout 10s");
    assert_said(&output, 5, &["not scheduled", SERVED, BACK]);
    assert_eq!(bench.state()?, before);
    // The old pods are the ones that stand there: nothing was started anew.
    wait_for("one pod is left", PATIENCE, || Ok((bench.pods("gateway-proxy")?.len() == 1).then_some(())))?;
    assert_eq!(names(&bench.pods("gateway-proxy")?[0]["spec"]["containers"]).len(), 3);
    Ok(())
}

#[test]
fn ctrl_c_during_the_wait_takes_everything_back() -> Result<()> {
    let bench = Bench::new("ctrl-c")?;
    bench.strand_new_pods()?;
    let before = bench.state()?;
    let line = format!("{INJECT} -o json");
    let output = bench.sandbox().interrupted(&bench.words(&line), || bench.new_pod().is_ok());
    let (document, output) = document(output)?;
    assert_said(&output, 130, &["interrupted", BACK]);
    assert_eq!(document["error"]["reason"], "interrupted");
    assert_eq!(bench.state()?, before);
    Ok(())
}

#[test]
fn what_somebody_else_writes_into_the_same_fields_is_left_and_said() -> Result<()> {
    let bench = Bench::new("same-field")?;
    bench.strand_new_pods()?;
    let before = bench.state()?;
    let output = meanwhile(&bench, &format!("{INJECT} --wait-timeout 15s -o json"), || {
        bench.new_pod()?;
        let theirs = json!([{"name": "sds", "image": "theirs"}]);
        let path = format!("/apis/apps/v1/namespaces/{}/deployments/gateway-proxy", bench.gloo);
        let mut deployment = raw(bench.plane, "GET", &path, &Value::Null)?;
        let list = deployment["spec"]["template"]["spec"]["containers"].as_array_mut().context("a list")?;
        let sds = list.iter_mut().find(|it| it["name"] == "sds").context("sds")?;
        sds["image"] = theirs[0]["image"].clone();
        bench.merge(
            "apps/v1/Deployment",
            "gateway-proxy",
            &json!({"spec": {"template": {"spec": {"containers": list}}}}),
        )
    })?;
    let (document, output) = document(output)?;
    assert_said(
        &output,
        6,
        &[
            "NOT fully rolled back",
            "deployment.apps/gateway-proxy  still changed: others changed spec.template.spec.containers[name=sds] in the meantime",
            "configmap/gateway-proxy-envoy-config  rolled back",
            "gloo-rs istio uninject",
        ],
    );
    assert_eq!(document["error"]["reason"], "halfDone");
    assert_eq!(named(containers(&bench.deployment()?), "sds")["image"], "theirs");
    assert_eq!(bench.config_map()?["data"], before.1);
    // As the hint says.
    assert_eq!(bench.run("uninject --no-wait").code, Some(0));
    assert_eq!(bench.state()?, before);
    Ok(())
}

#[test]
fn what_somebody_else_writes_into_other_fields_is_kept_in_success_and_in_failure() -> Result<()> {
    let bench = Bench::new("other-field")?;
    bench.strand_new_pods()?;
    let before = bench.state()?;
    let write = |value: &str| {
        bench.new_pod()?;
        let theirs = json!({"metadata": {"annotations": {"theirs": value}}, "spec": {"revisionHistoryLimit": 3}});
        bench.merge("apps/v1/Deployment", "gateway-proxy", &theirs)?;
        bench.merge("v1/ConfigMap", "gateway-proxy-envoy-config", &json!({"data": {"theirs": value}}))
    };
    let output = meanwhile(&bench, &format!("{INJECT} --wait-timeout 15s"), || write("first"))?;
    assert_said(&output, 5, &[BACK]);
    let (deployment, map) = (bench.deployment()?, bench.config_map()?);
    assert_eq!(
        (&deployment["metadata"]["annotations"]["theirs"], &map["data"]["theirs"]),
        (&json!("first"), &json!("first"))
    );
    assert_eq!(deployment["spec"]["revisionHistoryLimit"], 3);
    assert_eq!(
        (&deployment["spec"]["template"], &map["data"]["envoy.yaml"]),
        (&before.0["template"], &before.1["envoy.yaml"])
    );

    let output = meanwhile(&bench, INJECT, || {
        write("second")?;
        let node = json!({"metadata": {"labels": {bench.gloo.as_str(): "here"}}});
        bench.plane.api().merge("v1/Node", "", "node1", &node)
    })?;
    assert_eq!((output.code, last_line(&output.stdout)), (Some(0), INJECTED), "{output:#?}");
    assert_eq!(bench.config_map()?["data"]["theirs"], "second");
    Ok(())
}

#[test]
fn a_workload_whose_pods_nobody_replaces_is_written_and_not_called_confirmed() -> Result<()> {
    let bench = Bench::new("paused")?;
    bench.merge("apps/v1/Deployment", "gateway-proxy", &json!({"spec": {"paused": true}}))?;
    let (document, output) = bench.json(INJECT)?;
    assert_said(
        &output,
        7,
        &["deployment/gateway-proxy is paused", "hint: kubectl rollout resume deployment/gateway-proxy"],
    );
    let outcomes: Vec<_> = document["results"].as_array().context("rows")?.iter().map(|row| &row["outcome"]).collect();
    assert_eq!(outcomes, ["changed", "changed"]);
    assert_eq!(names(containers(&bench.deployment()?)).len(), 3);
    Ok(())
}

#[test]
fn a_rollout_that_is_not_waited_for_is_a_note() -> Result<()> {
    let bench = Bench::new("no-wait")?;
    bench.strand_new_pods()?;
    let output = bench.run(&format!("{INJECT} --no-wait"));
    assert_said(&output, 0, &["note: the rollout of deployment/gateway-proxy is not verified"]);
    assert_eq!(last_line(&output.stdout), INJECTED);
    Ok(())
}
