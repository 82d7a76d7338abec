//! `gloo-rs istio teardown`.

use std::path::PathBuf;

use crate::cli::help;
use crate::cli::preview::LivePreviewArgs;
use crate::options::{Command, Marks, Teardown};
use crate::plan::policy::Caution;

/// Undo what setup did, step by step
///
/// Undoes the steps in reverse order. Removes only what is marked as written by gloo-rs, and lists what remains.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::TEARDOWN)]
pub(crate) struct TeardownArgs {
    /// Also remove what gloo-rs did not mark; in all namespaces
    #[arg(long)]
    all: bool,
    /// Use this chart to remove Istio's values: Gloo's, packed or as a directory
    /// [default: the published one]
    #[arg(long, value_name = "PATH", verbatim_doc_comment)]
    chart: Option<PathBuf>,
    /// Proceed even if requests would get 503s; in the end, those that work now
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    preview: LivePreviewArgs,
}

impl TeardownArgs {
    pub(crate) fn options(self) -> Command {
        Command::Teardown(Teardown {
            chart: self.chart,
            marks: if self.all { Marks::Ignored } else { Marks::Heeded },
            caution: if self.force { Caution::Forced } else { Caution::Careful },
            preview: self.preview.preview(),
            secrets: self.preview.secrets(),
        })
    }
}
