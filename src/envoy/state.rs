//! What Envoy has loaded: the names, versions and rejections of a config dump, and nothing else of it.

use std::collections::BTreeSet;

use serde::Deserialize;

/// What was rejected, and Envoy's reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejected {
    pub name: String,
    pub reason: String,
    /// RFC 3339.
    pub at: Option<String>,
}

/// What is loaded of one type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Loaded {
    /// Of the type as a whole. Envoy names one for clusters and listeners; a route configuration keeps the version at
    /// which its own content changed last, and endpoints have none.
    pub version: Option<String>,
    /// Of what came over xDS; what the bootstrap has is left out.
    pub names: BTreeSet<String>,
    pub rejected: Vec<Rejected>,
}

/// What Envoy has loaded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct State {
    pub listeners: Loaded,
    pub routes: Loaded,
    pub clusters: Loaded,
    pub endpoints: Loaded,
}

/// Where the dump with endpoints is.
pub const PATH: &str = "/config_dump?include_eds";

/// Reads a dump as it comes; the whole of it is never in memory.
///
/// # Errors
/// It is no JSON, it is cut off, or it is not a config dump.
pub fn read<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<State, D::Error> {
    let dump = Dump::deserialize(deserializer)?;
    let mut state = State::default();
    let mut discovered = BTreeSet::new();
    for config in dump.configs {
        discovered.extend(config.discovered());
        config.put_into(&mut state);
    }
    // Endpoints that stand in their cluster are in the dump too.
    state.endpoints.names.retain(|name| discovered.contains(name));
    Ok(state)
}

#[derive(Deserialize)]
struct Dump {
    configs: Vec<Config>,
}

