//! Renames keys where they are: for an edit that sets a field, and the next one that removes the same value under
//! another name. Everything between the keys stays, with its comments and its style.

use serde_json::Value;

use super::{Splice, splice};
use crate::edit::{Edit, Op, json};
use crate::model::Segment;
use crate::yaml::{self, MapEntry, Node, Shape};

/// The document and its value after all such pairs of edits. `None` if there are none, or if a pair does more than to
/// rename keys: then the value is written again.
pub(super) fn renamed(text: &str, value: &Value, edits: &[Edit]) -> Option<(String, Value)> {
    let pairs: Vec<_> = edits.array_windows().filter(|[setting, removal]| is_rename(value, setting, removal)).collect();
    if pairs.is_empty() {
        return None;
    }
    let root = yaml::outline(text).ok()??;
    let mut splices = Vec::new();
    let mut made = Vec::new();
    for [setting, removal] in pairs {
        let entry = entry(&root, removal.path.segments())?;
        let (Op::Set(new), Some(Segment::Key(key))) = (&setting.op, setting.path.segments().last()) else {
            return None;
        };
        splices.push(key_splice(text, entry, key)?);
        below(text, &entry.value, removal.path.get(value)?, new, &mut splices)?;
        made.extend([setting.clone(), removal.clone()]);
    }
    let (after, planned) = (splice(text, &splices), json::apply(value, &made).ok()?);
    (yaml::parse(&after).ok()? == planned).then_some((after, planned))
}

/// Whether the two edits give a field another name that its holder does not have yet.
fn is_rename(value: &Value, setting: &Edit, removal: &Edit) -> bool {
    let is_new = matches!(setting.op, Op::Set(_)) && setting.path.get(value).is_none();
    let is_there = removal.op == Op::Remove && removal.path.get(value).is_some();
    is_new && is_there && setting.path.parent() == removal.path.parent()
}

fn entry<'n>(root: &'n Node, path: &[Segment]) -> Option<&'n MapEntry> {
    let (last, way) = path.split_last()?;
    let holder = way.iter().try_fold(root, |node, segment| match (&node.shape, segment) {
        (Shape::Map { entries, .. }, Segment::Key(key)) => Some(&entries.iter().find(|it| it.key == *key)?.value),
        (Shape::List { items, .. }, Segment::Index(index)) => items.get(*index),
        _ => None,
    })?;
    match (&holder.shape, last) {
        (Shape::Map { entries, .. }, Segment::Key(key)) => entries.iter().find(|it| it.key == *key),
        _ => None,
    }
}

/// Renames the keys below a node, whose fields have the same order in both values.
fn below(text: &str, node: &Node, old: &Value, new: &Value, splices: &mut Vec<Splice>) -> Option<()> {
    match (&node.shape, old, new) {
        _ if old == new => Some(()),
        (Shape::Map { entries, .. }, Value::Object(old), Value::Object(new)) if old.len() == new.len() => {
            old.iter().zip(new).try_for_each(|((old_key, old), (new_key, new))| {
                let entry = entries.iter().find(|entry| entry.key == *old_key)?;
                if old_key != new_key {
                    splices.push(key_splice(text, entry, new_key)?);
                }
                below(text, &entry.value, old, new, splices)
            })
        }
        (Shape::List { items, .. }, Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            let mut pairs = items.iter().zip(old.iter().zip(new));
            pairs.try_for_each(|(item, (old, new))| below(text, item, old, new, splices))
        }
        _ => None,
    }
}

/// The new name in the place of a key, within its quotes.
fn key_splice(text: &str, entry: &MapEntry, name: &str) -> Option<Splice> {
    let at = entry.start + text.get(entry.start..entry.end)?.find(&entry.key)?;
    Some(Splice { range: at..at + entry.key.len(), replacement: name.to_owned() })
}
