//! A change to one object, as a value: what is written, how it is said, and what is waited for afterwards.

use serde_json::Value;

use crate::edit::{Edit, Op, json};
use crate::model::{FieldPath, Object};

/// A change to one object, planned on what was read.
///
/// An object that is not there is one whose value is null: to create it is to set the whole of it, to delete it is to
/// remove the whole of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    pub before: Object,
    /// None: the object is as asked already.
    pub edits: Vec<Edit>,
    /// `patched`, `unchanged`, `patched (revision 1-27 -> 1-28)`
    pub message: String,
    pub settle: Settle,
}

/// What is waited for once a change is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Settle {
    #[default]
    Nothing,
    /// Every pod of the workload is new and ready.
    Rollout,
    /// The same, and the sidecars in each of them work.
    Injected,
    /// A rollout follows, and it was asked not to wait for it.
    NotWaited,
}

/// How a change is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    Create,
    Edit,
    Delete,
}

impl Change {
    /// These edits, said so.
    pub fn new(before: Object, edits: Vec<Edit>, message: impl Into<String>) -> Self {
        Self { before, edits, message: message.into(), settle: Settle::Nothing }
    }

    /// The object is not there, and is created.
    pub fn create(object: Object, message: impl Into<String>) -> Self {
        let before = Object { reference: object.reference, value: Value::Null };
        Self::new(before, vec![Edit::set(FieldPath::root(), object.value)], message)
    }

    /// The object that was read is deleted.
    pub fn delete(object: Object, message: impl Into<String>) -> Self {
        Self::new(object, vec![Edit::remove(FieldPath::root())], message)
    }

    /// Whether nothing has to be written.
    pub fn is_already(&self) -> bool {
        self.edits.is_empty()
    }

    /// How it is sent.
    pub fn act(&self) -> Act {
        match self.edits.as_slice() {
            [Edit { path, op: Op::Remove }] if path.segments().is_empty() => Act::Delete,
            [Edit { path, op: Op::Set(_) }] if path.segments().is_empty() => Act::Create,
            _ => Act::Edit,
        }
    }

    /// The object after the change, unless another client writes it; null where it is deleted.
    ///
    /// # Errors
    /// The path of an edit that leads through something that is not what it should be.
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
