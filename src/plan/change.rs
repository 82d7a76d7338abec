//! A planned change of one object: its edits, its message, and what to wait for afterwards.

use serde_json::Value;

use crate::edit::{Edit, Op, json};
use crate::model::{FieldPath, Object};

/// A change of one object, planned from the object as it was read.
///
/// The value of an object that does not exist is null. Creating an object sets its whole value. Deleting it removes its
/// whole value.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub before: Object,
    /// Empty if the object already is as requested.
    pub edits: Vec<Edit>,
    /// `patched`, `unchanged`, `patched (revision 1-27 -> 1-28)`
    pub message: String,
    pub settle: Settle,
}

/// What to wait for after a change is written.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Settle {
    #[default]
    Nothing,
    /// Wait until every pod of the workload is new and ready.
    Rollout,
    /// Like [`Self::Rollout`], and the sidecars in each pod must work.
    Injected,
    /// A rollout follows, but the operator requested not to wait for it.
    NotWaited,
    /// A controller changes the workload because of this change. Then as for [`Self::Rollout`], or for
    /// [`Self::Injected`] if it gets sidecars.
    Controller(Box<Awaited>),
}

/// What a controller is to make of a workload.
#[derive(Debug, Clone, PartialEq)]
pub struct Awaited {
    /// The workload before the change.
    pub workload: Object,
    pub sidecars: AwaitedSidecars,
}

/// The sidecars that a controller adds or removes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AwaitedSidecars {
    Gone,
    /// With istiod's address and the tag of the image, if they are known.
    There {
        address: Option<String>,
        tag: Option<String>,
    },
}

/// The kind of API request that sends a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Create,
    Edit,
    Delete,
}

impl Change {
    /// Creates a change with these edits and this message.
    pub fn new(before: Object, edits: Vec<Edit>, message: impl Into<String>) -> Self {
        Self { before, edits, message: message.into(), settle: Settle::Nothing }
    }

    /// Creates a change that creates the object.
    pub fn create(object: Object, message: impl Into<String>) -> Self {
        let before = Object { reference: object.reference, value: Value::Null };
        Self::new(before, vec![Edit::set(FieldPath::root(), object.value)], message)
    }

    /// Creates a change that deletes the object.
    pub fn delete(object: Object, message: impl Into<String>) -> Self {
        Self::new(object, vec![Edit::remove(FieldPath::root())], message)
    }

    /// Returns whether there is nothing to write.
    pub fn is_already(&self) -> bool {
        self.edits.is_empty()
    }

    /// Returns the kind of API request for this change.
    pub fn act(&self) -> Act {
        match self.edits.as_slice() {
            [Edit { path, op: Op::Remove }] if path.segments().is_empty() => Act::Delete,
            [Edit { path, op: Op::Set(_) }] if path.segments().is_empty() => Act::Create,
            _ => Act::Edit,
        }
    }

    /// Returns the object after the change, unless another client writes it. Its value is null if the object is
    /// deleted.
    ///
    /// # Errors
    /// The path of an edit that passes through a value of the wrong type.
    pub fn after(&self) -> Result<Object, FieldPath> {
        let value = json::apply(&self.before.value, &self.edits)?;
        Ok(Object { reference: self.before.reference.clone(), value })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::kinds;

    #[test]
    fn the_edits_of_the_whole_object_create_and_delete_it() {
        let object = Object::new(&kinds::NAMESPACE, json!({"metadata": {"name": "shop"}}));
        let create = Change::create(object.clone(), "created");
        assert_eq!((create.act(), create.after()), (Act::Create, Ok(object.clone())));
        let delete = Change::delete(object.clone(), "deleted");
        assert_eq!((delete.act(), delete.after().map(|after| after.value)), (Act::Delete, Ok(Value::Null)));
        let unchanged = Change::new(object, Vec::new(), "unchanged");
        assert!(unchanged.is_already() && unchanged.act() == Act::Edit);
    }
}
