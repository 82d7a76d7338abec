//! gloo-rs: Gloo Gateway beside an Istio mesh, operated from one command line.
//!
//! Arguments become plain options (`cli`), options and what was read become a plan (`plan`), a plan
//! becomes text (`render`) or writes (`apply`); `flow` is the one pipeline they go through.
//! `docs/architecture.md` has the picture and says what each room may name.

#![forbid(unsafe_code)]

pub mod apply;
pub mod cli;
pub mod edit;
pub mod error;
pub mod flow;
pub mod kube;
pub mod load;
pub mod model;
pub mod options;
pub mod plan;
pub mod render;
pub mod ui;
pub mod yaml;

use std::ffi::OsString;

use cli::Early;
use error::Exit;
use options::{Loudness, When};
use ui::Ui;

/// Runs a command line and gives its exit code.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Exit {
    let early = match cli::parse(args) {
        Ok(invocation) => {
            let mut ui = Ui::new(invocation.global.colour, invocation.global.loudness);
            return flow::run(&invocation, &mut ui);
        }
        Err(early) => early,
    };
    let mut ui = Ui::new(When::Auto, Loudness::Usual);
    match early {
        Early::Text(text) => {
            ui.bytes(text.as_bytes());
            Exit::Done
        }
        Early::Usage { rendered, failure } => {
            ui.help(&rendered);
            failure.exit
        }
        Early::Refused { failure, .. } => {
            ui.failure(&failure);
            failure.exit
        }
    }
}
