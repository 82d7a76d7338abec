//! `proxy url` and `proxy address` on a real API server: Services as it really stores them.

use anyhow::{Context, Result};
use serde_json::{Value, json};

use crate::stage::{self, Plane};
use crate::support::{Output, Sandbox};

fn run(plane: &Plane, namespace: &str, args: &[&str]) -> Output {
    let kubeconfig = plane.kubeconfig();
    let sandbox = Sandbox::new().env("KUBECONFIG", kubeconfig.to_str().unwrap());
    sandbox.run(&[&["proxy"], args, &["-n", namespace]].concat())
}

fn service(plane: &Plane, namespace: &str, name: &str, spec: &Value) -> Result<()> {
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": namespace, "name": name}, "spec": spec,
    });
    plane.api().apply(&service.to_string())
}

/// What a load balancer's controller does.
fn assign(plane: &Plane, namespace: &str, name: &str, ingress: &Value) -> Result<()> {
    let stored = plane.api().get("v1/Service", namespace, name)?.context("the Service")?;
    let service = json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": namespace, "name": name},
        "spec": stored["spec"], "status": {"loadBalancer": {"ingress": [ingress]}},
    });
    plane.api().apply(&service.to_string())
}

fn ports() -> Value {
    json!([{"name": "http", "port": 80, "targetPort": 8080}, {"name": "https", "port": 443, "targetPort": 8443}])
}

#[test]
fn a_load_balancer_as_the_guide_has_it_is_one_request() -> Result<()> {
    let plane = stage::shared();
    let gloo = plane.install_gloo("address")?;
    let output = run(plane, &gloo, &["url", "--name=gateway-proxy"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "http://34.162.22.180:80\n"), "{}", output.stderr);
    assign(plane, &gloo, "gateway-proxy", &json!({"ip": "2001:db8::7", "ipMode": "VIP"}))?;
    let output = run(plane, &gloo, &["url", "--port", "https"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "https://[2001:db8::7]:443\n"), "{}", output.stderr);

    let ours = || -> Result<Vec<String>> {
        let requests = plane.requests()?.into_iter();
        let ours = requests.filter(|it| it.user_agent.starts_with("gloo-rs/") && it.uri.contains(&gloo));
        Ok(ours.map(|it| format!("{} {}", it.verb, it.uri)).collect())
    };
    let requests = stage::wait_for("both requests are written down", std::time::Duration::from_mins(2), || {
        Ok(Some(ours()?).filter(|requests| requests.len() >= 2))
    })?;
    let one = format!("get /api/v1/namespaces/{gloo}/services/gateway-proxy");
    assert_eq!(requests, [one.clone(), one]);
    Ok(())
}

#[test]
fn a_node_port_is_that_of_a_ready_pod_on_its_node() -> Result<()> {
    let plane = stage::shared();
    let gloo = plane.install_gloo("nodeport")?;
    let selector = json!({"gateway-proxy-id": "gateway-proxy"});
    service(plane, &gloo, "on-nodes", &json!({"type": "NodePort", "selector": selector, "ports": ports()}))?;
    let stored = plane.api().get("v1/Service", &gloo, "on-nodes")?.context("the Service")?;
    let node_port = stored["spec"]["ports"][1]["nodePort"].as_u64().context("a node port")?;
    let output = run(plane, &gloo, &["address", "--name", "on-nodes", "--port", "https"]);
    assert_eq!((output.code, output.stdout), (Some(0), format!("127.0.0.1:{node_port}\n")), "{}", output.stderr);
    assert!(output.stderr.contains("InternalIP"), "{}", output.stderr);

    let none = json!({"gateway-proxy-id": "none"});
    service(plane, &gloo, "no-pods", &json!({"type": "NodePort", "selector": none, "ports": ports()}))?;
    let output = run(plane, &gloo, &["url", "--name", "no-pods"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(8), ""));
    assert!(output.stderr.contains("has no pods yet"), "{}", output.stderr);
    Ok(())
}

