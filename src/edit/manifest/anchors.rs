//! Explains why an anchor, an alias or a merge key stands in the way of an edit.

use crate::model::{FieldPath, Segment};
use crate::yaml::{Node, Shape};

/// The position of the anchor, alias or merge key on the way to the path, and why the edit cannot be made there.
pub(super) fn explain(text: &str, root: &Node, path: &FieldPath) -> Option<(usize, String)> {
    let mut node = root;
    let mut way = FieldPath::root();
    for segment in path.segments() {
        let place = || if way.segments().is_empty() { "the document".to_owned() } else { way.to_string() };
        let marks = &text[node.start..node.content];
        if let Some(name) = marks.split_once('&').map(|(_, rest)| word(rest))
            && let Some(at) = alias(text, root, name)
        {
            let why = format!("{} has the anchor &{name}, and the change would apply to each *{name} too", place());
            return Some((at, why));
        }
        let index = match (&node.shape, segment) {
            (Shape::Alias, _) => {
                let name = text[node.content..node.end].trim_start_matches('*');
                let why = format!("{} is an alias (*{name}) of another part of the file", place());
                return Some((
                    node.content,
                    format!("{why}; a map with the line '<<: *{name}' in its place can be edited"),
                ));
            }
            (Shape::Map { entries, .. }, Segment::Key(key)) => entries.iter().position(|entry| entry.key == *key),
            (Shape::List { .. }, Segment::Index(index)) => Some(*index),
            _ => return None,
        };
        way = way.then(segment.clone());
        node = match (&node.shape, index) {
            (Shape::Map { entries, .. }, Some(index)) => &entries[index].value,
            (Shape::List { items, .. }, Some(index)) => items.get(index)?,
            (Shape::Map { entries, .. }, None) => {
                let merge = entries.iter().find(|entry| entry.key == "<<")?;
                return Some((merge.start, format!("{way} comes from the merge key (<<)")));
            }
            _ => return None,
        };
    }
    None
}

/// The position of the key of a path, if the text has it.
pub(super) fn offset(root: &Node, path: &FieldPath) -> Option<usize> {
    let mut node = root;
    let mut at = root.content;
    for segment in path.segments() {
        (at, node) = match (&node.shape, segment) {
            (Shape::Map { entries, .. }, Segment::Key(key)) => {
                let entry = entries.iter().find(|entry| entry.key == *key)?;
                (entry.start, &entry.value)
            }
            (Shape::List { items, .. }, Segment::Index(index)) => {
                let item = items.get(*index)?;
                (item.start, item)
            }
            _ => return None,
        };
    }
    Some(at)
}

/// The name of an anchor or alias at the start of a text.
fn word(text: &str) -> &str {
    text.split(|c: char| c.is_whitespace() || matches!(c, ',' | '[' | ']' | '{' | '}')).next().unwrap_or_default()
}

/// The position of the first alias of this name.
fn alias(text: &str, node: &Node, name: &str) -> Option<usize> {
    match &node.shape {
        Shape::Alias => (text[node.content..node.end].trim_start_matches('*') == name).then_some(node.content),
        Shape::Map { entries, .. } => entries.iter().find_map(|entry| alias(text, &entry.value, name)),
        Shape::List { items, .. } => items.iter().find_map(|item| alias(text, item, name)),
        Shape::Empty | Shape::Scalar => None,
    }
}
