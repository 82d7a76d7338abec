//! `gloo-rs istio teardown`.

use crate::cli::help;
use crate::options::{Command, Extent, Marks, Teardown};

/// Take back what setup made, step by step
///
/// The way back in the reverse order. Only what is marked as written by gloo-rs is taken; what it leaves is listed.
#[derive(Debug, clap::Args)]
#[command(after_help = help::TEARDOWN)]
pub struct TeardownArgs {
    /// Take back also what is not marked as written by gloo-rs, in all namespaces
    #[arg(long)]
    all: bool,
    /// Print the plan and stop
    #[arg(long)]
    dry_run: bool,
}

impl TeardownArgs {
    pub fn options(self) -> Command {
        Command::Teardown(Teardown {
            marks: if self.all { Marks::Ignored } else { Marks::Heeded },
            extent: if self.dry_run { Extent::PlanAlone } else { Extent::Whole },
        })
    }
}
