//! What is asked of the API server: lists alone, as many with a thousand namespaces as with one.

use std::collections::BTreeSet;

use gloo_rs::check::CHECKS;
use serde_json::{Value, json};

use super::{document, found};
use crate::support::stub::Stub;
use crate::support::{Output, Sandbox};

fn list(items: &[Value]) -> Value {
    json!({"kind": "List", "metadata": {}, "items": items})
}

fn run(stub: &Stub, args: &[&str]) -> Output {
    let sandbox = Sandbox::new().port(stub.port());
    sandbox.kubeconfig(stub.kubeconfig());
    sandbox.run(&[&["check"], args].concat())
}

/// A cluster with so many namespaces, in each of which an Upstream, its Service and a pod.
fn cluster(namespaces: usize) -> Stub {
    let stub = Stub::new();
    let each = |make: &dyn Fn(&str) -> Value| -> Value {
        list(&(0..namespaces).map(|number| make(&format!("ns-{number:04}"))).collect::<Vec<_>>())
    };
    let accepted = json!({"statuses": {"gloo-system": {"state": "Accepted"}}});
    stub.on("GET", "/api/v1/namespaces").json(200, &each(&|ns| json!({"metadata": {"name": ns}})));
    stub.on("GET", "/api/v1/services").json(200, &each(&|ns| {
        json!({"metadata": {"name": "app", "namespace": ns}, "spec": {"selector": {"app": "a"}, "ports": [{"port": 80}]}})
    }));
    stub.on("GET", "/api/v1/pods").json(200, &each(&|ns| {
        json!({"metadata": {"name": "app-1", "namespace": ns, "labels": {"app": "a", "security.istio.io/tlsMode": "istio"}}})
    }));
    stub.on("GET", "/apis/gloo.solo.io/v1/upstreams").json(
        200,
        &each(&|ns| {
            json!({"metadata": {"name": format!("{ns}-app-80"), "namespace": "gloo-system", "uid": ns},
            "spec": {"kube": {"serviceName": "app", "serviceNamespace": ns, "servicePort": 80}}, "status": accepted})
        }),
    );
    let strict = json!({"metadata": {"name": "strict", "namespace": "ns-0000"}, "spec": {"mtls": {"mode": "STRICT"}}});
    stub.on("GET", "/apis/security.istio.io/v1/peerauthentications").json(200, &list(&[strict]));
    let settings = json!({"metadata": {"name": "default", "namespace": "gloo-system"}, "spec": {}});
    stub.on("GET", "/apis/gloo.solo.io/v1/namespaces/gloo-system/settings").json(200, &list(&[settings]));
    stub.on_anything().json(200, &list(&[])).always();
    stub
}

#[test]
fn a_thousand_namespaces_take_no_more_requests_than_one() {
    let requests = |namespaces: usize| {
        let stub = cluster(namespaces);
        let output = run(&stub, &["-o", "json", "-x", "deployments,pods,proxies,secrets"]);
        assert_eq!(found(&document(&output)), ["GRS101 Upstream gloo-system/ns-0000-app-80"], "{output:?}");
        let most = stub.most_under_way();
        assert!(most <= 8, "{most} at once");
        stub.finish().len()
    };
    let one = requests(1);
    assert_eq!(requests(1000), one);
    assert!(one < 40, "{one} requests");
}

#[test]
fn nothing_is_written_and_the_kinds_that_are_listed_are_those_that_the_checks_declare() {
    let stub = cluster(2);
    run(&stub, &["--read-only"]);
    let requests = stub.finish();
    assert!(requests.iter().all(|request| request.method == "GET"), "verbs declared are verbs seen");
    let plural = |path: &str| {
        let path = path.split('?').next().unwrap_or_default();
        let words: Vec<_> = path.split('/').collect();
        let words = if words[1] == "api" { &words[3..] } else { &words[4..] };
        let group = if path.starts_with("/api/") { "" } else { path.split('/').nth(2).unwrap() };
        let name = if words.len() > 2 { words[2] } else { words[0] };
        format!("{name}.{group}")
    };
    let seen: BTreeSet<_> = requests.iter().map(|request| plural(&request.path)).collect();
    let declared: BTreeSet<_> =
        CHECKS.iter().flat_map(|check| check.kinds).map(|kind| format!("{}.{}", kind.plural, kind.group)).collect();
    let beyond = CHECKS.iter().flat_map(|check| check.beyond).map(|access| format!("{}.", access.resource));
    let declared: BTreeSet<_> = declared.into_iter().chain(beyond.filter(|it| it == "secrets.")).collect();
    assert_eq!(seen, declared);
}

