//! One document of the texts that were given.

use serde_json::Value;

use crate::edit::manifest::ManifestPlace;

/// A document of one of the texts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Document {
    /// The index of the text.
    pub text: usize,
    pub value: Value,
    pub place: ManifestPlace,
}

impl Document {
    /// Whether it is an object of Kubernetes.
    pub(super) fn is_object(&self) -> bool {
        self.value["apiVersion"].is_string() && self.value["kind"].is_string()
    }
}
