//! How many requests a description costs, counted by a server that fails on any other.

use serde_json::{Value, json};

use crate::support::Sandbox;
use crate::support::stub::Stub;

const GROUPS: [(&str, &str); 8] = [
    ("gateway.solo.io", "virtualservices"),
    ("gateway.solo.io", "routetables"),
    ("gateway.solo.io", "gateways"),
    ("gloo.solo.io", "upstreamgroups"),
    ("gateway.networking.k8s.io", "httproutes"),
    ("security.istio.io", "peerauthentications"),
    ("security.istio.io", "authorizationpolicies"),
    ("discovery.k8s.io", "endpointslices"),
];

/// A Service's one pod, which is ready.
fn slice(namespace: &str, service: &str, pod: &str) -> Value {
    json!({
        "metadata": {
            "name": format!("{service}-1"), "namespace": namespace, "labels": {"kubernetes.io/service-name": service},
        },
        "ports": [{"name": "", "port": 80}], "endpoints": [{"targetRef": {"name": pod}, "conditions": {"ready": true}}],
    })
}

fn list(items: &[Value]) -> Value {
    json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "1"}, "items": items})
}

/// How many requests `upstreams -A` makes where this many namespaces have an Upstream, a Service, a pod and a policy.
fn requests(namespaces: usize) -> usize {
    let stub = Stub::new();
    let each =
        |make: &dyn Fn(&str) -> Value| list(&(0..namespaces).map(|at| make(&format!("ns{at}"))).collect::<Vec<_>>());
    let settings = json!({"metadata": {"name": "default", "namespace": "gloo-system"}, "spec": {}});
    stub.on("GET", "/apis/gloo.solo.io/v1/namespaces/gloo-system/settings/default").json(200, &settings).always();
    stub.on("GET", "/apis/gloo.solo.io/v1/namespaces/gloo-system/settings").json(200, &list(&[settings])).always();
    for (group, plural) in GROUPS {
        let path = format!("/apis/{group}/v1/{plural}");
        let items = match plural {
            "peerauthentications" => {
                each(&|it| json!({"metadata": {"name": "p", "namespace": it}, "spec": {"mtls": {"mode": "STRICT"}}}))
            }
            "endpointslices" => each(&|it| slice(it, "s", "a")),
            _ => list(&[]),
        };
        stub.on("GET", &path).json(200, &items).always();
    }
    for path in [
        "/apis/apps/v1/deployments",
        "/apis/apps/v1/namespaces/gloo-system/deployments",
        "/apis/apps/v1/namespaces/gloo-system/daemonsets",
        "/api/v1/namespaces/gloo-system/configmaps",
        "/api/v1/configmaps",
        "/api/v1/namespaces",
        "/api/v1/namespaces/gloo-system/pods",
    ] {
        stub.on("GET", path).json(200, &list(&[])).always();
    }
    stub.on("GET", "/apis/gloo.solo.io/v1/upstreams")
        .json(200, &each(&|it| json!({"metadata": {"name": "u", "namespace": it}, "spec": {"kube": {"serviceName": "s", "serviceNamespace": it, "servicePort": 80}}})))
        .always();
    stub.on("GET", "/api/v1/services")
        .json(200, &each(&|it| json!({"metadata": {"name": "s", "namespace": it}, "spec": {"selector": {"app": "a"}, "ports": [{"port": 80}]}})))
        .always();
    stub.on("GET", "/api/v1/pods")
        .json(200, &each(&|it| json!({"metadata": {"name": "a", "namespace": it, "labels": {"app": "a", "security.istio.io/tlsMode": "istio"}}})))
        .always();
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(stub.kubeconfig());
    let output = sandbox.run(&["istio", "describe", "upstreams", "-A", "-o", "json"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(document["verdictCounts"], json!({"broken": namespaces}));
    let asked = stub.finish();
    let pods = asked.iter().find(|request| request.path.starts_with("/api/v1/pods")).unwrap();
    assert!(pods.header("accept").unwrap().contains("PartialObjectMetadataList"), "{pods:?}");
    asked.len()
}

#[test]
fn requests_do_not_grow_with_namespaces() {
    let few = requests(2);
    assert_eq!(requests(400), few);
    // One of them is for the namespaces of the ambient mesh.
    assert!(few <= 20, "{few} requests");
}
