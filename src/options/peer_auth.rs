//! `istio peer-auth`.

use super::{FilesTask, Preview};
use crate::plan::peer::change::{PolicyRequest, PolicyScope};
use crate::render::diff::Secrets;

/// `istio peer-auth strict|permissive|remove`.
#[derive(Debug, Clone)]
pub(crate) struct PeerAuth {
    pub request: PolicyRequest,
    /// `--root-namespace`; none: the mesh configuration tells.
    pub root_namespace: Option<String>,
    pub preview: Preview,
    /// Manifests instead of the cluster.
    pub files: Option<FilesTask>,
    pub secrets: Secrets,
}

/// `istio peer-auth get`.
#[derive(Debug, Clone)]
pub(crate) struct PeerAuthGet {
    /// None: the mesh, and every namespace that has a policy.
    pub scope: Option<PolicyScope>,
    pub root_namespace: Option<String>,
    /// Manifests instead of the cluster.
    pub files: Option<FilesTask>,
}
