//! Rolls back edits of this program, by path, in the current object.

use serde_json::Value;

use crate::edit::{Edit, Op, json};
use crate::model::{FieldPath, Segment};

/// Returns the edits that roll back `edits` in the current object `now`. The edits changed `before` into `ours`.
///
/// `ours` is what the API server stored, if it answered, because a webhook may have changed it. A field that already is
/// as before needs no edit. The edits are rolled back in reverse order.
///
/// # Errors
/// The paths that another client changed meanwhile. They belong to that client now and are not changed.
pub(crate) fn inverse(before: &Value, edits: &[Edit], ours: &Value, now: &Value) -> Result<Vec<Edit>, Vec<FieldPath>> {
    let mut back = Vec::new();
    let mut theirs = Vec::new();
    for edit in edits.iter().rev() {
        let (was, set, is) = (edit.path.get(before), edit.path.get(ours), edit.path.get(now));
        if same(is, was) && !(added_to(was, set) && same(is, set)) {
            continue;
        }
        if !same(is, set) {
            theirs.push(edit.path.clone());
            continue;
        }
        back.push(match was {
            Some(value) => Edit::set(edit.path.clone(), value.clone()),
            None => Edit::remove(made_with(&edit.path, before, ours, now)),
        });
    }
    if !theirs.is_empty() {
        return Err(theirs);
    }
    let order = in_order(before, &back, now);
    back.extend(order);
    Ok(back)
}

/// Returns the path of the outermost object that was created only to contain this field, and that has no other content.
fn made_with(path: &FieldPath, before: &Value, ours: &Value, now: &Value) -> FieldPath {
    let segments = path.segments();
    let mut holder = FieldPath::root();
    for segment in &segments[..segments.len().saturating_sub(1)] {
        holder = holder.then(segment.clone());
        let is_new = holder.get(before).is_none_or(Value::is_null);
        if is_new && holder.get(ours).is_some_and(Value::is_object) && holder.get(ours) == holder.get(now) {
            return holder;
        }
    }
    path.clone()
}

/// Restores the order of lists to which an item is added again. A pod template whose containers are in another order is
/// a different template, and would restart every pod.
fn in_order(before: &Value, back: &[Edit], now: &Value) -> Vec<Edit> {
    let mut lists: Vec<FieldPath> = Vec::new();
    for edit in back {
        if let ([way @ .., Segment::Named(_)], Op::Set(_)) = (edit.path.segments(), &edit.op) {
            let list = way.iter().fold(FieldPath::root(), |path, segment| path.then(segment.clone()));
            if !lists.contains(&list) {
                lists.push(list);
            }
        }
    }
    let Ok(after) = json::apply(now, back) else { return Vec::new() };
    let ordered = |list: FieldPath| {
        let (had, has) = (list.get(before)?.as_array()?, list.get(&after)?.as_array()?);
        let place = |item: &Value| had.iter().position(|was| was["name"] == item["name"]).unwrap_or(had.len());
        let mut sorted = has.clone();
        sorted.sort_by_key(place);
        (sorted != *has).then(|| Edit::set(list, Value::Array(sorted)))
    };
    lists.into_iter().filter_map(ordered).collect()
}

/// Returns whether our edit only added to what was there. Such a field may still contain our addition.
fn added_to(was: Option<&Value>, set: Option<&Value>) -> bool {
    same(set, was) && !same(was, set)
}

/// Returns whether two values of a field are equal, except for defaults that the API server may have added: everything
/// that we set is there, and other members are ignored.
fn same(is: Option<&Value>, wanted: Option<&Value>) -> bool {
    match (is, wanted) {
        (None | Some(Value::Null), None | Some(Value::Null)) => true,
        (Some(is), Some(wanted)) => covers(is, wanted),
        _ => false,
    }
}

/// Returns whether `is` contains everything in `wanted`.
pub(crate) fn covers(is: &Value, wanted: &Value) -> bool {
    match (is, wanted) {
        (Value::Object(is), Value::Object(wanted)) => {
            wanted.iter().all(|(key, value)| value.is_null() || is.get(key).is_some_and(|is| covers(is, value)))
        }
        (Value::Array(is), Value::Array(wanted)) => {
            is.len() == wanted.len() && is.iter().zip(wanted).all(|(is, wanted)| covers(is, wanted))
        }
        (is, wanted) => is == wanted,
    }
}

