//! The objects to edit, in the cluster or in manifests, and how the result is shown.

use std::fmt;
use std::path::PathBuf;

use super::{Observation, Patience};
use crate::model::Selector;
use crate::render::diff::Secrets;

/// The options for objects that are edited one by one.
#[derive(Debug, Clone)]
pub(crate) struct ObjectsTask {
    pub selection: Selection,
    pub absent: Absent,
    /// The most requests at the same time in a bulk run.
    pub concurrency: usize,
    pub preview: Preview,
    /// Whether to wait for the effect of a change.
    pub patience: Patience,
    /// Edits manifests instead of the cluster.
    pub files: Option<FilesTask>,
    pub secrets: Secrets,
    /// Watches the requests after each batch of changes: `--observe`, `--batch`.
    pub observation: Option<Observation>,
}

/// The selected objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// These objects, in this order, without duplicates.
    Named(Vec<Named>),
    /// The objects that match, in these namespaces.
    Sweep { labels: Option<Selector>, scope: SweepScope },
}

/// An object as `name` or `namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Named {
    pub namespace: Option<String>,
    pub name: String,
}

/// As flags accept it.
impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}/{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// The namespaces of a bulk run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SweepScope {
    /// One namespace: `-n`, or its default.
    Namespace,
    /// All namespaces: `-A`.
    Everywhere,
}

/// How a missing object is treated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    Fails,
    /// It is no error: `--ignore-not-found`.
    IsFine,
}

/// The modes that show changes instead of making them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Preview {
    pub dry_run: Option<DryRunMode>,
    /// Shows a diff: `--diff`.
    pub diff: bool,
    /// Reports with the exit code whether anything would change: `--check`.
    pub check: bool,
}

impl Preview {
    /// Whether the run writes nothing.
    pub(crate) fn is_on(self) -> bool {
        self.dry_run.is_some() || self.diff || self.check
    }
}

/// The mode of `--dry-run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DryRunMode {
    Client,
    Server,
}

/// The options of `-f`.
#[derive(Debug, Clone)]
pub(crate) struct FilesTask {
    /// Files, directories, or `-`.
    pub paths: Vec<PathBuf>,
    pub destination: FilesDestination,
}

/// The destination of edited manifests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FilesDestination {
    Stdout,
    /// The same files: `--write`.
    InPlace,
}
