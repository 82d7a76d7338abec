//! An API server that misbehaves: what is said, the code, one document, and how often it was asked.

use std::time::Duration;

use serde_json::{Value, json};

use super::{document, expect_advice, on_stub, path_of, plain, with_istio};
use crate::support::stub::{Stub, kubeconfig};
use crate::support::{Certificate, Output, Sandbox, commands};

const ENABLE: [&str; 4] = ["istio", "enable-mtls", "-u", "x"];

fn asked(stub: &Stub) -> Vec<String> {
    stub.requests().iter().map(|request| format!("{} {}", request.method, request.path)).collect()
}

fn json_of(sandbox: &Sandbox, args: &[&str]) -> (Output, Value) {
    let output = sandbox.run(&[&ENABLE[..], args, &["-o", "json"]].concat());
    let document = document(&output);
    (output, document)
}

/// The reason, wherever the document has it.
fn reason(document: &Value) -> &str {
    document["results"][0]["reason"].as_str().or_else(|| document["error"]["reason"].as_str()).unwrap_or_default()
}

#[test]
fn one_upstream_is_read_and_looked_at_and_then_patched() {
    let stub = Stub::new();
    let before = plain("x", "7");
    stub.on("GET", &path_of("x")).json(200, &before);
    stub.on("PATCH", &format!("{}?fieldManager=gloo-rs", path_of("x"))).json(200, &with_istio(&before));
    expect_advice(&stub);
    let output = on_stub(&stub).run(&ENABLE);
    assert_eq!(output.code, Some(0));
    assert_eq!(output.stdout, "upstream.gloo.solo.io/x mTLS enabled\n");
    assert_eq!(output.stderr, "context stub (http://127.0.0.1:[PORT])\n");
    let requests = asked(&stub);
    let patch = format!("PATCH {}?fieldManager=gloo-rs", path_of("x"));
    assert_eq!((&requests[0], requests.last()), (&format!("GET {}", path_of("x")), Some(&patch)));
    // The Service and its pods, what they take, Settings, the gateway and its bootstrap: each is asked for once.
    assert!(requests.len() <= 9, "{requests:#?}");
    let lists = requests.iter().filter(|request| request.contains("limit=")).collect::<Vec<_>>();
    assert!(lists.len() == 5 && lists.iter().all(|list| list.contains("resourceVersion=0")), "{lists:?}");
    let patch = stub.requests().last().unwrap().json();
    assert_eq!(patch[0], json!({"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}));
    assert_eq!(patch.as_array().unwrap().len(), 2);
}

#[test]
fn disabling_is_looked_at_first_too() {
    let stub = Stub::new();
    let before = plain("x", "7");
    stub.on("GET", &path_of("x")).json(200, &with_istio(&before));
    stub.on("PATCH", &path_of("x")).json(200, &before);
    expect_advice(&stub);
    let output = on_stub(&stub).run(&["istio", "disable-mtls", "-u", "x"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "upstream.gloo.solo.io/x mTLS disabled\n"));
    let requests = asked(&stub);
    assert!(requests.last().unwrap().starts_with("PATCH") && requests.len() <= 8, "{requests:#?}");
    assert_eq!(stub.requests().last().unwrap().json()[1], json!({"op": "remove", "path": "/spec/sslConfig"}));
}

#[test]
fn already_so_sends_no_patch() {
    let stub = Stub::new();
    stub.on("GET", &path_of("x")).json(200, &with_istio(&plain("x", "7")));
    expect_advice(&stub);
    let output = on_stub(&stub).run(&ENABLE);
    assert_eq!(output.stdout, "upstream.gloo.solo.io/x mTLS already enabled\n");
    assert!(stub.requests().iter().all(|request| request.method == "GET"));
}

#[test]
fn a_refusal_of_the_read_is_said_with_its_code_and_nothing_else_is_asked() {
    let table = [
        (401, "Unauthorized", "Unauthorized", 4, "unauthorized"),
        (
            403,
            "Forbidden",
            r#"upstreams.gloo.solo.io "x" is forbidden: User "me" cannot get resource "upstreams" in API group "gloo.solo.io" in the namespace "gloo-system""#,
            4,
            "forbidden",
        ),
        (404, "NotFound", "the server could not find the requested resource", 4, "noCrd"),
        (500, "InternalError", "etcd is on fire", 1, "serverError"),
        (422, "Invalid", "no", 1, "invalid"),
    ];
    for (status, kind, message, code, wanted) in table {
        let stub = Stub::new();
        stub.on("GET", &path_of("x")).status(status, kind, message);
        let (output, document) = json_of(&on_stub(&stub), &[]);
        assert_eq!((output.code, reason(&document)), (Some(code), wanted), "{output:?}");
        assert_eq!(stub.requests().len(), 1, "{status}");
    }
}

#[test]
fn a_refusal_of_the_patch_is_said_and_never_sent_again() {
    let webhook = r#"admission webhook "gloo.gloo-system.svc" denied the request: route table not found: shop.stock"#;
    let policy = r"upstreams.gloo.solo.io is forbidden: ValidatingAdmissionPolicy 'freeze' with binding 'b' denied request: change freeze";
    let table = [
        (401, "Unauthorized", 4, "unauthorized"),
        (400, webhook, 1, "invalid"),
        (403, policy, 1, "invalid"),
        (422, "spec.kube.servicePort: Invalid value", 1, "invalid"),
        (500, "etcd is on fire", 1, "serverError"),
        (503, "no leader", 1, "serverError"),
    ];
    for (status, message, code, wanted) in table {
        let stub = Stub::new();
        stub.on("GET", &path_of("x")).json(200, &plain("x", "7"));
        stub.on("PATCH", &path_of("x")).status(status, "Reason", message);
        expect_advice(&stub);
        let (output, document) = json_of(&on_stub(&stub), &[]);
        assert_eq!((output.code, reason(&document)), (Some(code), wanted), "{output:?}");
        if status != 401 {
            assert!(output.stderr.contains(message), "{output:?}");
        }
        assert_eq!(document["results"][0]["changed"], false);
    }
}

#[test]
fn a_webhook_that_cannot_be_tried_is_a_note_and_no_refusal() {
    let stub = Stub::new();
    let message = r#"admission webhook "w.example" does not support dry run"#;
    stub.on("GET", &path_of("x")).json(200, &plain("x", "7"));
    stub.on("PATCH", &path_of("x")).status(400, "BadRequest", message);
    expect_advice(&stub);
    let output = on_stub(&stub).run(&[&ENABLE[..], &["--dry-run=server"]].concat());
    assert_eq!(output.code, Some(0), "{output:?}");
    assert_eq!(output.stdout, "upstream.gloo.solo.io/x mTLS enabled (server dry run)\n");
    assert!(
        output.stderr.contains("note: upstream.gloo.solo.io/x: not validated (a webhook does not support dry run)\n"),
        "{output:?}"
    );
}

#[test]
fn a_conflict_is_read_and_decided_anew() {
    let stub = Stub::new();
    let get = stub.on("GET", &path_of("x")).json(200, &plain("x", "7"));
    get.json(200, &plain("x", "8"));
    stub.on("PATCH", &path_of("x")).status(409, "Conflict", "modified").json(200, &with_istio(&plain("x", "9")));
    expect_advice(&stub);
    let output = on_stub(&stub).run(&ENABLE);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "upstream.gloo.solo.io/x mTLS enabled\n"));
    let patch = stub.requests().iter().rfind(|request| request.method == "PATCH").unwrap().json();
    assert_eq!(patch[0]["value"], "8", "under the version that was read again");
}

#[test]
fn after_five_conflicts_it_gives_up_and_says_who() {
    let stub = Stub::new();
    let mut object = plain("x", "7");
    object["metadata"]["managedFields"] = json!([
        {"manager": "kubectl", "time": "2026-01-01T00:00:00Z"}, {"manager": "gloo", "time": "2026-02-01T00:00:00Z"},
    ]);
    stub.on("GET", &path_of("x")).json(200, &object).always();
    stub.on("PATCH", &path_of("x")).status(409, "Conflict", "modified").always();
    expect_advice(&stub);
    let (output, document) = json_of(&on_stub(&stub), &[]);
    assert_eq!((output.code, reason(&document)), (Some(1), "conflict"));
    assert!(
        output.stderr.contains("error: upstream.gloo.solo.io/x: changed by others 5 times (last: gloo), gave up\n"),
        "{output:?}"
    );
    assert_eq!(stub.requests().iter().filter(|request| request.method == "PATCH").count(), 5);
}

#[test]
fn a_busy_server_is_taken_at_its_word_as_far_as_the_deadline_goes() {
    let stub = Stub::new();
    stub.on("GET", &path_of("x")).json(200, &plain("x", "7"));
    stub.on("PATCH", &path_of("x"))
        .status(429, "TooManyRequests", "busy")
        .retry_after(1)
        .json(200, &with_istio(&plain("x", "8")));
    expect_advice(&stub);
    assert_eq!(on_stub(&stub).run(&ENABLE).code, Some(0));

    let stub = Stub::new();
    stub.on("GET", &path_of("x")).json(200, &plain("x", "7"));
    stub.on("PATCH", &path_of("x")).status(429, "TooManyRequests", "busy").retry_after(600);
    expect_advice(&stub);
    let (output, document) = json_of(&on_stub(&stub), &[]);
    assert_eq!((output.code, reason(&document)), (Some(1), "throttled"));
    assert!(output.stderr.contains("asks to retry in 600s"), "{output:?}");
}

#[test]
fn a_connection_cut_after_the_patch_was_acted_on_is_a_change() {
    let stub = Stub::new();
    stub.on("GET", &path_of("x")).json(200, &plain("x", "7")).json(200, &with_istio(&plain("x", "8")));
    stub.on("PATCH", &path_of("x")).cut();
    expect_advice(&stub);
    let output = on_stub(&stub).run(&ENABLE);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "upstream.gloo.solo.io/x mTLS enabled\n"));
}

