//! Istio's settings in the values of Gloo's chart: the keys, their new values, and their sources.

mod chart;
mod edition;
pub(crate) mod findings;
mod image;
pub(crate) mod ineffective;
mod keys;
pub(crate) mod known;
mod merge;
mod named;
mod parameters;
pub(crate) mod probes;
pub(crate) mod proof;
mod proxies;
mod remove;
pub(crate) mod rendered;
mod templated;
#[cfg(test)]
mod tests;
mod under_way;

use serde_json::Value;

use super::advice::Advice;
use crate::edit::Edit;
use crate::model::{FieldPath, Segment};

pub(crate) use chart::{Chart, ChartVersion, Edition, merged};
pub(crate) use edition::{ChartChoice, ChartWish, choose};
pub(crate) use merge::{merge, needs_istiod};
pub(crate) use named::{Dependency, NamedChart};
pub(crate) use parameters::{ParametersHome, ParametersPlan};
pub(crate) use proxies::{gateway_api_address, settings};
pub(crate) use remove::{auto_mtls_back, remove};
pub(crate) use templated::templated;

/// A switch on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Switch {
    #[default]
    NotTyped,
    On,
    Off,
    /// It stays as it is, set or not.
    Kept,
}

/// The options of the command line, except those about istiod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ValuesWish {
    pub auto_mtls: Switch,
    pub sds: Switch,
    /// Keys of the proxies, the names of their Deployments, or `kubeGateway`. Empty means all.
    pub proxies: Vec<String>,
}

/// The change of one key.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ValueChange {
    pub path: FieldPath,
    pub old: Old,
    /// `None` means that the key is removed.
    pub new: Option<Value>,
    /// The source of the new value: `istiod`, `--revision`.
    pub source: String,
}

/// The previous value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Old {
    Unset,
    /// No source that was read sets it, but one that was not read may.
    Unknown,
    Set(Value),
    /// The values did not set it. This is the chart's own value.
    Chart(Value),
}

/// The changes of the values.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ValuesPlan {
    pub changes: Vec<ValueChange>,
    pub edits: Vec<Edit>,
    pub advice: Vec<Advice>,
    /// The chosen istiod in one line: `1-28 (--revision), docker.io/istio/pilot:1.28.3`.
    pub istiod: Option<String>,
}

impl ValuesPlan {
    /// Returns whether nothing changes.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Returns whether the value at this path becomes true.
    pub(crate) fn turns_on(&self, path: &FieldPath) -> bool {
        self.changes.iter().any(|change| change.path == *path && change.new == Some(Value::Bool(true)))
    }

    /// Returns whether this plan turns auto-mTLS on, so that it is used with these values.
    pub(crate) fn turns_on_auto_mtls(&self, after: &Value, chart: &Chart) -> bool {
        let switches = [chart.integration(after), chart.auto_mtls(after)];
        switches.iter().any(|switch| self.turns_on(switch)) && switches.iter().all(|switch| is_on(switch.get(after)))
    }
}

/// Returns `global.glooMtls.istioProxy.image.<part>`.
fn image_part(part: &str, values: &Value, chart: &Chart) -> FieldPath {
    chart.global(values, &["glooMtls", "istioProxy", "image", part])
}

/// The parts of an image that this command sets.
const IMAGE_PARTS: [&str; 4] = ["registry", "repository", "tag", "digest"];
/// The keys of a gateway proxy that this command sets.
const PROXY_KEYS: [&str; 3] = ["istioDiscoveryAddress", "istioMetaMeshId", "istioMetaClusterId"];

fn then(path: &FieldPath, key: &str) -> FieldPath {
    path.then(Segment::Key(key.to_owned()))
}

/// Returns whether the value is true, or a text that templates treat as true.
pub(crate) fn is_on(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(on)) => *on,
        Some(Value::String(text)) => !text.is_empty(),
        _ => false,
    }
}

/// Returns the value with the keys of every map sorted, as Helm prints values.
#[must_use]
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            entries.sort_unstable_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        other => other.clone(),
    }
}

/// Returns the number of values: scalars, lists and empty maps.
pub(crate) fn leaves(value: &Value) -> usize {
    match value {
        Value::Object(map) if !map.is_empty() => map.values().map(leaves).sum(),
        Value::Null => 0,
        _ => 1,
    }
}
