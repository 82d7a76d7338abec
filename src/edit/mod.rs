//! How an edit is applied to a JSON value (the truth), to a text (comments kept, then held against
//! the JSON) and to a guarded patch; and what is masked before any of it is shown. No I/O.

pub(crate) mod bootstrap;
pub(crate) mod json;
pub(crate) mod manifest;
pub(crate) mod mask;
pub(crate) mod patch;
pub(crate) mod values;

use serde_json::Value;

use crate::model::FieldPath;

/// One field set or taken away: everything a plan wants done to an object is a list of these.
#[derive(Debug, Clone, PartialEq)]
pub struct Edit {
    pub path: FieldPath,
    pub op: Op,
}

/// What is done to the field.
#[derive(Debug, Clone, PartialEq)]
pub enum Op {
    /// The field has this value afterwards; objects on the way are made.
    Set(Value),
    /// The field is gone afterwards; taking away what is not there is no change.
    Remove,
}

impl Edit {
    /// `path` has `value` afterwards.
    #[must_use]
    pub fn set(path: FieldPath, value: Value) -> Self {
        Self { path, op: Op::Set(value) }
    }

    /// `path` is gone afterwards.
    #[must_use]
    pub fn remove(path: FieldPath) -> Self {
        Self { path, op: Op::Remove }
    }
}