#[test]
fn a_connection_cut_before_the_patch_was_acted_on_is_planned_and_sent_anew() {
    let stub = Stub::new();
    stub.on("GET", &path_of("x")).json(200, &plain("x", "7")).always();
    stub.on("PATCH", &path_of("x")).cut().json(200, &with_istio(&plain("x", "8")));
    expect_advice(&stub);
    let output = on_stub(&stub).run(&ENABLE);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "upstream.gloo.solo.io/x mTLS enabled\n"));
}

#[test]
fn a_patch_whose_outcome_cannot_be_read_is_called_unknown() {
    let stub = Stub::new();
    stub.on("GET", &path_of("x")).json(200, &plain("x", "7")).status(500, "InternalError", "no");
    stub.on("PATCH", &path_of("x")).cut();
    expect_advice(&stub);
    let (output, document) = json_of(&on_stub(&stub), &[]);
    assert_eq!((output.code, reason(&document)), (Some(9), "unreachable"));
    assert!(output.stderr.contains("the patch was sent, its outcome is unknown"), "{output:?}");
}

#[test]
fn a_slow_server_is_given_up_at_the_deadline_which_is_named() {
    let stub = Stub::new();
    stub.on("GET", &path_of("x")).json(200, &plain("x", "7")).slow(Duration::from_secs(20));
    let (output, document) = json_of(&on_stub(&stub), &["--timeout", "2s"]);
    assert_eq!((output.code, reason(&document)), (Some(9), "timeout"));
    assert!(
        output.stderr.contains("within 2s") && output.stderr.contains("hint: --timeout waits longer"),
        "{output:?}"
    );
}

