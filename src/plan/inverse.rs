//! Taking back our own edits from what is there now, and nothing of anybody else's.

use serde_json::Value;

use crate::edit::Edit;
use crate::model::{FieldPath, Segment};

/// The edits that take back `edits` from `now`.
///
/// `before` is the object as it was read, `ours` as the API server answered our write: defaults that it filled
/// in are ours to take back too.
///
/// # Errors
/// The fields that somebody changed after us: they are left to them.
pub fn inverse(before: &Value, ours: &Value, now: &Value, edits: &[Edit]) -> Result<Vec<Edit>, Vec<FieldPath>> {
    let mut back: Vec<Edit> = Vec::new();
    let mut taken = Vec::new();
    for edit in edits.iter().rev() {
        let place = whole_of(before, ours, now, &edit.path);
        let (was, is) = (place.get(before), place.get(now));
        if was == is || back.iter().any(|edit| edit.path == place) {
            continue;
        }
        if is != place.get(ours) {
            taken.push(edit.path.clone());
            continue;
        }
        back.push(was.map_or_else(|| Edit::remove(place.clone()), |was| Edit::set(place.clone(), was.clone())));
    }
    if taken.is_empty() { Ok(back) } else { Err(taken) }
}

/// The place to put back: the field; or what had to be made for it; or the whole list of an item that was
/// there, because an item put back alone would stand at the end. Each only if nobody else has touched it since.
fn whole_of(before: &Value, ours: &Value, now: &Value, path: &FieldPath) -> FieldPath {
    let segments = path.segments();
    let upto = |length: usize| segments[..length].iter().fold(FieldPath::root(), |path, next| path.then(next.clone()));
    let untouched = |place: &FieldPath| place.get(now) == place.get(ours);
    let made = (1..segments.len()).map(upto).find(|place| place.get(before).is_none());
    if let Some(made) = made.filter(untouched) {
        return made;
    }
    let is_item = matches!(segments.last(), Some(Segment::Named(_)));
    let list = upto(segments.len().saturating_sub(1));
    if is_item && path.get(before).is_some() && untouched(&list) { list } else { path.clone() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::edit::json::apply;

    fn named(list: &str, name: &str) -> FieldPath {
        FieldPath::keys(&["spec", list]).then(Segment::Named(name.to_owned()))
    }

    fn container(name: &str) -> Value {
        json!({"name": name, "image": "x"})
    }

    #[test]
    fn what_was_made_on_the_way_goes_too() {
        let before = json!({"spec": {"containers": [container("a")]}});
        let edits = [
            Edit::set(named("containers", "sds"), container("sds")),
            Edit::set(named("volumes", "v"), json!({"name": "v"})),
            Edit::set(FieldPath::keys(&["metadata", "annotations", "x"]), json!("y")),
        ];
        let ours = apply(&before, &edits).unwrap();
        let back = inverse(&before, &ours, &ours, &edits).unwrap();
        assert_eq!(apply(&ours, &back), Ok(before));
    }

    #[test]
    fn what_was_taken_out_comes_back_where_it_stood() {
        let before = json!({"spec": {"containers": [container("a"), container("sds"), container("b")]}});
        let edits = [Edit::remove(named("containers", "sds"))];
        let ours = apply(&before, &edits).unwrap();
        let back = inverse(&before, &ours, &ours, &edits).unwrap();
        assert_eq!(apply(&ours, &back).unwrap().to_string(), before.to_string());
    }

    #[test]
    fn what_others_did_meanwhile_stays() {
        let before = json!({"spec": {"containers": [container("a")]}});
        let edits = [Edit::set(named("containers", "sds"), container("sds"))];
        let ours = apply(&before, &edits).unwrap();
        let theirs = [
            Edit::set(named("containers", "b"), container("b")),
            Edit::set(FieldPath::keys(&["spec", "replicas"]), json!(3)),
        ];
        let now = apply(&ours, &theirs).unwrap();
        let back = inverse(&before, &ours, &now, &edits).unwrap();
        assert_eq!(apply(&now, &back), apply(&before, &theirs));
    }

    #[test]
    fn a_field_of_ours_that_somebody_changed_is_left_and_told() {
        let before = json!({"data": {"envoy.yaml": "old"}});
        let path = FieldPath::keys(&["data", "envoy.yaml"]);
        let edits = [Edit::set(path.clone(), json!("ours"))];
        let ours = apply(&before, &edits).unwrap();
        let now = json!({"data": {"envoy.yaml": "theirs"}});
        assert_eq!(inverse(&before, &ours, &now, &edits), Err(vec![path]));
        assert_eq!(inverse(&before, &ours, &before, &edits), Ok(Vec::new()));
    }

    #[test]
    fn defaults_that_the_server_filled_in_are_taken_back_with_ours() {
        let before = json!({"spec": {"containers": [container("a")]}});
        let edits = [Edit::set(named("containers", "sds"), container("sds"))];
        let mut ours = apply(&before, &edits).unwrap();
        ours["spec"]["containers"][1]["terminationMessagePath"] = json!("/dev/termination-log");
        let back = inverse(&before, &ours, &ours, &edits).unwrap();
        assert_eq!(apply(&ours, &back), Ok(before));
    }

    proptest! {
        #[test]
        fn the_inverse_gives_back_what_was(
            names in prop::collection::btree_set("[a-d]", 0..4),
            steps in prop::collection::vec(("[a-f]", any::<bool>(), any::<bool>()), 1..6),
        ) {
            let mut before = json!({"spec": {"dnsPolicy": "x"}});
            if !names.is_empty() {
                before["spec"]["containers"] = names.iter().map(|name| container(name)).collect();
            }
            let edits: Vec<_> = steps.iter().map(|(name, is_set, is_volume)| {
                let path = named(if *is_volume { "volumes" } else { "containers" }, name);
                if *is_set { Edit::set(path, json!({"name": name, "new": 1})) } else { Edit::remove(path) }
            }).collect();
            let ours = apply(&before, &edits).unwrap();
            let back = inverse(&before, &ours, &ours, &edits).unwrap();
            prop_assert_eq!(apply(&ours, &back).unwrap(), before);
        }
    }
}
