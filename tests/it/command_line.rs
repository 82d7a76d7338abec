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

/// Whether a text names a command of this program under its own name.
fn says_gloo_rs(text: &str) -> bool {
    let words: Vec<_> = text.split([' ', '\n', '(']).collect();
    words.windows(2).any(|pair| {
        let word = pair[1];
        pair[0] == "gloo-rs"
            && (word.starts_with('-') || ["istio", "proxy", "check", "version", "options"].contains(&word))
    })
}

#[test]
fn as_a_plugin_of_kubectl_usage_help_and_hints_have_its_name() {
    fn leaves(command: &clap::Command, path: &[String], found: &mut Vec<Vec<String>>) {
        found.push(path.to_vec());
        for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
            leaves(inner, &[path, &[inner.get_name().to_owned()]].concat(), found);
        }
    }
    let run = |args: &[&str]| Sandbox::new().called("/usr/local/bin/kubectl-gloo").run(args);
    let mut commands = Vec::new();
    leaves(&gloo_rs::exports::cli::tree(), &[], &mut commands);
    assert!(commands.len() > 35);
    for path in commands {
        for flag in ["-h", "--help"] {
            let args: Vec<_> = path.iter().map(String::as_str).chain([flag]).collect();
            let output = run(&args);
            assert_eq!(output.code, Some(0), "{args:?}");
            assert!(!says_gloo_rs(&output.stdout), "{args:?}\n{}", output.stdout);
            let usage = format!(
                "Usage: {}",
                ["kubectl gloo"].into_iter().chain(path.iter().map(String::as_str)).collect::<Vec<_>>().join(" ")
            );
            assert!(output.stdout.contains(&usage), "{args:?}\n{}", output.stdout);
        }
    }
    for (args, hint) in [
        (&["proxy", "no-such"][..], "kubectl gloo proxy --help"),
        (&["check", "GRS101"], "kubectl gloo check --explain GRS101"),
        (&["describe", "upstream", "x"], "kubectl gloo istio describe"),
        (&["istio", "enable-mtls", "--upstreem", "x"], "kubectl gloo istio enable-mtls --help"),
    ] {
        let output = run(args);
        assert_eq!(output.code, Some(2), "{args:?}");
        assert!(output.stderr.contains(hint) && !says_gloo_rs(&output.stderr), "{args:?}\n{}", output.stderr);
        let json = run(&[args, &["-o", "json"]].concat());
        assert!(json.stdout.contains(hint) && !says_gloo_rs(&json.stdout), "{args:?}\n{}", json.stdout);
    }
    let explained = run(&["check", "--explain", "GRS101"]);
    assert!(explained.stdout.contains("kubectl gloo ") && !says_gloo_rs(&explained.stdout), "{}", explained.stdout);
}

#[test]
fn as_a_plugin_of_kubectl_the_hints_of_a_run_have_its_name() {
    let sandbox = Sandbox::new().called("kubectl-gloo");
    let manifest = "apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {name: a, namespace: gloo-system}\nspec:\n  \
        sslConfig: {secretRef: {name: own, namespace: gloo-system}}\n  kube: {serviceName: a, serviceNamespace: shop, servicePort: 80}\n";
    sandbox.write("a.yaml", manifest);
    let found = sandbox.run(&["check", "-f", "a.yaml", "--fail-on", "warning"]);
    assert!(!says_gloo_rs(&found.stdout) && !says_gloo_rs(&found.stderr), "{}", found.stdout);
    for format in ["json", "yaml", "sarif", "junit"] {
        let document = sandbox.run(&["check", "-f", "a.yaml", "-o", format, "--color", "always"]);
        assert!(!document.stdout.is_empty() && !document.stdout.contains('\u{1b}'), "{format}: {}", document.stdout);
    }
    let renamed = sandbox.run(&["istio", "revisions", "--kubeconfig", "missing"]);
    assert!(!says_gloo_rs(&renamed.stderr), "{}", renamed.stderr);
}
