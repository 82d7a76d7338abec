//! The charts whose values have Istio's settings, and where in the values the keys are.

use serde_json::{Map, Value};

use super::{is_on, then};
use crate::model::{FieldPath, Segment};

/// The two charts of Gloo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Edition {
    OpenSource,
    /// `gloo-ee`: `global` at the top, everything else of the open source chart under `gloo`.
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

    /// Returns the value of `--edition`.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::OpenSource => "open-source",
            Self::Enterprise => "enterprise",
        }
    }

    /// Returns the repository of the chart. A release does not record it.
    pub(crate) fn repository(self) -> &'static str {
        match self {
            Self::OpenSource => "https://storage.googleapis.com/solo-public-helm",
            Self::Enterprise => "https://storage.googleapis.com/gloo-ee-helm",
        }
    }

    /// Returns the edition of the chart with this name: `gloo`, `glooe/gloo-ee`, `oci://registry/gloo-ee`, or
    /// `https://host/gloo-1.17.7.tgz`.
    pub(crate) fn of_chart(name: &str) -> Option<Self> {
        let last = name.rsplit('/').next().unwrap_or(name);
        let is_version = |text: &str| text.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit());
        Self::ALL.into_iter().find(|edition| match last.strip_prefix(edition.chart()) {
            Some("") => true,
            Some(rest) => match rest.strip_prefix('-').and_then(|rest| rest.strip_suffix(".tgz")) {
                Some(version) => is_version(version),
                None => rest.strip_prefix(':').is_some_and(is_version),
            },
            None => false,
        })
    }

    /// Returns the edition whose chart is in this repository.
    pub(crate) fn of_repository(url: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|edition| url.trim_end_matches('/') == edition.repository())
    }

    /// Returns the keys above those of the open source chart.
    pub(super) fn above(self) -> &'static [&'static str] {
        match self {
            Self::OpenSource => &[],
            Self::Enterprise => &["gloo"],
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
    /// The key below which the values of Gloo's chart are: the name or the alias of the dependency of a user's own
    /// chart. `None` if the chart is Gloo's.
    pub below: Option<String>,
    /// The version of Gloo's chart; `None` if it is unknown.
    pub version: Option<ChartVersion>,
    /// The chart's own values, as far as they are known.
    pub defaults: Value,
}

impl Chart {
    /// Returns whether the chart has `istioIntegration`. An unknown version counts as a current one.
    pub(crate) fn has_integration(&self) -> bool {
        self.version.is_none_or(ChartVersion::has_integration)
    }

    /// Returns the path of a key of Gloo's chart, `gloo` or `gloo-ee`.
    pub(super) fn own(&self, keys: &[&str]) -> FieldPath {
        let below = self.below.iter().map(|name| Segment::Key(name.clone()));
        below.fold(FieldPath::root(), |path, key| path.then(key)).join(&FieldPath::keys(keys))
    }

    /// Returns the path of a key of the open source chart, which is in both editions.
    fn of_open_source(&self, keys: &[&str]) -> FieldPath {
        self.own(self.edition.above()).join(&FieldPath::keys(keys))
    }

    /// Returns the path of the gateway proxies.
    pub(crate) fn proxies(&self) -> FieldPath {
        self.of_open_source(&["gatewayProxies"])
    }

    /// Returns the path of the settings for the Kubernetes Gateway API.
    pub(super) fn kube_gateway(&self) -> FieldPath {
        self.of_open_source(&["kubeGateway"])
    }

    /// Returns the path of Istio's settings for Gateway API proxies.
    pub(super) fn kube_istio(&self) -> FieldPath {
        self.kube_gateway().join(&FieldPath::keys(&["gatewayParameters", "glooGateway", "istio"]))
    }

    /// Returns the paths of all maps of global values that Gloo's chart gets, the decisive one first. Helm passes
    /// `global` of a user's own chart on to its dependencies, where it wins.
    pub(super) fn globals(&self) -> Vec<FieldPath> {
        let root = FieldPath::keys(&["global"]);
        match self.below {
            Some(_) => vec![root, self.own(&["global"])],
            None => vec![root],
        }
    }

    /// Returns the path of a global value: where it is set, else below the key of the dependency.
    pub(super) fn global(&self, values: &Value, keys: &[&str]) -> FieldPath {
        let all = self.globals().into_iter().map(|globals| globals.join(&FieldPath::keys(keys)));
        let mut all: Vec<_> = all.collect();
        let own = all.pop().expect("there is at least one map of global values");
        let is_set = |path: &FieldPath| self.value(values, path).is_some_and(|value| !value.is_null());
        all.into_iter().find(is_set).unwrap_or(own)
    }

    /// Returns the value that the chart gets: the one in the values, else its own default.
    pub(super) fn value<'v>(&'v self, values: &'v Value, path: &FieldPath) -> Option<&'v Value> {
        path.get(values).or_else(|| path.get(&self.defaults))
    }

    /// Returns `global.istioIntegration.enabled`.
    pub(crate) fn integration(&self, values: &Value) -> FieldPath {
        self.global(values, &["istioIntegration", "enabled"])
    }

    /// Returns `global.istioIntegration.enableAutoMtls`.
    pub(crate) fn auto_mtls(&self, values: &Value) -> FieldPath {
        self.global(values, &["istioIntegration", "enableAutoMtls"])
    }

    /// Returns `global.istioSDS.enabled`.
    pub(crate) fn sds(&self, values: &Value) -> FieldPath {
        self.global(values, &["istioSDS", "enabled"])
    }

    /// Returns whether auto-mTLS is on in these values.
    pub(crate) fn has_auto_mtls(&self, values: &Value) -> bool {
        is_on(self.auto_mtls(values).get(values))
    }

    /// Returns whether these values turn Istio's sidecars on.
    pub(crate) fn has_istio(&self, values: &Value) -> bool {
        [self.integration(values), self.sds(values)].iter().any(|path| is_on(path.get(values)))
    }

    /// Returns whether the chart is a user's own one around Gloo's.
    pub(super) fn is_wrapped(&self) -> bool {
        self.below.is_some()
    }
}

/// Returns the first value with the second merged over it, as Helm merges values: a null removes what is below it.
pub(crate) fn merged(below: Value, above: Option<&Value>) -> Value {
    match (below, above) {
        (below, None) => below,
        (Value::Object(mut below), Some(Value::Object(above))) => {
            for (key, value) in above {
                match (below.shift_remove(key), value) {
                    (_, Value::Null) => {}
                    (own, value) => drop(below.insert(key.clone(), merged(own.unwrap_or_default(), Some(value)))),
                }
            }
            Value::Object(below)
        }
        (_, Some(above)) => above.clone(),
    }
}

/// Returns the value of a key in a map that may be missing.
pub(super) fn entries<'v>(values: &'v Value, path: &FieldPath) -> impl Iterator<Item = (FieldPath, &'v Value)> {
    let map: Option<&Map<String, Value>> = path.get(values).and_then(Value::as_object);
    let path = path.clone();
    map.into_iter().flatten().map(move |(key, value)| (then(&path, key), value))
}
