//! Completion: the scripts, and the words behind them.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use gloo_rs::exports::cli;
use serde_json::{Value, json};

use crate::stage::wait_for;
use crate::support::Sandbox;
use crate::support::generated::{HOW, renewing};
use crate::support::stub::Stub;

const PATIENCE: Duration = Duration::from_mins(2);
const SHELLS: [&str; 5] = ["bash", "zsh", "fish", "powershell", "elvish"];

#[test]
fn the_generated_scripts_are_those_the_command_prints() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("completions");
    for ((file, shell), name) in cli::scripts().into_iter().zip(SHELLS) {
        let path = folder.join(file);
        if renewing() {
            std::fs::create_dir_all(&folder).unwrap();
            std::fs::write(&path, cli::registration(shell)).unwrap();
        }
        let script = std::fs::read_to_string(&path).unwrap_or_default();
        let output = Sandbox::new().run(&["completion", name]);
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
        assert!(output.stdout == script, "completions/{file} is stale: {HOW}");
    }
}

#[test]
fn a_script_calls_the_program_by_its_name_alone() {
    for (file, shell) in cli::scripts() {
        let script = String::from_utf8(cli::registration(shell)).unwrap();
        assert!(script.contains("gloo-rs") && script.contains(cli::COMPLETION_VARIABLE), "{file}");
        assert!(!script.contains("/gloo-rs") && !script.contains("target"), "{file}:\n{script}");
        assert!(script.ends_with('\n'), "{file}");
    }
}

