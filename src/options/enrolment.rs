//! `istio enroll`, `istio unenroll`.

use super::{FilesTask, Preview};
use crate::plan::enrolment::WorkloadName;
use crate::plan::enrolment::guard::GlooNamespace;
use crate::plan::policy::Caution;
use crate::render::diff::Secrets;

/// Namespaces that come into the mesh or leave it.
#[derive(Debug, Clone)]
pub(crate) struct Enrolment {
    pub act: Enrol,
    /// In the order they were typed, each once.
    pub namespaces: Vec<String>,
    pub restarts: Restarts,
    /// Whether requests that would get 503s keep it from being done.
    pub caution: Caution,
    pub preview: Preview,
    /// Manifests instead of the cluster.
    pub files: Option<FilesTask>,
    pub secrets: Secrets,
}

/// Which of the two commands, with what only it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Enrol {
    In {
        /// A revision or a tag.
        revision: Option<String>,
        /// Where istiod is looked for.
        istio_namespace: Option<String>,
        gloo: GlooNamespace,
    },
    Out,
}

/// What is done about pods that run already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Restarts {
    /// `--no-restart`: nothing.
    None,
    /// Their workloads start anew: so many at once, and only these; none named: all that need it.
    Rolling { parallel: usize, only: Vec<WorkloadName> },
}
