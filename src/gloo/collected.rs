//! The kept part of a snapshot for a command: one role, the selected resources, reduced to what is shown.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Keep, Offer, ServedFilter, ServedSection, route_configs};

/// Reduces a resource to the part that is kept.
pub(crate) type Project<T> = fn(ServedSection, &str, &Value) -> T;

/// The resources of one type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Resources<T> {
    pub version: Option<String>,
    /// The resources in Gloo's order, sorted by name.
    pub items: Vec<(String, T)>,
}

/// Keeps the selected resources that a role is served.
pub(crate) struct Collected<T> {
    role: String,
    filter: ServedFilter,
    project: Project<T>,
    resources: BTreeMap<ServedSection, Resources<T>>,
    /// The route configurations of the selected listeners.
    listened: BTreeSet<String>,
    /// Gloo's error instead of the snapshot.
    pub failed: Option<String>,
}

impl<T> Collected<T> {
    /// An empty collection.
    pub(crate) fn new(role: String, filter: ServedFilter, project: Project<T>) -> Self {
        Self { role, filter, project, resources: BTreeMap::new(), listened: BTreeSet::new(), failed: None }
    }

    /// Every selected type, including those without resources.
    pub(crate) fn end(mut self) -> Vec<(ServedSection, Resources<T>)> {
        let shown = ServedSection::ALL.into_iter().filter(|section| self.filter.shows(*section));
        let mut all: Vec<_> =
            shown.map(|section| (section, self.resources.remove(&section).unwrap_or_default())).collect();
        // The routes of a port are known only now, because the listeners come last.
        if self.filter.port.is_some() {
            for (_, routes) in all.iter_mut().filter(|(section, _)| *section == ServedSection::Routes) {
                routes.items.retain(|(name, _)| self.listened.contains(name));
            }
        }
        all
    }

    fn of_section(&mut self, section: ServedSection) -> &mut Resources<T> {
        self.resources.entry(section).or_default()
    }
}

impl<T> Default for Resources<T> {
    fn default() -> Self {
        Self { version: None, items: Vec::new() }
    }
}

impl<T> Keep for Collected<T> {
    fn role(&mut self, role: &str) -> bool {
        role == self.role
    }

    fn version(&mut self, _: &str, section: ServedSection, version: String) {
        self.of_section(section).version = Some(version);
    }

    fn wants(&mut self, _: &str, section: ServedSection, name: &str) -> bool {
        self.filter.reads(section, name)
    }

    fn item(&mut self, _: &str, section: ServedSection, name: String, item: Value) {
        let Some(item) = self.filter.narrowed(section, item) else { return };
        if section == ServedSection::Listeners {
            self.listened.extend(route_configs(&item));
        }
        let kept = (self.project)(section, &name, &item);
        self.of_section(section).items.push((name, kept));
    }

    fn failed(&mut self, _: &str, why: String) {
        self.failed = Some(why);
    }
}

/// Keeps the names and versions of the resources that a role is served.
#[derive(Debug, Default)]
pub(crate) struct Offers {
    role: String,
    types: BTreeMap<ServedSection, Offer>,
    /// Gloo's error instead of the snapshot.
    pub failed: Option<String>,
}

impl Offers {
    /// An empty collection.
    pub(crate) fn new(role: String) -> Self {
        Self { role, ..Self::default() }
    }

    /// Takes the offer of one type.
    pub(crate) fn take(&mut self, section: ServedSection) -> Offer {
        self.types.remove(&section).unwrap_or_default()
    }
}

impl Keep for Offers {
    fn role(&mut self, role: &str) -> bool {
        role == self.role
    }

    fn version(&mut self, _: &str, section: ServedSection, version: String) {
        self.types.entry(section).or_default().version = Some(version);
    }

    fn wants(&mut self, _: &str, section: ServedSection, name: &str) -> bool {
        self.types.entry(section).or_default().names.insert(name.to_owned());
        false
    }

    fn item(&mut self, _: &str, _: ServedSection, _: String, _: Value) {}

    fn failed(&mut self, _: &str, why: String) {
        self.failed = Some(why);
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use serde_json::json;

    use super::*;
    use crate::gloo::read;

    fn snapshot() -> String {
        let listener = |port: u16| {
            // rds: {route_config_name: "routes-PORT"}
            let name = format!("routes-{port}");
            let rds = [&[0x12, u8::try_from(name.len()).unwrap()], name.as_bytes()].concat();
            let manager = [&[0x1a, u8::try_from(rds.len()).unwrap()], &rds[..]].concat();
            let kind =
                "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
            let config = json!({"type_url": kind, "value": base64::engine::general_purpose::STANDARD.encode(manager)});
            json!({
                "address": {"Address": {"SocketAddress": {"address": "::", "PortSpecifier": {"PortValue": port}}}},
                "filter_chains": [{"filters": [{"ConfigType": {"TypedConfig": config}}]}],
            })
        };
        json!({"data": {
            "a~b": {
                "Clusters": {"Version": "1", "Items": {"x_ns": {}, "y_ns": {}}},
                "Routes": {"Version": "2", "Items": {"routes-1": {"virtual_hosts": []}, "routes-2": {"virtual_hosts": []}}},
                "Listeners": {"Version": "3", "Items": {"l-1": listener(1), "l-2": listener(2)}},
            },
            "c~d": {"Clusters": {"Version": "9", "Items": {"other": {}}}},
        }})
        .to_string()
    }

    fn collected(filter: ServedFilter) -> Vec<(ServedSection, Vec<String>)> {
        let mut kept = Collected::new("a~b".into(), filter, |_, name, _| name.to_uppercase());
        read(&mut serde_json::Deserializer::from_str(&snapshot()), &mut kept).unwrap();
        let names = |resources: Resources<String>| resources.items.into_iter().map(|(_, item)| item).collect();
        kept.end().into_iter().map(|(section, resources)| (section, names(resources))).collect()
    }

    #[test]
    fn one_role_is_kept_and_of_a_port_its_listeners_and_their_routes() {
        assert_eq!(
            collected(ServedFilter::default()).iter().map(|(_, items)| items.len()).collect::<Vec<_>>(),
            [2, 2, 2, 0]
        );
        let port = ServedFilter { port: Some(2), ..ServedFilter::default() };
        assert_eq!(
            collected(port.clone()),
            [(ServedSection::Listeners, vec!["L-2".into()]), (ServedSection::Routes, vec!["ROUTES-2".into()])]
        );
        let routes = ServedFilter { sections: vec![ServedSection::Routes], ..port };
        assert_eq!(collected(routes), [(ServedSection::Routes, vec!["ROUTES-2".to_owned()])]);
    }

    #[test]
    fn offers_are_names_and_versions() {
        let mut offers = Offers::new("a~b".into());
        read(&mut serde_json::Deserializer::from_str(&snapshot()), &mut offers).unwrap();
        let clusters = offers.take(ServedSection::Clusters);
        assert_eq!((clusters.version.as_deref(), clusters.names.len()), (Some("1"), 2));
        assert_eq!(offers.take(ServedSection::Endpoints), Offer::default());
    }
}