/// What bash is offered for the word at `index`.
fn offered(kubeconfig: &str, words: &[&str]) -> Vec<String> {
    let index = words.len().to_string();
    let sandbox = Sandbox::new().env("COMPLETE", "bash").env("_CLAP_COMPLETE_INDEX", index);
    let sandbox = sandbox.env("_CLAP_IFS", "\n").env("_CLAP_COMPLETE_COMP_TYPE", "9");
    sandbox.kubeconfig(kubeconfig);
    let output = sandbox.run(&[&["--", "gloo-rs"], words].concat());
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{words:?}");
    output.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn words_are_completed_without_a_cluster() {
    let trap = Stub::new();
    let complete = |words: &[&str]| offered(&trap.kubeconfig(), words);
    assert_eq!(complete(&["pro"]), ["proxy"]);
    assert_eq!(complete(&["v"]), ["version"]);
    assert_eq!(complete(&["istio", "en"]), ["enroll", "enable-mtls"]);
    assert_eq!(complete(&["proxy", "url", "--loc"]), ["--local-cluster"]);
    assert_eq!(complete(&["completion", "p"]), ["powershell"]);
    assert_eq!(complete(&["proxy", "url", "--prefer", ""]), ["ip", "hostname"]);
    assert_eq!(complete(&["proxy", "url", "--kube-context", ""]), ["stub"]);
    assert_eq!(complete(&["check", "--contexts", "other,s"]), ["other,stub"]);
    // `--help` has only the options of the command.
    assert_eq!(complete(&["proxy", "url", "--kube-c"]), ["--kube-context"]);
    assert_eq!(complete(&["check", "--explain", "GRS10"]).first().map(String::as_str), Some("GRS101"));
    assert_eq!(complete(&["check", "--explain", "a"]), ["all"]);
    assert_eq!(complete(&["check", "-x", "upstreams,hel"]), ["upstreams,helm"]);
    assert_eq!(complete(&["check", "-o", "s"]), ["sarif"]);
    assert_eq!(complete(&["istio", "describe", "upstreams", "--output", "c"]), ["csv"]);
    assert_eq!(complete(&["version", "-o", "n"]), [""; 0]);
    assert_eq!(trap.connections(), 0);
}

fn list(objects: &[Value]) -> Value {
    json!({"kind": "PartialObjectMetadataList", "apiVersion": "meta.k8s.io/v1", "metadata": {}, "items": objects})
}

fn named(name: &str) -> Value {
    json!({"metadata": {"name": name}})
}

/// The words typed, what the cluster answers to which request, the names offered.
type Offer<'a> = (&'a [&'a str], &'a [(&'a str, Value)], &'a [&'a str]);

#[test]
fn names_of_upstreams_proxies_workloads_and_hosts_are_those_of_the_cluster() {
    let spec = |spec: Value| json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": [{"metadata": {"name": "x"}, "spec": spec}]});
    are_offered(&[
        (
            &["istio", "describe", "upstream", "-n", "edge", "def"],
            &[("/apis/gloo.solo.io/v1/namespaces/edge/upstreams?", list(&[named("default-a"), named("b")]))],
            &["default-a"],
        ),
        (
            &["proxy", "restart", "b"],
            &[
                (
                    "/apis/apps/v1/namespaces/gloo-system/deployments?labelSelector=gloo%3Dgateway-proxy&",
                    list(&[named("b")]),
                ),
                ("/apis/apps/v1/namespaces/gloo-system/daemonsets?labelSelector=gloo%3Dgateway-proxy&", list(&[])),
            ],
            &["b"],
        ),
        (
            &["istio", "enroll", "shop", "--workload", ""],
            &[
                ("/apis/apps/v1/namespaces/shop/deployments?", list(&[named("cart")])),
                ("/apis/apps/v1/namespaces/shop/statefulsets?", list(&[named("db")])),
                ("/apis/apps/v1/namespaces/shop/daemonsets?", list(&[])),
            ],
            &["deployment/cart", "statefulset/db"],
        ),
        (
            &["istio", "describe", "--host", "s"],
            &[
                (
                    "/apis/gateway.solo.io/v1/virtualservices?",
                    spec(json!({"virtualHost": {"domains": ["shop.example", "*", "*.s.example"]}})),
                ),
                ("/apis/gateway.networking.k8s.io/v1/httproutes?", spec(json!({"hostnames": ["s.example", "other"]}))),
            ],
            &["s.example", "shop.example"],
        ),
    ]);
}

#[test]
fn names_are_those_of_the_cluster_and_namespace_that_the_line_names() {
    let labelled = |label: &str, value: &str| json!({"metadata": {"name": "x", "labels": {label: value}}});
    let webhooks = "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations?labelSelector=istio.io%2Ftag";
    let release = labelled("name", "gloo");
    are_offered(&[
        (
            &["istio", "enable-mtls", "-n", "edge", "-u", "def"],
            &[("/apis/gloo.solo.io/v1/namespaces/edge/upstreams?", list(&[named("default-a"), named("b")]))],
            &["default-a"],
        ),
        (
            &["istio", "enable-mtls", "-u", "a,"],
            &[("/apis/gloo.solo.io/v1/namespaces/gloo-system/upstreams?", list(&[named("b")]))],
            &["a,b"],
        ),
        (
            &["istio", "inject", "--name", ""],
            &[
                (
                    "/apis/apps/v1/namespaces/gloo-system/deployments?labelSelector=gloo%3Dgateway-proxy&",
                    list(&[named("b")]),
                ),
                (
                    "/apis/apps/v1/namespaces/gloo-system/daemonsets?labelSelector=gloo%3Dgateway-proxy&",
                    list(&[named("a")]),
                ),
            ],
            &["a", "b"],
        ),
        (
            &["proxy", "url", "--name", ""],
            &[(
                "/api/v1/namespaces/gloo-system/services?labelSelector=gloo%3Dgateway-proxy&",
                list(&[named("gateway")]),
            )],
            &["gateway"],
        ),
        (
            &["proxy", "url", "--gateway", ""],
            &[("/apis/gateway.networking.k8s.io/v1/gateways?", list(&[named("http")]))],
            &["http"],
        ),
        (&["proxy", "url", "-n", ""], &[("/api/v1/namespaces?", list(&[named("a"), named("edge")]))], &["a", "edge"]),
        (
            &["istio", "inject", "--revision", ""],
            &[
                ("/apis/apps/v1/deployments?labelSelector=app%3Distiod&", list(&[labelled("istio.io/rev", "1-28")])),
                (&format!("{webhooks}&"), list(&[labelled("istio.io/tag", "prod")])),
            ],
            &["1-28", "prod"],
        ),
        (
            &["upgrade-values", "--release", ""],
            &[(
                "/api/v1/namespaces/gloo-system/secrets?labelSelector=owner%3Dhelm&",
                list(&[release.clone(), release]),
            )],
            &["gloo"],
        ),
    ]);
}

/// Asserts that each line is offered its names.
fn are_offered(table: &[Offer]) {
    for (words, answers, names) in table {
        let stub = Stub::new();
        for (path, answer) in *answers {
            stub.on("GET", &format!("{path}resourceVersion=0")).json(200, answer).always();
        }
        // A busy machine may be too late for a shell, and then offers nothing.
        let mut last = Vec::new();
        let found = wait_for("names are offered", PATIENCE, || {
            last = offered(&stub.kubeconfig(), words);
            Ok((!last.is_empty()).then_some(()))
        });
        assert!(found.is_ok() && last == *names, "{words:?}: {last:?}");
    }
}

#[test]
fn any_trouble_is_nothing_to_offer_and_nothing_said() {
    const ASK: [&str; 4] = ["istio", "enable-mtls", "-u", "d"];
    let upstreams = "/apis/gloo.solo.io/v1/namespaces/gloo-system/upstreams?resourceVersion=0";
    let none: [&str; 0] = [];
    let forbidden = Stub::new();
    forbidden.on("GET", upstreams).status(403, "Forbidden", "upstreams is forbidden").always();
    let asked = wait_for("the server is asked in time", PATIENCE, || {
        assert_eq!(offered(&forbidden.kubeconfig(), &ASK), none);
        Ok((!forbidden.requests().is_empty()).then_some(()))
    });
    asked.unwrap();
    let slow = Stub::new();
    slow.on("GET", upstreams).json(200, &list(&[named("default-a")])).slow(Duration::from_secs(5)).always();
    assert_eq!(offered(&slow.kubeconfig(), &ASK), none);
    let gone = Stub::new().kubeconfig();
    assert_eq!(offered(&gone, &ASK), none);
    assert_eq!(offered("no: [kubeconfig", &ASK), none);
    let plugin = "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]\n\
        contexts: [{name: a, context: {cluster: a, user: a}}]\n\
        users: [{name: a, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: sleep, args: ['600'], interactiveMode: IfAvailable}}}]\n";
    assert_eq!(offered(plugin, &ASK), none);
}

#[test]
fn bash_completes_with_the_script_and_the_program_on_path() {
    let program = Path::new(env!("CARGO_BIN_EXE_gloo-rs"));
    let path = std::env::join_paths([program.parent().unwrap(), Path::new("/usr/bin"), Path::new("/bin")]).unwrap();
    let ask = "source <(gloo-rs completion bash); COMP_WORDS=(gloo-rs proxy u); COMP_CWORD=2; COMP_TYPE=9; \
        _clap_complete_gloo_rs gloo-rs u proxy; echo \"${COMPREPLY[@]}\"";
    let output = Command::new("bash").args(["--norc", "-c", ask]).env_clear().env("PATH", path).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), "url");
}

#[test]
fn an_unknown_shell_is_usage() {
    let output = Sandbox::new().run(&["completion", "tcsh"]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""));
    for shell in SHELLS {
        assert!(output.stderr.contains(shell), "{}", output.stderr);
    }
}

#[test]
fn a_usual_format_set_for_all_commands_does_not_stand_in_the_way() {
    let plain = Sandbox::new().run(&["completion", "bash"]);
    assert_eq!(Sandbox::new().env("GLOO_RS_OUTPUT", "json").run(&["completion", "bash"]), plain);
    assert_eq!(Sandbox::new().run(&["completion", "bash", "-o", "json"]).code, Some(2));
}
