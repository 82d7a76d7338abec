//! How much of the mesh a policy is about.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::json;

use super::mode::{Effective, Policies};
use crate::command::CommandLine;

/// Whose policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PolicyScope {
    /// `--mesh`: the root namespace's.
    Mesh,
    /// `-n`
    Namespace(String),
    /// `--workload` in `-n`: pods with these labels.
    Workload { namespace: String, labels: BTreeMap<String, String> },
}

impl PolicyScope {
    /// The namespace of its policy.
    pub(crate) fn home<'s>(&'s self, root_namespace: &'s str) -> &'s str {
        match self {
            Self::Mesh => root_namespace,
            Self::Namespace(namespace) | Self::Workload { namespace, .. } => namespace,
        }
    }

    /// A command with it as it is typed: `-n shop`.
    pub(crate) fn typed(&self, command: CommandLine) -> CommandLine {
        match self {
            Self::Mesh => command.fixed("--mesh"),
            Self::Namespace(namespace) => command.with("-n", namespace),
            Self::Workload { namespace, labels } => command.with("--workload", shown(labels)).with("-n", namespace),
        }
    }

    /// What holds there.
    pub(crate) fn effective(&self, policies: &Policies) -> Effective {
        match self {
            Self::Mesh => policies.of_mesh(),
            Self::Namespace(namespace) => policies.of_namespace(namespace),
            Self::Workload { namespace, labels } => policies.of_workload(namespace, &json!(labels), None),
        }
    }
}

/// `the mesh`, `namespace shop`, `workload app=cart in shop`
impl fmt::Display for PolicyScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mesh => f.write_str("the mesh"),
            Self::Namespace(namespace) => write!(f, "namespace {namespace}"),
            Self::Workload { namespace, labels } => write!(f, "workload {} in {namespace}", shown(labels)),
        }
    }
}

/// Labels as a selector: `app=cart,version=v1`.
pub(crate) fn shown(labels: &BTreeMap<String, String>) -> String {
    labels.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join(",")
}