#[test]
fn what_is_left_out_is_not_asked_for() {
    let stub = Stub::new();
    stub.on("GET", "/apis/gloo.solo.io/v1/upstreams").json(200, &list(&[]));
    stub.on("GET", "/apis/gloo.solo.io/v1/namespaces/gloo-system/settings").json(200, &list(&[])).always();
    let words: Vec<_> = CHECKS.iter().map(|check| check.word).filter(|word| *word != "upstreams").collect();
    let output = run(&stub, &["-x", &words.join(",")]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "Checking Upstreams... OK\nNo problems detected.\n"));
}

#[test]
fn a_right_that_is_missing_is_named_and_never_ok() {
    let stub = Stub::new();
    let message = "upstreams.gloo.solo.io is forbidden: User \"me\" cannot list resource \"upstreams\" in API group \"gloo.solo.io\" at the cluster scope";
    stub.on("GET", "/apis/gloo.solo.io/v1/upstreams").status(403, "Forbidden", message).always();
    stub.on("GET", "/apis/gloo.solo.io/v1/namespaces/gloo-system/upstreams").status(403, "Forbidden", message).always();
    stub.on_anything().json(200, &list(&[])).always();
    let usual = run(&stub, &["-x", "deployments,pods,proxies,settings"]);
    assert_eq!(usual.code, Some(0), "{usual:?}");
    assert!(usual.stdout.contains("Checking Upstreams... unknown\n"), "{usual:?}");
    assert!(usual.stdout.contains("unknown: Upstreams, "), "{usual:?}");
    let rule = "  a rule of a ClusterRole that allows it: {apiGroups: [gloo.solo.io], resources: [upstreams], verbs: [list]}\n";
    assert!(usual.stdout.contains(rule), "{usual:?}");
    assert!(usual.stdout.ends_with("no problem in what could be read\n"), "{usual:?}");
    let strict = run(&stub, &["-x", "deployments,pods,proxies,settings", "--fail-on", "error,unknown"]);
    assert_eq!(strict.code, Some(3));
}

#[test]
fn nothing_that_may_be_read_is_no_success() {
    let stub = Stub::new();
    stub.on_anything().status(403, "Forbidden", "no").always();
    let output = run(&stub, &[]);
    assert_eq!(output.code, Some(4), "{output:?}");
    assert!(!output.stdout.contains("No problems"), "{output:?}");
}

#[test]
fn a_server_that_is_not_there_is_no_answer_in_every_format() {
    let sandbox = Sandbox::new();
    sandbox.kubeconfig("apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]\ncontexts: [{name: a, context: {cluster: a, user: a}}]\nusers: [{name: a, user: {}}]\n");
    for format in ["text", "json", "yaml", "sarif", "junit"] {
        assert_eq!(sandbox.run(&["check", "-o", format]).code, Some(9), "{format}");
    }
}

#[test]
fn files_over_a_cluster_are_found_where_they_stand() {
    let stub = cluster(1);
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(stub.kubeconfig());
    sandbox.write(
        "vs.yaml",
        "# mine\napiVersion: gateway.solo.io/v1\nkind: VirtualService\nmetadata: {name: a, namespace: gloo-system}\nspec:\n  virtualHost:\n    routes:\n    - routeAction: {single: {upstream: {name: ns-0000-app-81, namespace: gloo-system}}}\n",
    );
    let args = ["check", "--overlay", "vs.yaml", "-o", "json", "-x", "deployments,pods,proxies,mtls"];
    let result = document(&sandbox.run(&args));
    assert_eq!(found(&result), ["GRS504 VirtualService gloo-system/a"]);
    let finding = &result["findings"][0];
    assert_eq!((&finding["file"], &finding["line"]), (&json!("vs.yaml"), &json!(1)));
    assert_eq!(finding["details"][1], "near: ns-0000-app-80");
}