/// Returns whether this object contains the result of every edit.
pub(crate) fn holds(edits: &[Edit], object: &Value) -> bool {
    edits.iter().all(|edit| match &edit.op {
        Op::Set(value) => same(edit.path.get(object), Some(value)),
        Op::Remove => edit.path.get(object).is_none(),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn container(name: &str) -> FieldPath {
        FieldPath::keys(&["spec", "containers"]).then(Segment::Named(name.into()))
    }

    fn edits() -> Vec<Edit> {
        vec![
            Edit::set(container("sds"), json!({"name": "sds", "image": "i"})),
            Edit::set(FieldPath::keys(&["metadata", "annotations", "a"]), json!("new")),
        ]
    }

    fn inverted(before: &Value, edits: &[Edit], now: &Value) -> Result<Vec<Edit>, Vec<FieldPath>> {
        inverse(before, edits, &json::apply(before, edits).unwrap(), now)
    }

    fn before() -> Value {
        json!({"metadata": {"annotations": {"a": "old"}}, "spec": {"containers": [{"name": "envoy"}]}})
    }

    #[test]
    fn what_was_set_goes_and_what_was_there_comes_back_whatever_else_changed() {
        let mut now = json::apply(&before(), &edits()).unwrap();
        now["spec"]["replicas"] = json!(3);
        now["spec"]["containers"][1]["terminationMessagePath"] = json!("/dev/termination-log");
        let back = inverted(&before(), &edits(), &now).unwrap();
        let mut wanted = before();
        wanted["spec"]["replicas"] = json!(3);
        assert_eq!(json::apply(&now, &back), Ok(wanted));
    }

    #[test]
    fn what_somebody_else_changed_is_left() {
        let mut now = json::apply(&before(), &edits()).unwrap();
        now["spec"]["containers"][1]["image"] = json!("theirs");
        assert_eq!(inverted(&before(), &edits(), &now), Err(vec![container("sds")]));
    }

    #[test]
    fn items_that_come_back_stand_where_they_stood() {
        let before = json!({"spec": {"containers": [{"name": "sds"}, {"name": "envoy"}, {"name": "istio-proxy"}]}});
        let edits = ["sds", "istio-proxy"].map(|name| Edit::remove(container(name)));
        let mut now = json::apply(&before, &edits).unwrap();
        now["spec"]["containers"].as_array_mut().unwrap().push(json!({"name": "theirs"}));
        now["spec"]["containers"][0]["image"] = json!("theirs");
        let back = inverted(&before, &edits, &now).unwrap();
        let wanted =
            json!([{"name": "sds"}, {"name": "envoy", "image": "theirs"}, {"name": "istio-proxy"}, {"name": "theirs"}]);
        assert_eq!(json::apply(&now, &back).unwrap()["spec"]["containers"], wanted);
    }

    #[test]
    fn what_was_made_only_to_hold_a_field_goes_with_it() {
        let path = FieldPath::keys(&["spec", "gloo", "istioOptions", "enableAutoMtls"]);
        let edits = [Edit::set(path, json!(true))];
        let before = json!({"spec": {"refreshRate": "60s"}});
        let mut now = json::apply(&before, &edits).unwrap();
        assert_eq!(json::apply(&now, &inverted(&before, &edits, &now).unwrap()), Ok(before.clone()));
        now["spec"]["gloo"]["theirs"] = json!(1);
        let wanted = json!({"spec": {"refreshRate": "60s", "gloo": {"theirs": 1}}});
        assert_eq!(json::apply(&now, &inverted(&before, &edits, &now).unwrap()), Ok(wanted));
    }

    #[test]
    fn what_was_added_to_what_was_there_is_not_back_while_it_stands() {
        let path = || FieldPath::keys(&["spec", "sslConfig"]);
        for (was, set) in [
            (json!({"sds": {"a": 1}}), json!({"sds": {"a": 1}, "alpnProtocols": ["istio"]})),
            (json!({}), json!({"runAsNonRoot": true})),
            (json!({"name": "CA_ADDR"}), json!({"name": "CA_ADDR", "value": "istiod:15012"})),
        ] {
            let before = json!({"spec": {"sslConfig": was}});
            let edits = [Edit::set(path(), set)];
            let now = json::apply(&before, &edits).unwrap();
            assert_eq!(inverted(&before, &edits, &now), Ok(vec![Edit::set(path(), was.clone())]));
            let mut back = before.clone();
            assert_eq!(inverted(&before, &edits, &back), Ok(Vec::new()), "it is back already");
            back["spec"]["sslConfig"]["theirs"] = json!(1);
            assert_eq!(inverted(&before, &edits, &back), Ok(Vec::new()), "and somebody else added to it");
        }
    }

    #[test]
    fn what_is_back_already_needs_nothing() {
        assert_eq!(inverted(&before(), &edits(), &before()), Ok(Vec::new()));
    }

    #[test]
    fn defaults_that_the_server_fills_in_do_not_make_it_somebody_elses() {
        let is = json!({"name": "sds", "image": "i", "imagePullPolicy": "IfNotPresent"});
        assert!(covers(&is, &json!({"name": "sds", "image": "i"})));
        assert!(!covers(&is, &json!({"name": "sds", "image": "j"})));
        assert!(!covers(&json!([1]), &json!([1, 2])));
    }
}
