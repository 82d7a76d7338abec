//! An object with its JSON value and its name. A typed struct would drop the fields that it does not know.

use std::fmt;

use serde_json::Value;

use super::Kind;

/// A reference to an object: kind, namespace, name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ObjectRef {
    pub kind: &'static Kind,
    /// Empty if a manifest does not set it, and for objects without a namespace.
    pub namespace: String,
    pub name: String,
}

impl ObjectRef {
    /// A reference to the object of this kind and name.
    pub fn new(kind: &'static Kind, namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self { kind, namespace: namespace.into(), name: name.into() }
    }
}

/// Formats the reference as kubectl prints it: `upstream.gloo.solo.io/x`.
impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

/// An object from the cluster or from a manifest.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    pub reference: ObjectRef,
    pub value: Value,
}

impl Object {
    /// The object in `value`, which must be of `kind`.
    #[must_use]
    pub fn new(kind: &'static Kind, value: Value) -> Self {
        let metadata = &value["metadata"];
        let text = |key: &str| metadata[key].as_str().unwrap_or_default().to_owned();
        Self { reference: ObjectRef::new(kind, text("namespace"), text("name")), value }
    }

    /// `metadata.resourceVersion`; empty in a manifest.
    #[must_use]
    pub fn resource_version(&self) -> &str {
        self.value["metadata"]["resourceVersion"].as_str().unwrap_or_default()
    }

    /// The value of a label.
    #[must_use]
    pub fn label(&self, key: &str) -> Option<&str> {
        self.value["metadata"]["labels"][key].as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kinds::{NAMESPACE, UPSTREAM};

    #[test]
    fn a_reference_is_shown_as_kubectl_shows_it_without_its_namespace() {
        let upstream = ObjectRef::new(&UPSTREAM, "gloo-system", "default-httpbin-8000");
        assert_eq!(upstream.to_string(), "upstream.gloo.solo.io/default-httpbin-8000");
        assert_eq!(ObjectRef::new(&NAMESPACE, "", "shop").to_string(), "namespace/shop");
    }
}
