//! Finds the place of an edit in a document's text, by walking the outline and the value in parallel.

use serde_json::{Map, Value};

use crate::edit::{Edit, Op};
use crate::model::Segment;
use crate::yaml::{MapEntry, Node, Shape};

/// The change to the text, with its place.
#[derive(Debug)]
pub(super) enum Task<'n> {
    /// Nothing to do: the document is already as planned.
    Nothing,
    /// Sets the value of this entry of `parent` to `value`.
    Replace { parent: &'n Node, index: usize, value: Value },
    /// Appends a part to `parent`; a part of a list has no key.
    Insert { parent: &'n Node, holder: Option<&'n MapEntry>, in_flow: bool, key: Option<String>, value: Value },
    /// Inserts an item into the list `parent` after this one.
    InsertAfter { parent: &'n Node, holder: Option<&'n MapEntry>, index: usize, value: Value },
    /// Sets the empty or null value of `holder` to a map.
    Fill { holder: &'n MapEntry, in_flow: bool, value: Value },
    /// Removes the part of `parent`.
    Remove { parent: &'n Node, holder: Option<&'n MapEntry>, in_flow: bool, index: usize },
}

/// The task for an edit of a document with this outline and value.
///
/// # Errors
/// Why the place cannot be edited.
pub(super) fn task<'n>(root: &'n Node, value: &Value, edit: &Edit) -> Result<Task<'n>, String> {
    let mut walk = Walk { node: root, value, holder: None, in_flow: false };
    let segments = edit.path.segments();
    let (last, _) = segments.split_last().ok_or("the whole document would be replaced")?;
    for (position, segment) in segments.iter().enumerate() {
        if matches!(walk.node.shape, Shape::Alias) {
            return Err("the place is an alias (*) of another part of the file".to_owned());
        }
        let rest = &segments[position + 1..];
        let is_last = std::ptr::eq(segment, last);
        match (walk.step(segment)?, &edit.op) {
            (Some(index), Op::Set(new)) if is_last => {
                return Ok(Task::Replace { parent: walk.node, index, value: new.clone() });
            }
            (Some(index), Op::Remove) if is_last => {
                return Ok(Task::Remove { parent: walk.node, holder: walk.holder, in_flow: walk.in_flow, index });
            }
            (Some(index), _) => walk.descend(index, segment),
            (None, Op::Remove) if walk.value.get(key_of(segment)).is_some() => {
                return Err("the field comes from a merge key (<<)".to_owned());
            }
            (None, Op::Remove) => return Ok(Task::Nothing),
            (None, Op::Set(new)) => return walk.make(segment, rest, new),
        }
    }
    Ok(Task::Nothing)
}

fn key_of(segment: &Segment) -> &str {
    match segment {
        Segment::Key(key) => key,
        Segment::Named(_) | Segment::Index(_) => "",
    }
}

struct Walk<'n, 'v> {
    node: &'n Node,
    value: &'v Value,
    holder: Option<&'n MapEntry>,
    in_flow: bool,
}

impl<'n> Walk<'n, '_> {
    /// The index of the part that the segment names, if it exists here.
    fn step(&self, segment: &Segment) -> Result<Option<usize>, String> {
        match (segment, &self.node.shape) {
            (Segment::Key(key), Shape::Map { entries, .. }) => Ok(entries.iter().position(|entry| entry.key == *key)),
            (Segment::Named(name), Shape::List { .. }) => {
                Ok(self.value.as_array().and_then(|items| items.iter().position(|item| item["name"] == **name)))
            }
            (Segment::Index(index), Shape::List { items, .. }) if *index < items.len() => Ok(Some(*index)),
            _ if self.value.is_null() => Ok(None),
            _ => Err("the value there is neither a map nor a list".to_owned()),
        }
    }

    fn descend(&mut self, index: usize, segment: &Segment) {
        match &self.node.shape {
            Shape::Map { entries, flow } => {
                self.in_flow = *flow;
                self.holder = entries.get(index);
                self.node = &entries[index].value;
                self.value = &self.value[key_of(segment)];
            }
            Shape::List { items, flow } => {
                self.in_flow = *flow;
                self.holder = None;
                self.node = &items[index];
                self.value = &self.value[index];
            }
            Shape::Empty | Shape::Scalar | Shape::Alias => {}
        }
    }

    fn make(&self, segment: &Segment, rest: &[Segment], new: &Value) -> Result<Task<'n>, String> {
        let value = wrapped(rest, new)?;
        let key = match segment {
            Segment::Key(key) => Some(key.clone()),
            Segment::Named(_) if rest.is_empty() => None,
            _ => return Err("the list item is not there".to_owned()),
        };
        match (&self.node.shape, self.holder) {
            (Shape::Map { .. } | Shape::List { .. }, holder) => {
                Ok(Task::Insert { parent: self.node, holder, in_flow: self.in_flow, key, value })
            }
            (_, Some(holder)) => {
                let value = wrapped(std::slice::from_ref(segment), &value)?;
                Ok(Task::Fill { holder, in_flow: self.in_flow, value })
            }
            (_, None) => Err("the document is empty".to_owned()),
        }
    }
}

/// The value, wrapped in the missing objects and lists on the way to it.
fn wrapped(way: &[Segment], value: &Value) -> Result<Value, String> {
    way.iter().rev().try_fold(value.clone(), |inner, segment| match segment {
        Segment::Key(key) => Ok(Value::Object(Map::from_iter([(key.clone(), inner)]))),
        Segment::Named(_) => Ok(Value::Array(vec![inner])),
        Segment::Index(_) => Err("the list item is not there".to_owned()),
    })
}
