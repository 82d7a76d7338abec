//! `--contexts` and `--all-contexts`: which clusters are asked, what one of them cannot do to the others.

mod baseline;
mod faults;
mod formats;
mod plane;
mod usage;

use std::fmt::Write as _;

use serde_json::{Value, json};

use crate::support::stub::Stub;
use crate::support::{Output, Sandbox};

/// Nothing listens there.
const DEAD: &str = "http://127.0.0.1:1";
const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/gloo-system/deployments";
const SERVICE: &str = "/api/v1/namespaces/gloo-system/services/gateway-proxy";

/// A kubeconfig with a context for each server, all with this user; the first one is current.
fn kubeconfig(contexts: &[(&str, &str)], user: &Value) -> String {
    let mut config = format!("apiVersion: v1\nkind: Config\ncurrent-context: {}\nclusters:\n", contexts[0].0);
    for (name, server) in contexts {
        writeln!(config, "- {{name: {name}, cluster: {{server: '{server}'}}}}").unwrap();
    }
    config.push_str("contexts:\n");
    for (name, _) in contexts {
        writeln!(config, "- {{name: {name}, context: {{cluster: {name}, user: me}}}}").unwrap();
    }
    format!("{config}users:\n- {{name: me, user: {user}}}\n")
}

fn sandbox(contexts: &[(&str, &str)]) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(kubeconfig(contexts, &json!({"token": "secret-token"})));
    sandbox
}

/// A cluster that tells its version, and has no Gloo.
fn versioned() -> Stub {
    let stub = Stub::new();
    stub.on("GET", DEPLOYMENTS).json(200, &json!({"metadata": {}, "items": []})).always();
    stub.on("GET", "/version").json(200, &json!({"major": "1", "minor": "36", "gitVersion": "v1.36.3"})).always();
    stub
}

/// A cluster whose gateway has this address.
fn addressed(ip: &str) -> Stub {
    let stub = Stub::new();
    let service = json!({
        "metadata": {"name": "gateway-proxy", "namespace": "gloo-system"},
        "spec": {"type": "LoadBalancer", "ports": [{"name": "http", "port": 80}]},
        "status": {"loadBalancer": {"ingress": [{"ip": ip}]}},
    });
    stub.on("GET", SERVICE).json(200, &service).always();
    stub
}

/// A cluster that has nothing at all.
fn empty() -> Stub {
    let stub = Stub::new();
    stub.on_anything().json(200, &json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": []})).always();
    stub
}

fn document(output: &Output) -> Value {
    serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:#?}"))
}

/// The context, the state and the code of each entry.
fn entries<'d>(document: &'d Value) -> Vec<(&'d str, &'d str, u64)> {
    let all = document["results"].as_array().unwrap().iter();
    let entry = |entry: &'d Value| {
        let text = |key: &str| entry[key].as_str().unwrap();
        (text("context"), text("state"), entry["exitCode"].as_u64().unwrap())
    };
    all.map(entry).collect()
}

#[test]
fn only_the_named_contexts_are_asked_each_once_and_in_the_order_of_the_kubeconfig() {
    let (trap, eu, us) = (Stub::new(), versioned(), versioned());
    let sandbox = sandbox(&[("dev", &trap.url()), ("prod-us", &us.url()), ("prod-eu", &eu.url())]);
    let output = sandbox.run(&["version", "-o", "json", "--contexts", "prod-eu,prod-*"]);
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert_eq!(entries(&document(&output)), [("prod-us", "answered", 0), ("prod-eu", "answered", 0)]);
    assert_eq!([us.requests().len(), eu.requests().len(), trap.connections()], [2, 2, 0]);
}

#[test]
fn a_context_of_two_files_is_read_once() {
    let (first, second) = (versioned(), Stub::new());
    let sandbox = Sandbox::new();
    let user = json!({"token": "t"});
    let one = sandbox.write("one", kubeconfig(&[("same", &first.url())], &user));
    let two = sandbox.write("two", kubeconfig(&[("same", &second.url()), ("other", &first.url())], &user));
    let both = format!("{}:{}", one.display(), two.display());
    let output = sandbox.env("KUBECONFIG", both).run(&["version", "-o", "json", "--all-contexts"]);
    assert_eq!(entries(&document(&output)), [("same", "answered", 0), ("other", "answered", 0)]);
    assert_eq!((first.requests().len(), second.connections()), (4, 0));
}

#[test]
fn one_context_is_a_list_too() {
    let stub = versioned();
    let output = sandbox(&[("a", &stub.url())]).run(&["version", "-o", "json", "--contexts", "a"]);
    let document = document(&output);
    assert_eq!((&document["kind"], entries(&document)), (&json!("Results"), vec![("a", "answered", 0)]));
    assert_eq!(document["results"][0]["version"]["kubernetesCluster"]["minor"], "36");
}

#[test]
fn each_context_has_its_own_credential_once() {
    let (a, b) = (versioned(), versioned());
    let sandbox = Sandbox::new();
    let token =
        r#"echo '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"t"}}'"#;
    let plugin = sandbox.script("login", &format!("echo run >>$HOME/runs; {token}"));
    let exec = json!({"apiVersion": "client.authentication.k8s.io/v1", "command": plugin, "interactiveMode": "Never"});
    sandbox.kubeconfig(kubeconfig(&[("a", &a.url()), ("b", &b.url())], &json!({ "exec": exec })));
    let output = sandbox.run(&["version", "-o", "json", "--all-contexts", "--as", "alice"]);
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert_eq!(std::fs::read_to_string(sandbox.dir().join("runs")).unwrap(), "run\nrun\n");
    for request in [a.requests(), b.requests()].concat() {
        assert_eq!(request.header("authorization"), Some("Bearer t"));
        assert_eq!(request.header("impersonate-user"), Some("alice"));
    }
}

#[test]
fn the_namespace_is_that_of_each_cluster() {
    let (a, b) = (Stub::new(), Stub::new());
    for stub in [&a, &b] {
        let service = "/api/v1/namespaces/edge/services/gateway-proxy";
        stub.on("GET", service).not_found("services", "", "gateway-proxy").always();
        stub.on_anything().json(200, &json!({"metadata": {}, "items": []})).always();
    }
    let sandbox = sandbox(&[("a", &a.url()), ("b", &b.url())]);
    let output = sandbox.run(&["proxy", "url", "--all-contexts", "-n", "edge", "-o", "json"]);
    assert_eq!(output.code, Some(4), "{output:#?}");
    assert_eq!(entries(&document(&output)), [("a", "answered", 4), ("b", "answered", 4)]);
}

#[test]
fn at_most_eight_clusters_are_read_at_the_same_time_and_all_are_read() {
    let stub = Stub::new();
    let soon = std::time::Duration::from_millis(50);
    stub.on("GET", DEPLOYMENTS).json(200, &json!({"metadata": {}, "items": []})).slow(soon).always();
    stub.on("GET", "/version").json(200, &json!({})).slow(soon).always();
    let names: Vec<_> = (0..20).map(|number| format!("c{number}")).collect();
    let url = stub.url();
    let contexts: Vec<_> = names.iter().map(|name| (name.as_str(), url.as_str())).collect();
    let output = sandbox(&contexts).run(&["version", "--all-contexts", "-o", "json"]);
    let document = document(&output);
    let wanted: Vec<_> = names.iter().map(|name| (name.as_str(), "answered", 0)).collect();
    assert_eq!(entries(&document), wanted);
    assert_eq!(stub.requests().len(), 40);
    // Each cluster has two requests at once.
    assert!(stub.most_under_way("GET") <= 16, "{}", stub.most_under_way("GET"));
}
