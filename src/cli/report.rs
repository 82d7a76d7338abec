//! `gloo-rs report`.

use std::path::PathBuf;

use super::baseline::BaselineArgs;
use super::check::FailOn;
use super::help;
use crate::error::Failure;
use crate::model::Selector;
use crate::options::{CheckReach, CheckSource, CheckTask, Command};

/// Report the state of all paths, findings and certificates
///
/// Also the revisions of istiod with their users, and the policies that decide. Reads what check and istio describe upstreams -A read, once. Each path from a gateway to an Upstream, or to a Service
/// that a route names, is mtls, tls, mixed, plaintext, broken or unknown. What cannot be read is reported as unknown. -o
/// html is one file without scripts, -o markdown is for tickets, -o json is the model of both.
#[derive(Debug, clap::Args)]
#[command(after_help = help::REPORT)]
pub(super) struct ReportArgs {
    /// Only list and read; do not open a port-forward to a pod, so certificates are unknown
    #[arg(long)]
    read_only: bool,
    /// Report manifests instead of the cluster: a file, a directory, or - for stdin; can be repeated
    #[arg(short, long = "filename", value_name = "FILE|DIR|-")]
    filenames: Vec<PathBuf>,
    /// Suppress the findings in this file; each with a reason, as for check
    #[arg(long, value_name = "FILE")]
    suppress: Option<PathBuf>,
    #[command(flatten)]
    baseline: BaselineArgs,
    /// Treat new findings of this level as worse; only with --baseline; unknown: also what cannot be compared
    #[arg(long, value_name = "LEVEL", value_delimiter = ',', default_value = "error", requires = "baseline")]
    fail_on: Vec<FailOn>,
}

impl ReportArgs {
    pub(super) fn options(self) -> Result<Command, Failure> {
        let source = match self.filenames.is_empty() {
            true => CheckSource::Cluster,
            false => CheckSource::Files(self.filenames),
        };
        let checks = CheckTask {
            source,
            excluded: Vec::new(),
            pods: Selector::parse("gloo").expect("a label's name is a selector"),
            namespaces: Vec::new(),
            reach: if self.read_only { CheckReach::ReadOnly } else { CheckReach::IntoPods },
            threshold: FailOn::threshold(&self.fail_on),
            suppress: self.suppress,
            baseline: self.baseline.options()?,
        };
        Ok(Command::Report(Box::new(checks)))
    }
}
