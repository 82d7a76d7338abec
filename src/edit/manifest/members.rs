//! The objects of a kind in a text.

use serde_json::Value;

use super::ManifestPlace;
use super::guess;
use super::split::{TextDocument, documents};
use crate::edit::encrypted;
use crate::model::{FieldPath, Kind, Object, ObjectRef, Segment};
use crate::yaml;

/// One object of the kind, or one document that cannot be used.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum ManifestObject {
    /// An object, with its place in the text.
    Member { object: Object, place: ManifestPlace },
    /// A document that contains or may contain such an object, but cannot be read or edited.
    Refused {
        /// The line in the text, from 1.
        line: usize,
        why: String,
        hint: String,
        /// The object's reference, if the text shows it.
        reference: Option<ObjectRef>,
    },
}

/// All objects of a kind in a text, in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Members {
    pub found: Vec<ManifestObject>,
    /// The number of documents of other kinds or without a kind.
    pub others: usize,
    /// The number of documents that cannot be read and cannot contain the kind.
    pub unreadable: usize,
}

/// The objects of the kind in the text. Documents without the kind's name are skipped without parsing.
#[must_use]
pub(crate) fn members(text: &str, kind: &'static Kind) -> Members {
    let mut members = Members::default();
    if text.contains('\0') {
        members.unreadable = 1;
        return members;
    }
    // A text without the kind's name, and without an escape that could encode it, need not even be split.
    if !guess::may_name(text, kind) {
        members.others = 1;
        return members;
    }
    let mut stream = yaml::aliases::Stream::default();
    for document in documents(text) {
        let slice = &text[document.range.clone()];
        if !guess::may_name(slice, kind) {
            members.others += usize::from(!slice.trim().is_empty());
            continue;
        }
        match stream.parse(slice) {
            Ok(value) => take(&mut members, kind, &document, value),
            Err(problem) if guess::may_hold(slice, kind) => {
                let line = document.line + problem.line.saturating_sub(1);
                let (why, hint) = guess::refusal(slice, &problem.message);
                members.found.push(ManifestObject::Refused {
                    line,
                    why,
                    hint,
                    reference: guess::reference(slice, kind),
                });
            }
            Err(_) => members.unreadable += 1,
        }
    }
    members
}

/// All objects of several kinds in a text, for reading only.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct ManifestObjects {
    /// The objects, each with the line on which its document begins, from 1.
    pub found: Vec<(Object, usize)>,
    pub unread: Vec<UnreadDocument>,
    /// The number of documents of other kinds or without a kind.
    pub others: usize,
}

/// A document that may contain one of the kinds, but cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnreadDocument {
    /// The line in the text, from 1.
    pub line: usize,
    pub why: String,
    /// Whether the document should be a manifest but is broken. False for a template or an encrypted file.
    pub is_broken: bool,
}

