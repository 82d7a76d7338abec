//! A Gloo installation: the namespaces from which it reads routes, Upstreams and Gateways.

use crate::model::{Object, Snapshot, kinds};
use crate::plan::dangling::watched;

/// The Settings `default` of a namespace, and what they define about namespaces. Several installations may read the
/// same route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    pub namespace: String,
    /// `None` means all namespaces.
    watched: Option<Vec<String>>,
    reads_all_gateways: bool,
}

impl Installation {
    /// Reads the installation in this namespace. If its Settings were not read, it may read everything.
    pub fn read(snapshot: &Snapshot, namespace: &str) -> Self {
        let settings = snapshot.find(&kinds::SETTINGS, namespace, "default").object();
        Self {
            namespace: namespace.to_owned(),
            watched: settings.and_then(|settings| watched(&settings.value)),
            reads_all_gateways: settings
                .is_none_or(|settings| settings.value["spec"]["gateway"]["readGatewaysFromAllNamespaces"] == true),
        }
    }

    /// Returns the namespace of the installation to which these Settings belong. `None` if Gloo does not read them.
    pub fn named(settings: &Object) -> Option<&str> {
        (settings.reference.name == "default").then_some(settings.reference.namespace.as_str())
    }

    /// Returns whether it reads routes and Upstreams of this namespace.
    pub fn watches(&self, namespace: &str) -> bool {
        self.watched.as_ref().is_none_or(|watched| watched.iter().any(|own| own == namespace))
    }

    /// Returns whether it reads Gloo's Gateways in this namespace.
    pub fn reads_gateways_of(&self, namespace: &str) -> bool {
        namespace == self.namespace || (self.reads_all_gateways && self.watches(namespace))
    }
}
