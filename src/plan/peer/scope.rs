//! The scope of a policy.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::json;

use super::mode::{Effective, Policies};
use crate::command::CommandLine;

/// The mesh, a namespace or a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PolicyScope {
    /// `--mesh`: the policy in the root namespace.
    Mesh,
    /// `-n`
    Namespace(String),
    /// `--workload` with `-n`: pods with these labels.
    Workload { namespace: String, labels: BTreeMap<String, String> },
}

impl PolicyScope {
    /// The namespace of the pods; `None` for the whole mesh.
    pub(crate) fn namespace(&self) -> Option<&str> {
        match self {
            Self::Mesh => None,
            Self::Namespace(namespace) | Self::Workload { namespace, .. } => Some(namespace),
        }
    }

    /// Returns the namespace of the policy.
    pub(crate) fn home<'s>(&'s self, root_namespace: &'s str) -> &'s str {
        match self {
            Self::Mesh => root_namespace,
            Self::Namespace(namespace) | Self::Workload { namespace, .. } => namespace,
        }
    }

    /// Adds the scope to a command as it is typed: `-n shop`.
    pub(crate) fn typed(&self, command: CommandLine) -> CommandLine {
        match self {
            Self::Mesh => command.fixed("--mesh"),
            Self::Namespace(namespace) => command.with("-n", namespace),
            Self::Workload { namespace, labels } => command.with("--workload", shown(labels)).with("-n", namespace),
        }
    }

    /// Returns the effective mode of the scope.
    pub(crate) fn effective(&self, policies: &Policies) -> Effective {
        match self {
            Self::Mesh => policies.of_mesh(),
            Self::Namespace(namespace) => policies.of_namespace(namespace),
            Self::Workload { namespace, labels } => policies.of_workload(namespace, &json!(labels), None),
        }
    }
}

/// Writes `the mesh`, `namespace shop`, `workload app=cart in shop`.
impl fmt::Display for PolicyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mesh => f.write_str("the mesh"),
            Self::Namespace(namespace) => write!(f, "namespace {namespace}"),
            Self::Workload { namespace, labels } => write!(f, "workload {} in {namespace}", shown(labels)),
        }
    }
}

/// Returns labels as a selector: `app=cart,version=v1`.
pub(crate) fn shown(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}
