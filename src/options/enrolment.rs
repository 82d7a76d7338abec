//! The options of `istio enroll` and `istio unenroll`.

use super::{FilesTask, Preview};
use crate::plan::enrolment::WorkloadName;
use crate::plan::enrolment::guard::GlooNamespace;
use crate::plan::policy::Caution;
use crate::render::diff::Secrets;

/// Adds namespaces to the mesh, or removes them.
#[derive(Debug, Clone)]
pub(crate) struct Enrolment {
    pub act: Enrol,
    /// In the order they were typed, without duplicates.
    pub namespaces: Vec<String>,
    pub restarts: Restarts,
    /// What to do if requests would get 503s.
    pub caution: Caution,
    pub preview: Preview,
    /// Edits manifests instead of the cluster.
    pub files: Option<FilesTask>,
    pub secrets: Secrets,
}

/// One of the two commands, with the options that only it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Enrol {
    In {
        /// The revision or tag.
        revision: Option<String>,
        /// The one that another part of the same plan uses. It is taken if nothing else chooses one of several.
        in_use: Option<String>,
        /// The namespace of istiod.
        istio_namespace: Option<String>,
        gloo: GlooNamespace,
    },
    /// Into the ambient mesh, without sidecars.
    Ambient {
        /// The namespace of istiod.
        istio_namespace: Option<String>,
    },
    Out,
}

/// What to do with the pods that are already running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Restarts {
    /// Nothing: `--no-restart`.
    None,
    /// Restarts their workloads, this many at once. `only` limits it to these; empty for all that need it.
    Rolling { parallel: usize, only: Vec<WorkloadName> },
}
