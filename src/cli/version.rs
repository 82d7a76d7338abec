//! `gloo-rs version`.

use super::help;
use crate::options::VersionTask;

/// Print the versions of this program, of Gloo and of Kubernetes
///
/// One document on stdout, also where the server cannot be asked: then it says why.
#[derive(Debug, clap::Args)]
#[command(after_help = help::VERSION)]
pub(super) struct VersionArgs {
    /// This program's version alone; no cluster is asked
    #[arg(long)]
    client: bool,
}

impl VersionArgs {
    pub(super) fn options(&self) -> VersionTask {
        if self.client { VersionTask::Client } else { VersionTask::ClientAndServer }
    }
}
