//! The keys that only one of Gloo's charts reads, from the values of the charts 1.17 to 1.22.
//!
//! The open source chart has its keys at the top. In the Enterprise chart it is the dependency `gloo`, so that all of
//! them are below `gloo`. Both read `global` and `settings` at the top.

use serde_json::Value;

use super::then;
use crate::model::FieldPath;

/// Keys at the top that only the Enterprise chart reads.
const ONLY_ENTERPRISE: [&[&str]; 12] = [
    &["license_key"],
    &["create_license_secret"],
    &["gloo-fed"],
    &["grafana"],
    &["prometheus"],
    &["observability"],
    &["redis"],
    &["apiServer"],
    &["global", "extensions", "glooRedis"],
    &["global", "extensions", "dataPlanePerProxy"],
    &["global", "stats", "serviceMonitor"],
    &["global", "stats", "podMonitor"],
];

/// Keys at the top that only the open source chart reads. The Enterprise chart reads them below `gloo`.
const OPEN_SOURCE: [&str; 8] =
    ["gatewayProxies", "kubeGateway", "gateway", "discovery", "ingress", "ingressProxy", "accessLogger", "k8s"];

/// More keys below `gloo` that only the Enterprise chart reads.
const MORE_BELOW_GLOO: [&str; 3] = ["gloo", "settings", "license_secret_name"];

/// Keys below `gloo` that only the open source chart reads. The Enterprise chart reads them below `gloo.gloo`.
const OF_CONTROL_PLANE: [&str; 8] = [
    "deployment",
    "serviceAccount",
    "splitLogOutput",
    "service",
    "logLevel",
    "disableLeaderElection",
    "headerSecretRefNsMatchesUs",
    "podDisruptionBudget",
];

/// Keys at the top that both charts read.
const OF_BOTH: [&str; 3] = ["global", "settings", "gloo"];

/// The keys in the values that only one chart reads.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct EditionEvidence {
    /// Of the Enterprise chart, wherever its other keys are.
    pub only_enterprise: Vec<String>,
    /// Of the Enterprise chart: keys of the open source chart below `gloo`.
    pub below_gloo: Vec<String>,
    pub only_open_source: Vec<String>,
}

impl EditionEvidence {
    /// Returns whether there is any.
    pub(super) fn decides(&self) -> bool {
        *self != Self::default()
    }
}

/// Collects the keys of these values that only one chart reads. A null is none: it removes a default.
pub(super) fn evidence(values: &Value) -> EditionEvidence {
    let found = |paths: &mut dyn Iterator<Item = FieldPath>| {
        paths.filter(|path| path.get(values).is_some_and(|it| !it.is_null())).map(|path| path.to_string()).collect()
    };
    let below_gloo = |key: &&'static str| FieldPath::keys(&["gloo", key]);
    EditionEvidence {
        only_enterprise: found(&mut ONLY_ENTERPRISE.iter().map(|keys| FieldPath::keys(keys))),
        below_gloo: found(&mut OPEN_SOURCE.iter().chain(&MORE_BELOW_GLOO).map(below_gloo)),
        only_open_source: found(
            &mut OPEN_SOURCE.iter().map(|key| FieldPath::keys(&[key])).chain(OF_CONTROL_PLANE.iter().map(below_gloo)),
        ),
    }
}

/// Returns whether the values have a key that both charts read.
pub(super) fn has_any(values: &Value) -> bool {
    OF_BOTH.iter().any(|key| !values[*key].is_null())
}

/// The depth to which a block is searched for. The deepest right place is that of a chart around `gloo-ee`.
const DEPTH: usize = 4;

/// Returns the paths of all maps with this key, except the right one.
pub(super) fn elsewhere(values: &Value, key: &str, right: &FieldPath) -> Vec<FieldPath> {
    fn walk(at: &Value, path: &FieldPath, depth: usize, key: &str, found: &mut Vec<FieldPath>) {
        for (name, value) in at.as_object().into_iter().flatten() {
            let path = then(path, name);
            if name == key && value.is_object() {
                found.push(path);
            } else if depth > 0 {
                walk(value, &path, depth - 1, key, found);
            }
        }
    }
    let mut found = Vec::new();
    walk(values, &FieldPath::root(), DEPTH, key, &mut found);
    found.retain(|path| path != right);
    found
}
