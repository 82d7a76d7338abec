//! Decides which parts of a value are hidden. The masked value and the masked text are both made from this result.

use serde_json::Value;

use super::MASK;
use super::rules::{self, Below, MapRules};
use crate::model::{FieldPath, Segment};

/// The hidden parts of a value. Everything that is not listed is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Cover {
    /// The whole scalar is hidden.
    Whole,
    /// Parts of a text that is not itself a secret are hidden. Contains the text as it is shown.
    Inside(String),
    Map(Vec<(String, Cover)>),
    List(Vec<(usize, Cover)>),
}

/// A scalar that the walk reached.
pub(super) enum Leaf<'v> {
    Secret(&'v Value),
    Text(&'v str),
}

/// Walks the value by the rules. `act` decides what is hidden of each leaf.
pub(super) fn cover(value: &Value, act: &mut dyn FnMut(Leaf<'_>) -> Option<Cover>) -> Option<Cover> {
    walk(value, Below::ByRule, act)
}

fn walk(value: &Value, below: Below, act: &mut dyn FnMut(Leaf<'_>) -> Option<Cover>) -> Option<Cover> {
    match value {
        Value::String(_) | Value::Number(_) if below != Below::ByRule => act(Leaf::Secret(value)),
        Value::String(text) if rules::is_secret_shape(text) => act(Leaf::Secret(value)),
        Value::String(text) => act(Leaf::Text(text)),
        Value::Array(items) => {
            let found = items.iter().enumerate().filter_map(|(at, item)| Some((at, walk(item, below, act)?)));
            some_of(found.collect()).map(Cover::List)
        }
        Value::Object(map) => {
            let rules = MapRules::of_map(map);
            let found = map.iter().filter_map(|(key, inner)| {
                let below = if below == Below::All { below } else { rules.below(key) };
                Some((key.clone(), walk(inner, below, act)?))
            });
            some_of(found.collect()).map(Cover::Map)
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

fn some_of<T>(found: Vec<T>) -> Option<Vec<T>> {
    (!found.is_empty()).then_some(found)
}

/// Replaces the hidden parts of the value.
pub(super) fn apply(value: &mut Value, cover: Cover) {
    match cover {
        Cover::Whole => *value = MASK.into(),
        Cover::Inside(text) => *value = text.into(),
        Cover::Map(children) => {
            for (key, cover) in children {
                if let Some(inner) = value.as_object_mut().and_then(|map| map.get_mut(&key)) {
                    apply(inner, cover);
                }
            }
        }
        Cover::List(children) => {
            for (at, cover) in children {
                if let Some(inner) = value.as_array_mut().and_then(|items| items.get_mut(at)) {
                    apply(inner, cover);
                }
            }
        }
    }
}

/// The paths of the secrets in a value.
pub(super) fn paths(value: &Value) -> Vec<FieldPath> {
    let secrets = cover(value, &mut |leaf| match leaf {
        Leaf::Secret(_) => Some(Cover::Whole),
        Leaf::Text(_) => None,
    });
    let mut found = Vec::new();
    if let Some(cover) = secrets {
        leaves(&cover, &FieldPath::root(), &mut found);
    }
    found
}

fn leaves(cover: &Cover, at: &FieldPath, found: &mut Vec<FieldPath>) {
    match cover {
        Cover::Whole | Cover::Inside(_) => found.push(at.clone()),
        Cover::Map(children) => {
            for (key, cover) in children {
                leaves(cover, &at.then(Segment::Key(key.clone())), found);
            }
        }
        Cover::List(children) => {
            for (number, cover) in children {
                leaves(cover, &at.then(Segment::Index(*number)), found);
            }
        }
    }
}
