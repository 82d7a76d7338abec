//! Hints as they are pasted: names of the cluster are quoted, and the cluster and the user that were typed are named.

use serde_json::{Value, json};

use crate::support::stub::{Stub, kubeconfig};
use crate::support::{Output, Sandbox};

const NAMESPACE: &str = "shop;touch x";
const OURS: &str = "--kubeconfig 'my config' --kube-context 'a;b' --as bob";
const KUBECTLS: &str = "--kubeconfig 'my config' --context 'a;b' --as bob";

fn list(items: &[Value]) -> Value {
    json!({"kind": "List", "metadata": {}, "items": items})
}

/// A run with the cluster and the user typed.
fn run(stub: &Stub, args: &[&str]) -> Output {
    let sandbox = Sandbox::new().port(stub.port());
    sandbox.write("my config", kubeconfig(&[("other", &Stub::new()), ("a;b", stub)]));
    let typed = ["--kubeconfig", "my config", "--kube-context", "a;b", "--as", "bob"];
    sandbox.run(&[args, &typed].concat())
}

fn upstream(name: &str) -> Value {
    json!({"apiVersion": "gloo.solo.io/v1", "kind": "Upstream",
        "metadata": {"name": name, "namespace": "gloo-system", "uid": name, "resourceVersion": "1"},
        "spec": {"kube": {"serviceName": "cart", "serviceNamespace": NAMESPACE, "servicePort": 80}}})
}

#[test]
fn describe_names_a_hostile_namespace_as_one_word() {
    let stub = Stub::new();
    stub.on("GET", "/apis/gloo.solo.io/v1/namespaces/gloo-system/upstreams/cart").json(200, &upstream("cart")).always();
    let service = json!({"metadata": {"name": "cart", "namespace": NAMESPACE},
        "spec": {"selector": {"app": "cart"}, "ports": [{"port": 80}]}});
    stub.on("GET", "/api/v1/namespaces/shop%3Btouch%20x/services").json(200, &list(&[service])).always();
    stub.on_anything().json(200, &list(&[])).always();
    let hint = format!("kubectl get deployments,pods -n '{NAMESPACE}' {KUBECTLS}");
    let text = run(&stub, &["istio", "describe", "upstream", "cart"]);
    assert!(text.stdout.contains(&format!("hint: {hint}")), "{text:?}");
    let document = run(&stub, &["istio", "describe", "upstream", "cart", "-o", "json"]);
    let document: Value = serde_json::from_str(&document.stdout).unwrap();
    assert_eq!(document["targets"][0]["hint"], hint, "{document:#}");
}

#[test]
fn a_release_that_may_not_be_read_is_asked_for_on_the_same_cluster() {
    let stub = Stub::new();
    stub.on_anything().status(403, "Forbidden", "secrets is forbidden").always();
    let output = run(&stub, &["upgrade-values"]);
    let hint = format!("gloo-rs upgrade-values --values FILE {OURS}");
    assert!(output.stderr.contains(&hint), "{output:?}");
}

#[test]
fn the_line_for_the_failed_ones_quotes_their_names_and_names_the_cluster() {
    let stub = Stub::new();
    let all = [upstream("cart;touch x"), upstream("-h")];
    stub.on("GET", "/apis/gloo.solo.io/v1/namespaces/gloo-system/upstreams").json(200, &list(&all)).always();
    stub.on("GET", "/apis/gloo.solo.io/v1/upstreams").json(200, &list(&all)).always();
    stub.on("PATCH", "/apis/gloo.solo.io/v1/namespaces/gloo-system/upstreams/cart%3Btouch%20x")
        .status(422, "Invalid", "no")
        .always();
    stub.on("PATCH", "/apis/gloo.solo.io/v1/namespaces/gloo-system/upstreams/-h").status(422, "Invalid", "no").always();
    stub.on_anything().json(200, &list(&[])).always();
    let output = run(&stub, &["istio", "enable-mtls", "--all", "--force", "--yes"]);
    let line = format!("gloo-rs istio enable-mtls --yes -u '-h,cart;touch x' {OURS}");
    assert!(output.stderr.contains(&line), "{output:?}");
}
