//! The marks of this program: a label on its objects, the field manager for fields of other objects, and the
//! description of release revisions.

use serde_json::{Value, json};

use super::sidecars::parts::{SDS, volumes};
use crate::bounded;
use crate::model::FieldPath;

/// The label of objects that this program creates.
pub(crate) const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The value of the label, and the field manager under which the API server records the writes of this program.
pub(crate) const MANAGER: &str = "gloo-rs";

/// The description in `helm history` of a revision into which this program merged Istio's values.
pub(crate) const RELEASE: &str = "Istio's values merged by gloo-rs";

/// The annotation with kubectl's copy of what it applied.
pub(crate) const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// Returns whether this program created the object.
pub(crate) fn made_by_us(object: &Value) -> bool {
    object["metadata"]["labels"][MANAGED_BY] == MANAGER
}

/// Returns whether this program is recorded as the writer of a field or of something in it.
///
/// `path` has the syntax of `managedFields`: names begin with `f:`, list items with `k:`.
pub(crate) fn written_by_us(object: &Value, path: &[&str]) -> bool {
    let entries = object["metadata"]["managedFields"].as_array().into_iter().flatten();
    entries
        .filter(|entry| entry["manager"] == MANAGER && entry["subresource"].is_null())
        .any(|entry| path.iter().try_fold(&entry["fieldsV1"], |fields, key| fields.get(key)).is_some())
}

/// Returns whether this program set a field that did not exist before, as far as the object shows this. Either this
/// program also created a parent of the field, for which the API server records a `.`, or kubectl's copy does not have
/// the field.
pub(crate) fn is_new(object: &Value, path: &[&str]) -> bool {
    let noted: Vec<_> = path.iter().map(|key| format!("f:{key}")).collect();
    let noted: Vec<_> = noted.iter().map(String::as_str).collect();
    let made = |depth: usize| written_by_us(object, &[&noted[..depth], &["."]].concat());
    let copy = object["metadata"]["annotations"][LAST_APPLIED].as_str();
    let copy = copy.and_then(|copy| bounded::inside(copy.as_bytes()));
    let is_lacking = |copy: &Value| FieldPath::keys(path).get(copy).is_none();
    written_by_us(object, &noted) && ((1..=path.len()).any(made) || copy.as_ref().is_some_and(is_lacking))
}

/// Returns whether this program added the sidecars to a gateway, or what remains of them. The `sds` container is
/// checked because only a gateway has it. Volumes are checked because they remain when a chart without them removed the
/// sidecars.
pub(crate) fn injected_by_us(workload: &Value) -> bool {
    let is_ours = |list: &str, name: &str| {
        let member = format!("k:{}", json!({"name": name}));
        written_by_us(workload, &["f:spec", "f:template", "f:spec", list, &member])
    };
    let volumes = volumes();
    let mut names = volumes.iter().filter_map(|volume| volume["name"].as_str());
    is_ours("f:containers", SDS) || names.any(|name| is_ours("f:volumes", name))
}

/// Returns whether any writer is recorded. An object that was applied without fields has no recorded writer.
pub(crate) fn is_noted(object: &Value) -> bool {
    object["metadata"]["managedFields"].as_array().is_some_and(|entries| !entries.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_this_program_wrote_is_its_own() {
        let fields = json!({"f:metadata": {"f:labels": {"f:istio.io/rev": {}}}});
        let by = |manager: &str| json!({"metadata": {"managedFields": [{"manager": manager, "fieldsV1": fields}]}});
        let path = ["f:metadata", "f:labels", "f:istio.io/rev"];
        assert!(written_by_us(&by("gloo-rs"), &path));
        assert!(written_by_us(&by("gloo-rs"), &path[..2]));
        assert!(!written_by_us(&by("gloo-rs"), &["f:spec"]));
        assert!(!written_by_us(&by("kubectl"), &path));
        assert!(!written_by_us(&json!({"metadata": {}}), &path));
    }

    #[test]
    fn volumes_without_their_sidecars_are_still_injected() {
        let by = |manager: &str, list: &str, name: &str| {
            let fields =
                json!({"f:spec": {"f:template": {"f:spec": {list: {format!("k:{}", json!({"name": name})): {}}}}}});
            json!({"metadata": {"managedFields": [{"manager": manager, "fieldsV1": fields}]}})
        };
        assert!(injected_by_us(&by("gloo-rs", "f:containers", "sds")));
        assert!(injected_by_us(&by("gloo-rs", "f:volumes", "workload-certs")));
        assert!(!injected_by_us(&by("gloo-rs", "f:volumes", "envoy-config")));
        assert!(!injected_by_us(&by("helm", "f:volumes", "workload-certs")));
    }

    #[test]
    fn a_status_that_is_written_is_no_mark() {
        let entry = json!({"manager": "gloo-rs", "subresource": "status", "fieldsV1": {"f:spec": {}}});
        assert!(!written_by_us(&json!({"metadata": {"managedFields": [entry]}}), &["f:spec"]));
    }

    #[test]
    fn an_object_without_managers_tells_nothing() {
        assert!(!is_noted(&json!({"metadata": {"managedFields": []}})) && !is_noted(&json!({"metadata": {}})));
        assert!(is_noted(&json!({"metadata": {"managedFields": [{"manager": "kubectl"}]}})));
    }

    #[test]
    fn a_label_marks_what_was_made() {
        assert!(made_by_us(&json!({"metadata": {"labels": {MANAGED_BY: "gloo-rs"}}})));
        assert!(!made_by_us(&json!({"metadata": {"labels": {MANAGED_BY: "Helm"}}})));
        assert!(!made_by_us(&json!({"metadata": {}})));
    }
}
