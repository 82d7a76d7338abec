//! Inserts or removes one item of a list in a text that is one document.

use serde_json::Value;

use super::place::{Task, task};
use super::steps::reads_as;
use super::{Unsafe, cut, splice, splice_of};
use crate::edit::{Edit, json};
use crate::model::{FieldPath, Segment};
use crate::yaml;

/// Inserts `item` after the item at `index` of the list. The list must have that item.
///
/// # Errors
/// Why the edit is not safe.
pub(crate) fn insert_item(text: &str, list: &FieldPath, index: usize, item: &Value) -> Result<String, Unsafe> {
    change(text, list, index, |value, task| {
        let Task::Remove { parent, holder, .. } = task else { return None };
        let mut items = list.get(value)?.as_array()?.clone();
        items.insert(index + 1, item.clone());
        let expected = json::apply(value, &[Edit::set(list.clone(), Value::Array(items))]).ok()?;
        Some((Task::InsertAfter { parent, holder, index, value: item.clone() }, expected))
    })
}

/// Removes the item at `index` of the list.
///
/// # Errors
/// Why the edit is not safe.
pub(crate) fn remove_item(text: &str, list: &FieldPath, index: usize) -> Result<String, Unsafe> {
    change(text, list, index, |value, task| {
        let gone = Edit::remove(list.then(Segment::Index(index)));
        Some((task, json::apply(value, &[gone]).ok()?))
    })
}

/// Finds the place of the item as a removal task, turns it into the wanted task, and applies that.
fn change(
    text: &str,
    list: &FieldPath,
    index: usize,
    wanted: impl for<'n> FnOnce(&Value, Task<'n>) -> Option<(Task<'n>, Value)>,
) -> Result<String, Unsafe> {
    let at =
        |byte: usize, why: String| Unsafe { line: 1 + text[..byte].matches('\n').count(), why, manual: Vec::new() };
    let from = |problem: yaml::Problem| Unsafe { line: problem.line, why: problem.message, manual: Vec::new() };
    let value = yaml::parse(text).map_err(from)?;
    let root = yaml::outline(text).map_err(from)?.ok_or_else(|| at(0, "the document is empty".to_owned()))?;
    let place = task(&root, &value, &Edit::remove(list.then(Segment::Index(index)))).map_err(|why| at(0, why))?;
    let (task, expected) = wanted(&value, place).ok_or_else(|| at(0, format!("{list} has no such item")))?;
    let ways = cut::cuts(text, &root, &task);
    let line = ways.first().map_or(0, |cut| cut.range.start);
    ways.into_iter()
        .map(|cut| splice(text, &[splice_of(text, 0, &cut)]))
        .find(|after| reads_as(text, after, &expected))
        .ok_or_else(|| at(line, "no change of the text gives the planned result".to_owned()))
}
