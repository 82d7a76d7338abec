//! `gloo-rs proxy snapshot`.

use std::path::PathBuf;

use clap::ArgAction;

use super::pods::PodsArgs;
use crate::cli::help;
use crate::error::Failure;
use crate::options::{Command, Endpoints, SnapshotTask};

/// Save Envoy's state in one zip file
///
/// The file has server, configuration, statistics, clusters, listeners, certificates, memory, readiness, init
/// targets, and a manifest. Only you can read it, and it never replaces another file.
#[derive(Debug, clap::Args)]
#[command(after_help = help::proxy::SNAPSHOT)]
pub(crate) struct SnapshotArgs {
    #[command(flatten)]
    pods: PodsArgs,
    /// Include the endpoints in the configuration
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    include_eds: bool,
    /// Write to this file [default: gloo-rs-proxy-snapshot-NAMESPACE-POD-TIME.zip here]
    #[arg(long, value_name = "FILE")]
    output_file: Option<PathBuf>,
}

impl SnapshotArgs {
    pub(crate) fn options(self) -> Result<Command, Failure> {
        Ok(Command::Snapshot(SnapshotTask {
            pods: self.pods.options()?,
            endpoints: if self.include_eds { Endpoints::Included } else { Endpoints::LeftOut },
            file: self.output_file,
        }))
    }
}
