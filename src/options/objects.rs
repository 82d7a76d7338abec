//! Which objects are edited, in the cluster or in manifests, and what is shown of it.

use std::path::PathBuf;

use super::Patience;
use crate::model::Selector;
use crate::render::diff::Secrets;

/// Objects that are edited one by one.
#[derive(Debug, Clone)]
pub(crate) struct ObjectsTask {
    pub selection: Selection,
    pub absent: Absent,
    /// Requests under way at once in a sweep.
    pub concurrency: usize,
    pub preview: Preview,
    /// Whether the effect of a change is waited for.
    pub patience: Patience,
    /// Manifests instead of the cluster.
    pub files: Option<FilesTask>,
    pub secrets: Secrets,
}

/// Which objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selection {
    /// These, in this order, each once.
    Named(Vec<Named>),
    /// Those that match, in these namespaces.
    Sweep { labels: Option<Selector>, scope: SweepScope },
}

/// `name` or `namespace/name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Named {
    pub namespace: Option<String>,
    pub name: String,
}

/// Where a sweep looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SweepScope {
    /// `-n`, or its default.
    Namespace,
    /// `-A`
    Everywhere,
}

/// What it means that an object is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Absent {
    Fails,
    /// `--ignore-not-found`
    IsFine,
}

/// What is shown instead of done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Preview {
    pub dry_run: Option<DryRunMode>,
    /// `--diff`
    pub diff: bool,
    /// `--check`
    pub check: bool,
}

impl Preview {
    /// Whether nothing is written.
    pub(crate) fn is_on(self) -> bool {
        self.dry_run.is_some() || self.diff || self.check
    }
}

/// `--dry-run`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DryRunMode {
    Client,
    Server,
}

/// `-f` and what belongs to it.
#[derive(Debug, Clone)]
pub(crate) struct FilesTask {
    /// Files, directories, `-`.
    pub paths: Vec<PathBuf>,
    pub destination: FilesDestination,
}

/// Where edited manifests go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FilesDestination {
    Stdout,
    /// `--write`
    InPlace,
}
