//! Command lines that are glooctl's, wrong, or ask for nothing but text.

use serde_json::{Value, json};

use crate::support::stub::Stub;
use crate::support::{Output, Sandbox};

fn trapped(stub: &Stub) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(stub.kubeconfig());
    sandbox
}

fn run(line: &str) -> Output {
    let trap = Stub::new();
    let output = trapped(&trap).run(&line.split(' ').collect::<Vec<_>>());
    assert_eq!(trap.connections(), 0, "{line}");
    output
}

#[test]
fn glooctls_flags_without_a_meaning_are_taken_with_one_note() {
    for (line, flags) in [
        ("-c x.yaml version --client", "--config"),
        ("version --client --config x.yaml", "--config"),
        ("version -i --client", "--interactive"),
        ("-i -c x version --client", "--config, --interactive"),
    ] {
        let output = run(line);
        assert_eq!(output.code, Some(0), "{line}");
        assert_eq!(
            output.stderr,
            format!("note: {flags} has no effect: there is no config file and no interactive mode\n"),
            "{line}"
        );
    }
}

#[test]
fn consul_is_refused() {
    let output = run("--use-consul proxy url");
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""));
    assert!(output.stderr.starts_with("error: --use-consul: "), "{}", output.stderr);
}

#[test]
fn commands_that_only_glooctl_has_name_the_words_for_it() {
    for (line, instead) in [
        ("get upstreams", "kubectl get upstreams"),
        ("g us", "kubectl get upstreams"),
        ("add route --path-prefix /", "kubectl edit virtualservice"),
        ("route sort", "kubectl edit virtualservice"),
        ("create secret tls", "kubectl apply"),
        ("delete upstream x", "kubectl delete upstream"),
        ("remove route", "kubectl delete upstream"),
        ("edit upstream x --ssl-remove", "kubectl edit upstream"),
        ("install gateway", "helm install gloo"),
        ("uninstall", "helm uninstall gloo"),
        ("upgrade", "helm upgrade"),
        ("ug --release latest", "helm upgrade"),
        ("check-crds", "kubectl diff"),
        ("debug logs", "kubectl logs"),
        ("dashboard", "kubectl port-forward"),
        ("cluster list", "kubectl config get-contexts"),
        ("demo federation", "kubectl config get-contexts"),
        ("gateway-api convert", "kubectl get gateways,httproutes"),
        ("license validate", "kubectl get secret license"),
        ("plugin list", "PATH"),
        ("usage", "kubectl get upstreams"),
    ] {
        let output = run(line);
        let lines: Vec<_> = output.stderr.lines().collect();
        assert_eq!((output.code, output.stdout.as_str(), lines.len()), (Some(2), "", 2), "{line}: {}", output.stderr);
        let word = line.split(' ').next().unwrap();
        assert_eq!(lines[0], format!("error: \"{word}\" is a command of glooctl that gloo-rs does not have"));
        assert!(lines[1].starts_with("  hint: ") && lines[1].contains(instead), "{line}: {}", lines[1]);
    }
}

#[test]
fn help_and_version_need_nothing_and_open_no_socket() {
    for line in [
        "--help",
        "-h",
        "--version",
        "proxy --help",
        "proxy url --help",
        "proxy address -h",
        "istio enable-mtls --help",
        "version --help",
        "completion zsh",
    ] {
        let trap = Stub::new();
        for text in [trap.kubeconfig(), "{".to_owned()] {
            let sandbox = Sandbox::new();
            sandbox.kubeconfig(text);
            let output = sandbox.run(&line.split(' ').collect::<Vec<_>>());
            assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{line}");
            assert!(!output.stdout.is_empty(), "{line}");
        }
        assert_eq!(trap.connections(), 0, "{line}");
    }
}