#[test]
fn a_field_that_the_server_does_not_keep_is_a_failure() {
    let stub = Stub::new();
    stub.on("GET", &path_of("x")).json(200, &plain("x", "7"));
    stub.on("PATCH", &path_of("x")).json(200, &plain("x", "8"));
    expect_advice(&stub);
    let (output, document) = json_of(&on_stub(&stub), &[]);
    assert_eq!((output.code, reason(&document)), (Some(1), "invalid"));
    assert!(output.stderr.contains("accepted the change but did not store it"), "{output:?}");
}

#[test]
fn what_a_webhook_adds_beside_the_change_is_no_failure() {
    let stub = Stub::new();
    let mut after = with_istio(&plain("x", "8"));
    after["spec"]["sslConfig"]["sni"] = json!("added");
    stub.on("GET", &path_of("x")).json(200, &plain("x", "7"));
    stub.on("PATCH", &path_of("x")).json(200, &after);
    expect_advice(&stub);
    assert_eq!(on_stub(&stub).run(&ENABLE).code, Some(0));
}

#[test]
fn tls_that_does_not_come_about_is_named() {
    for (certificate, words) in [(Certificate::OtherName, "for another name"), (Certificate::Expired, "has expired")] {
        let stub = Stub::tls(certificate);
        let (output, document) = json_of(&on_stub(&stub), &[]);
        assert_eq!((output.code, reason(&document)), (Some(9), "tls"));
        assert!(output.stderr.contains(words), "{output:?}");
    }
    let plainly = Stub::new();
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(plainly.kubeconfig().replace("http://", "https://"));
    let (output, document) = json_of(&sandbox, &[]);
    assert_eq!((output.code, reason(&document)), (Some(9), "tls"));
    assert!(output.stderr.contains("does not speak TLS"), "{output:?}");
}

