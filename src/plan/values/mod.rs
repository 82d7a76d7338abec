//! The values of Gloo's chart with Istio's settings in them: which keys there are, what they become, and why.

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
    /// Both.
    pub(crate) const ALL: [Self; 2] = [Self::OpenSource, Self::Enterprise];

    /// The name of the chart.
    pub(crate) fn chart(self) -> &'static str {
        match self {
            Self::OpenSource => "gloo",
            Self::Enterprise => "gloo-ee",
        }
    }

    /// Where the chart is published; a release does not keep it.
    pub(crate) fn repository(self) -> &'static str {
        match self {
            Self::OpenSource => "https://storage.googleapis.com/solo-public-helm",
            Self::Enterprise => "https://storage.googleapis.com/gloo-ee-helm",
        }
    }

    /// The edition of the chart of this name.
    pub(crate) fn of_chart(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|edition| edition.chart() == name)
    }

    /// The edition whose keys these values have.
    pub(crate) fn of_shape(values: &Value) -> Self {
        let enterprise = ["gloo", "license_key", "gloo-fed", "create_license_secret"];
        match enterprise.iter().any(|key| !values[key].is_null()) {
            true => Self::Enterprise,
            false => Self::OpenSource,
        }
    }

    /// Where the gateway proxies are.
    pub(crate) fn proxies(self) -> FieldPath {
        match self {
            Self::OpenSource => FieldPath::keys(&["gatewayProxies"]),
            Self::Enterprise => FieldPath::keys(&["gloo", "gatewayProxies"]),
        }
    }
}

/// A chart's version, as far as it decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ChartVersion {
    pub major: u64,
    pub minor: u64,
}

impl ChartVersion {
    /// Reads `1.17.7`, `v1.17.0-beta13`; a range such as `1.17.x` is its first version, `^1` none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut parts = text.trim_start_matches('v').split('.');
        let mut number = || parts.next()?.parse().ok();
        Some(Self { major: number()?, minor: number()? })
    }

    /// Whether Settings know `istioOptions`: before 1.17 the chart had `istioSDS` alone.
    pub(crate) fn has_integration(self) -> bool {
        self >= Self { major: 1, minor: 17 }
    }
}

/// The chart that the values are for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chart {
    pub edition: Edition,
    /// None where nothing tells it.
    pub version: Option<ChartVersion>,
    /// Its own values, as far as they are known.
    pub defaults: Value,
}

impl Chart {
    /// Whether the chart has `istioIntegration`; one whose version is not known is taken for a present one.
    pub(crate) fn has_integration(&self) -> bool {
        self.version.is_none_or(ChartVersion::has_integration)
    }
}

/// A switch as it was typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Switch {
    #[default]
    NotTyped,
    On,
    Off,
}

/// What was typed beside the flags about istiod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ValuesWish {
    pub auto_mtls: Switch,
    pub sds: Switch,
    /// Keys of the proxies, or the names of their Deployments; none: all.
    pub proxies: Vec<String>,
}

/// One key that becomes another value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ValueChange {
    pub path: FieldPath,
    pub old: Old,
    /// None: the key goes.
    pub new: Option<Value>,
    /// Where the new value came from: `istiod`, `--revision`.
    pub source: String,
}

/// What held before.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Old {
    Unset,
    Set(Value),
    /// Nothing was said, and this is the chart's own.
    Chart(Value),
}

/// What is done to the values.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ValuesPlan {
    pub changes: Vec<ValueChange>,
    pub edits: Vec<Edit>,
    pub advice: Vec<Advice>,
    /// The istiod that was chosen, in a line: `1-28 (--revision), docker.io/istio/pilot:1.28.3`.
    pub istiod: Option<String>,
}

impl ValuesPlan {
    /// Whether the values were so before.
    pub(crate) fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Whether this path becomes true.
    pub(crate) fn turns_on(&self, path: &FieldPath) -> bool {
        self.changes.iter().any(|change| change.path == *path && change.new == Some(Value::Bool(true)))
    }

    /// Whether auto-mTLS is used with these values, and was not before this plan.
    pub(crate) fn turns_on_auto_mtls(&self, after: &Value) -> bool {
        let switches = [integration(), auto_mtls()];
        switches.iter().any(|switch| self.turns_on(switch)) && switches.iter().all(|switch| is_on(switch.get(after)))
    }
}

/// `global.istioIntegration.enabled`
pub(crate) fn integration() -> FieldPath {
    FieldPath::keys(&["global", "istioIntegration", "enabled"])
}

/// `global.istioIntegration.enableAutoMtls`
pub(crate) fn auto_mtls() -> FieldPath {
    FieldPath::keys(&["global", "istioIntegration", "enableAutoMtls"])
}

/// `global.istioSDS.enabled`
pub(crate) fn sds() -> FieldPath {
    FieldPath::keys(&["global", "istioSDS", "enabled"])
}

/// `global.glooMtls.istioProxy.image.<part>`
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

/// Whether the value is true, or a text that templates take for it.
pub(crate) fn is_on(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(on)) => *on,
        Some(Value::String(text)) => !text.is_empty(),
        _ => false,
    }
}

/// The value with the keys of every map in order, as Helm prints values.
#[must_use]
pub(crate) fn sorted(value: &Value) -> Value {
    match value {
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().map(|(key, value)| (key.clone(), sorted(value))).collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().collect())
        }
        other => other.clone(),
    }
}

/// How many values there are: scalars, lists and empty maps.
pub(crate) fn leaves(value: &Value) -> usize {
    match value {
        Value::Object(map) if !map.is_empty() => map.values().map(leaves).sum(),
        Value::Null => 0,
        _ => 1,
    }
}
