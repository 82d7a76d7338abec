//! An API server that is faster, slower, older or not there.

use std::time::Duration;

use serde_json::{Value, json};

use super::{ends, policy};
use crate::support::stub::Stub;
use crate::support::{Output, Sandbox};

const ALL: &str = "/apis/security.istio.io/v1/peerauthentications";
const HERE: &str = "/apis/security.istio.io/v1/namespaces/shop/peerauthentications";
const ONE: &str = "/apis/security.istio.io/v1/namespaces/shop/peerauthentications/default";
const DEFAULT: &str = "peerauthentication.security.istio.io/default";

fn list(items: &[Value]) -> Value {
    json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items})
}

fn stored(version: &str, mode: &str) -> Value {
    let mut value = policy("shop", "default", &json!({"mtls": {"mode": mode}}));
    value["metadata"]["uid"] = json!("u");
    value["metadata"]["resourceVersion"] = json!(version);
    value["metadata"]["labels"] = json!({"app.kubernetes.io/managed-by": "gloo-rs"});
    value
}

fn sandbox(stub: &Stub) -> Sandbox {
    let sandbox = Sandbox::new().port(stub.port());
    sandbox.kubeconfig(stub.kubeconfig());
    stub.on("GET", "/api/v1/namespaces/shop").json(200, &json!({"metadata": {"name": "shop"}})).always();
    sandbox
}

const ARGS: [&str; 5] = ["-n", "shop", "--yes", "--root-namespace", "istio-system"];

fn run(stub: &Stub, command: &str) -> Output {
    sandbox(stub).run(&[&["istio", "peer-auth", command][..], &ARGS].concat())
}

#[test]
fn what_somebody_else_changed_meanwhile_is_decided_about_anew() {
    let stub = Stub::new();
    stub.on("GET", ALL).json(200, &list(&[stored("1", "STRICT")])).json(200, &list(&[stored("2", "DISABLE")]));
    stub.on("PATCH", ONE).status(409, "Conflict", "modified").json(200, &stored("3", "PERMISSIVE"));
    stub.on("GET", ONE).json(200, &stored("2", "DISABLE"));
    ends(&run(&stub, "permissive"), 0, &format!("{DEFAULT} PERMISSIVE for namespace shop (was DISABLE)\n"));
    let patches: Vec<_> = stub.finish().into_iter().filter(|request| request.method == "PATCH").collect();
    let versions: Vec<_> = patches.iter().map(|request| request.json()[0]["value"].clone()).collect();
    assert_eq!(versions, [json!("1"), json!("2")]);
}

#[test]
fn what_somebody_else_makes_meanwhile_is_not_made_again() {
    let stub = Stub::new();
    stub.on("GET", ALL).json(200, &list(&[])).json(200, &list(&[stored("1", "PERMISSIVE")]));
    stub.on("POST", HERE).status(409, "AlreadyExists", "already exists");
    ends(&run(&stub, "permissive"), 0, &format!("{DEFAULT} already PERMISSIVE for namespace shop\n"));
}

#[test]
fn what_others_write_every_time_is_given_up() {
    let stub = Stub::new();
    stub.on("GET", ALL).json(200, &list(&[])).always();
    stub.on("POST", HERE).status(409, "AlreadyExists", "already exists").always();
    let output = run(&stub, "permissive");
    ends(&output, 1, "");
    assert!(output.stderr.contains("error: changed by others 5 times, gave up\n"), "{output:?}");
    assert_eq!(stub.finish().iter().filter(|request| request.method == "POST").count(), 5);
}

#[test]
fn an_older_istio_serves_the_older_version() {
    let stub = Stub::new();
    stub.on("GET", ALL).body(404, "text/plain", "404 page not found\n").always();
    stub.on("GET", "/apis/security.istio.io/v1beta1/peerauthentications").json(200, &list(&[]));
    stub.on("POST", "/apis/security.istio.io/v1beta1/namespaces/shop/peerauthentications")
        .json(201, &stored("1", "PERMISSIVE"));
    ends(&run(&stub, "permissive"), 0, &format!("{DEFAULT} created, PERMISSIVE for namespace shop\n"));
    let post = stub.finish().into_iter().find(|request| request.method == "POST").unwrap();
    assert_eq!(post.json()["apiVersion"], "security.istio.io/v1beta1");
}

#[test]
fn a_cluster_without_istio_says_so() {
    let stub = Stub::new();
    stub.on("GET", ALL).body(404, "text/plain", "404 page not found\n");
    stub.on("GET", "/apis/security.istio.io/v1beta1/peerauthentications").body(
        404,
        "text/plain",
        "404 page not found\n",
    );
    let output = run(&stub, "permissive");
    ends(&output, 4, "");
    assert!(output.stderr.contains("its CRD is not installed"), "{output:?}");
}

#[test]
fn an_answer_that_is_lost_is_looked_for_and_nothing_is_sent_twice() {
    let stub = Stub::new();
    stub.on("GET", ALL).json(200, &list(&[stored("1", "PERMISSIVE")]));
    stub.on("DELETE", ONE).cut();
    stub.on("GET", ONE).not_found("peerauthentications", "security.istio.io", "default");
    let said = format!("{DEFAULT} removed, PERMISSIVE then applies to namespace shop (Istio's default)\n");
    ends(&run(&stub, "remove"), 0, &said);
    assert_eq!(stub.finish().iter().filter(|request| request.method == "DELETE").count(), 1);
}

#[test]
fn a_write_of_unknown_outcome_is_taken_back_or_said_to_remain() {
    let asked = |answers: fn(&Stub)| {
        let stub = Stub::new();
        stub.on("GET", ALL).json(200, &list(&[]));
        stub.on("POST", HERE).cut();
        answers(&stub);
        sandbox(&stub).run(&[&["istio", "peer-auth", "permissive", "--timeout", "1s"][..], &ARGS].concat())
    };
    let output = asked(|stub| {
        stub.on("GET", ONE).status(500, "InternalError", "etcd");
        stub.on("GET", ONE).not_found("peerauthentications", "security.istio.io", "default");
    });
    ends(&output, 5, "");
    assert!(output.stderr.contains("everything is rolled back"), "{output:?}");
    let output = asked(|stub| {
        stub.on("GET", ONE).status(500, "InternalError", "etcd").always();
    });
    ends(&output, 6, "");
    for said in ["the creation was sent, its outcome is unknown", "NOT fully rolled back", "run the same command again"]
    {
        assert!(output.stderr.contains(said), "{said}: {output:?}");
    }
}

#[test]
fn ctrl_c_while_reading_ends_it_with_nothing_written() {
    let stub = Stub::new();
    stub.on("GET", ALL).json(200, &list(&[])).slow(Duration::from_secs(20));
    let sandbox = sandbox(&stub);
    let args = [&["istio", "peer-auth", "permissive"][..], &ARGS].concat();
    let output = sandbox.interrupted(&args, || stub.requests().iter().any(|request| request.path.starts_with(ALL)));
    ends(&output, 130, "");
    assert!(stub.requests().iter().all(|request| request.method == "GET"));
}

#[test]
fn a_server_that_is_away_is_named_and_the_document_stands() {
    let stub = Stub::new();
    let sandbox = sandbox(&stub);
    let elsewhere = stub.kubeconfig().replace(&stub.port().to_string(), "1");
    sandbox.kubeconfig(elsewhere);
    let output = sandbox.run(&[&["istio", "peer-auth", "strict", "-o", "json"][..], &ARGS].concat());
    assert_eq!(output.code, Some(9), "{output:?}");
    assert_eq!(super::document(&output)["error"]["reason"], "unreachable");
}
