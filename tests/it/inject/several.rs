//! One transaction over more than one proxy, with Upstreams before it or Settings after it.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Bench, INJECTED, PATIENCE, UNINJECTED, assert_said, containers, fixture, last_line, names, raw};
use crate::stage::wait_for;

const INJECT: &str = "inject --revision 1-28 --istio-namespace istio-system";
const UPSTREAM: &str = "gloo.solo.io/v1/Upstream";
const SETTINGS: &str = "gloo.solo.io/v1/Settings";

/// A second proxy, whose name comes after the usual one's.
fn install_second(bench: &Bench) -> Result<()> {
    let labels = json!({"gloo": "gateway-proxy", "gateway-proxy-id": "second"});
    let mut map = fixture("ConfigMap", "gateway-proxy-envoy-config");
    map["metadata"] = json!({"name": "second-envoy-config", "labels": labels});
    bench.apply(map)?;
    let mut workload = fixture("Deployment", "gateway-proxy");
    workload["metadata"] = json!({"name": "second", "labels": labels});
    workload["spec"]["selector"]["matchLabels"] = labels.clone();
    workload["spec"]["template"]["metadata"]["labels"] = labels;
    workload["spec"]["template"]["spec"]["volumes"][0]["configMap"]["name"] = json!("second-envoy-config");
    bench.apply(workload)?;
    bench.plane.api().wait_available(&bench.gloo)
}

fn enable_mtls(bench: &Bench, upstream: &str) -> Result<()> {
    let output = bench.run(&format!("enable-mtls --upstream {upstream}"));
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert!(!bench.get(UPSTREAM, upstream)?["spec"]["sslConfig"].is_null());
    Ok(())
}

#[test]
fn a_second_proxy_that_fails_takes_the_first_back_as_well() -> Result<()> {
    let bench = Bench::new("second")?;
    install_second(&bench)?;
    bench.strand_new_pods()?;
    let second = || bench.get("apps/v1/Deployment", "second");
    let before = (bench.state()?, second()?["spec"].clone());
    let line = format!("{INJECT} --name second --name gateway-proxy --wait-timeout 15s");
    let output = bench.run(&line);
    let said = [
        "deployment/second: 1 of 1 pods new and ready",
        "deployment/gateway-proxy did not become ready",
        "everything is rolled back",
    ];
    assert_said(&output, 5, &said);
    assert_eq!((bench.state()?, second()?["spec"].clone()), before);
    let back: Vec<_> = output.stdout.lines().filter(|line| line.ends_with(" rolled back")).collect();
    assert_eq!(back.len(), 4, "{output:#?}");
    assert!(back[0].starts_with("deployment.apps/gateway-proxy "), "the last first: {back:?}");
    Ok(())
}

#[test]
fn upstreams_that_need_the_sidecars_keep_them_until_they_are_included() -> Result<()> {
    let bench = Bench::new("upstreams")?;
    assert_eq!(bench.run(INJECT).code, Some(0));
    enable_mtls(&bench, "default-httpbin-8000")?;
    let before = (bench.state()?, bench.get(UPSTREAM, "default-httpbin-8000")?);
    let unchanged = || -> Result<bool> { Ok((bench.state()?, bench.get(UPSTREAM, "default-httpbin-8000")?) == before) };
    for line in ["uninject", "uninject --dry-run", "uninject --check"] {
        let (document, output) = bench.json(line)?;
        let said = ["default-httpbin-8000", "spec.sslConfig.sds", "--include-upstreams"];
        assert_said(&output, 1, &said);
        assert_eq!(document["error"]["reason"], "stillUsed", "{document:#}");
        assert!(unchanged()?, "{output:#?}");
    }
    assert_said(&bench.run("uninject --include-upstreams"), 2, &["--yes"]);
    assert!(unchanged()?);

    let output = bench.run("uninject --include-upstreams --yes");
    assert_eq!((output.code, last_line(&output.stdout)), (Some(0), UNINJECTED), "{output:#?}");
    assert!(bench.get(UPSTREAM, "default-httpbin-8000")?["spec"]["sslConfig"].is_null());
    assert_eq!(names(containers(&bench.deployment()?)), ["gateway-proxy"]);
    Ok(())
}

#[test]
fn a_removal_that_fails_gives_the_upstreams_their_mtls_back() -> Result<()> {
    let bench = Bench::new("upstreams-back")?;
    assert_eq!(bench.run(INJECT).code, Some(0));
    enable_mtls(&bench, "default-httpbin-8000")?;
    bench.strand_new_pods()?;
    let spec = || Ok::<_, anyhow::Error>(bench.get(UPSTREAM, "default-httpbin-8000")?["spec"].clone());
    let before = (bench.state()?, spec()?);
    let output = bench.run("uninject --include-upstreams --yes --wait-timeout 10s");
    assert_said(&output, 5, &["not scheduled", "everything is rolled back"]);
    assert_eq!((bench.state()?, spec()?), before);
    Ok(())
}