/// One of the dump's parts, whichever: each key stands in one of them only.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Config {
    #[serde(rename = "@type")]
    kind: String,
    version_info: Option<String>,
    dynamic_active_clusters: Vec<Dynamic>,
    dynamic_warming_clusters: Vec<Dynamic>,
    dynamic_listeners: Vec<Dynamic>,
    dynamic_route_configs: Vec<Dynamic>,
    dynamic_endpoint_configs: Vec<Dynamic>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Dynamic {
    /// A listener's own.
    name: Option<String>,
    active_state: Option<serde::de::IgnoredAny>,
    warming_state: Option<serde::de::IgnoredAny>,
    cluster: Named,
    route_config: Named,
    endpoint_config: Named,
    error_state: Option<ErrorState>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Named {
    name: Option<String>,
    cluster_name: Option<String>,
    /// A cluster's.
    #[serde(rename = "type")]
    kind: Option<String>,
    eds_cluster_config: Eds,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Eds {
    service_name: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct ErrorState {
    details: String,
    last_update_attempt: Option<String>,
    failed_configuration: Named,
}

impl Config {
    /// Under which names the endpoints of clusters are asked for.
    fn discovered(&self) -> Vec<String> {
        let clusters = self.dynamic_active_clusters.iter().chain(&self.dynamic_warming_clusters);
        let eds = clusters.map(|one| &one.cluster).filter(|cluster| cluster.kind.as_deref() == Some("EDS"));
        let name = |cluster: &Named| {
            let service = cluster.eds_cluster_config.service_name.clone().filter(|name| !name.is_empty());
            service.or_else(|| cluster.name.clone())
        };
        eds.filter_map(name).collect()
    }

    fn put_into(self, state: &mut State) {
        let version = self.version_info.filter(|version| !version.is_empty());
        if self.kind.ends_with(".ClustersConfigDump") {
            state.clusters.version = version;
        } else if self.kind.ends_with(".ListenersConfigDump") {
            state.listeners.version = version;
        }
        let clusters = self.dynamic_active_clusters.into_iter().chain(self.dynamic_warming_clusters);
        clusters.for_each(|one| state.clusters.put(one));
        self.dynamic_listeners.into_iter().for_each(|one| state.listeners.put(one));
        self.dynamic_route_configs.into_iter().for_each(|one| state.routes.put(one));
        self.dynamic_endpoint_configs.into_iter().for_each(|one| state.endpoints.put(one));
    }
}

impl Loaded {
    fn put(&mut self, one: Dynamic) {
        // A listener that was rejected as a whole has a name and no state.
        let is_listener_without_state = one.name.is_some() && one.active_state.is_none() && one.warming_state.is_none();
        let Dynamic { name, cluster, route_config, endpoint_config, error_state, .. } = one;
        let name = name.or(cluster.name).or(route_config.name).or(endpoint_config.cluster_name);
        if let Some(error) = error_state {
            let name = name.clone().or(error.failed_configuration.name).unwrap_or_default();
            self.rejected.push(Rejected { name, reason: error.details, at: error.last_update_attempt });
        }
        if let Some(name) = name.filter(|_| !is_listener_without_state) {
            self.names.insert(name);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn dump() -> Value {
        let kind = |name: &str| format!("type.googleapis.com/envoy.admin.v3.{name}");
        json!({"configs": [
            {"@type": kind("BootstrapConfigDump"), "bootstrap": {"node": {"id": "x"}}, "last_updated": "t"},
            {"@type": kind("ClustersConfigDump"), "version_info": "7",
             "static_clusters": [{"cluster": {"name": "xds"}}],
             "dynamic_active_clusters": [{"version_info": "6", "cluster": {"@type": "c", "name": "x_ns", "type": "EDS", "eds_cluster_config": {"service_name": "x_ns-7"}, "large": [1, 2]}}],
             "dynamic_warming_clusters": [{"version_info": "7", "cluster": {"name": "y_ns"}}]},
            {"@type": kind("ListenersConfigDump"), "version_info": "3", "dynamic_listeners": [
                {"name": "good", "active_state": {"version_info": "3", "listener": {"name": "good"}}},
                {"name": "old", "active_state": {"version_info": "2"}, "error_state": {"details": "bad filter", "last_update_attempt": "2026-01-01T00:00:00Z"}},
                {"name": "never", "error_state": {"failed_configuration": {"name": "never"}, "details": "no such filter"}},
            ]},
            {"@type": kind("RoutesConfigDump"), "static_route_configs": [{"route_config": {"name": "s"}}],
             "dynamic_route_configs": [{"version_info": "1", "route_config": {"name": "r"}}]},
            {"@type": kind("EndpointsConfigDump"), "dynamic_endpoint_configs": [{"endpoint_config": {"cluster_name": "x_ns-7"}}, {"endpoint_config": {"cluster_name": "y_ns"}}]},
            {"@type": kind("Future"), "dynamic_things": 7},
        ]})
    }

    fn state_of(text: &str) -> Result<State, String> {
        read(&mut serde_json::Deserializer::from_str(text)).map_err(|error| error.to_string())
    }

    #[test]
    fn names_versions_and_rejections_are_kept_and_what_the_bootstrap_has_is_not() {
        let state = state_of(&dump().to_string()).unwrap();
        let names = |loaded: &Loaded| loaded.names.iter().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(names(&state.clusters), "x_ns y_ns");
        assert_eq!(names(&state.listeners), "good old");
        assert_eq!((names(&state.routes), names(&state.endpoints)), ("r".into(), "x_ns-7".into()));
        assert_eq!((state.clusters.version.as_deref(), state.listeners.version.as_deref()), (Some("7"), Some("3")));
        let rejected: Vec<_> =
            state.listeners.rejected.iter().map(|it| (it.name.as_str(), it.reason.as_str())).collect();
        assert_eq!(rejected, [("old", "bad filter"), ("never", "no such filter")]);
    }

    #[test]
    fn what_is_no_dump_is_an_error() {
        let text = dump().to_string();
        for text in
            ["", "{}", "[]", "{\"configs\": 7}", "{\"configs\": [{\"dynamic_listeners\": 7}]}", &text[..text.len() - 9]]
        {
            assert!(state_of(text).is_err(), "{text}");
        }
    }
}
