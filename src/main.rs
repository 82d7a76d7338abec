//! The binary: the completion hook, which must come before anything is printed, and the exit code.

use std::ffi::OsString;
use std::process::ExitCode;

use clap_complete::CompleteEnv;
use gloo_rs::{cli, flow};

fn main() -> ExitCode {
    CompleteEnv::with_factory(|| cli::tree_with_names(&typed(), flow::names)).complete();
    let format = std::env::var_os("GLOO_RS_OUTPUT");
    ExitCode::from(gloo_rs::run(std::env::args_os(), format.as_deref()).code())
}

/// The line that a shell asks completions for: it stands behind `--`.
fn typed() -> Vec<OsString> {
    std::env::args_os().skip_while(|arg| arg != "--").skip(1).collect()
}
