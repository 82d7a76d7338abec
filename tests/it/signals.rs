//! INT, TERM and HUP, of whatever command: none is lost, and one that was ignored at the start stays ignored.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::support::stub::Stub;
use crate::support::{Output, Sandbox};

const SIGNALS: [(Signal, &str); 3] = [(Signal::INT, "INT"), (Signal::TERM, "TERM"), (Signal::HUP, "HUP")];
const ALL: &str = "/apis/security.istio.io/v1/peerauthentications";
const HERE: &str = "/apis/security.istio.io/v1/namespaces/shop/peerauthentications";
const ONE: &str = "/apis/security.istio.io/v1/namespaces/shop/peerauthentications/default";
const PEER_AUTH: [&str; 9] =
    ["istio", "peer-auth", "permissive", "-n", "shop", "--yes", "--root-namespace", "istio-system", "-v"];

/// What writes to a cluster, each command that begins with other reads.
const WRITING: [&str; 13] = [
    "istio enable-mtls --upstream x",
    "istio enable-mtls --all --yes",
    "istio disable-mtls --upstream x",
    "istio auto-mtls enable --yes",
    "istio auto-mtls disable --upstream x",
    "istio auto-mtls migrate --upstream x",
    "istio inject",
    "istio uninject",
    "istio enroll shop",
    "istio unenroll shop --yes",
    "istio peer-auth remove -n shop --yes",
    "istio setup --namespace-to-enroll shop --yes",
    "istio teardown --yes",
];

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

fn sandbox(stub: &Stub) -> Sandbox {
    let sandbox = Sandbox::new().port(stub.port());
    sandbox.kubeconfig(stub.kubeconfig());
    sandbox
}

fn policy() -> Value {
    json!({
        "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": {
            "name": "default", "namespace": "shop", "uid": "u", "resourceVersion": "1",
            "labels": {"app.kubernetes.io/managed-by": "gloo-rs"},
        },
        "spec": {"mtls": {"mode": "PERMISSIVE"}},
    })
}

/// Answers the reads of [`PEER_AUTH`].
fn shop(stub: &Stub) {
    stub.on("GET", "/api/v1/namespaces/shop").json(200, &json!({"metadata": {"name": "shop"}})).always();
    let none = json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": []});
    stub.on("GET", ALL).json(200, &none);
}

fn assert_interrupted(output: &Output, said: &[&str]) {
    let missing: Vec<_> = said.iter().filter(|line| !output.stderr.contains(**line)).collect();
    assert!(output.code == Some(130) && missing.is_empty(), "{missing:?} {output:#?}");
    assert!(output.stderr.contains("error: interrupted"), "{output:#?}");
}

#[test]
fn a_signal_during_the_only_write_rolls_it_back() {
    for (signal, name) in SIGNALS {
        let (stub, open) = (Stub::new(), Arc::new(AtomicBool::new(false)));
        shop(&stub);
        stub.on("POST", HERE).json(201, &policy()).held(&open);
        stub.on("GET", ONE).json(200, &policy());
        stub.on("DELETE", ONE).json(200, &json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}));
        let sandbox = sandbox(&stub);
        let mut running = sandbox.start(&PEER_AUTH);
        stub.wait_for("POST", &format!("{HERE}?fieldManager=gloo-rs"));
        running.signal(signal);
        running.wait_until_heard(name);
        open.store(true, Ordering::Relaxed);
        assert_interrupted(&sandbox.end_of(running), &["everything is rolled back"]);
    }
}

#[test]
fn a_signal_ends_what_only_reads_while_it_waits() {
    for (signal, _) in SIGNALS {
        for line in WRITING.into_iter().chain(["istio peer-auth get -n shop"]) {
            let (stub, open) = (Stub::new(), Arc::new(AtomicBool::new(false)));
            stub.on_anything().json(200, &json!({"metadata": {"name": "shop"}})).held(&open).always();
            let sandbox = sandbox(&stub);
            let running = sandbox.start(&[&words(line)[..], &["-o", "json"]].concat());
            running.wait_until(|| !stub.requests().is_empty());
            running.signal(signal);
            let output = sandbox.end_of(running);
            open.store(true, Ordering::Relaxed);
            assert_eq!(output.code, Some(130), "{line} {output:#?}");
            let reads = |path: &str| path.contains("accessreviews");
            assert!(stub.requests().iter().all(|it| it.method == "GET" || reads(&it.path)), "{line}");
            let document: Value = serde_json::from_str(&output.stdout).unwrap();
            assert_eq!(document["error"]["reason"], "interrupted", "{output:#?}");
        }
    }
}

