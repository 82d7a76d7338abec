//! The field managers recorded for a bootstrap whose content is as the chart renders it. Server-side apply, and so
//! every upgrade of Helm 4, conflicts with another field manager, whatever values it left.

use serde_json::Value;

use super::BOOTSTRAP_KEY;
use super::guard::MANAGER;
use crate::edit::Edit;
use crate::model::{FieldPath, Segment};

/// Returns whether this field manager is one of the two tools that inject.
pub(crate) fn injects(manager: &str) -> bool {
    manager == MANAGER || manager.starts_with("glooctl")
}

/// Returns which of the two tools is recorded as a writer of the bootstrap in this `ConfigMap`.
pub(crate) fn on_bootstrap(config_map: &Value) -> Option<&str> {
    claims(config_map).next().map(|(_, manager)| manager)
}

/// Returns the edits that remove the records of both tools, the last entry first.
pub(crate) fn release(config_map: &Value) -> Vec<Edit> {
    let entries = FieldPath::keys(&["metadata", "managedFields"]);
    let mut edits: Vec<_> =
        claims(config_map).map(|(index, _)| Edit::remove(entries.then(Segment::Index(index)))).collect();
    edits.reverse();
    edits
}

fn claims(config_map: &Value) -> impl Iterator<Item = (usize, &str)> {
    let entries = config_map["metadata"]["managedFields"].as_array().into_iter().flatten().enumerate();
    entries.filter_map(|(index, entry)| {
        let manager = entry["manager"].as_str().filter(|manager| injects(manager))?;
        (!entry["fieldsV1"]["f:data"][format!("f:{BOOTSTRAP_KEY}")].is_null()).then_some((index, manager))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::edit::json::apply;

    #[test]
    fn only_the_entries_of_the_two_tools_on_the_bootstrap_go() {
        let entry = |manager: &str, key: &str| json!({"manager": manager, "fieldsV1": {"f:data": {key: {}}}});
        let kept = [entry("helm", "f:envoy.yaml"), entry("gloo-rs", "f:other")];
        let [helm, other] = kept.clone();
        let entries = [entry("glooctl-linux", "f:envoy.yaml"), helm, entry("gloo-rs", "f:envoy.yaml"), other];
        let map = json!({"metadata": {"managedFields": entries}});
        assert_eq!(on_bootstrap(&map), Some("glooctl-linux"));
        let after = apply(&map, &release(&map)).unwrap();
        assert_eq!(after, json!({"metadata": {"managedFields": kept}}));
        assert_eq!((on_bootstrap(&after), release(&after).len()), (None, 0));
    }
}
