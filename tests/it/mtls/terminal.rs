//! What a person at a terminal sees: the question, the colours, the width, and nothing that the cluster says there
//! as a command to the terminal.

use serde_json::json;

use super::{document, expect_advice, on_stub, path_of, plain, with_istio};
use crate::support::stub::Stub;
use crate::support::{Output, Sandbox};

const SWEEP: [&str; 3] = ["istio", "enable-mtls", "--all"];
const LIST: &str = "/apis/gloo.solo.io/v1/namespaces/gloo-system/upstreams";

fn typed(sandbox: &Sandbox, args: &[&str], keys: &str) -> Output {
    let mut running = sandbox.start_on_terminal(args);
    running.wait_for("[y/N]");
    running.give(keys);
    sandbox.end_of(running)
}

fn one_to_sweep() -> Stub {
    let stub = Stub::new();
    stub.on("GET", LIST).json(200, &json!({"items": [plain("x", "7")]})).always();
    stub.on("PATCH", &path_of("x")).json(200, &with_istio(&plain("x", "8"))).always();
    expect_advice(&stub);
    stub
}

#[test]
fn what_is_risky_is_asked_and_only_a_yes_goes_on() {
    for (keys, goes_on) in
        [("y\n", true), ("yes\n", true), ("n\n", false), ("\n", false), ("\u{4}", false), ("yo\n", false)]
    {
        let stub = one_to_sweep();
        let sandbox = on_stub(&stub);
        let output = typed(&sandbox, &SWEEP, keys);
        assert_eq!(output.code, Some(if goes_on { 0 } else { 2 }), "{keys:?}: {output:?}");
        assert!(
            output.stderr.contains("enable-mtls would change all Upstreams in gloo-system, in context stub"),
            "{output:?}"
        );
        assert_eq!(stub.connections() > 0, goes_on, "{keys:?}");
    }
}

#[test]
fn a_yes_given_beforehand_is_not_asked_for() {
    let stub = one_to_sweep();
    let flag = on_stub(&stub).run(&[&SWEEP[..], &["--yes"]].concat());
    assert_eq!(flag.code, Some(0), "{flag:?}");
    let sandbox = on_stub(&stub).env("GLOO_RS_YES", "1");
    assert_eq!(sandbox.run(&SWEEP).code, Some(0));
    let running = sandbox.start_on_terminal(&SWEEP);
    let output = sandbox.end_of(running);
    assert!(output.code == Some(0) && !output.stderr.contains("[y/N]"), "{output:?}");
    assert_eq!(
        on_stub(&stub).run(&[&SWEEP[..], &["--check"]].concat()).code,
        Some(3),
        "what writes nothing asks nothing"
    );
}

#[test]
fn a_variable_that_is_neither_yes_nor_no_is_no_yes() {
    let trap = Stub::new();
    let output = on_stub(&trap).env("GLOO_RS_YES", "maybe").run(&SWEEP);
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{output:?}");
    assert!(output.stderr.contains("expected yes or no"), "{output:?}");
    assert_eq!(trap.connections(), 0);
}

#[test]
fn without_a_terminal_nothing_is_asked_of_anybody() {
    for args in [
        &SWEEP[..],
        &["istio", "disable-mtls", "-u", "x", "--overwrite"],
        &["istio", "enable-mtls", "-l", "a=b", "--force"],
        &["istio", "enable-mtls", "-A"],
    ] {
        let stub = Stub::new();
        let output = on_stub(&stub).run_with(args, "y\n");
        assert_eq!(output.code, Some(2), "{output:?}");
        assert!(output.stderr.contains("--yes is required when no prompt is possible"), "{output:?}");
        assert_eq!(stub.connections(), 0);
        let result = document(&on_stub(&stub).run(&[args, &["-o", "json"]].concat()));
        assert_eq!(result["error"]["reason"], "notConfirmed");
    }
}

