//! Istio's settings in the values of Gloo's chart: the keys, their new values, and their sources.

pub(crate) mod findings;
mod image;
pub(crate) mod known;
mod merge;
mod proxies;
mod remove;
#[cfg(test)]
mod tests;
mod under_way;

use serde_json::Value;

use super::advice::Advice;
use crate::edit::Edit;
use crate::model::{FieldPath, Segment};

pub(crate) use merge::{merge, needs_istiod};
pub(crate) use remove::{auto_mtls_back, has_istio, remove};

/// The two charts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edition {
    OpenSource,
    /// `gloo-ee`: `global` at the top, everything of the open source chart under `gloo`.
    Enterprise,
}

impl Edition {
    /// Both editions.
    pub(crate) const ALL: [Self; 2] = [Self::OpenSource, Self::Enterprise];

    /// Returns the name of the chart.
    pub(crate) fn chart(self) -> &'static str {
        match self {
            Self::OpenSource => "gloo",
            Self::Enterprise => "gloo-ee",
        }
    }

    /// Returns the repository of the chart. A release does not record it.
    pub(crate) fn repository(self) -> &'static str {
        match self {
            Self::OpenSource => "https://storage.googleapis.com/solo-public-helm",
            Self::Enterprise => "https://storage.googleapis.com/gloo-ee-helm",
        }
    }

    /// Returns the edition of the chart with this name.
    pub(crate) fn of_chart(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|edition| edition.chart() == name)
    }

    /// Returns the edition to which the keys of these values belong.
    pub(crate) fn of_shape(values: &Value) -> Self {
        let enterprise = ["gloo", "license_key", "gloo-fed", "create_license_secret"];
        match enterprise.iter().any(|key| !values[key].is_null()) {
            true => Self::Enterprise,
            false => Self::OpenSource,
        }
    }

    /// Returns the path of the gateway proxies.
    pub(crate) fn proxies(self) -> FieldPath {
        match self {
            Self::OpenSource => FieldPath::keys(&["gatewayProxies"]),
            Self::Enterprise => FieldPath::keys(&["gloo", "gatewayProxies"]),
        }
    }
}

/// The version of a chart. Only major and minor matter here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChartVersion {
    pub major: u64,
    pub minor: u64,
}

impl ChartVersion {
    /// Reads `1.17.7` or `v1.17.0-beta13`. A range such as `1.17.x` counts as its first version. `^1` is not readable.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim_start_matches('v').split('.');
        let mut number = || parts.next()?.parse().ok();
        Some(Self { major: number()?, minor: number()? })
    }

    /// Returns whether Settings have `istioOptions`. Before 1.17 the chart had only `istioSDS`.
    pub(crate) fn has_integration(self) -> bool {
        self >= Self { major: 1, minor: 17 }
    }
}

/// The chart that the values are for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chart {
    pub edition: Edition,
    /// `None` if it is unknown.
    pub version: Option<ChartVersion>,
    /// The chart's own values, as far as they are known.
    pub defaults: Value,
}

impl Chart {
    /// Returns whether the chart has `istioIntegration`. An unknown version counts as a current one.
    pub(crate) fn has_integration(&self) -> bool {
        self.version.is_none_or(ChartVersion::has_integration)
    }
}

/// A switch on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Switch {
    #[default]
    NotTyped,
    On,
    Off,
}

/// The options of the command line, except those about istiod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ValuesWish {
    pub auto_mtls: Switch,
    pub sds: Switch,
    /// Keys of the proxies, or the names of their Deployments. Empty means all.
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
    pub(crate) fn turns_on_auto_mtls(&self, after: &Value) -> bool {
        let switches = [integration(), auto_mtls()];
        switches.iter().any(|switch| self.turns_on(switch)) && switches.iter().all(|switch| is_on(switch.get(after)))
    }
}

/// Returns `global.istioIntegration.enabled`.
pub(crate) fn integration() -> FieldPath {
    FieldPath::keys(&["global", "istioIntegration", "enabled"])
}

/// Returns `global.istioIntegration.enableAutoMtls`.
pub(crate) fn auto_mtls() -> FieldPath {
    FieldPath::keys(&["global", "istioIntegration", "enableAutoMtls"])
}

/// Returns `global.istioSDS.enabled`.
pub(crate) fn sds() -> FieldPath {
    FieldPath::keys(&["global", "istioSDS", "enabled"])
}

/// Returns `global.glooMtls.istioProxy.image.<part>`.
pub(crate) fn image_part(part: &str) -> FieldPath {
    FieldPath::keys(&["global", "glooMtls", "istioProxy", "image", part])
}

/// The parts of an image that this command sets.
pub(crate) const IMAGE_PARTS: [&str; 4] = ["registry", "repository", "tag", "digest"];
/// The keys of a gateway proxy that this command sets.
pub(crate) const PROXY_KEYS: [&str; 3] = ["istioDiscoveryAddress", "istioMetaMeshId", "istioMetaClusterId"];

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
