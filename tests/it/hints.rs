//! Hints as they are pasted: names of the cluster are quoted, and the cluster and the user that were typed are named.

use std::process::Command;

use gloo_rs::exports::command::{Driver, TypedTarget, gloo_rs, helm, kubectl};
use proptest::prelude::*;
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
    let line = format!("gloo-rs istio enable-mtls --yes -u='-h,cart;touch x' {OURS}");
    assert!(output.stderr.contains(&line), "{output:?}");
}

/// The arguments that a fake program gets when a real shell runs the line.
fn arguments(line: &str, program: &str) -> Vec<String> {
    let record = r#"() { for word in "$@"; do printf '%s\0' "$word"; done; }"#;
    // A function cannot have a dash in its name in a POSIX shell.
    let script = match line.strip_prefix("gloo-rs ") {
        Some(rest) => format!("record{record}\nrecord {rest}"),
        None => format!("{program}{record}\n{line}"),
    };
    let output = Command::new("sh").arg("-c").arg(script).output().expect("a shell");
    assert!(output.status.success() && output.stderr.is_empty(), "{line}: {output:?}");
    let stdout = String::from_utf8(output.stdout).expect("UTF-8");
    stdout.split_terminator('\0').map(str::to_owned).collect()
}

fn hostile() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-zA-Z0-9'\"`$;&|<>()*?~#!{}\\\\ \t\n=-]{0,16}",
        Just("gloo-system;touch x".to_owned()),
        Just("$(touch x)".to_owned()),
        Just("a\nb".to_owned()),
        Just("-h".to_owned()),
        Just("--as=root".to_owned()),
        Just("~root".to_owned()),
        any::<String>().prop_map(|any| any.replace('\0', "")),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_shell_hands_over_exactly_the_words(name in hostile(), namespace in hostile(), context in hostile()) {
        let target = TypedTarget { context: Some(context.clone()), ..TypedTarget::default() };
        let either = |flag: &str, value: &str| match value.starts_with('-') {
            true => vec![format!("{flag}={value}")],
            false => vec![flag.to_owned(), value.to_owned()],
        };
        let (ordinary, dashed) = match name.starts_with('-') {
            true => (vec![], vec!["--".to_owned(), name.clone()]),
            false => (vec![name.clone()], vec![]),
        };
        let commands = [
            (gloo_rs("get"), "gloo-rs", "--kube-context"),
            (kubectl("get"), "kubectl", "--context"),
            (helm(Driver::Secret, "get"), "helm", "--kube-context"),
        ];
        for (command, program, flag) in commands {
            let line = command.value(&name).fixed("-n").value(&namespace).on(&target).to_string();
            let wanted = [vec!["get".to_owned()], ordinary.clone(), either("-n", &namespace), either(flag, &context), dashed.clone()];
            prop_assert_eq!(arguments(&line, program), wanted.concat(), "{}", line);
        }
    }
}
