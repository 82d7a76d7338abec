//! Which pod is looked into, under each name that a proxy has.

use anyhow::Result;
use serde_json::json;

use super::{Bench, assert_said, gateway_pods};
use crate::stage::wait_for;

const LIVE: &str = "stats --filter ^server.live$";
const ANSWER: &str = "server.live: 1\n";

fn assert_live(bench: &Bench, flags: &str) {
    let output = bench.run(&format!("{LIVE} {flags}"));
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), ANSWER), "{flags}: {output:#?}");
}

#[test]
fn a_proxy_is_found_under_every_name_it_has() -> Result<()> {
    let bench = Bench::new("pods-names")?;
    let pod = bench.pod()?;
    for name in ["gateway-proxy", "deployment/gateway-proxy", "deploy/gateway-proxy", "svc/gateway-proxy"] {
        assert_live(&bench, &format!("--name {name}"));
    }
    for name in [pod.clone(), format!("pod/{pod}"), format!("po/{pod}")] {
        assert_live(&bench, &format!("--name {name}"));
    }
    Ok(())
}

/// A second workload like the gateway's own.
fn like_the_gateway(bench: &Bench, kind: &str, name: &str) -> Result<()> {
    let deployment = bench.plane.api().get("apps/v1/Deployment", &bench.gloo, "gateway-proxy")?.unwrap_or_default();
    let mut template = deployment["spec"]["template"].clone();
    template["metadata"]["labels"] = json!({"proxy": name});
    template["metadata"]["creationTimestamp"].take();
    let spec = json!({"selector": {"matchLabels": {"proxy": name}}, "template": template});
    let object = json!({
        "apiVersion": "apps/v1", "kind": kind, "metadata": {"namespace": bench.gloo, "name": name}, "spec": spec,
    });
    bench.plane.api().apply(&object.to_string())?;
    wait_for("its pod is ready", std::time::Duration::from_mins(2), || {
        let object = bench.plane.api().get(&format!("apps/v1/{kind}"), &bench.gloo, name)?.unwrap_or_default();
        let ready = |key: &str| object["status"][key] == 1;
        Ok((ready("readyReplicas") || ready("numberReady")).then_some(()))
    })
}

#[test]
fn a_daemon_set_is_a_proxy_like_any_other() -> Result<()> {
    let bench = Bench::new("pods-daemon-set")?;
    like_the_gateway(&bench, "DaemonSet", "edge")?;
    for name in ["edge", "daemonset/edge", "ds/edge"] {
        assert_live(&bench, &format!("--name {name}"));
    }
    let output = bench.run(&format!("{LIVE} --name deployment/edge"));
    assert_said(&output, 4, &["gateway proxy edge: no Deployment of that name in "]);
    Ok(())
}

#[test]
fn the_proxy_of_a_gateway_is_found_in_whatever_namespace_it_is() -> Result<()> {
    let bench = Bench::new("pods-gateway")?;
    let gateway = bench.gloo.clone();
    like_the_gateway(&bench, "Deployment", &format!("gloo-proxy-{gateway}"))?;
    let output = bench.sandbox().run(&["proxy", "stats", "--filter", "^server.live$", "--gateway", &gateway]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), ANSWER), "{output:#?}");
    assert_live(&bench, &format!("--gateway {gateway}"));
    let output = bench.sandbox().run(&["proxy", "stats", "--gateway", "nowhere"]);
    assert_said(&output, 4, &["deployment/gloo-proxy-nowhere of Gateway nowhere: not found"]);
    Ok(())
}

#[test]
fn one_of_several_pods_is_taken_and_named_and_all_pods_takes_all() -> Result<()> {
    let bench = Bench::new("pods-two")?;
    let two = json!({"spec": {"replicas": 2}});
    bench.plane.api().merge("apps/v1/Deployment", &bench.gloo, "gateway-proxy", &two)?;
    bench.plane.api().wait_available(&bench.gloo)?;
    let pods = wait_for("two pods", std::time::Duration::from_mins(2), || {
        Ok(Some(gateway_pods(bench.plane, &bench.gloo)?).filter(|pods| pods.len() == 2))
    })?;
    let output = bench.run(LIVE);
    assert_eq!(output.stdout, ANSWER, "{output:#?}");
    assert!(
        output.stderr.ends_with(" (1 of 2)\n") && pods.iter().any(|pod| output.stderr.contains(pod)),
        "{output:#?}"
    );
    let output = bench.run(&format!("{LIVE} --all-pods"));
    let blocks: Vec<_> = pods.iter().map(|pod| format!("# pod {}/{pod}\n{ANSWER}", bench.gloo)).collect();
    assert_eq!(output.stdout, blocks.concat(), "{output:#?}");
    let (document, _) = bench.json(&format!("{LIVE} --all-pods"))?;
    assert_eq!(document["stats"].as_array().map(Vec::len), Some(2), "{document:#}");
    Ok(())
}

#[test]
fn a_name_that_is_nearly_right_is_told_so() -> Result<()> {
    let bench = Bench::new("pods-near")?;
    let (document, output) = bench.json("stats --name gatway-proxy")?;
    let said =
        ["gateway proxy gatway-proxy: no Deployment or DaemonSet or Pod of that name in ", "near: gateway-proxy"];
    assert_said(&output, 4, &said);
    assert_eq!((&document["error"]["reason"], &document["stats"]), (&"notFound".into(), &json!([])));
    Ok(())
}

#[test]
fn a_proxy_without_pods_says_that_none_is_wanted() -> Result<()> {
    let bench = Bench::new("pods-none")?;
    let none = json!({"spec": {"replicas": 0}});
    bench.plane.api().merge("apps/v1/Deployment", &bench.gloo, "gateway-proxy", &none)?;
    wait_for("no pods", std::time::Duration::from_mins(2), || {
        Ok(gateway_pods(bench.plane, &bench.gloo)?.is_empty().then_some(()))
    })?;
    let output = bench.run("stats");
    assert_said(&output, 4, &["deployment.apps/gateway-proxy in ", " has no pods (0 replicas are wanted)"]);
    Ok(())
}

#[test]
fn the_admin_port_is_the_one_that_the_bootstrap_has() -> Result<()> {
    let bench = Bench::new("pods-port")?;
    let map = "gateway-proxy-envoy-config";
    let found = bench.plane.api().get("v1/ConfigMap", &bench.gloo, map)?.unwrap_or_default();
    let admin = "admin: {address: {socket_address: {address: 127.0.0.1, port_value: 19004}}}\n";
    let text =
        format!("{admin}{}", found["data"]["envoy.yaml"].as_str().unwrap_or_default().replace("\nadmin:", "\nwas:"));
    bench.plane.api().merge("v1/ConfigMap", &bench.gloo, map, &json!({"data": {"envoy.yaml": text}}))?;
    bench.plane.forward(&bench.gloo, &[(19004, bench.envoy.admin())])?;
    assert_live(&bench, "--name gateway-proxy");
    Ok(())
}

#[test]
fn who_may_not_forward_ports_is_told_the_rule() -> Result<()> {
    let mut bench = Bench::new("pods-rights")?;
    let rules = json!([
        {"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    ]);
    bench.limit(&rules)?;
    let missing = r#"{apiGroups: [""], resources: [pods/portforward], verbs: [get, create]}"#;
    bench.until("stats", missing)?;
    let (document, output) = bench.json("stats")?;
    assert_said(&output, 4, &["not allowed to get, create pods/portforward in ", missing]);
    assert_eq!(document["error"]["reason"], "forbidden");
    Ok(())
}