#[test]
fn a_terminal_gets_colour_and_eighty_columns_and_a_pipe_neither() {
    let stub = Stub::new();
    let mut gone = plain("x", "7");
    gone["spec"]["sslConfig"] = json!({"secretRef": {"name": "a"}});
    stub.on("GET", &path_of("x")).json(200, &gone).always();
    let sandbox = on_stub(&stub);
    let args = ["istio", "enable-mtls", "-u", "x"];
    let long = "error: upstream.gloo.solo.io/x: has TLS settings not managed by Istio; nothing changed";
    assert!(sandbox.run(&args).stderr.contains(long));

    let on_terminal = |sandbox: &Sandbox, args: &[&str]| {
        let running = sandbox.start_on_terminal(args);
        sandbox.end_of(running).stderr.replace("\r\n", "\n")
    };
    let coloured = on_terminal(&sandbox, &args);
    assert!(coloured.contains("\u{1b}[1;31merror: \u{1b}[0m"), "{coloured:?}");
    let bare = on_terminal(&on_stub(&stub).env("NO_COLOR", "1"), &args);
    assert!(!bare.contains('\u{1b}'), "{bare:?}");
    assert!(bare.lines().all(|line| line.len() <= 80), "{bare}");
    assert!(bare.contains("nothing\n  changed") || bare.contains(";\n  nothing changed"), "{bare}");
    let never = on_terminal(&sandbox, &[&args[..], &["--color", "never"]].concat());
    assert!(!never.contains('\u{1b}'), "{never:?}");
    let always = sandbox.run(&[&args[..], &["--color", "always"]].concat());
    assert!(always.stderr.contains("\u{1b}[1;31merror: "), "{always:?}");
}

const NASTY: &str = "\u{1b}[31mred\u{1b}]0;title\u{7}\u{202e}txt.exe\u{9b}2J\r\nnext\u{200b}";

fn is_inert(text: &str) -> bool {
    !text.chars().any(|c| (c.is_control() && c != '\n' && c != '\t') || matches!(c, '\u{202e}' | '\u{200b}'))
}

#[test]
fn what_the_cluster_says_never_commands_the_terminal() {
    let nasty = |name: &str| {
        let mut object = plain(name, "7");
        object["metadata"]["annotations"] =
            json!({"argocd.argoproj.io/tracking-id": format!("{NASTY}:x"), "note": NASTY});
        object["spec"]["kube"]["serviceName"] = json!(NASTY);
        object
    };
    let stub = Stub::new();
    stub.on("GET", &path_of("x")).json(200, &nasty("x")).always();
    stub.on("PATCH", &path_of("x")).status(422, "Invalid", NASTY).always();
    let mut foreign = nasty("y");
    foreign["spec"]["sslConfig"] = json!({"sni": NASTY, NASTY: 1});
    stub.on("GET", &path_of("y")).json(200, &foreign).always();
    stub.on("GET", LIST)
        .json(200, &json!({"items": [{"metadata": {"namespace": NASTY, "name": NASTY}}, nasty("x")]}))
        .always();
    stub.on_anything().status(403, "Forbidden", NASTY).always();
    let sandbox = on_stub(&stub);
    for args in [
        &["enable-mtls", "-u", "x"][..],
        &["enable-mtls", "-u", "x", "--diff"],
        &["enable-mtls", "-u", "x", "--dry-run"],
        &["enable-mtls", "-u", "y"],
        &["enable-mtls", "-u", "nowhere", "-vv"],
        &["enable-mtls", "--all", "--yes", "--force", "-v"],
        &["enable-mtls", "--all", "--yes", "-v"],
    ] {
        let args = [&["istio"], args].concat();
        let output = sandbox.run(&args);
        assert!(is_inert(&output.stdout) && is_inert(&output.stderr), "{args:?}: {output:?}");
        assert!(!output.stderr.is_empty() && output.code.is_some());
        let json = sandbox.run(&[&args[..], &["-o", "json"]].concat());
        assert!(is_inert(&json.stdout), "{args:?}: {json:?}");
        document(&json);
        let yaml = sandbox.run(&[&args[..], &["-o", "yaml"]].concat());
        assert!(is_inert(&yaml.stdout), "{args:?}: {yaml:?}");
        let parsed = gloo_rs::exports::yaml::parse(&yaml.stdout).unwrap();
        assert_eq!(parsed["exitCode"], json!(yaml.code));
    }
}
