//! How the sources of values are merged, and which of them an edit belongs to.

use serde_json::Value;

use super::source::{Seat, ValuesSource};
use crate::edit::{Edit, Op};
use crate::model::{FieldPath, Segment};

/// The values of all sources that were read, as Helm merges them: maps key by key, all else is replaced.
pub(crate) fn merged(sources: &[ValuesSource]) -> Value {
    let mut all = Value::Null;
    for values in sources.iter().filter_map(ValuesSource::values).filter(|values| !values.is_null()) {
        merge(&mut all, values);
    }
    all
}

fn merge(base: &mut Value, over: &Value) {
    match (base, over) {
        (Value::Object(base), Value::Object(over)) => {
            for (key, value) in over {
                match base.get_mut(key) {
                    Some(there) => merge(there, value),
                    None => drop(base.insert(key.clone(), value.clone())),
                }
            }
        }
        (base, over) => *base = over.clone(),
    }
}

/// Which source has the last word on a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Decided {
    /// The source with this index sets it, or a map around it to something else.
    By(usize),
    /// The source with this index was not read, and may set it.
    Unknown(usize),
    /// No source sets it.
    Nowhere,
}

/// The source that has the last word on the value at this path.
pub(crate) fn decided(sources: &[ValuesSource], path: &FieldPath) -> Decided {
    let of_source = |(index, source): (usize, &ValuesSource)| match source.values() {
        None => source.may_set(path).then_some(Decided::Unknown(index)),
        Some(values) => settles(values, path).then_some(Decided::By(index)),
    };
    sources.iter().enumerate().rev().find_map(of_source).unwrap_or(Decided::Nowhere)
}

/// Whether these values set the value at the path, or something on the way to it that is not a map.
fn settles(values: &Value, path: &FieldPath) -> bool {
    let mut at = values;
    for (depth, segment) in path.segments().iter().enumerate() {
        let Segment::Key(key) = segment else { return false };
        at = match at {
            Value::Object(map) => match map.get(key) {
                Some(next) => next,
                None => return false,
            },
            _ => return depth > 0,
        };
    }
    true
}

/// Why an edit has no place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Misplaced {
    /// The source with this index wins, may set the value, and was not read.
    NotRead { source: usize, path: FieldPath },
    /// The source with this index sets the value, and is not edited.
    NotEdited { source: usize, path: FieldPath },
    /// The values are in sources that were not read.
    NoSource,
}

/// The edits, each with the index of the source that it belongs to: the one that sets the value, or else the last one
/// that has values. What is removed is removed from each source.
///
/// # Errors
/// Why an edit cannot be made so that it has an effect.
pub(crate) fn placed(sources: &[ValuesSource], edits: &[Edit]) -> Result<Vec<(usize, Edit)>, Misplaced> {
    let mut placed = Vec::new();
    for edit in edits {
        let path = || edit.path.clone();
        let setting = |(index, source): (usize, &ValuesSource)| {
            source.values().is_some_and(|values| settles(values, &edit.path)).then_some(index)
        };
        let targets: Vec<usize> = match edit.op {
            Op::Set(_) => {
                let last = sources.iter().enumerate().rev().find_map(setting);
                let target = last.or_else(|| main(sources)).ok_or(Misplaced::NoSource)?;
                let later = sources.iter().enumerate().skip(target + 1).find(|(_, source)| source.may_set(&edit.path));
                if let Some((source, _)) = later {
                    return Err(Misplaced::NotRead { source, path: path() });
                }
                vec![target]
            }
            Op::Remove => sources
                .iter()
                .enumerate()
                .filter(|(_, source)| source.values().is_some_and(|values| edit.path.get(values).is_some()))
                .map(|(index, _)| index)
                .collect(),
        };
        for source in targets {
            if sources[source].seat().is_none() {
                return Err(Misplaced::NotEdited { source, path: path() });
            }
            placed.push((source, edit.clone()));
        }
    }
    Ok(placed)
}

/// The source for new values: the last one that has values, or else the last one that may have some.
pub(crate) fn main(sources: &[ValuesSource]) -> Option<usize> {
    let takes = |source: &ValuesSource| source.seat().is_some_and(|(_, seat): &(usize, Seat)| seat.takes_new_values());
    let has_values = |source: &ValuesSource| source.values().is_some_and(|values| !values.is_null());
    let last = |is_it: &dyn Fn(&ValuesSource) -> bool| sources.iter().rposition(is_it);
    last(&|source| takes(source) && has_values(source)).or_else(|| last(&takes))
}
