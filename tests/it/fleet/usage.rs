//! Which command lines are refused before anything is read.

use super::{DEAD, kubeconfig, versioned};
use crate::support::stub::Stub;
use crate::support::{Sandbox, commands};

/// The commands that can read several clusters.
const READING: [&str; 10] = [
    "check",
    "report",
    "version",
    "istio revisions",
    "istio describe",
    "istio describe upstream",
    "istio describe upstreams",
    "proxy url",
    "proxy address",
    "proxy certs",
];

fn trapped(trap: &Stub) -> Sandbox {
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(kubeconfig(&[("dev", &trap.url()), ("prod", &trap.url())], &serde_json::json!({})));
    sandbox
}

#[test]
fn a_command_that_works_on_one_cluster_refuses_contexts_and_names_the_other_flag() {
    let trap = Stub::new();
    let words = |command: &[&'static str]| {
        let words: Vec<_> = command.iter().copied().take_while(|word| !word.starts_with('-')).collect();
        words.join(" ")
    };
    let reads = |command: &[&'static str]| READING.iter().any(|reading| words(command).starts_with(reading));
    let commands: Vec<_> = commands::every().into_iter().filter(|command| !reads(command)).collect();
    assert!(commands.len() > 15, "{commands:?}");
    for command in commands {
        let output = trapped(&trap).run(&[&command[..], &["--contexts", "prod"]].concat());
        assert!(output.code == Some(2) && output.stderr.contains("--kube-context"), "{command:?} {output:#?}");
        let output = trapped(&trap).env("GLOO_RS_CONTEXTS", "prod").run(&command);
        assert!(output.code == Some(2) && output.stderr.contains("GLOO_RS_CONTEXTS"), "{command:?} {output:#?}");
    }
}

#[test]
fn contradictions_are_usage_errors() {
    let trap = Stub::new();
    for args in [
        &["check", "--contexts", "dev", "--kube-context", "prod"][..],
        &["check", "--all-contexts", "--context", "prod"],
        &["check", "--all-contexts", "--contexts", "dev"],
        &["check", "--contexts", "dev,"],
        &["check", "--contexts", "dev", "-f", "upstream.yaml"],
        &["check", "--contexts", "dev", "--overlay", "-"],
        &["report", "--all-contexts", "-f", "upstream.yaml"],
        &["check", "--contexts", "dev", "--explain", "all"],
        &["version", "--client", "--all-contexts"],
        &["options", "--all-contexts"],
    ] {
        let output = trapped(&trap).run(args);
        assert_eq!(output.code, Some(2), "{args:?} {output:#?}");
    }
}

#[test]
fn a_variable_chooses_the_contexts_and_means_nothing_without_a_cluster() {
    let (stub, trap) = (versioned(), Stub::new());
    let sandbox = || {
        let sandbox = Sandbox::new().env("GLOO_RS_CONTEXTS", "prod-*");
        let contexts = [("dev", trap.url()), ("prod-eu", stub.url())];
        let contexts: Vec<_> = contexts.iter().map(|(name, url)| (*name, url.as_str())).collect();
        sandbox.kubeconfig(kubeconfig(&contexts, &serde_json::json!({})));
        sandbox
    };
    let output = sandbox().run(&["version", "-o", "json"]);
    assert!(output.stdout.contains("\"Results\"") && stub.requests().len() == 2, "{output:#?}");
    assert_eq!(sandbox().run(&["version", "--client"]).code, Some(0));
    assert_eq!(sandbox().run(&["check", "--explain", "all"]).code, Some(0));
    assert_eq!(sandbox().run(&["version", "--kube-context", "dev"]).code, Some(2));
}

#[test]
fn a_pattern_that_matches_nothing_is_not_found_and_nothing_is_read() {
    let trap = Stub::new();
    let output = trapped(&trap).run(&["version", "-o", "json", "--contexts", "dev,stage-*"]);
    assert_eq!(output.code, Some(4), "{output:#?}");
    assert!(output.stderr.contains("stage-*") && output.stderr.contains("contexts: dev, prod"), "{output:#?}");
}

#[test]
fn a_kubeconfig_without_contexts_is_said() {
    let sandbox = Sandbox::new();
    assert_eq!(sandbox.run(&["version", "--all-contexts"]).code, Some(1));
    sandbox.kubeconfig(kubeconfig(&[("x", DEAD)], &serde_json::json!({})).replace("- {name: x, context", "# "));
    let output = sandbox.run(&["version", "--all-contexts"]);
    assert!(output.code == Some(1) && output.stderr.contains("has no context"), "{output:#?}");
}
