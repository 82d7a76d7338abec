//! The identity of a session as values: the cluster, the kubeconfig files, the impersonated user.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

/// The cluster of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClusterContext {
    /// A context of the kubeconfig. A context named `in-cluster` is not special.
    Kubeconfig { name: String, files: KubeconfigFiles },
    /// The cluster of the pod in which this program runs, with the pod's service account. No context of a kubeconfig.
    InCluster,
}

/// The files that a kubeconfig was read from, as absolute paths, in the form that another program can use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KubeconfigFiles {
    One(PathBuf),
    /// Several files that are merged, in the format of the variable KUBECONFIG.
    Merged(OsString),
}

impl ClusterContext {
    /// The cluster in messages: `context NAME (SERVER)`.
    pub fn place(&self, server: &str) -> String {
        match self {
            Self::Kubeconfig { name, .. } => format!("context {name} ({server})"),
            Self::InCluster => format!("in-cluster configuration ({server})"),
        }
    }
}

/// The name only, as in the field `context` of documents.
impl fmt::Display for ClusterContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Kubeconfig { name, .. } => name,
            Self::InCluster => "in-cluster",
        })
    }
}

/// The user that the flags impersonate. It replaces the whole impersonation of the kubeconfig.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Impersonation {
    pub user: String,
    pub groups: Vec<String>,
    pub uid: Option<String>,
    /// The fields other than the name that the kubeconfig's user impersonates. The flags replaced them; client-go would
    /// keep the fields that the flags do not set.
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
