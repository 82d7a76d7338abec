//! A merge in progress: sets and removes keys, records each as an edit and as a change, and reports conflicts.

use serde_json::Value;

use super::{Chart, Old, ValueChange, ValuesPlan};
use crate::edit::Edit;
use crate::edit::mask::{self, SecretTexts};
use crate::error::{Exit, Failure, Reason};
use crate::model::{FieldPath, Segment};
use crate::plan::advice::{Advice, Code};

/// A merge in progress.
pub(super) struct Merge<'m> {
    pub values: &'m Value,
    pub chart: &'m Chart,
    pub plan: ValuesPlan,
}

impl Merge<'_> {
    /// Sets the value of the key, if it differs.
    ///
    /// # Errors
    /// The values have another type on the path to the key.
    pub(super) fn set(&mut self, path: &FieldPath, new: impl Into<Value>, source: &str) -> Result<(), Failure> {
        let new = new.into();
        let old = path.get(self.values);
        if old == Some(&new) {
            return Ok(());
        }
        if let Some(null) = check_way(self.values, path, &new)? {
            let message = format!("{null} is null, which removes the chart's default; setting {path} restores it");
            self.plan.advice.push(Advice::warning(Code::NullBack, message));
        }
        self.change(path, Some(new), source);
        Ok(())
    }

    /// Removes the key.
    pub(super) fn unset(&mut self, path: &FieldPath, source: &str) {
        if path.get(self.values).is_some() {
            self.change(path, None, source);
        }
    }

    /// Adds the advice, once.
    pub(super) fn advise(&mut self, advice: Advice) {
        if !self.plan.advice.contains(&advice) {
            self.plan.advice.push(advice);
        }
    }

    fn change(&mut self, path: &FieldPath, new: Option<Value>, source: &str) {
        let own = path.get(&self.chart.defaults).filter(|value| !value.is_null());
        let old = match (path.get(self.values), own) {
            (Some(old), _) => Old::Set(old.clone()),
            (None, Some(own)) => Old::Chart(own.clone()),
            (None, None) => Old::Unset,
        };
        self.plan.edits.push(match &new {
            Some(new) => Edit::set(path.clone(), new.clone()),
            None => Edit::remove(path.clone()),
        });
        self.plan.changes.push(ValueChange { path: path.clone(), old, new, source: source.to_owned() });
    }
}

/// Checks that the path to a key can be created: each step must be a map, missing, or null.
///
/// # Errors
/// The value of another type on the path. Nothing is guessed.
fn check_way(values: &Value, path: &FieldPath, new: &Value) -> Result<Option<FieldPath>, Failure> {
    let mut at = values;
    let mut way = FieldPath::root();
    let mut nulled = None;
    let (last, parents) = path.segments().split_last().expect("a key has a path");
    for segment in parents {
        let Segment::Key(key) = segment else { break };
        match at {
            Value::Object(map) => at = map.get(key).unwrap_or(&Value::Null),
            Value::Null => break,
            _ => return Err(bad_shape(values, &way, path, new)),
        }
        way = way.then(segment.clone());
        if at.is_null() && way.get(values).is_some() {
            nulled = Some(way.clone());
        }
    }
    match at {
        Value::Null => Ok(nulled),
        Value::Object(map) => match last {
            Segment::Key(key) => match map.get(key) {
                Some(Value::Object(_) | Value::Array(_)) => Err(bad_shape(values, path, path, new)),
                _ => Ok(nulled),
            },
            _ => Ok(nulled),
        },
        _ => Err(bad_shape(values, &way, path, new)),
    }
}

fn bad_shape(values: &Value, at: &FieldPath, path: &FieldPath, new: &Value) -> Failure {
    let there = mask::masked(at.get(values).unwrap_or(&Value::Null)).to_string();
    // An alias may insert a value here that is a secret elsewhere.
    let shown = SecretTexts::of_value(values).masked(&there);
    let shown: String = shown.chars().take(80).collect();
    let place = if at.segments().is_empty() { "the values".to_owned() } else { at.to_string() };
    let wanted = if at == path { "a single value" } else { "a map" };
    Failure::new(Exit::Failed, Reason::BadValues, format!("{place}: must be {wanted}; nothing changed"))
        .detail(format!("there:  {shown}"))
        .detail(format!("wanted: {path}: {new}"))
        .hint("change it to what the chart reads, then run this again")
}
