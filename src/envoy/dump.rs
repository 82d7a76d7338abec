//! Reads a config dump as a stream of resources (Envoy, `api/envoy/admin/v3/config_dump.proto`), in the formats of
//! several versions of Envoy.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::pieces::{Malformed, Pieces};
use crate::bounded::{self, NoValue};

/// The memory limit for the parsed values of one resource.
const MOST_PARSED: usize = 24 << 20;

/// The type of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum DumpSection {
    Bootstrap,
    Clusters,
    Endpoints,
    Listeners,
    Routes,
    Secrets,
}

impl DumpSection {
    /// The name on the command line and in the document.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Bootstrap => "bootstrap",
            Self::Clusters => "clusters",
            Self::Endpoints => "endpoints",
            Self::Listeners => "listeners",
            Self::Routes => "routes",
            Self::Secrets => "secrets",
        }
    }

    /// The section with this `@type`. Resources that were requested one by one have a type of their own, and no section.
    fn of_type(kind: &str) -> Option<Self> {
        Some(match kind.rsplit('.').next()? {
            "BootstrapConfigDump" => Self::Bootstrap,
            "ClustersConfigDump" => Self::Clusters,
            "EndpointsConfigDump" => Self::Endpoints,
            "ListenersConfigDump" => Self::Listeners,
            "RoutesConfigDump" => Self::Routes,
            "SecretsConfigDump" => Self::Secrets,
            _ => return None,
        })
    }
}

/// The state of a resource in Envoy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResourceState {
    /// Loaded from the bootstrap.
    Static,
    Active,
    /// Received, and waiting for the resources that it refers to.
    Warming,
    /// Being removed.
    Draining,
    /// Rejected by Envoy, which has no earlier version of that name.
    Rejected,
}

impl ResourceState {
    /// The name in the tables and in the document.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Static => "static",
            Self::Active => "active",
            Self::Warming => "warming",
            Self::Draining => "draining",
            Self::Rejected => "rejected",
        }
    }
}

/// The last update of a resource, if Envoy rejected it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rejection {
    /// Envoy's error message.
    pub why: String,
    pub version: String,
    /// The time, as Envoy writes it.
    pub at: String,
}

/// A resource of the dump.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct DumpEntry {
    pub section: DumpSection,
    pub state: ResourceState,
    pub name: String,
    /// The version of the resource, or of the update that contained it; empty if Envoy gives none.
    pub version: String,
    /// The time of the update, as Envoy writes it.
    pub updated: String,
    pub rejection: Option<Rejection>,
    /// The resource itself; null if it was rejected.
    pub resource: Value,
}

/// Reads a dump chunk by chunk and returns its resources in order.
#[derive(Debug, Default)]
pub(crate) struct DumpReader {
    pieces: Pieces,
    /// The sections of the dump, also those without any resource.
    sections: BTreeSet<DumpSection>,
    /// Whether a section's `@type` was seen: a dump may have only sections of other types.
    typed: bool,
}

/// Why a text is not a config dump.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NoDump {
    /// It is not JSON in the format of a dump, or it is incomplete.
    Malformed(Malformed),
    /// An element of this list is not JSON, for this reason.
    Element { list: String, why: String },
    /// An element of this list needs too much memory.
    LargeElement { list: String },
    /// An element of this list is JSON, but not an object.
    NoObject { list: String },
    /// The selected part does not fit in memory.
    TooLarge,
    /// It is JSON, but not a config dump.
    Foreign,
}

impl std::fmt::Display for NoDump {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Malformed(malformed) => write!(f, "{malformed}"),
            Self::Element { list, why } => write!(f, "an element of {list} is not JSON: {why}"),
            Self::LargeElement { list } => write!(f, "the values of an element of {list} take too much memory"),
            Self::NoObject { list } => write!(f, "an element of {list} is not an object"),
            Self::TooLarge => f.write_str("the selected rows take more than 8 MiB"),
            Self::Foreign => f.write_str("it has no section of a config dump"),
        }
    }
}

impl DumpReader {
    /// A reader of the resources of these sections. Those of others are skipped, whatever their size is.
    pub(crate) fn of(sections: &[DumpSection]) -> Self {
        let unneeded = PLACES.iter().filter(|(_, place)| !sections.contains(&place.section));
        let unneeded = unneeded.map(|(list, _)| *list).collect();
        Self { pieces: Pieces::without(unneeded), ..Self::default() }
    }