/// The objects of these kinds in the text. Each document is parsed once.
#[must_use]
pub(crate) fn objects(text: &str, kinds: &[&'static Kind]) -> ManifestObjects {
    let mut objects = ManifestObjects::default();
    let mut stream = yaml::aliases::Stream::default();
    for document in documents(text) {
        let slice = &text[document.range.clone()];
        if slice.contains('\0') || !kinds.iter().any(|kind| guess::may_name(slice, kind)) {
            objects.others += usize::from(!slice.trim().is_empty());
            continue;
        }
        match stream.parse(slice) {
            Ok(value) => gather(&mut objects, kinds, document.line, value),
            Err(problem) if kinds.iter().any(|kind| guess::may_hold(slice, kind)) => {
                let line = document.line + problem.line.saturating_sub(1);
                let (why, _) = guess::refusal(slice, &problem.message);
                let is_broken = why != guess::TEMPLATE.0;
                objects.unread.push(UnreadDocument { line, why, is_broken });
            }
            Err(_) => objects.others += 1,
        }
    }
    objects
}

fn gather(objects: &mut ManifestObjects, kinds: &[&'static Kind], line: usize, mut value: Value) {
    if let Some(by) = encrypted::of_document(&value) {
        objects.unread.push(UnreadDocument { line, why: by.to_string(), is_broken: false });
        return;
    }
    if let Some(kind) = kinds.iter().find(|kind| is_kind(&value, kind, ListOf::Anything)) {
        objects.found.push((Object::new(kind, value), line));
        return;
    }
    let before = objects.found.len();
    let lists: Vec<_> = kinds.iter().filter_map(|kind| Some((*kind, list_of(&value, kind)?))).collect();
    if let (false, Some(Value::Array(items))) = (lists.is_empty(), value.get_mut("items").map(Value::take)) {
        let wrong = items.iter().enumerate().filter(|(_, item)| !item.is_object());
        objects.unread.extend(wrong.map(|(index, _)| not_an_object(line, index)));
        objects.found.extend(items.into_iter().filter_map(|item| {
            let (kind, _) = lists.iter().find(|(kind, list)| is_kind(&item, kind, *list))?;
            Some((Object::new(kind, item), line))
        }));
    }
    objects.others += usize::from(objects.found.len() == before);
}

fn not_an_object(line: usize, index: usize) -> UnreadDocument {
    UnreadDocument { line, why: format!("item {index} of the list is not an object"), is_broken: true }
}

fn take(members: &mut Members, kind: &'static Kind, document: &TextDocument, mut value: Value) {
    // Whatever it is, it may be of this kind.
    if encrypted::is_encrypted_value(&value["kind"]) {
        members.unreadable += 1;
        return;
    }
    let line = document.line;
    let before = members.found.len();
    let put = |members: &mut Members, value: Value, item: FieldPath| {
        let object = Object::new(kind, value);
        let found = match is_template(&object) {
            true => ManifestObject::Refused {
                line,
                why: guess::TEMPLATE.0.to_owned(),
                hint: guess::TEMPLATE.1.to_owned(),
                reference: (!object.reference.name.contains("{{")).then_some(object.reference),
            },
            false => ManifestObject::Member { object, place: ManifestPlace { document: document.clone(), item } },
        };
        members.found.push(found);
    };
    if is_kind(&value, kind, ListOf::Anything) {
        put(members, value, FieldPath::root());
    } else if let Some(list) = list_of(&value, kind) {
        let Some(Value::Array(items)) = value.get_mut("items").map(Value::take) else {
            members.others += 1;
            return;
        };
        for (index, item) in items.into_iter().enumerate() {
            if is_kind(&item, kind, list) {
                put(members, item, FieldPath::keys(&["items"]).then(Segment::Index(index)));
            }
        }
    }
    members.others += usize::from(members.found.len() == before);
}

/// Whether the value is of the kind. In a typed list, an item inherits the fields that it does not set.
fn is_kind(value: &Value, kind: &Kind, list: ListOf) -> bool {
    let text = |key: &str| value.get(key).and_then(Value::as_str);
    let inherits = list == ListOf::TheKind && text("apiVersion").is_none();
    let is_named = match text("kind") {
        Some(name) => name == kind.kind,
        None => list == ListOf::TheKind,
    };
    value.is_object() && is_named && (inherits || kind.matches(text("apiVersion").unwrap_or_default(), kind.kind))
}

/// What a list says about the kind of its items.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListOf {
    Anything,
    TheKind,
}

/// The type of the list, if the value is a list that may contain the kind.
fn list_of(value: &Value, kind: &Kind) -> Option<ListOf> {
    let name = value.get("kind")?.as_str()?;
    let api_version = value.get("apiVersion")?.as_str()?;
    if name == "List" {
        return Some(ListOf::Anything);
    }
    kind.matches(api_version, name.strip_suffix("List")?).then_some(ListOf::TheKind)
}

fn is_template(object: &Object) -> bool {
    let reference = &object.reference;
    reference.name.contains("{{") || reference.namespace.contains("{{")
}
