//! `gloo-rs check`.

use std::path::PathBuf;

use clap::ValueEnum;

use super::help;
use crate::check::results::{Threshold, Unseen};
use crate::check::{CHECKS, Code, Severity, codes};
use crate::error::Failure;
use crate::model::Selector;
use crate::options::{CheckCommand, CheckReach, CheckSource, CheckTask, Command};
use crate::text::nearest;

/// Say what is wrong with Gloo and the mesh, or will be
///
/// Looks at Gloo's installation and objects, at the sidecars of its gateways and at the mesh around them, and says what
/// does not work, each with a stable code and the command that mends it. What may not be read is named, never OK.
#[derive(Debug, clap::Args)]
#[command(after_help = help::CHECK)]
pub(super) struct CheckArgs {
    /// Labels of the pods to check in Gloo's namespace
    #[arg(short, long, value_name = "LABELS", default_value = "gloo")]
    pod_selector: String,
    /// Look for Gloo's objects in these namespaces alone; can be repeated [default: all that Gloo watches]
    #[arg(short, long = "resource-namespaces", value_name = "NS", value_delimiter = ',')]
    resource_namespaces: Vec<String>,
    /// Leave checks out: deployments, pods, upstreams, mtls, sidecars, helm, ...; can be repeated
    #[arg(short = 'x', long, value_name = "CHECK", value_delimiter = ',')]
    exclude: Vec<String>,
    /// Only list and read: no port-forward into a pod
    #[arg(long)]
    read_only: bool,
    /// Manifests instead of the cluster: a file, a directory, or - for stdin; can be repeated
    #[arg(short, long = "filename", value_name = "FILE|DIR|-")]
    filenames: Vec<PathBuf>,
    /// Manifests laid over the cluster, as if they had been applied; can be repeated
    #[arg(long, value_name = "FILE|DIR|-", conflicts_with = "filenames")]
    overlay: Vec<PathBuf>,
    /// What ends with exit code 3; unknown: what could not be read as well
    #[arg(long, value_name = "WEIGHT", value_delimiter = ',', default_value = "error")]
    fail_on: Vec<FailOn>,
    /// Leave out the findings that this file names, each with a reason
    #[arg(long, value_name = "FILE")]
    suppress: Option<PathBuf>,
    /// Say what a code means and what to do
    #[arg(long, value_name = "CODE")]
    explain: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Error,
    Warning,
    Unknown,
}

impl CheckArgs {
    pub(super) fn options(self) -> Result<Command, Failure> {
        if let Some(code) = &self.explain {
            return Ok(Command::Check(CheckCommand::Explain(explained(code)?)));
        }
        for namespace in &self.resource_namespaces {
            super::istio::names::check_namespace("--resource-namespaces", namespace)?;
        }
        let pods = Selector::parse(&self.pod_selector)
            .map_err(|why| Failure::usage(format!("--pod-selector {:?}: {why}", self.pod_selector)))?;
        for word in &self.exclude {
            check_word(word)?;
        }
        let has = |level| self.fail_on.contains(&level);
        let threshold = Threshold {
            severity: if has(FailOn::Warning) { Severity::Warning } else { Severity::Error },
            unknown: if has(FailOn::Unknown) { Unseen::Fails } else { Unseen::Passes },
        };
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
        })))
    }
}

fn explained(text: &str) -> Result<&'static Code, Failure> {
    if let Some(code) = codes::named(text) {
        return Ok(code);
    }
    let ids = codes::ALL.iter().map(|code| code.id);
    let retired = codes::RETIRED.iter().any(|id| id.eq_ignore_ascii_case(text));
    let what = if retired { "is retired: nothing is found under it any more" } else { "is no code" };
    Err(with_near(Failure::usage(format!("--explain {text:?} {what}")), &text.to_uppercase(), ids)
        .hint("docs/findings.md lists them"))
}

fn check_word(word: &str) -> Result<(), Failure> {
    let words = || CHECKS.iter().map(|check| check.word);
    if words().any(|known| known == word) {
        return Ok(());
    }
    let known = words().collect::<Vec<_>>().join(", ");
    Err(with_near(Failure::usage(format!("--exclude {word:?} is no check")), word, words())
        .hint(format!("there are {known}")))
}

fn with_near<'w>(failure: Failure, typed: &str, known: impl Iterator<Item = &'w str>) -> Failure {
    match nearest(typed, known).split_first() {
        Some((first, _)) => failure.hint(format!("did you mean {first}?")),
        None => failure,
    }
}
