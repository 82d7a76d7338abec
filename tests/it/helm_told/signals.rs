//! A signal while Helm upgrades: Helm is not killed half way, and what it did is said.

use std::time::Duration;

use rustix::process::Signal;

use super::{APPLY, gloo, with_helm};
use crate::stage;

/// A Helm that says that it upgrades, waits until it may end, and ends as it is told.
const HELD: &str = r#"case "$1" in
version) echo v3.17.3;;
*) cat >/dev/null; : >"$HOME/begun"; until [ -e "$HOME/end" ]; do sleep 0.02; done; exit "$(cat "$HOME/end")";;
esac"#;

#[test]
fn a_signal_while_helm_upgrades_waits_for_it_and_says_how_it_ended() {
    for (signal, name) in [(Signal::INT, "INT"), (Signal::TERM, "TERM"), (Signal::HUP, "HUP")] {
        for (code, said) in
            [("0", "the release is upgraded; its rollout is not verified"), ("1", "helm upgrade failed")]
        {
            let stub = gloo();
            let sandbox = with_helm(HELD);
            sandbox.kubeconfig(stub.kubeconfig());
            let mut running = sandbox.start(&[&APPLY[..], &["-v"]].concat());
            let begun = sandbox.dir().join("begun");
            stage::wait_for("helm upgrades", Duration::from_mins(2), || Ok(begun.exists().then_some(()))).unwrap();
            running.signal(signal);
            running.wait_until_heard(name);
            sandbox.write("end.new", code);
            std::fs::rename(sandbox.dir().join("end.new"), sandbox.dir().join("end")).unwrap();
            let output = sandbox.end_of(running);
            assert_eq!(output.code, Some(130), "{name} {code} {output:#?}");
            assert!(output.stderr.contains("error: interrupted") && output.stderr.contains(said), "{name} {output:#?}");
        }
    }
}
