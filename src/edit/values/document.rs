//! One document of the texts that were given.

use serde_json::Value;

use crate::edit::manifest::ManifestPlace;

/// A document of one of the texts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ValuesDocument {
    /// The index of the text.
    pub text: usize,
    /// The name of its file.
    pub file: String,
    /// Whether the command line names the file; otherwise it was found around the home.
    pub is_given: bool,
    pub value: Value,
    pub place: ManifestPlace,
}

impl ValuesDocument {
    /// Whether it is an object of Kubernetes.
    pub(super) fn is_object(&self) -> bool {
        self.value["apiVersion"].is_string() && self.value["kind"].is_string()
    }
}
