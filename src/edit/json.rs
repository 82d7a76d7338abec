//! Applies edits to a JSON value. Every other form of the same edit is checked against this one.

use serde_json::{Map, Value};

use super::{Edit, Op};
use crate::model::{FieldPath, Segment};

/// Returns the value after all edits.
///
/// # Errors
/// The path of the first edit that leads through a value that is neither an object nor a list, or through a list item
/// that does not exist.
pub(crate) fn apply(value: &Value, edits: &[Edit]) -> Result<Value, FieldPath> {
    let mut edited = value.clone();
    for edit in edits {
        apply_one(&mut edited, edit).ok_or_else(|| edit.path.clone())?;
    }
    Ok(edited)
}

/// Whether the value is already as the edit makes it. Fields that the server adds inside the set value are ignored.
pub(crate) fn holds(value: &Value, edit: &Edit) -> bool {
    let here = edit.path.get(value).filter(|here| !here.is_null());
    match (&edit.op, here) {
        (Op::Remove, here) => here.is_none(),
        (Op::Set(wanted), Some(here)) => contains(here, wanted),
        (Op::Set(wanted), None) => wanted.is_null(),
    }
}

fn contains(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(key, part)| whole.get(key).is_some_and(|whole| contains(whole, part)))
        }
        _ => whole == part,
    }
}

fn apply_one(value: &mut Value, edit: &Edit) -> Option<()> {
    let Some((last, way)) = edit.path.segments().split_last() else {
        *value = match &edit.op {
            Op::Set(new) => new.clone(),
            Op::Remove => Value::Null,
        };
        return Some(());
    };
    let mut at = value;
    for segment in way {
        match (descend(at, segment, &edit.op)?, &edit.op) {
            (Some(next), _) => at = next,
            (None, Op::Remove) => return Some(()),
            (None, Op::Set(_)) => return None,
        }
    }
    match &edit.op {
        Op::Set(new) => set(at, last, new.clone()),
        Op::Remove => remove(at, last),
    }
}

/// The value one step down; `Some(None)` if it does not exist, `None` if it cannot exist. On the way to a `Set`,
/// missing objects are created, and null counts as missing.
#[allow(clippy::option_option, reason = "absent and impossible are different answers")]
fn descend<'v>(at: &'v mut Value, segment: &Segment, op: &Op) -> Option<Option<&'v mut Value>> {
    match segment {
        Segment::Key(key) => {
            if at.is_null() && matches!(op, Op::Set(_)) {
                *at = Value::Object(Map::new());
            }
            match (at, op) {
                (Value::Object(map), Op::Set(_)) => Some(Some(map.entry(key.as_str()).or_insert(Value::Null))),
                (Value::Object(map), Op::Remove) => Some(map.get_mut(key)),
                (Value::Null, Op::Remove) => Some(None),
                _ => None,
            }
        }
        Segment::Named(name) => match at {
            Value::Array(items) => Some(items.iter_mut().find(|item| item["name"] == **name)),
            Value::Null => Some(None),
            _ => None,
        },
        Segment::Index(index) => at.as_array_mut().map(|items| items.get_mut(*index)),
    }
}

fn set(at: &mut Value, last: &Segment, new: Value) -> Option<()> {
    if at.is_null() {
        *at = match last {
            Segment::Key(_) => Value::Object(Map::new()),
            Segment::Named(_) => Value::Array(Vec::new()),
            Segment::Index(_) => return None,
        };
    }
    match (last, at) {
        (Segment::Key(key), Value::Object(map)) => {
            map.insert(key.clone(), new);
        }
        (Segment::Named(name), Value::Array(items)) => match items.iter_mut().find(|item| item["name"] == **name) {
            Some(item) => *item = new,
            None => items.push(new),
        },
        (Segment::Index(index), Value::Array(items)) => *items.get_mut(*index)? = new,
        _ => return None,
    }
    Some(())
}

fn remove(at: &mut Value, last: &Segment) -> Option<()> {
    match (last, at) {
        (_, Value::Null) => {}
        (Segment::Key(key), Value::Object(map)) => {
            map.shift_remove(key);
        }
        (Segment::Named(name), Value::Array(items)) => items.retain(|item| item["name"] != **name),
        (Segment::Index(index), Value::Array(items)) if *index < items.len() => {
            items.remove(*index);
        }
        _ => return None,
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec_ssl() -> FieldPath {
        FieldPath::keys(&["spec", "sslConfig"])
    }

    #[test]
    fn an_edit_holds_where_the_server_added_and_not_where_it_took_away() {
        let set = Edit::set(spec_ssl(), json!({"sds": {"a": "1"}}));
        let remove = Edit::remove(spec_ssl());
        let table = [
            (json!({"spec": {"sslConfig": {"sds": {"a": "1"}}}}), true, false),
            (json!({"spec": {"sslConfig": {"sds": {"a": "1", "b": "2"}, "c": 3}}}), true, false),
            (json!({"spec": {"sslConfig": {"sds": {"a": "2"}}}}), false, false),
            (json!({"spec": {"sslConfig": {}}}), false, false),
            (json!({"spec": {"sslConfig": null}}), false, true),
            (json!({"spec": {}}), false, true),
        ];
        for (value, is_set, is_removed) in table {
            assert_eq!((holds(&value, &set), holds(&value, &remove)), (is_set, is_removed), "{value}");
        }
    }

    #[test]
    fn setting_makes_the_objects_on_the_way() {
        let set = Edit::set(spec_ssl(), json!({"sni": "a"}));
        assert_eq!(apply(&json!({}), std::slice::from_ref(&set)), Ok(json!({"spec": {"sslConfig": {"sni": "a"}}})));
        assert_eq!(
            apply(&json!({"spec": null}), std::slice::from_ref(&set)),
            Ok(json!({"spec": {"sslConfig": {"sni": "a"}}}))
        );
        assert_eq!(apply(&json!({"spec": 3}), &[set]), Err(spec_ssl()));
    }

    #[test]
    fn removing_keeps_the_order_of_what_stays_and_what_is_not_there_is_no_change() {
        let remove = [Edit::remove(spec_ssl())];
        let before = json!({"spec": {"a": 1, "sslConfig": {}, "b": 2, "c": 3}});
        let after = apply(&before, &remove).unwrap();
        assert_eq!(after.to_string(), r#"{"spec":{"a":1,"b":2,"c":3}}"#);
        assert_eq!(apply(&after, &remove), Ok(after.clone()));
        assert_eq!(apply(&json!({}), &remove), Ok(json!({})));
    }

    #[test]
    fn list_items_are_replaced_added_and_removed_by_name() {
        let sds = FieldPath::keys(&["containers"]).then(Segment::Named("sds".into()));
        let set = Edit::set(sds.clone(), json!({"name": "sds", "image": "new"}));
        let one = apply(&json!({"containers": [{"name": "envoy"}]}), std::slice::from_ref(&set)).unwrap();
        assert_eq!(one, json!({"containers": [{"name": "envoy"}, {"name": "sds", "image": "new"}]}));
        assert_eq!(apply(&one, &[set]), Ok(one.clone()));
        assert_eq!(apply(&one, &[Edit::remove(sds)]), Ok(json!({"containers": [{"name": "envoy"}]})));
    }
}