#[test]
fn a_wrong_command_line_is_one_document_where_one_is_asked_for() {
    for line in [
        "proxy url --bogus -o json",
        "-o json proxy bogus",
        "--output=json get upstreams",
        "proxy url --name a/b -ojson",
        "proxy url --name -o json",
        "-qo json",
        "version --use-consul -o json",
        "completion tcsh -o json",
        "istio enable-mtls -o json",
        "proxy url --timeout never -o json",
    ] {
        let output = run(line);
        let document: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|_| panic!("{line}: {output:?}"));
        assert_eq!((output.code, &document["exitCode"]), (Some(2), &json!(2)), "{line}");
        assert_eq!((&document["kind"], &document["error"]["reason"]), (&json!("Result"), &json!("usage")), "{line}");
        assert_eq!(document["results"], json!([]), "{line}");
        assert!(!document["error"]["message"].as_str().unwrap().is_empty(), "{line}");
        assert!(!output.stderr.is_empty(), "{line}");
    }
}

#[test]
fn a_wrong_command_line_is_one_document_where_the_environment_asks_for_it() {
    for (format, line) in [("json", "proxy url --bogus"), ("yaml", "istio enable-mtls"), ("yaml", "bogus")] {
        let output = Sandbox::new().env("GLOO_RS_OUTPUT", format).run(&line.split(' ').collect::<Vec<_>>());
        let document = gloo_rs::exports::yaml::parse(&output.stdout).unwrap();
        assert_eq!((output.code, &document["exitCode"]), (Some(2), &json!(2)), "{line}");
        assert!(output.stderr.starts_with("error: "), "{line}: {}", output.stderr);
    }
}

#[test]
fn a_wrong_command_line_without_a_format_leaves_stdout_empty() {
    for line in ["proxy", "proxy bogus", "istio", "bogus", "proxy url -o", "proxy url -o name", "proxy url x"] {
        let output = run(line);
        assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{line}");
        assert!(!output.stderr.is_empty(), "{line}");
    }
}

#[test]
fn nothing_typed_is_a_document_too() {
    let output = Sandbox::new().env("GLOO_RS_OUTPUT", "json").run(&[]);
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((output.code, &document["error"]["message"]), (Some(2), &json!("no command given")));
}

#[test]
fn what_was_typed_is_quoted_without_what_a_terminal_obeys() {
    let output = Sandbox::new().run(&["proxy", "url", "a\u{1b}[31mb\u{202e}c", "-o", "json"]);
    assert_eq!(output.code, Some(2));
    for obeyed in ['\u{1b}', '\u{202e}'] {
        assert!(!output.stderr.contains(obeyed), "{:?}", output.stderr);
    }
    assert!(output.stderr.contains("b\\u{202e}c"), "{}", output.stderr);
}

#[test]
fn an_answer_that_a_full_disk_lost_is_a_failure() {
    let sandbox = Sandbox::new();
    sandbox.write("a.yaml", "apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {name: a}\nspec: {kube: {}}\n");
    for line in ["--help", "version --client", "completion bash", "istio enable-mtls -u a -f a.yaml"] {
        let output = sandbox.run_full(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(output.code, Some(1), "{line}: {}", output.stderr);
        assert!(output.stderr.contains("error: stdout: no space left on device"), "{line}: {}", output.stderr);
    }
}

#[test]
fn an_empty_port_is_a_variable_that_was_not_set() {
    let output = run("proxy url --port=");
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""));
    assert!(output.stderr.starts_with("error: --port is empty"), "{}", output.stderr);
}

#[test]
fn the_errors_below_a_failure_are_in_the_document_and_shown_with_v() {
    let sandbox = Sandbox::new();
    let run = |more: &[&str]| {
        sandbox.run(&[&["istio", "enable-mtls", "-u", "x", "-f", "no-such-file", "--dry-run"], more].concat())
    };
    let cause = "No such file or directory (os error 2)";
    let document: Value = serde_json::from_str(&run(&["-o", "json"]).stdout).unwrap();
    assert_eq!(document["error"]["causes"], json!([cause]));
    assert!(run(&["-v"]).stderr.contains(&format!("  cause: {cause}\n")));
    assert!(!run(&[]).stderr.contains("os error"));
}