#[test]
fn a_pending_load_balancer_tells_its_real_events_and_is_waited_for() -> Result<()> {
    let plane = stage::shared();
    let namespace = plane.namespace("pending")?;
    service(plane, &namespace, "gateway-proxy", &json!({"type": "LoadBalancer", "ports": ports()}))?;
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "metadata": {"namespace": namespace, "name": "gateway-proxy.1"},
        "involvedObject": {"apiVersion": "v1", "kind": "Service", "namespace": namespace, "name": "gateway-proxy"},
        "type": "Warning", "reason": "SyncLoadBalancerFailed", "message": "quota exceeded", "count": 4,
        "firstTimestamp": "2020-01-01T00:00:00Z", "lastTimestamp": "2020-01-01T00:00:00Z",
    });
    plane.api().apply(&event.to_string())?;
    let output = run(plane, &namespace, &["url", "-o", "json"]);
    let document: Value = serde_json::from_str(&output.stdout)?;
    assert_eq!((output.code, &document["error"]["reason"]), (Some(8), &json!("pending")));
    let details = document["error"]["details"].to_string();
    assert!(details.contains("(x4): SyncLoadBalancerFailed: quota exceeded"), "{details}");

    let waited = std::thread::scope(|scope| {
        let waiting = scope.spawn(|| run(plane, &namespace, &["url", "--wait", "--wait-timeout", "3m"]));
        assign(plane, &namespace, "gateway-proxy", &json!({"hostname": "lb.example"}))?;
        anyhow::Ok(waiting.join().expect("no panic"))
    })?;
    assert_eq!((waited.code, waited.stdout.as_str()), (Some(0), "http://lb.example:80\n"), "{}", waited.stderr);
    Ok(())
}

#[test]
fn a_gateway_of_the_gateway_api_is_found_without_its_namespace() -> Result<()> {
    let plane = stage::shared();
    let namespace = plane.namespace("infra")?;
    let gateway = format!("edge-{namespace}");
    let name = format!("gloo-proxy-{gateway}");
    service(plane, &namespace, &name, &json!({"type": "ClusterIP", "ports": ports()}))?;
    let kubeconfig = plane.kubeconfig();
    let sandbox = Sandbox::new().env("KUBECONFIG", kubeconfig.to_str().context("UTF-8")?);
    let output = sandbox.run(&["proxy", "url", "--gateway", &gateway]);
    let stored = plane.api().get("v1/Service", &namespace, &name)?.context("the Service")?;
    let ip = stored["spec"]["clusterIP"].as_str().context("a cluster IP")?;
    assert_eq!((output.code, output.stdout), (Some(0), format!("http://{ip}:80\n")), "{}", output.stderr);
    Ok(())
}

#[test]
fn who_may_not_read_services_is_told_the_rule() {
    let plane = stage::shared();
    let kubeconfig = plane.kubeconfig_of("limited");
    let output = Sandbox::new().env("KUBECONFIG", kubeconfig.to_str().unwrap()).run(&["proxy", "url"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(4), ""));
    assert!(output.stderr.contains(r#"{apiGroups: [""], resources: [services], verbs: [get]}"#), "{}", output.stderr);
}

#[test]
fn the_versions_of_a_real_cluster_are_told() -> Result<()> {
    let plane = stage::shared();
    let gloo = plane.install_gloo("version")?;
    let kubeconfig = plane.kubeconfig();
    let sandbox = Sandbox::new().env("KUBECONFIG", kubeconfig.to_str().context("UTF-8")?);
    let output = sandbox.run(&["version", "-n", &gloo]);
    let document: Value = serde_json::from_str(&output.stdout)?;
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
    let containers = document["server"][0]["kubernetes"]["containers"].as_array().context("containers")?;
    let gloo = containers.iter().find(|container| container["Name"] == "gloo").context("gloo")?;
    assert_eq!((&gloo["Tag"], &gloo["OssTag"]), (&json!("1.22.1"), &json!("1.22.1")));
    assert_eq!(document["kubernetesCluster"]["gitVersion"], stage::kubernetes_version());
    Ok(())
}