#[test]
fn auto_mtls_is_switched_on_once_the_gateway_can_do_it_and_not_before() -> Result<()> {
    let bench = Bench::new("auto")?;
    bench.strand_new_pods()?;
    let before = (bench.state()?, bench.get(SETTINGS, "default")?);
    let line = format!("{INJECT} --auto-mtls --yes");
    let output = bench.run(&format!("{line} --wait-timeout 10s"));
    assert_said(&output, 5, &["not scheduled", "everything is rolled back"]);
    assert_eq!((bench.state()?, bench.get(SETTINGS, "default")?), before, "Settings were not touched at all");

    let node = json!({"metadata": {"labels": {bench.gloo.as_str(): "here"}}});
    bench.plane.api().merge("v1/Node", "", "node1", &node)?;
    let output = bench.run(&line);
    assert_eq!((output.code, last_line(&output.stdout)), (Some(0), INJECTED), "{output:#?}");
    let options = &bench.get(SETTINGS, "default")?["spec"]["gloo"]["istioOptions"];
    assert_eq!((&options["enableAutoMtls"], &options["enableIntegration"]), (&json!(true), &json!(true)));
    // Now the gateway is needed.
    assert_said(&bench.run("uninject"), 1, &["gloo-rs istio auto-mtls disable"]);
    Ok(())
}

/// A pod that is over stays in lists until somebody clears it away. It is neither proof nor stale.
#[test]
fn an_evicted_pod_is_nobodys_concern() -> Result<()> {
    let bench = Bench::new("evicted")?;
    let labels = json!({"gloo": "gateway-proxy", "gateway-proxy-id": "gateway-proxy", "gateway-proxy": "live"});
    bench.apply(json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "evicted", "labels": labels},
        // On no node: kwok changes the pods of its node, and the controller-manager deletes those of an unknown one.
        "spec": {"schedulerName": "nobody", "containers": [{"name": "gateway-proxy", "image": "x"}]},
    }))?;
    let path = format!("/api/v1/namespaces/{}/pods/evicted/status", bench.gloo);
    raw(bench.plane, "PATCH", &path, &json!({"status": {"phase": "Failed", "reason": "Evicted"}}))?;
    let born = bench.get("v1/Pod", "evicted")?["metadata"]["creationTimestamp"].clone();
    wait_for("a later second", PATIENCE, || {
        let now = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        Ok((json!(now) != born).then_some(()))
    })?;
    let output = bench.run(INJECT);
    assert_eq!((output.code, last_line(&output.stdout)), (Some(0), INJECTED), "{output:#?}");
    let before = bench.versions()?;
    let output = bench.run(INJECT);
    assert_eq!((output.code, bench.versions()?), (Some(0), before), "{output:#?}");
    bench.get("v1/Pod", "evicted").map(drop)
}

/// What an earlier run did not wait for is waited for by the next, which writes nothing.
#[test]
fn an_injection_that_is_still_on_its_way_is_not_called_done() -> Result<()> {
    let mut bench = Bench::new("on-its-way")?;
    // Who may not see pods cannot tell by their age, either.
    let rules = json!([
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "patch"]},
        {"apiGroups": ["apps"], "resources": ["deployments", "daemonsets"], "verbs": ["get", "list", "patch"]},
    ]);
    let of = |kind: &str| json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": {"name": "limited"}});
    let mut role = of("Role");
    role["rules"] = rules;
    bench.apply(role)?;
    let mut binding = of("RoleBinding");
    binding["roleRef"] = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "limited"});
    binding["subjects"] = json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "limited"}]);
    bench.apply(binding)?;
    bench.strand_new_pods()?;
    bench.kubeconfig = bench.plane.kubeconfig_of("limited");

    let typed = "inject --istio-discovery-address istiod.istio-system.svc:15012 --istio-proxy-image r/proxyv2:1";
    let output = bench.run(&format!("{typed} --no-wait"));
    assert_eq!((output.code, last_line(&output.stdout)), (Some(0), INJECTED), "{output:#?}");
    let before = bench.versions()?[1].clone();
    let (document, output) = bench.json(&format!("{typed} --wait-timeout 6s"))?;
    assert_said(&output, 7, &["deployment/gateway-proxy did not become ready", "not allowed to list pods"]);
    assert!(
        !output.stderr.contains("rolled back") && !output.stderr.contains("everything is rolled back"),
        "{output:#?}"
    );
    let outcomes: Vec<&Value> =
        document["results"].as_array().context("rows")?.iter().map(|row| &row["outcome"]).collect();
    assert_eq!(outcomes, ["unchanged", "unchanged"]);
    assert_eq!(bench.versions()?[1], before);
    assert_eq!(names(containers(&bench.deployment()?)).len(), 3);
    Ok(())
}