    /// Reads the next bytes.
    ///
    /// # Errors
    /// The text is not a config dump.
    pub(crate) fn push(&mut self, bytes: &[u8], take: &mut dyn FnMut(DumpEntry)) -> Result<(), NoDump> {
        let Self { pieces, sections, typed } = self;
        let mut bad = None;
        let cut = pieces.push(bytes, &mut |piece| {
            if piece.key == "@type" {
                *typed = true;
                let kind: Option<String> = serde_json::from_slice(piece.json).ok();
                sections.extend(kind.and_then(|kind| DumpSection::of_type(&kind)));
            }
            let Some(place) = place(piece.key) else { return };
            match bounded::value(piece.json, MOST_PARSED) {
                Ok(Value::Object(element)) => {
                    sections.insert(place.section);
                    read(place, element).into_iter().for_each(&mut *take);
                }
                Ok(_) => {
                    bad.get_or_insert(NoDump::NoObject { list: piece.key.to_owned() });
                }
                Err(NoValue::TooLarge) => {
                    bad.get_or_insert(NoDump::LargeElement { list: piece.key.to_owned() });
                }
                Err(NoValue::Json(error)) => {
                    bad.get_or_insert(NoDump::Element { list: piece.key.to_owned(), why: error.to_string() });
                }
            }
        });
        match (bad, cut) {
            (Some(bad), _) => Err(bad),
            (None, cut) => cut.map_err(NoDump::Malformed),
        }
    }

    /// Ends the dump and returns its sections.
    ///
    /// # Errors
    /// The dump is incomplete, or it is not a config dump.
    pub(crate) fn finish(self) -> Result<BTreeSet<DumpSection>, NoDump> {
        self.pieces.finish().map_err(NoDump::Malformed)?;
        if self.sections.is_empty() && !self.typed { Err(NoDump::Foreign) } else { Ok(self.sections) }
    }
}

/// The place of a resource in a section.
#[derive(Debug, Clone, Copy)]
struct Place {
    section: DumpSection,
    state: ResourceState,
    /// The key of the resource in its element, next to the version.
    key: &'static str,
}

/// The keys in a dump that have resources, with their places.
const PLACES: [(&str, Place); 16] = {
    use DumpSection::{Bootstrap, Clusters, Endpoints, Listeners, Routes, Secrets};
    use ResourceState::{Active, Draining, Static, Warming};
    const fn at(section: DumpSection, state: ResourceState, key: &'static str) -> Place {
        Place { section, state, key }
    }
    [
        ("bootstrap", at(Bootstrap, Static, "")),
        ("static_clusters", at(Clusters, Static, "cluster")),
        ("dynamic_active_clusters", at(Clusters, Active, "cluster")),
        ("dynamic_warming_clusters", at(Clusters, Warming, "cluster")),
        ("static_endpoint_configs", at(Endpoints, Static, "endpoint_config")),
        ("dynamic_endpoint_configs", at(Endpoints, Active, "endpoint_config")),
        ("static_listeners", at(Listeners, Static, "listener")),
        ("dynamic_listeners", at(Listeners, Active, "listener")),
        ("dynamic_active_listeners", at(Listeners, Active, "listener")),
        ("dynamic_warming_listeners", at(Listeners, Warming, "listener")),
        ("dynamic_draining_listeners", at(Listeners, Draining, "listener")),
        ("static_route_configs", at(Routes, Static, "route_config")),
        ("dynamic_route_configs", at(Routes, Active, "route_config")),
        ("static_secrets", at(Secrets, Static, "secret")),
        ("dynamic_active_secrets", at(Secrets, Active, "secret")),
        ("dynamic_warming_secrets", at(Secrets, Warming, "secret")),
    ]
};

fn place(list: &str) -> Option<Place> {
    PLACES.iter().find(|(name, _)| *name == list).map(|(_, place)| *place)
}

