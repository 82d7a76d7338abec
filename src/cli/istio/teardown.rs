//! `gloo-rs istio teardown`.

use std::path::PathBuf;

use crate::cli::help;
use crate::cli::preview::LivePreviewArgs;
use crate::options::{Command, Marks, Teardown};
use crate::plan::policy::Caution;

/// Take back what setup made, step by step
///
/// The way back in the reverse order. Only what is marked as written by gloo-rs is taken; what it leaves is listed.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::TEARDOWN)]
pub(crate) struct TeardownArgs {
    /// Take back also what is not marked as written by gloo-rs, in all namespaces
    #[arg(long)]
    all: bool,
    /// Gloo's chart, packed or as a directory, where Istio's values are taken out of the release [default: of its
    /// repository]
    #[arg(long, value_name = "PATH", verbatim_doc_comment)]
    chart: Option<PathBuf>,
    /// Proceed although requests that are answered now would get 503s in the end
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
