//! gloo-rs: operates Gloo Gateway with an Istio mesh from one command line.
//!
//! Arguments become plain options (`cli`). The options and the objects that were read become a plan (`plan`). A plan
//! becomes text (`render`) or writes (`apply`). `flow` is the one pipeline for all commands. `docs/architecture.md` has
//! the diagram, and lists what each room may use.

#![forbid(unsafe_code)]
// The compiler finds unused code only if nothing is public by accident.
#![warn(unreachable_pub)]

mod apply;
mod bounded;
mod build;
mod check;
mod cli;
mod command;
mod edit;
mod envoy;
mod error;
#[doc(hidden)]
pub mod exports;
mod file;
mod flow;
#[cfg(any(fuzzing, test))]
pub mod fuzzing;
mod gloo;
mod helm;
#[cfg(test)]
mod hostile;
mod kube;
mod load;
mod model;
mod needs;
mod options;
mod plan;
mod posture;
mod probe;
mod render;
mod rights;
mod text;
mod ui;
mod verify;
mod yaml;
mod zip;

use std::ffi::{OsStr, OsString};

use cli::Early;
use command::{Called, TypedTarget};
use error::Exit;
use options::{Format, Loudness, When};
use ui::Ui;

/// Answers a shell's request for completions and then ends the process; returns if there is no such request.
pub fn complete() {
    cli::complete(flow::names);
}

/// Runs a command line and returns its exit code. `format` is the value of `GLOO_RS_OUTPUT`.
pub fn run(args: impl IntoIterator<Item = OsString>, format: Option<&OsStr>) -> Exit {
    std::panic::set_hook(Box::new(|panic| ui::panicked(&panic.to_string())));
    let args: Vec<OsString> = args.into_iter().collect();
    match cli::parse(args.iter().cloned()) {
        Ok(invocation) => {
            let mut ui = Ui::new(invocation.global.colour, invocation.global.loudness);
            flow::run(&invocation, &mut ui)
        }
        Err(early) => {
            let mut ui = Ui::new(When::Auto, Loudness::Usual);
            let called = args.first().map_or(Called::GlooRs, |program| Called::by(program));
            end(early, called, cli::wanted_format(&args, format), &mut ui)
        }
    }
}

/// Ends a run whose command line was not accepted. If a document was requested, one is written, whatever else is wrong
/// with the command line.
fn end(early: Early, called: Called, format: Format, ui: &mut Ui) -> Exit {
    let target = TypedTarget { called, ..TypedTarget::default() };
    match early {
        Early::Text(text) => {
            ui.bytes(text.as_bytes());
            ui.lost_answer().map_or(Exit::Done, |failure| {
                ui.failure(&failure);
                failure.exit
            })
        }
        Early::Usage { rendered, failure } => {
            Ui::help(&rendered);
            let mut report = flow::Report::new(ui, &[], format).on(target);
            report.said_failure(failure);
            report.finish()
        }
        Early::Refused { words, failure } => {
            let mut report = flow::Report::new(ui, &words, format).on(target);
            report.failure(failure);
            report.finish()
        }
    }
}
