//! `gloo-rs version`.

use super::help;
use crate::options::VersionTask;

/// Print the versions of gloo-rs, Gloo and Kubernetes
///
/// Prints a table on a terminal and JSON otherwise, unless -o says which format. If the server cannot
/// be reached, the output says why.
#[derive(Debug, clap::Args)]
#[command(after_help = help::VERSION)]
pub(super) struct VersionArgs {
    /// Print only the version of gloo-rs; do not contact the cluster
    #[arg(long)]
    client: bool,
}

impl VersionArgs {
    pub(super) fn options(&self) -> VersionTask {
        if self.client { VersionTask::Client } else { VersionTask::ClientAndServer }
    }
}
