//! Edits as a guarded JSON patch (RFC 6902).
//!
//! The first operation replaces `metadata.resourceVersion` with the version that was read. For an outdated version the
//! API server answers 409; a failed `test` operation would give an unspecific 422.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::{Edit, Op};
use crate::model::{FieldPath, Object, Segment};

/// The patch that applies these edits to exactly the version of the object that was read.
///
/// # Errors
/// The path of an edit that leads through a list item that does not exist.
pub(crate) fn guarded(object: &Object, edits: &[Edit]) -> Result<Value, FieldPath> {
    let mut operations = vec![json!({
        "op": "replace",
        "path": "/metadata/resourceVersion",
        "value": object.resource_version(),
    })];
    let mut value = Cow::Borrowed(&object.value);
    for (number, edit) in edits.iter().enumerate() {
        operations.extend(operation(&value, edit).ok_or_else(|| edit.path.clone())?);
        if number + 1 < edits.len() {
            value = Cow::Owned(super::json::apply(&value, std::slice::from_ref(edit))?);
        }
    }
    Ok(Value::Array(operations))
}

/// The operation for one edit on the current value; `Some(None)` if there is nothing to do.
#[allow(clippy::option_option, reason = "nothing to do and cannot be done are different answers")]
fn operation(value: &Value, edit: &Edit) -> Option<Option<Value>> {
    let here = edit.path.get(value);
    match &edit.op {
        Op::Remove if here.is_none() => Some(None),
        Op::Remove => Some(Some(json!({"op": "remove", "path": edit.path.pointer(value)?}))),
        Op::Set(new) if here.is_some() => {
            Some(Some(json!({"op": "replace", "path": edit.path.pointer(value)?, "value": new})))
        }
        Op::Set(new) => add(value, edit.path.segments(), new).map(Some),
    }
}

/// An `add` at the deepest existing parent, with the missing objects wrapped around the value.
fn add(value: &Value, segments: &[Segment], new: &Value) -> Option<Value> {
    let (last, way) = segments.split_last()?;
    let parent = way.iter().fold(FieldPath::root(), |path, segment| path.then(segment.clone()));
    match parent.get(value) {
        Some(Value::Object(_) | Value::Array(_)) => {
            let end = match last {
                Segment::Key(_) => parent.then(last.clone()).pointer(value)?,
                Segment::Named(_) => format!("{}/-", parent.pointer(value)?),
                Segment::Index(_) => return None,
            };
            Some(json!({"op": "add", "path": end, "value": new}))
        }
        Some(Value::Null) | None => add(
            value,
            way,
            &match last {
                Segment::Key(key) => json!({ key.as_str(): new }),
                Segment::Named(_) => json!([new]),
                Segment::Index(_) => return None,
            },
        ),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kinds::UPSTREAM;

    fn upstream(spec: &Value) -> Object {
        Object::new(&UPSTREAM, json!({"metadata": {"name": "a", "resourceVersion": "7"}, "spec": spec}))
    }

    fn spec_ssl() -> FieldPath {
        FieldPath::keys(&["spec", "sslConfig"])
    }

    #[test]
    fn the_version_that_was_read_comes_first() {
        let patch = guarded(&upstream(&json!({"kube": {}})), &[Edit::set(spec_ssl(), json!({"sni": "x"}))]).unwrap();
        assert_eq!(
            patch,
            json!([
                {"op": "replace", "path": "/metadata/resourceVersion", "value": "7"},
                {"op": "add", "path": "/spec/sslConfig", "value": {"sni": "x"}},
            ])
        );
    }

    #[test]
    fn what_is_missing_on_the_way_is_made_and_what_is_there_is_replaced() {
        let set = [Edit::set(spec_ssl(), json!(1))];
        assert_eq!(
            guarded(&upstream(&Value::Null), &set).unwrap()[1],
            json!({"op": "add", "path": "/spec", "value": {"sslConfig": 1}})
        );
        assert_eq!(
            guarded(&upstream(&json!({"sslConfig": {}})), &set).unwrap()[1],
            json!({"op": "replace", "path": "/spec/sslConfig", "value": 1})
        );
    }

    #[test]
    fn removing_what_is_not_there_is_no_operation() {
        let patch = guarded(&upstream(&json!({})), &[Edit::remove(spec_ssl())]).unwrap();
        assert_eq!(patch.as_array().unwrap().len(), 1);
    }
}
