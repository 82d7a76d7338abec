//! The loaded state of Envoy: only the names, versions and rejections from a config dump.

use std::collections::BTreeSet;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A rejected resource, with Envoy's reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejected {
    pub name: String,
    pub reason: String,
    /// The time in RFC 3339.
    pub at: Option<String>,
}

/// The loaded resources of one type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LoadedResources {
    /// The version of the type as a whole. Envoy has one for clusters and listeners. A route configuration keeps the
    /// version at which its own content last changed, and endpoints have none.
    pub version: Option<String>,
    /// The names of the resources received over xDS, without those from the bootstrap.
    pub names: BTreeSet<String>,
    pub rejected: Vec<Rejected>,
}

/// The loaded resources of all types.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct LoadedState {
    pub listeners: LoadedResources,
    pub routes: LoadedResources,
    pub clusters: LoadedResources,
    pub endpoints: LoadedResources,
    /// Whether the dump has a section for endpoints. Without it, the loaded endpoints are unknown.
    pub has_endpoints: bool,
}

/// The path of the dump with endpoints.
pub(crate) const PATH: &str = "/config_dump?include_eds";

/// The approximate memory limit for names and reasons.
const MOST: usize = 16 << 20;

/// Reads a dump as a stream. Neither the whole dump nor one of its lists is ever in memory.
///
/// # Errors
/// The text is not JSON, it is incomplete, it is not a config dump, or the kept part needs too much memory.
pub(crate) fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<LoadedState, D::Error> {
    let mut reading = Reading::default();
    deserializer.deserialize_map(Dump(&mut reading))?;
    let Reading { mut state, discovered, .. } = reading;
    // The dump also has endpoints that are defined inside their cluster.
    state.endpoints.names.retain(|name| discovered.contains(name));
    Ok(state)
}

/// The state while a dump is being read.
#[derive(Default)]
struct Reading {
    state: LoadedState,
    /// The names under which Envoy requests the endpoints of its clusters.
    discovered: BTreeSet<String>,
    kept: usize,
}

impl Reading {
    fn take<E: Error>(&mut self, list: List, one: Dynamic) -> Result<(), E> {
        self.kept += size_of::<Rejected>() + one.texts();
        if self.kept > MOST {
            return Err(E::custom(format_args!("its names take more than {} MiB", MOST >> 20)));
        }
        self.discovered.extend(one.cluster.discovered());
        list.resources_mut(&mut self.state).put(one);
        Ok(())
    }
}

/// A list of resources received over xDS. Each is in one type of section.
#[derive(Clone, Copy)]
enum List {
    Clusters,
    Listeners,
    Routes,
    Endpoints,
}

impl List {
    fn named(key: &str) -> Option<Self> {
        match key {
            "dynamic_active_clusters" | "dynamic_warming_clusters" => Some(Self::Clusters),
            "dynamic_listeners" => Some(Self::Listeners),
            "dynamic_route_configs" => Some(Self::Routes),
            "dynamic_endpoint_configs" => Some(Self::Endpoints),
            _ => None,
        }
    }

    fn resources_mut(self, state: &mut LoadedState) -> &mut LoadedResources {
        match self {
            Self::Clusters => &mut state.clusters,
            Self::Listeners => &mut state.listeners,
            Self::Routes => &mut state.routes,
            Self::Endpoints => &mut state.endpoints,
        }
    }
}

/// Declares a part of a dump: its expected form, and how it is read.
macro_rules! part {
    ($part:ident, $what:literal, $ask:ident, $visit:ident: $access:ident, |$self:ident, $it:ident| $body:block) => {
        impl<'de> DeserializeSeed<'de> for $part<'_> {
            type Value = ();

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
                deserializer.$ask(self)
            }
        }

        impl<'de> Visitor<'de> for $part<'_> {
            type Value = ();

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($what)
            }

            fn $visit<A: $access<'de>>($self, mut $it: A) -> Result<(), A::Error> $body
        }
    };
}

struct Dump<'r>(&'r mut Reading);

part!(Dump, "a config dump", deserialize_map, visit_map: MapAccess, |self, map| {
    let mut is_dump = false;
    while let Some(key) = map.next_key::<String>()? {
        if key == "configs" {
            is_dump = true;
            map.next_value_seed(Configs(&mut *self.0))?;
        } else {
            map.next_value::<IgnoredAny>()?;
        }
    }
    if is_dump { Ok(()) } else { Err(Error::missing_field("configs")) }
});

struct Configs<'r>(&'r mut Reading);

part!(Configs, "the sections of a config dump", deserialize_seq, visit_seq: SeqAccess, |self, sections| {
    while sections.next_element_seed(Config(&mut *self.0))?.is_some() {}
    Ok(())
});

struct Config<'r>(&'r mut Reading);

