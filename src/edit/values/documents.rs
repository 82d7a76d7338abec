//! The references of a home to objects in the texts that were given.

use serde_json::Value;

use super::document::Document;
use super::home::{KeyReference, SourceContent, ValuesHome};
use super::{in_text, kustomize, set};
use crate::edit::encrypted;
use crate::model::{FieldPath, Segment};

/// The object of a reference with `kind` and `name`, by default in the namespace of what refers to it.
pub(super) fn find<'d>(all: &'d [Document], reference: &Value, home: &str) -> Option<&'d Document> {
    let namespace = reference["namespace"].as_str().unwrap_or(home);
    let name = reference["name"].as_str()?;
    all.iter()
        .find(|document| document.value["kind"] == reference["kind"] && is_named(&document.value, namespace, name))
}

/// Whether an object has this name. An object without a namespace may be in any.
fn is_named(object: &Value, namespace: &str, name: &str) -> bool {
    let metadata = &object["metadata"];
    let of_object = metadata["namespace"].as_str().unwrap_or_default();
    metadata["name"] == name && (of_object == namespace || of_object.is_empty() || namespace.is_empty())
}

/// Whether a text may have an object that the home refers to and that was not found.
pub(crate) fn may_have(text: &str, home: &ValuesHome) -> bool {
    home.sources.iter().any(|source| match &source.content {
        SourceContent::Key(key) => text.contains(&key.name),
        _ => false,
    })
}

/// Resolves the references of a home to keys of objects, as far as these are in the texts.
pub(crate) fn resolve(home: &mut ValuesHome, all: &[Document]) {
    for source in &mut home.sources {
        if let SourceContent::Key(key) = &source.content
            && let Some(content) = of_key(key, source.below.as_ref(), all)
        {
            source.content = content;
        }
    }
}

fn of_key(key: &KeyReference, below: Option<&FieldPath>, all: &[Document]) -> Option<SourceContent> {
    let named = |document: &&Document, kind: &str| {
        document.value["kind"] == kind && is_named(&document.value, &key.namespace, &key.name)
    };
    if let Some(document) = all.iter().find(|document| named(document, &key.kind)) {
        return Some(of_object(key, below, document));
    }
    if all.iter().any(|document| named(&document, "SealedSecret")) {
        return Some(SourceContent::Unread("a SealedSecret, encrypted by kubeseal".to_owned()));
    }
    let file = |document: &Document| kustomize::generated(document, &key.name, &key.key);
    let is_generated = key.kind == "ConfigMap" && below.is_none();
    is_generated.then(|| all.iter().find_map(file)).flatten().map(SourceContent::File)
}

/// The values in a key of an object. Those of a Secret are read if they are text, and never edited. `below` is the path
/// of the only value that the key is for.
fn of_object(key: &KeyReference, below: Option<&FieldPath>, document: &Document) -> SourceContent {
    let is_secret = key.kind == "Secret";
    let path = FieldPath::keys(&[if is_secret { "stringData" } else { "data" }]).then(Segment::Key(key.key.clone()));
    let unread = |why: &str| SourceContent::Unread(why.to_owned());
    if let Some(by) = encrypted::of_document(&document.value) {
        return SourceContent::Unread(by.to_string());
    }
    let Some(inner) = path.get(&document.value).and_then(Value::as_str) else {
        return unread(if is_secret { "a Secret" } else { "the ConfigMap has no such key" });
    };
    if let Some(below) = below {
        let mut values = Value::Null;
        set::put(&mut values, below, set::typed(inner));
        return SourceContent::Read { values, seat: None };
    }
    match in_text(document, &path, inner).content {
        SourceContent::Read { values, .. } if is_secret => SourceContent::Read { values, seat: None },
        content => content,
    }
}
