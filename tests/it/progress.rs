//! The progress line of a wait: it moves on a terminal while a server does not answer, leaves no trace, and is nowhere else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::Sandbox;
use crate::support::stub::Stub;

const SERVICE: &str = "/api/v1/namespaces/gloo-system/services/gateway-proxy";
const LINE: &str = "asking http://127.0.0.1:";

/// What a line ends with: the terminal's line is cleared.
const CLEARED: &str = "\u{1b}[2K";

fn service(ingress: &Value) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": "gloo-system", "name": "gateway-proxy"},
        "spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.7", "selector": {"a": "b"},
            "ports": [{"name": "http", "port": 80, "protocol": "TCP", "nodePort": 31080}]},
        "status": {"loadBalancer": {"ingress": ingress}},
    })
}

fn sandbox(stub: &Stub, term: &str) -> Sandbox {
    let sandbox = Sandbox::new().port(stub.port()).env("TERM", term);
    sandbox.kubeconfig(stub.kubeconfig());
    sandbox
}

/// The text that is still on the terminal after the last line was removed.
fn left(terminal: &str) -> &str {
    terminal.rsplit(CLEARED).next().unwrap().trim()
}

#[test]
fn while_the_api_server_does_not_answer_a_line_on_the_terminal_moves_and_no_trace_of_it_stays() {
    let stub = Stub::new();
    let answers = Arc::new(AtomicBool::new(false));
    stub.on("GET", SERVICE).json(200, &service(&json!([{"ip": "34.1.2.3"}]))).held(&answers);
    let sandbox = sandbox(&stub, "xterm");
    let mut running = sandbox.start_on_terminal(&["proxy", "url"]);
    running.wait_for(LINE);
    // The line is drawn each second: a busy machine may leave one out.
    running.wait_for_any(&["(1s)", "(2s)", "(3s)", "(4s)", "(5s)"]);
    answers.store(true, Ordering::SeqCst);
    let ended = sandbox.end_of(running);
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(0), "http://34.1.2.3:80\n"), "{ended:?}");
    assert_eq!(left(&ended.stderr), "", "{ended:?}");
}

#[test]
fn the_wait_for_an_address_has_a_line_of_its_own() {
    let stub = Stub::new();
    stub.on("GET", SERVICE).json(200, &service(&json!([])));
    let answers = Arc::new(AtomicBool::new(false));
    stub.on_anything().json(200, &service(&json!([{"ip": "34.1.2.3"}]))).held(&answers).always();
    let sandbox = sandbox(&stub, "xterm");
    let mut running = sandbox.start_on_terminal(&["proxy", "url", "--wait"]);
    running.wait_for("an external address of service gloo-system/gateway-proxy (");
    answers.store(true, Ordering::SeqCst);
    running.terminate();
    let ended = sandbox.end_of(running);
    assert!(!left(&ended.stderr).contains("(1s)"), "{ended:?}");
}

#[test]
fn there_is_no_line_without_a_terminal_and_where_none_is_wanted() {
    // An answer that comes later than a line would.
    let run = |term: &str, args: &[&str], on_terminal: bool| {
        let stub = Stub::new();
        let answer = service(&json!([{"ip": "34.1.2.3"}]));
        stub.on("GET", SERVICE).json(200, &answer).slow(Duration::from_millis(900)).always();
        let sandbox = sandbox(&stub, term);
        let ended = match on_terminal {
            true => sandbox.end_of(sandbox.start_on_terminal(args)),
            false => sandbox.run(args),
        };
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stderr
    };
    let url: &[&str] = &["proxy", "url"];
    assert!(run("xterm", url, true).contains(LINE));
    for (term, args, on_terminal) in [
        ("xterm", url, false),
        ("dumb", url, true),
        ("xterm", &["proxy", "url", "-q"], true),
        ("xterm", &["proxy", "url", "-v"], true),
    ] {
        let said = run(term, args, on_terminal);
        assert!(!said.contains(LINE) && !said.contains('\u{1b}'), "{term} {args:?}: {said:?}");
    }
}

#[test]
fn an_exec_plugin_that_may_use_the_terminal_has_it_alone() {
    for (mode, has_line) in [("IfAvailable", false), ("Never", true)] {
        let stub = Stub::new();
        let answer = service(&json!([{"ip": "34.1.2.3"}]));
        stub.on("GET", SERVICE).json(200, &answer).slow(Duration::from_millis(900)).always();
        let sandbox = sandbox(&stub, "xterm");
        let credential =
            r#"{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": {"token": "t"}}"#;
        let plugin = sandbox.script("plugin", &format!("echo '{credential}'"));
        sandbox.kubeconfig(format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{{name: a, cluster: {{server: '{}'}}}}]\n\
             contexts: [{{name: a, context: {{cluster: a, user: a}}}}]\n\
             users: [{{name: a, user: {{exec: {{apiVersion: client.authentication.k8s.io/v1, command: {}, interactiveMode: {mode}}}}}}}]\n",
            stub.url(),
            plugin.display(),
        ));
        let ended = sandbox.end_of(sandbox.start_on_terminal(&["proxy", "url"]));
        assert_eq!((ended.code, ended.stderr.contains(LINE)), (Some(0), has_line), "{mode}: {ended:?}");
    }
}
