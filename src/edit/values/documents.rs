//! The references of a home to objects in the texts that were given.

use serde_json::Value;

use super::document::ValuesDocument;
use super::home::ValuesHome;
use super::source::{KeyReference, SourceContent};
use super::{in_text, kustomize, set};
use crate::edit::encrypted;
use crate::model::{FieldPath, Segment};

/// The object that a reference means.
pub(super) enum PickedDocument<'d> {
    Nothing,
    One(&'d ValuesDocument),
    /// Several files have one that is as near.
    Several(String),
}

impl<'d> PickedDocument<'d> {
    /// The object, if there is exactly one.
    pub(super) fn one(self) -> Option<&'d ValuesDocument> {
        match self {
            Self::One(document) => Some(document),
            Self::Nothing | Self::Several(_) => None,
        }
    }
}

/// Of the documents with this name, the one that `home` means: a file of the command line comes first, then the same
/// namespace, then the nearest file.
pub(super) fn pick<'d>(
    all: &'d [ValuesDocument],
    home: &ValuesDocument,
    (namespace, name): (&str, &str),
    is_it: &dyn Fn(&Value) -> bool,
) -> PickedDocument<'d> {
    let rank = |document: &ValuesDocument| {
        let is_other_namespace = document.value["metadata"]["namespace"].as_str().unwrap_or_default() != namespace;
        (!document.is_given, is_other_namespace, distance(&home.file, &document.file))
    };
    let mut found: Vec<_> = all
        .iter()
        .filter(|document| is_it(&document.value) && is_named(&document.value, namespace, name))
        .map(|document| (rank(document), document))
        .collect();
    found.sort_by_key(|(rank, _)| *rank);
    match found[..] {
        [] => PickedDocument::Nothing,
        [(first, _), (second, _), ..] if first == second => {
            let equal = found.iter().filter(|(rank, _)| *rank == first).map(|(_, document)| document.file.as_str());
            let mut files: Vec<_> = equal.collect();
            files.dedup();
            PickedDocument::Several(files.join(", "))
        }
        [(_, document), ..] => PickedDocument::One(document),
    }
}

/// How many directories lie between two files.
pub(super) fn distance(a: &str, b: &str) -> usize {
    let directories = |file: &str| file.split('/').map(str::to_owned).rev().skip(1).collect::<Vec<_>>();
    let (mut a, mut b) = (directories(a), directories(b));
    while a.last().is_some() && a.last() == b.last() {
        a.pop();
        b.pop();
    }
    a.len() + b.len()
}

/// The object of a reference with `kind` and `name`, by default in the namespace of the home.
pub(super) fn referred<'d>(
    all: &'d [ValuesDocument],
    home: &ValuesDocument,
    reference: &Value,
) -> Option<&'d ValuesDocument> {
    let usual = home.value["metadata"]["namespace"].as_str().unwrap_or_default();
    let namespace = reference["namespace"].as_str().unwrap_or(usual);
    let is_kind = |object: &Value| object["kind"] == reference["kind"];
    pick(all, home, (namespace, reference["name"].as_str()?), &is_kind).one()
}

/// Whether an object has this name. An object without a namespace may be in any.
fn is_named(object: &Value, namespace: &str, name: &str) -> bool {
    let metadata = &object["metadata"];
    let of_object = metadata["namespace"].as_str().unwrap_or_default();
    metadata["name"] == name && (of_object == namespace || of_object.is_empty() || namespace.is_empty())
}

/// Whether a text may have an object that the home refers to, or that changes its values.
pub(crate) fn may_have(text: &str, home: &ValuesHome) -> bool {
    let is_key = home.sources.iter().any(|source| match &source.content {
        SourceContent::Key(key) => text.contains(&key.name),
        _ => false,
    });
    let name = home.name.as_ref();
    let is_pair =
        || text.contains("helm.cattle.io") && name.is_some_and(|name| name.is_of_k3s() && text.contains(&name.name));
    let is_source = || text.contains("source.toolkit.fluxcd.io") && name.is_some_and(super::HomeName::is_of_flux);
    let is_patch =
        || text.contains("patches") || name.is_some_and(|name| text.contains(&format!("kind: {}", name.kind)));
    is_key || is_pair() || is_source() || is_patch()
}

/// Resolves the references of a home to keys of objects, as far as these are in the texts.
pub(crate) fn resolve(home: &mut ValuesHome, all: &[ValuesDocument]) {
    let Some(document) = all.iter().find(|document| document.text == home.text) else { return };
    for source in &mut home.sources {
        if let SourceContent::Key(key) = &source.content
            && let Some(content) = of_key(key, source.below.as_ref(), all, document)
        {
            source.content = content;
        }
    }
}

fn of_key(
    key: &KeyReference,
    below: Option<&FieldPath>,
    all: &[ValuesDocument],
    home: &ValuesDocument,
) -> Option<SourceContent> {
    let named = |kind: &str| pick(all, home, (&key.namespace, &key.name), &|object| object["kind"] == kind);
    match named(&key.kind) {
        PickedDocument::One(document) => return Some(of_object(key, below, document)),
        PickedDocument::Several(files) => {
            return Some(SourceContent::Unread(format!("several objects of this name: {files}")));
        }
        PickedDocument::Nothing => {}
    }
    if !matches!(named("SealedSecret"), PickedDocument::Nothing) {
        return Some(SourceContent::Unread("a SealedSecret, encrypted by kubeseal".to_owned()));
    }
    if key.kind != "ConfigMap" || below.is_some() {
        return None;
    }
    let file = |document: &ValuesDocument| {
        let far = (!document.is_given, distance(&home.file, &document.file));
        Some((far, kustomize::generated(document, &key.name, &key.key)?))
    };
    let mut files: Vec<_> = all.iter().filter_map(file).collect();
    files.sort_by_key(|(far, _)| *far);
    Some(match &files[..] {
        [] => return None,
        [(first, _), (second, _), ..] if first == second => {
            SourceContent::Unread("several kustomizations generate it".to_owned())
        }
        [(_, file), ..] => SourceContent::File(file.clone()),
    })
}

/// The values in a key of an object. Those of a Secret are read if they are text, and never edited. `below` is the path
/// of the only value that the key is for.
fn of_object(key: &KeyReference, below: Option<&FieldPath>, document: &ValuesDocument) -> SourceContent {
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