/// The entries of an element. A dynamic listener has up to three states.
fn read(place: Place, element: Map<String, Value>) -> Vec<DumpEntry> {
    let mut value = Value::Object(element);
    if place.section == DumpSection::Bootstrap {
        let name = text(&value["node"]["id"]);
        return vec![DumpEntry { name, ..entry(place, ResourceState::Static, &Value::Null, value) }];
    }
    let rejection = rejection(&value["error_state"]);
    let refused = &value["error_state"]["failed_configuration"]["name"];
    let name = text(if value["name"].is_string() || value[place.key].is_object() { &value["name"] } else { refused });
    let states = [
        ("active_state", ResourceState::Active),
        ("warming_state", ResourceState::Warming),
        ("draining_state", ResourceState::Draining),
    ];
    let mut entries: Vec<DumpEntry> = Vec::new();
    for (key, state) in states {
        if value[key].is_object() {
            let mut inner = taken(&mut value, key);
            let resource = taken(&mut inner, place.key);
            entries.push(entry(place, state, &inner, resource));
        }
    }
    // Listeners of older versions have no states, and neither have other resources in any version.
    let resource = taken(&mut value, place.key);
    if entries.is_empty() && (resource.is_object() || rejection.is_none()) {
        entries.push(entry(place, place.state, &value, resource));
    }
    if entries.is_empty() {
        entries.push(entry(place, ResourceState::Rejected, &Value::Null, Value::Null));
    }
    for entry in &mut entries {
        entry.rejection.clone_from(&rejection);
        if !name.is_empty() {
            entry.name.clone_from(&name);
        }
    }
    entries
}

/// Takes the value of a key; null if the key is missing.
fn taken(value: &mut Value, key: &str) -> Value {
    value.get_mut(key).map(Value::take).unwrap_or_default()
}

fn entry(place: Place, state: ResourceState, around: &Value, resource: Value) -> DumpEntry {
    let named = if place.section == DumpSection::Endpoints { "cluster_name" } else { "name" };
    DumpEntry {
        section: place.section,
        state,
        name: text(&resource[named]),
        version: text(&around["version_info"]),
        updated: text(&around["last_updated"]),
        rejection: None,
        resource,
    }
}