/// A kubeconfig for a port where nobody listens.
fn dead() -> Sandbox {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let sandbox = Sandbox::new();
    let stub = Stub::new();
    let config =
        stub.kubeconfig().replace(&stub.port().to_string(), &listener.local_addr().unwrap().port().to_string());
    sandbox.kubeconfig(config);
    sandbox
}

#[test]
fn a_dead_server_is_said_once_however_many_are_named() {
    let (output, document) = json_of(&dead(), &[]);
    assert_eq!((output.code, reason(&document)), (Some(9), "unreachable"));
    assert!(output.stderr.contains("error: ") && output.stderr.contains("no connection to "), "{output:?}");

    let names: Vec<_> = (0..500).map(|number| format!("x{number}")).collect();
    let many = dead().run(&["istio", "enable-mtls", "--concurrency", "4", "-u", &names.join(",")]);
    assert_eq!(many.code, Some(9));
    let errors = many.stderr.matches("error: ").count();
    assert!((3..12).contains(&errors), "{errors} errors: {}", many.stderr);
    assert!(many.stderr.contains("error: stopped: "), "{many:?}");
    let swept = dead().run(&["istio", "enable-mtls", "--all", "--yes"]);
    assert_eq!((swept.code, swept.stderr.matches("error: ").count()), (Some(9), 1), "{swept:?}");
}

#[test]
fn an_exec_plugin_that_fails_or_hangs_is_named_before_anything_is_asked() {
    for (script, words) in [("echo 'session expired' >&2; exit 3", "session expired"), ("exec sleep 60", "login")] {
        let stub = Stub::new();
        let sandbox = Sandbox::new();
        let path = sandbox.script("login", script);
        let exec = json!({"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": path, "interactiveMode": "Never"}});
        sandbox.kubeconfig(stub.kubeconfig().replace("{token: secret-token}", &exec.to_string()));
        let (output, document) = json_of(&sandbox, &["--timeout", "3s"]);
        assert_eq!((output.code, reason(&document)), (Some(9), "execPlugin"), "{output:?}");
        assert!(output.stderr.contains(words), "{output:?}");
        assert_eq!(document["results"], json!([]));
        assert_eq!(stub.connections(), 0);
    }
}

#[test]
fn the_trace_shows_requests_and_no_token() {
    let stub = Stub::new();
    stub.on("GET", &path_of("x")).json(200, &plain("x", "7")).always();
    stub.on("PATCH", &path_of("x")).json(200, &with_istio(&plain("x", "8"))).always();
    expect_advice(&stub);
    let sandbox = on_stub(&stub);
    let verbose = sandbox.run(&[&ENABLE[..], &["-v"]].concat());
    assert!(verbose.stderr.contains(&format!("GET {} 200\n", path_of("x"))), "{verbose:?}");
    let timed = sandbox.run(&[&ENABLE[..], &["-vv"]].concat());
    assert!(timed.stderr.contains(&format!("PATCH {}?fieldManager=gloo-rs 200 ", path_of("x"))), "{timed:?}");
    assert!(!(verbose.stderr + &timed.stderr).contains("secret-token"));
    let quiet = sandbox.run(&[&ENABLE[..], &["-q"]].concat());
    assert_eq!((quiet.stdout.as_str(), quiet.stderr.as_str()), ("upstream.gloo.solo.io/x mTLS enabled\n", ""));
}

#[test]
fn no_command_asks_another_context_than_the_one_named() {
    for words in commands::every() {
        let (trap, stub) = (Stub::new(), Stub::new());
        // Whatever it is that b is asked, b does not have it.
        stub.on_anything().status(404, "NotFound", "nothing here").always();
        let sandbox = Sandbox::new();
        sandbox.kubeconfig(kubeconfig(&[("trap", &trap), ("b", &stub)]));
        for flag in ["--kube-context", "--context"] {
            let before = stub.connections();
            sandbox.run(&[&words[..], &[flag, "b"]].concat());
            assert_eq!(trap.connections(), 0, "{words:?} {flag}");
            assert!(stub.connections() > before, "{words:?} {flag} asked nobody");
        }
    }
}
