//! The binary: the completion hook, which must come before anything is printed, and the exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    gloo_rs::complete();
    let format = std::env::var_os("GLOO_RS_OUTPUT");
    ExitCode::from(gloo_rs::run(std::env::args_os(), format.as_deref()).code())
}