fn rejection(state: &Value) -> Option<Rejection> {
    state.is_object().then(|| Rejection {
        why: text(&state["details"]),
        version: text(&state["version_info"]),
        at: text(&state["last_update_attempt"]),
    })
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn entries(dump: &Value) -> Vec<DumpEntry> {
        let mut reader = DumpReader::default();
        let mut entries = Vec::new();
        for chunk in dump.to_string().as_bytes().chunks(5) {
            reader.push(chunk, &mut |entry| entries.push(entry)).unwrap();
        }
        reader.finish().unwrap();
        entries
    }

    fn sections(text: &str) -> Result<BTreeSet<DumpSection>, NoDump> {
        let mut reader = DumpReader::default();
        reader.push(text.as_bytes(), &mut |_| {}).and_then(|()| reader.finish())
    }

    fn failure(text: &str) -> NoDump {
        sections(text).unwrap_err()
    }

    #[test]
    fn a_section_is_there_with_its_type_or_with_a_resource_and_not_with_single_resources() {
        let of = |configs: Value| sections(&json!({"configs": configs}).to_string()).unwrap();
        let kind = |name: &str| format!("type.googleapis.com/envoy.admin.v3.{name}");
        assert_eq!(of(json!([{"@type": kind("EndpointsConfigDump")}])), BTreeSet::from([DumpSection::Endpoints]));
        let secret = json!([{"static_secrets": [{"name": "s"}]}]);
        assert_eq!(of(secret), BTreeSet::from([DumpSection::Secrets]));
        let single = json!([{"@type": kind("ClustersConfigDump.DynamicCluster"), "cluster": {"name": "c"}}]);
        assert_eq!(of(single), BTreeSet::new());
    }

    /// Envoy since 1.14: a dynamic listener has states.
    #[test]
    fn a_listener_of_today_has_up_to_three_states_and_what_was_refused() {
        let dump = json!({"configs": [{"@type": "type.googleapis.com/envoy.admin.v3.ListenersConfigDump", "version_info": "9",
        "static_listeners": [{"listener": {"name": "prometheus"}, "last_updated": "t0"}],
        "dynamic_listeners": [
            {"name": "http", "active_state": {"version_info": "8", "listener": {"name": "http", "x": 1}, "last_updated": "t1"},
             "draining_state": {"version_info": "7", "listener": {"name": "http", "x": 0}},
             "error_state": {"details": "no such filter", "version_info": "9", "last_update_attempt": "t2"}},
            {"name": "broken", "error_state": {"details": "bad", "failed_configuration": {"name": "broken"}}},
        ]}]});
        let found: Vec<_> = entries(&dump)
            .into_iter()
            .map(|it| (it.name, it.state, it.version, it.rejection.map(|rejection| rejection.why)))
            .collect();
        let why = Some("no such filter".to_owned());
        assert_eq!(
            found,
            [
                ("prometheus".to_owned(), ResourceState::Static, String::new(), None),
                ("http".to_owned(), ResourceState::Active, "8".to_owned(), why.clone()),
                ("http".to_owned(), ResourceState::Draining, "7".to_owned(), why),
                ("broken".to_owned(), ResourceState::Rejected, String::new(), Some("bad".to_owned())),
            ]
        );
    }

    /// Envoy before 1.14, API v2: a list for each state.
    #[test]
    fn a_listener_of_old_stands_in_the_list_of_its_state() {
        let dump = json!({"configs": [{"@type": "type.googleapis.com/envoy.admin.v2alpha.ListenersConfigDump",
            "dynamic_active_listeners": [{"version_info": "1", "listener": {"name": "a"}}],
            "dynamic_warming_listeners": [{"version_info": "2", "listener": {"name": "a"}}]}]});
        let found: Vec<_> = entries(&dump).into_iter().map(|it| (it.name, it.state, it.version)).collect();
        assert_eq!(
            found,
            [("a".into(), ResourceState::Active, "1".into()), ("a".into(), ResourceState::Warming, "2".into())]
        );
    }

    #[test]
    fn every_section_has_its_names() {
        let dump = json!({"configs": [
            {"@type": "BootstrapConfigDump", "bootstrap": {"node": {"id": "gw"}}},
            {"@type": "ClustersConfigDump", "dynamic_active_clusters": [{"version_info": "3", "cluster": {"name": "c"}}]},
            {"@type": "EndpointsConfigDump", "dynamic_endpoint_configs": [{"endpoint_config": {"cluster_name": "c"}}]},
            {"@type": "RoutesConfigDump", "dynamic_route_configs": [{"version_info": "5", "route_config": {"name": "r"}}]},
            {"@type": "SecretsConfigDump", "dynamic_warming_secrets": [{"name": "s", "secret": {"name": "other"}}]},
            {"@type": "SomethingNew", "dynamic_things": [{"thing": {"name": "t"}}]},
        ]});
        let found: Vec<_> = entries(&dump).into_iter().map(|it| (it.section, it.name)).collect();
        let expected = [
            (DumpSection::Bootstrap, "gw"),
            (DumpSection::Clusters, "c"),
            (DumpSection::Endpoints, "c"),
            (DumpSection::Routes, "r"),
            (DumpSection::Secrets, "s"),
        ];
        assert_eq!(found, expected.map(|(section, name)| (section, name.to_owned())));
    }

    #[test]
    fn what_is_no_dump_is_told_from_one_that_is_cut_off_or_empty() {
        assert_eq!(failure(r#"{"server": "envoy"}"#), NoDump::Foreign);
        assert_eq!(failure(r#"{"configs": []}"#), NoDump::Foreign);
        assert!(entries(&json!({"configs": [{"@type": "ClustersConfigDump"}]})).is_empty());
        let cut = failure(r#"{"configs": [{"static_clusters": [{"cluster": {"name": "a"}}, {"clus"#);
        assert_eq!(cut.to_string(), "it is cut off at byte 68");
        let broken = failure(r#"{"configs": [{"static_clusters": [{]}]}]}"#);
        assert!(matches!(broken, NoDump::Element { ref list, .. } if list == "static_clusters"), "{broken:?}");
        for element in ["\"x\"", "7", "null", "[]", "true"] {
            let odd = failure(&format!(r#"{{"configs": [{{"dynamic_active_clusters": [{element}]}}]}}"#));
            assert_eq!(odd.to_string(), "an element of dynamic_active_clusters is not an object", "{element}");
        }
        let odd = failure(r#"{"configs": [{"bootstrap": "x"}]}"#);
        assert_eq!(odd.to_string(), "an element of bootstrap is not an object");
        let deep = format!(r#"{{"configs": [{{"static_clusters": [{}{}]}}]}}"#, "[".repeat(5000), "]".repeat(5000));
        assert!(matches!(failure(&deep), NoDump::Element { .. }));
    }
}