part!(Config, "a section of a config dump", deserialize_map, visit_map: MapAccess, |self, map| {
    let (mut kind, mut version) = (String::new(), None);
    while let Some(key) = map.next_key::<String>()? {
        match key.as_str() {
            "@type" => kind = map.next_value()?,
            "version_info" => version = map.next_value::<Option<String>>()?.filter(|version| !version.is_empty()),
            key => match List::named(key) {
                Some(list) => map.next_value_seed(Dynamics(&mut *self.0, list))?,
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            },
        }
    }
    self.0.state.has_endpoints |= kind.ends_with(".EndpointsConfigDump");
    if kind.ends_with(".ClustersConfigDump") {
        self.0.state.clusters.version = version;
    } else if kind.ends_with(".ListenersConfigDump") {
        self.0.state.listeners.version = version;
    }
    Ok(())
});

struct Dynamics<'r>(&'r mut Reading, List);

part!(Dynamics, "a list of resources", deserialize_seq, visit_seq: SeqAccess, |self, list| {
    while let Some(one) = list.next_element::<Dynamic>()? {
        self.0.take(self.1, one)?;
    }
    Ok(())
});

#[derive(Deserialize, Default)]
#[serde(default)]
struct Dynamic {
    /// The name in a listener.
    name: Option<String>,
    active_state: Option<IgnoredAny>,
    warming_state: Option<IgnoredAny>,
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
    /// The type in a cluster.
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

impl Dynamic {
    /// The size of its texts in bytes.
    fn texts(&self) -> usize {
        let named = [&self.cluster, &self.route_config, &self.endpoint_config].into_iter();
        let error = self.error_state.iter().flat_map(|error| {
            let failed = error.failed_configuration.texts();
            [error.details.len(), error.last_update_attempt.as_ref().map_or(0, String::len), failed]
        });
        self.name.as_ref().map_or(0, String::len) + named.map(Named::texts).sum::<usize>() + error.sum::<usize>()
    }
}

impl Named {
    /// The name under which Envoy requests the endpoints of a cluster.
    fn discovered(&self) -> Option<String> {
        let service = self.eds_cluster_config.service_name.as_ref().filter(|name| !name.is_empty());
        service.or(self.name.as_ref()).filter(|_| self.kind.as_deref() == Some("EDS")).cloned()
    }

    fn texts(&self) -> usize {
        let texts = [&self.name, &self.cluster_name, &self.kind, &self.eds_cluster_config.service_name];
        texts.into_iter().flatten().map(String::len).sum()
    }
}

impl LoadedResources {
    fn put(&mut self, one: Dynamic) {
        // A listener that was rejected completely has a name but no state.
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

    fn state_of(text: &str) -> Result<LoadedState, String> {
        read(&mut serde_json::Deserializer::from_str(text)).map_err(|error| error.to_string())
    }

    #[test]
    fn names_versions_and_rejections_are_kept_and_what_the_bootstrap_has_is_not() {
        let state = state_of(&dump().to_string()).unwrap();
        let names = |loaded: &LoadedResources| loaded.names.iter().cloned().collect::<Vec<_>>().join(" ");
        assert_eq!(names(&state.clusters), "x_ns y_ns");
        assert_eq!(names(&state.listeners), "good old");
        assert_eq!((names(&state.routes), names(&state.endpoints)), ("r".into(), "x_ns-7".into()));
        assert_eq!((state.clusters.version.as_deref(), state.listeners.version.as_deref()), (Some("7"), Some("3")));
        let rejected: Vec<_> =
            state.listeners.rejected.iter().map(|it| (it.name.as_str(), it.reason.as_str())).collect();
        assert_eq!(rejected, [("old", "bad filter"), ("never", "no such filter")]);
    }

    #[test]
    fn a_dump_without_endpoints_is_told_from_an_envoy_without_any() {
        let mut without = dump();
        without["configs"].as_array_mut().unwrap().retain(|it| it["dynamic_endpoint_configs"].is_null());
        assert!(!state_of(&without.to_string()).unwrap().has_endpoints);
        assert!(state_of(&dump().to_string()).unwrap().has_endpoints);
    }

    #[test]
    fn a_list_without_end_ends_at_the_limit() {
        let one = r#"{"name":"x","active_state":{}},"#;
        let endless = std::iter::repeat_n(one, 2 * MOST / size_of::<Rejected>()).collect::<String>();
        let why = state_of(&format!(r#"{{"configs":[{{"dynamic_listeners":[{endless}"#)).unwrap_err();
        assert!(why.starts_with("its names take more than 16 MiB"), "{why}");
        let long = "x".repeat(MOST);
        assert!(state_of(&json!({"configs": [{"dynamic_listeners": [{"name": long}]}]}).to_string()).is_err());
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
