//! Makes the edits of one object in its document, one after the other.
//!
//! A change of a map with an anchor also changes the maps that merge it. Such a change is accepted if it does what
//! other edits of the object ask for, and nothing else.

use std::borrow::Cow;

use serde_json::Value;

use super::place::task;
use super::renamed::renamed;
use super::{anchors, cut, splice, splice_of, split};
use crate::edit::{Edit, Op, json};
use crate::yaml;

/// The number of lines above the place of an edit, and why it cannot be made there.
type Refused = (usize, String);

/// The document after the edits.
///
/// # Errors
/// Where and why an edit cannot be made.
pub(super) fn edited(slice: &str, value: &Value, edits: &[Edit]) -> Result<String, Refused> {
    let cannot = |path| (0, format!("{path} leads through a value that is neither a map nor a list"));
    let planned = json::apply(value, edits).map_err(cannot)?;
    let (mut text, mut value) = match renamed(slice, value, edits) {
        Some((text, value)) => (Cow::Owned(text), Cow::Owned(value)),
        None => (Cow::Borrowed(slice), Cow::Borrowed(value)),
    };
    let mut open: Vec<&Edit> = edits.iter().collect();
    loop {
        let mut left = Vec::new();
        let mut first = None;
        for edit in &open {
            match step(&text, &value, edit, edits) {
                Ok(Some((after, read))) => (text, value) = (Cow::Owned(after), Cow::Owned(read)),
                Ok(None) => (),
                Err(why) => {
                    first.get_or_insert(why);
                    left.push(*edit);
                }
            }
        }
        match first {
            // An edit may become possible, or unnecessary, by another one.
            Some(_) if left.len() < open.len() => open = left,
            Some(why) => return Err(why),
            None if *value == planned => return Ok(text.into_owned()),
            None => return Err((0, "no change of the text gives the planned result".to_owned())),
        }
    }
}

/// Whether the value is exactly as the edit makes it.
fn holds(value: &Value, edit: &Edit) -> bool {
    match &edit.op {
        Op::Set(new) => edit.path.get(value) == Some(new),
        Op::Remove => edit.path.get(value).is_none(),
    }
}

/// The text and the value after one of the edits, or after several of them if one change of the text makes them all;
/// `None` if the edit changes nothing.
fn step(text: &str, value: &Value, edit: &Edit, all: &[Edit]) -> Result<Option<(String, Value)>, Refused> {
    let expected = json::apply(value, std::slice::from_ref(edit))
        .map_err(|path| (0, format!("{path} leads through a value that is neither a map nor a list")))?;
    if expected == *value {
        return Ok(None);
    }
    let root = yaml::outline(text).map_err(|problem| (0, problem.message))?;
    let root = root.ok_or((0, "the document is empty".to_owned()))?;
    let explained = |otherwise: Refused| {
        let (at, why) = anchors::explain(text, &root, &edit.path).unwrap_or(otherwise);
        (text[..at].matches('\n').count(), why)
    };
    let task = task(&root, value, edit).map_err(|why| explained((root.content, why)))?;
    let ways = cut::cuts(text, &root, &task);
    let at = ways.first().map_or(root.content, |cut| cut.range.start);
    let is_planned = |read: &Value| {
        let done: Vec<Edit> = all.iter().filter(|edit| holds(read, edit)).cloned().collect();
        *read == expected || (holds(read, edit) && json::apply(value, &done).as_ref() == Ok(read))
    };
    ways.into_iter()
        .map(|cut| splice(text, &[splice_of(text, 0, &cut)]))
        .find_map(|after| read(text, &after).filter(&is_planned).map(|value| (after, value)))
        .map(Some)
        .ok_or_else(|| explained((at, "no change of the text gives the planned result".to_owned())))
}

/// Whether the text reads as planned.
pub(super) fn reads_as(before: &str, after: &str, expected: &Value) -> bool {
    read(before, after).as_ref() == Some(expected)
}

/// The value of the changed text, if it is still one document, and still JSON if it was JSON.
fn read(before: &str, after: &str) -> Option<Value> {
    let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    let value = yaml::parse(after).ok()?;
    let is_same_form = split::documents(after).len() == split::documents(before).len()
        && (!before.trim_start().starts_with('{') || !is_json(before) || is_json(after));
    is_same_form.then_some(value)
}
