//! What a session is about, as values: which cluster, out of which files, as which other user.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// Which cluster a session is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterContext {
    /// A context of the kubeconfig. One that is named `in-cluster` is one like any other.
    Kubeconfig { name: String, files: KubeconfigFiles },
    /// The cluster of the pod that this program runs in, by the pod's service account. No kubeconfig has a context.
    InCluster,
}

/// The files that a kubeconfig was read from, by absolute paths, as another program is told of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KubeconfigFiles {
    One(PathBuf),
    /// Several that are merged, as the variable KUBECONFIG lists them.
    Merged(OsString),
}

impl ClusterContext {
    /// `context NAME (SERVER)`
    pub fn place(&self, server: &str) -> String {
        match self {
            Self::Kubeconfig { name, .. } => format!("context {name} ({server})"),
            Self::InCluster => format!("in-cluster configuration ({server})"),
        }
    }
}

/// The name alone, as the field `context` of documents has it.
impl fmt::Display for ClusterContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kubeconfig { name, .. } => name,
            Self::InCluster => "in-cluster",
        })
    }
}

/// The user that the flags impersonate, in the place of all that the kubeconfig says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impersonation {
    pub user: String,
    pub groups: Vec<String>,
    pub uid: Option<String>,
    /// What the kubeconfig's user impersonates besides a name. The flags replaced it; client-go would keep what the
    /// flags do not name.
    pub replaced: Vec<&'static str>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_context_of_the_name_in_cluster_is_not_the_pods_own_cluster() {
        let named = ClusterContext::Kubeconfig {
            name: "in-cluster".to_owned(),
            files: KubeconfigFiles::One(PathBuf::from("/k")),
        };
        assert_ne!(named, ClusterContext::InCluster);
        assert_eq!(named.place("https://a"), "context in-cluster (https://a)");
        assert_eq!(ClusterContext::InCluster.place("https://a"), "in-cluster configuration (https://a)");
        assert_eq!(named.to_string(), ClusterContext::InCluster.to_string());
    }
}
