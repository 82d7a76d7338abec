//! `gloo-rs proxy snapshot`.

use std::path::PathBuf;

use clap::ArgAction;

use super::pods::PodsArgs;
use crate::cli::help;
use crate::error::Failure;
use crate::options::{Command, Endpoints, SnapshotTask};

/// Write what Envoy says of itself into one zip file
///
/// Server, configuration, statistics, clusters, listeners, certificates, memory, readiness, what is waited for, and a
/// manifest. The file is its owner's alone and never replaces another.
#[derive(Debug, clap::Args)]
#[command(after_help = help::proxy::SNAPSHOT)]
pub(crate) struct SnapshotArgs {
    #[command(flatten)]
    pods: PodsArgs,
    /// Whether the configuration has the endpoints
    #[arg(long, value_name = "BOOL", default_value_t = true, default_missing_value = "true", num_args = 0..=1, require_equals = true, action = ArgAction::Set)]
    include_eds: bool,
    /// The file to write [default: gloo-rs-proxy-snapshot-NAMESPACE-POD-TIME.zip here]
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