#[test]
fn a_signal_that_was_ignored_at_the_start_changes_nothing() {
    for (signal, name) in SIGNALS {
        let (stub, open) = (Stub::new(), Arc::new(AtomicBool::new(false)));
        shop(&stub);
        stub.on("POST", HERE).json(201, &policy()).held(&open);
        let sandbox = sandbox(&stub);
        let running = sandbox.start_ignoring(name, &PEER_AUTH);
        stub.wait_for("POST", &format!("{HERE}?fieldManager=gloo-rs"));
        running.signal(signal);
        open.store(true, Ordering::Relaxed);
        let output = sandbox.end_of(running);
        assert_eq!(output.code, Some(0), "{name} {output:#?}");
    }
}

#[test]
fn a_signal_ends_the_wait_for_an_exec_plugin_and_the_plugin() {
    for (line, (signal, _)) in WRITING.into_iter().flat_map(|line| SIGNALS.map(|signal| (line, signal))) {
        let stub = Stub::new();
        let sandbox = Sandbox::new();
        let (begun, ended) = (sandbox.dir().join("begun"), sandbox.dir().join("ended"));
        let script = format!("echo $$ > {}; sleep 60; : > {}", begun.display(), ended.display());
        let plugin = sandbox.script("login", &script);
        let exec = json!({
            "apiVersion": "client.authentication.k8s.io/v1", "command": plugin, "interactiveMode": "Never",
        });
        let config = stub.kubeconfig().replace("{token: secret-token}", &json!({ "exec": exec }).to_string());
        sandbox.kubeconfig(config);
        let running = sandbox.start(&words(line));
        crate::stage::wait_for("the plugin runs", std::time::Duration::from_mins(2), || {
            Ok(std::fs::read_to_string(&begun).ok().filter(|id| id.ends_with('\n')).map(drop))
        })
        .unwrap();
        running.signal(signal);
        assert_interrupted(&sandbox.end_of(running), &[]);
        assert!(!ended.exists());
    }
}

#[test]
fn a_signal_ends_the_wait_for_standard_input() {
    for (signal, _) in SIGNALS {
        for words in [
            &["istio", "enable-mtls", "--all", "-f", "-"][..],
            &["istio", "inject", "-f", "-"],
            &["istio", "peer-auth", "strict", "-n", "shop", "-f", "-"],
            &["istio", "auto-mtls", "status", "-f", "-"],
            &["upgrade-values", "--values", "-"],
            &["check", "-f", "-"],
        ] {
            let sandbox = Sandbox::new();
            let mut running = sandbox.start(words);
            running.wait_until_listening(signal);
            let stdin = running.stdin();
            running.signal(signal);
            let output = sandbox.end_of(running);
            drop(stdin);
            assert_eq!(output.code, Some(130), "{words:?} {output:#?}");
            assert!(output.stderr.contains("interrupted"), "{words:?} {output:#?}");
        }
    }
}

/// A hangup comes because the terminal is gone: what is said to it is lost, and the rollback is made.
#[test]
fn a_terminal_that_is_gone_does_not_stop_the_rollback() {
    let (stub, open) = (Stub::new(), Arc::new(AtomicBool::new(false)));
    shop(&stub);
    stub.on("POST", HERE).json(201, &policy()).held(&open);
    stub.on("GET", ONE).json(200, &policy()).always();
    stub.on("DELETE", ONE).json(200, &json!({"kind": "Status", "apiVersion": "v1", "status": "Success"})).always();
    let sandbox = sandbox(&stub);
    let (mut child, terminal) = sandbox.start_on_closing_terminal(&PEER_AUTH);
    stub.wait_for("POST", &format!("{HERE}?fieldManager=gloo-rs"));
    drop(terminal);
    let id = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(id, Signal::HUP).unwrap();
    open.store(true, Ordering::Relaxed);
    let code = child.wait().unwrap().code();
    // Before the answer, or after it: what was begun has ended either way, and nothing was aborted.
    let rolled_back = stub.requests().iter().any(|request| request.method == "DELETE");
    assert_eq!(code, Some(if rolled_back { 130 } else { 0 }));
}
