//! A Helm that hangs, or says more than is meant to be read.

use std::time::Duration;

use super::{APPLY, gloo, noted, reaches_helm, refused, with_helm};
use crate::stage;
use crate::support::{Running, Sandbox};

/// A Helm whose version never comes; it says when it is waited for.
const HANGING: &str = r#"case "$1" in
version) echo $$ >"$HOME/hangs.new"; mv "$HOME/hangs.new" "$HOME/hangs"; exec sleep 3600;;
*) echo asked >"$HOME/asked";;
esac"#;

/// The process that noted its id there ends: a busy machine takes a moment for one that is killed.
#[track_caller]
fn is_gone(sandbox: &Sandbox) {
    let id = noted(sandbox, "hangs");
    assert!(!id.is_empty());
    let gone = stage::wait_for(&format!("process {} ends", id.trim()), Duration::from_mins(2), || {
        let state = std::fs::read_to_string(format!("/proc/{}/stat", id.trim())).unwrap_or_default();
        Ok((state.is_empty() || state.contains(") Z ")).then_some(()))
    });
    gone.unwrap();
}

#[test]
fn a_helm_that_does_not_tell_its_version_is_killed_at_the_deadline() {
    let stub = gloo();
    let sandbox = with_helm(HANGING);
    sandbox.kubeconfig(stub.kubeconfig());
    let output = sandbox.run(&[&APPLY[..], &["--timeout", "2s"]].concat());
    refused(&sandbox, &output, 1, "/bin/helm version: no answer within 2s; nothing changed");
    is_gone(&sandbox);
}

#[test]
fn a_signal_ends_a_helm_that_does_not_tell_its_version() {
    for signal in [Running::interrupt, Running::terminate, Running::hang_up] {
        let stub = gloo();
        let sandbox = with_helm(HANGING);
        sandbox.kubeconfig(stub.kubeconfig());
        let running = sandbox.start(&APPLY);
        let hangs = sandbox.dir().join("hangs");
        let patience = Duration::from_mins(2);
        stage::wait_for("helm is asked", patience, || Ok(hangs.exists().then_some(()))).unwrap();
        signal(&running);
        refused(&sandbox, &sandbox.end_of(running), 130, "interrupted");
        is_gone(&sandbox);
    }
}

#[test]
fn what_helm_says_never_commands_the_terminal() {
    const SAYING: &str = r#"case "$1" in
version) echo v3.17.3;;
*) cat >/dev/null; printf 'a\033]52;c;eA==\007\033[2J\302\2331m\342\200\256b\rc\n' >&2
echo 'Error: refused by the test' >&2; exit 1;;
esac"#;
    let stub = gloo();
    let sandbox = with_helm(SAYING);
    sandbox.kubeconfig(stub.kubeconfig());
    let output = sandbox.run_on_terminal(80, &APPLY);
    reaches_helm(&output);
    assert!(output.stderr.contains("a\\u{1b}]52;c;eA==\\u{7}\\u{1b}[2J\\u{9b}1m\\u{202e}b\\u{d}c\n"), "{output:#?}");
    assert!(!output.stderr.contains(['\u{7}', '\u{9b}', '\u{202e}', '\r']), "{output:#?}");
}

#[test]
fn a_version_without_an_end_is_read_in_part() {
    let stub = gloo();
    let sandbox =
        with_helm("case \"$1\" in version) exec tr '\\0' x </dev/zero;; *) echo asked >\"$HOME/asked\";; esac");
    sandbox.kubeconfig(stub.kubeconfig());
    let output = sandbox.run(&APPLY);
    refused(&sandbox, &output, 1, "is not a version; nothing changed");
    assert!(output.stderr.len() < 64 * 1024, "{}", output.stderr.len());
}

#[test]
fn what_helm_says_without_an_end_or_without_text_does_not_stop_it() {
    let stub = gloo();
    let says = "printf 'odd \\377\\n'; head -c 50000000 /dev/zero | tr '\\0' x; echo; echo last >\"$HOME/asked\"";
    let sandbox =
        with_helm(&format!("case \"$1\" in version) echo v3.17.3;; *) {says}; echo 'Error: x' >&2; exit 1;; esac"));
    sandbox.kubeconfig(stub.kubeconfig());
    let output = sandbox.run(&APPLY);
    assert_eq!((output.code, noted(&sandbox, "asked").as_str()), (Some(1), "last\n"), "{}", output.stderr.len());
    assert!(output.stderr.contains("\n  odd \u{fffd}\n") && output.stderr.contains("\n  Error: x\n"));
    assert!(output.stderr.len() < 64 * 1024, "{}", output.stderr.len());
}
