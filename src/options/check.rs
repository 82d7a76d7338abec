//! What `check` is told.

use std::path::PathBuf;

use crate::check::Code;
use crate::check::results::Threshold;
use crate::model::Selector;

/// `check`.
#[derive(Debug, Clone)]
pub(crate) enum CheckCommand {
    /// `--explain`
    Explain(&'static Code),
    Run(CheckTask),
}

/// What is looked at, and what of it matters.
#[derive(Debug, Clone)]
pub(crate) struct CheckTask {
    pub source: CheckSource,
    /// The words of the checks that are left out.
    pub excluded: Vec<String>,
    /// Which pods of Gloo's namespace.
    pub pods: Selector,
    /// Where Gloo's objects are looked for; empty: wherever Gloo watches.
    pub namespaces: Vec<String>,
    pub reach: CheckReach,
    pub threshold: Threshold,
    /// Findings that somebody decided to live with.
    pub suppress: Option<PathBuf>,
}

/// Where the objects are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CheckSource {
    Cluster,
    /// `-f`
    Files(Vec<PathBuf>),
    /// `--overlay`: files laid over the cluster.
    Overlay(Vec<PathBuf>),
}

/// How far the run goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CheckReach {
    /// Lists and reads, nothing else.
    ReadOnly,
    /// Into the gateway's pods, by port-forward.
    IntoPods,
}
