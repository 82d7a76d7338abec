//! `gloo-rs check`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::baseline::BaselineArgs;
use super::help;
use crate::check::results::{Threshold, Unseen};
use crate::check::{CHECKS, FindingCode, Severity, codes};
use crate::command::gloo_rs;
use crate::error::Failure;
use crate::model::Selector;
use crate::options::{CheckCommand, CheckReach, CheckSource, CheckTask, Command};
use crate::text::nearest;

/// Find problems in Gloo and the mesh
///
/// Checks Gloo's installation and objects, the sidecars of its gateways, and the mesh. Each finding has a stable code
/// and the command that fixes it. What cannot be read is reported as unknown, never as OK.
#[derive(Debug, clap::Args)]
#[command(after_help = help::CHECK)]
pub(super) struct CheckArgs {
    /// Check the pods with these labels; in Gloo's namespace
    #[arg(short, long, value_name = "LABELS", default_value = "gloo")]
    pod_selector: String,
    /// Check Gloo's objects in these namespaces; can be repeated [default: all that Gloo watches]
    #[arg(short, long = "resource-namespaces", value_name = "NS", value_delimiter = ',')]
    resource_namespaces: Vec<String>,
    /// Skip these checks: deployments, pods, upstreams, mtls, sidecars, helm, ...; can be repeated
    #[arg(short = 'x', long, value_name = "CHECK", value_delimiter = ',')]
    exclude: Vec<String>,
    /// Only list and read; do not open a port-forward to a pod
    #[arg(long)]
    read_only: bool,
    /// Check manifests instead of the cluster: a file, a directory, or - for stdin; can be repeated
    #[arg(short, long = "filename", value_name = "FILE|DIR|-")]
    filenames: Vec<PathBuf>,
    /// Check the cluster with these manifests; as if they were applied, can be repeated
    #[arg(long, value_name = "FILE|DIR|-", conflicts_with = "filenames")]
    overlay: Vec<PathBuf>,
    /// Exit with code 3 at this level; unknown: also if something could not be read. With --baseline: only if it is new
    #[arg(long, value_name = "LEVEL", value_delimiter = ',', default_value = "error")]
    fail_on: Vec<FailOn>,
    /// Suppress the findings in this file; each with a reason
    #[arg(long, value_name = "FILE")]
    suppress: Option<PathBuf>,
    /// Explain a finding code and how to fix it; all: list the codes
    #[arg(long, value_name = "CODE")]
    explain: Option<String>,
    #[command(flatten)]
    baseline: BaselineArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum FailOn {
    Error,
    Warning,
    Unknown,
}

impl FailOn {
    /// The threshold that these levels make.
    pub(super) fn threshold(levels: &[Self]) -> Threshold {
        let has = |level| levels.contains(&level);
        Threshold {
            severity: if has(Self::Warning) { Severity::Warning } else { Severity::Error },
            unknown: if has(Self::Unknown) { Unseen::Fails } else { Unseen::Passes },
        }
    }
}

impl CheckArgs {
    pub(super) fn options(self) -> Result<Command, Failure> {
        match self.explain.as_deref() {
            Some("all") => return Ok(Command::Check(CheckCommand::Codes)),
            Some(code) => return Ok(Command::Check(CheckCommand::Explain(explained(code)?))),
            None => {}
        }
        for namespace in &self.resource_namespaces {
            super::istio::names::check_namespace("--resource-namespaces", namespace)?;
        }
        let pods = Selector::parse(&self.pod_selector)
            .map_err(|why| Failure::usage(format!("--pod-selector {:?}: {why}", self.pod_selector)))?;
        for word in &self.exclude {
            check_word(word)?;
        }
        let threshold = FailOn::threshold(&self.fail_on);
        let source = match (self.filenames.is_empty(), self.overlay.is_empty()) {
            (false, _) => CheckSource::Files(self.filenames),
            (true, false) => CheckSource::Overlay(self.overlay),
            (true, true) => CheckSource::Cluster,
        };
        Ok(Command::Check(CheckCommand::Run(CheckTask {
            source,
            excluded: self.exclude,
            pods,
            namespaces: self.resource_namespaces,
            reach: if self.read_only { CheckReach::ReadOnly } else { CheckReach::IntoPods },
            threshold,
            suppress: self.suppress,
            baseline: self.baseline.options()?,
        })))
    }
}

fn explained(text: &str) -> Result<&'static FindingCode, Failure> {
    if let Some(code) = codes::named(text) {
        return Ok(code);
    }
    let ids = codes::ALL.iter().map(|code| code.id);
    let retired = codes::RETIRED.iter().any(|id| id.eq_ignore_ascii_case(text));
    let what = if retired { "is retired: check does not report it any more" } else { "is not a finding code" };
    Err(with_near(Failure::usage(format!("--explain {text:?} {what}")), &text.to_uppercase(), ids)
        .hint(gloo_rs("check --explain all").then(" lists all codes")))
}

fn check_word(word: &str) -> Result<(), Failure> {
    let words = || CHECKS.iter().map(|check| check.word);
    if words().any(|known| known == word) {
        return Ok(());
    }
    let known = words().collect::<Vec<_>>().join(", ");
    Err(with_near(Failure::usage(format!("--exclude {word:?} is not a check")), word, words())
        .hint(format!("the checks are {known}")))
}

fn with_near<'w>(failure: Failure, typed: &str, known: impl Iterator<Item = &'w str>) -> Failure {
    match nearest(typed, known).split_first() {
        Some((first, _)) => failure.hint(format!("did you mean {first}?")),
        None => failure,
    }
}
