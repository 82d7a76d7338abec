//! The options of `check`.

use std::path::PathBuf;

use super::BaselineTask;
use crate::check::FindingCode;
use crate::check::results::Threshold;
use crate::model::Selector;

/// The `check` command.
#[derive(Debug, Clone)]
pub(crate) enum CheckCommand {
    /// Explains a code: `--explain`.
    Explain(&'static FindingCode),
    /// Lists all codes: `--explain all`.
    Codes,
    Run(CheckTask),
}

/// A run of the checks: what is read, and which findings count.
#[derive(Debug, Clone)]
pub(crate) struct CheckTask {
    pub source: CheckSource,
    /// The words of the excluded checks.
    pub excluded: Vec<String>,
    /// The selected pods in Gloo's namespace.
    pub pods: Selector,
    /// The namespaces of Gloo's objects; empty for those that Gloo watches.
    pub namespaces: Vec<String>,
    pub reach: CheckReach,
    pub threshold: Threshold,
    /// The file with the findings that are accepted.
    pub suppress: Option<PathBuf>,
    pub baseline: BaselineTask,
}

/// The source of the objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CheckSource {
    Cluster,
    /// Manifests: `-f`.
    Files(Vec<PathBuf>),
    /// Files merged over the cluster: `--overlay`.
    Overlay(Vec<PathBuf>),
}

/// The access that a run uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckReach {
    /// Only get and list requests.
    ReadOnly,
    /// Also port-forwards into the gateway's pods.
    IntoPods,
}
