//! Applies an edit to a JSON value (the reference), to a text (keeps comments, checked against the JSON), and as a
//! guarded patch. Also masks secrets before any of it is shown. No I/O.

pub(crate) mod bootstrap;
pub(crate) mod encrypted;
pub(crate) mod json;
pub(crate) mod manifest;
pub(crate) mod mask;
pub(crate) mod patch;
pub(crate) mod values;

use serde_json::Value;

use crate::model::FieldPath;

/// One field that is set or removed. A plan's changes to an object are a list of edits.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    pub path: FieldPath,
    pub op: Op,
}

/// The operation on the field.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// Sets the field to this value, and creates missing objects on the way.
    Set(Value),
    /// Removes the field; no change if it does not exist.
    Remove,
}

impl Edit {
    /// An edit that sets `path` to `value`.
    #[must_use]
    pub fn set(path: FieldPath, value: Value) -> Self {
        Self { path, op: Op::Set(value) }
    }

    /// An edit that removes `path`.
    #[must_use]
    pub fn remove(path: FieldPath) -> Self {
        Self { path, op: Op::Remove }
    }
}
