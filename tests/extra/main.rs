//! What needs more than the tests that `cargo test` runs: zsh and fish, in which completion is tried, Git, which the build
//! script asks, and Chromium, which loads the page of `report`.
//! `.ci/run` installs them and runs this: `cargo test --locked --test extra`.

#![allow(clippy::unwrap_used)]

mod build_script;
mod chromium;
#[path = "../it/shells.rs"]
mod shells;

#[allow(dead_code, reason = "only a part is used here")]
mod support;

use shells::Shell;

#[test]
fn a_name_is_completed_in_zsh_and_the_line_runs() {
    let setup = "autoload -U compinit; compinit -u -D; source <(gloo-rs completion zsh)";
    Shell { program: "zsh", flags: &["-f", "-i"], setup }.completes_a_name();
}

#[test]
fn a_name_is_completed_in_fish_and_the_line_runs() {
    let setup = "gloo-rs completion fish | source";
    Shell { program: "fish", flags: &["--no-config", "-i"], setup }.completes_a_name();
}
