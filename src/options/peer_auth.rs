//! The options of `istio peer-auth`.

use super::{FilesTask, Observation, Preview};
use crate::plan::peer::change::{PolicyRequest, PolicyScope};
use crate::render::diff::Secrets;

/// The options of `istio peer-auth strict|permissive|remove`.
#[derive(Debug, Clone)]
pub(crate) struct PeerAuth {
    pub request: PolicyRequest,
    /// The namespace of `--root-namespace`; `None` to read it from the mesh configuration.
    pub root_namespace: Option<String>,
    pub preview: Preview,
    /// Edits manifests instead of the cluster.
    pub files: Option<FilesTask>,
    pub secrets: Secrets,
    /// Watches the requests after the change: `--observe`.
    pub observation: Option<Observation>,
}

/// The options of `istio peer-auth get`.
#[derive(Debug, Clone)]
pub(crate) struct PeerAuthGet {
    /// The scope; `None` for the mesh and every namespace that has a policy.
    pub scope: Option<PolicyScope>,
    pub root_namespace: Option<String>,
    /// Reads manifests instead of the cluster.
    pub files: Option<FilesTask>,
}
