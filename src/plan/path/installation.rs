//! An installation of Gloo: which namespaces it reads routes, Upstreams and Gateways from.

use crate::model::{Object, Snapshot, kinds};
use crate::plan::dangling::watched;

/// Settings `default` of a namespace, and what they say about namespaces. Several installations may read one route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    pub namespace: String,
    /// None: all.
    watched: Option<Vec<String>>,
    reads_all_gateways: bool,
}

impl Installation {
    /// The installation in this namespace. Where its Settings were not read it may read everything.
    pub fn read(snapshot: &Snapshot, namespace: &str) -> Self {
        let settings = snapshot.find(&kinds::SETTINGS, namespace, "default").object();
        Self {
            namespace: namespace.to_owned(),
            watched: settings.and_then(|settings| watched(&settings.value)),
            reads_all_gateways: settings
                .is_none_or(|settings| settings.value["spec"]["gateway"]["readGatewaysFromAllNamespaces"] == true),
        }
    }

    /// The installation that Settings stand for; none where they are not the ones that Gloo reads.
    pub fn named(settings: &Object) -> Option<&str> {
        (settings.reference.name == "default").then_some(settings.reference.namespace.as_str())
    }

    /// Whether it reads routes and Upstreams of this namespace.
    pub fn watches(&self, namespace: &str) -> bool {
        self.watched.as_ref().is_none_or(|watched| watched.iter().any(|own| own == namespace))
    }

    /// Whether it reads a Gateway of Gloo's in this namespace.
    pub fn reads_gateways_of(&self, namespace: &str) -> bool {
        namespace == self.namespace || (self.reads_all_gateways && self.watches(namespace))
    }
}
