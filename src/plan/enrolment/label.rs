//! The two labels that bind a namespace to an istiod, and the one of the ambient mesh. Only one of them is set.
//!
//! If both are set, `istio-injection` decides: the webhooks for `istio.io/rev` ignore such a namespace.

use serde_json::json;

use super::Goal;
use crate::command::gloo_rs;
use crate::edit::Edit;
use crate::error::Reason;
use crate::model::{FieldPath, Object};
use crate::plan::istiod::{DEFAULT, REVISION_LABEL};
use crate::plan::outcome::{Decision, Objection};
use crate::plan::pod::{DATAPLANE_MODE, requests_ambient};
use crate::plan::revisions::{INJECTION_LABEL, bond};

/// Returns the change of the namespace's labels.
pub(crate) fn decide(namespace: &Object, goal: &Goal) -> Decision {
    match goal {
        Goal::Bound(target) => bind(namespace, &target.names),
        Goal::Ambient => capture(namespace),
        Goal::Free => release(namespace),
    }
}

/// Puts the namespace into the ambient mesh. A label that binds it to an istiod must be removed first, with the sidecars.
pub(crate) fn capture(namespace: &Object) -> Decision {
    if let Some((label, _)) = bond(&namespace.value) {
        let why = format!("is enrolled with sidecars ({label}), which take precedence over ztunnel");
        let unenroll = gloo_rs("istio unenroll").value(&namespace.reference.name);
        let hint = unenroll.then(" removes the label and the sidecars first");
        return Decision::Refuse(Objection::new(Reason::NotInjected, why).hint(hint));
    }
    let had = namespace.label(DATAPLANE_MODE);
    if requests_ambient(&namespace.value) {
        return Decision::Unchanged { message: format!("already enrolled ({DATAPLANE_MODE}=ambient)") };
    }
    let was = had.map(|had| format!(", was {DATAPLANE_MODE}={had}")).unwrap_or_default();
    Decision::Change {
        edits: vec![Edit::set(path(DATAPLANE_MODE), json!("ambient"))],
        message: format!("enrolled ({DATAPLANE_MODE}=ambient{was})"),
    }
}

/// Binds the namespace to a revision or a tag. `default` means `istio-injection=enabled`.
pub(crate) fn bind(namespace: &Object, names: &str) -> Decision {
    let other = (namespace.label(INJECTION_LABEL), namespace.label(REVISION_LABEL));
    let bond = bond(&namespace.value);
    if let Some((label, bound)) = &bond
        && *bound == names
        && !matches!(other, (Some(_), Some(_)))
    {
        return Decision::Unchanged { message: format!("already enrolled ({label})") };
    }
    let (key, value, conflicting) = match names {
        DEFAULT => (INJECTION_LABEL, "enabled", REVISION_LABEL),
        names => (REVISION_LABEL, names, INJECTION_LABEL),
    };
    let mut edits = Vec::new();
    edits.extend(namespace.label(conflicting).map(|_| Edit::remove(path(conflicting))));
    edits.push(Edit::set(path(key), json!(value)));
    let had =
        [INJECTION_LABEL, REVISION_LABEL].into_iter().filter_map(|key| namespace.label(key).map(|had| (key, had)));
    let had: Vec<_> = had.filter(|had| *had != (key, value)).map(|(key, had)| format!("{key}={had}")).collect();
    let was = if had.is_empty() { String::new() } else { format!(", was {}", had.join(" and ")) };
    Decision::Change { edits, message: format!("enrolled ({key}={value}{was})") }
}

/// Removes the labels that bind the namespace, or put it into the ambient mesh.
pub(crate) fn release(namespace: &Object) -> Decision {
    let binding: &[&str] = if bond(&namespace.value).is_some() { &[INJECTION_LABEL, REVISION_LABEL] } else { &[] };
    let ambient = requests_ambient(&namespace.value).then_some(DATAPLANE_MODE);
    let there: Vec<_> = binding.iter().copied().chain(ambient).filter(|key| namespace.label(key).is_some()).collect();
    if there.is_empty() {
        return Decision::Unchanged { message: "not enrolled".to_owned() };
    }
    let said: Vec<_> = there.iter().map(|key| format!("{key}={}", namespace.label(key).unwrap_or_default())).collect();
    Decision::Change {
        edits: there.into_iter().map(|key| Edit::remove(path(key))).collect(),
        message: format!("unenrolled ({} removed)", said.join(" and ")),
    }
}

fn path(label: &str) -> FieldPath {
    FieldPath::keys(&["metadata", "labels", label])
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::edit::json;
    use crate::model::kinds::NAMESPACE;

    fn namespace(labels: &Value) -> Object {
        Object::new(&NAMESPACE, serde_json::json!({"metadata": {"name": "shop", "labels": labels}}))
    }

    /// Returns the labels afterwards and the message. The labels are `None` if nothing changes.
    fn after(labels: &Value, decide: impl Fn(&Object) -> Decision) -> (Option<Value>, String) {
        let object = namespace(labels);
        match decide(&object) {
            Decision::Change { edits, message } => {
                (Some(json::apply(&object.value, &edits).unwrap()["metadata"]["labels"].clone()), message)
            }
            Decision::Unchanged { message } => (None, message),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_label_binds_and_the_other_of_the_pair_goes() {
        let rev = |name: &str| json!({"istio.io/rev": name});
        let injected = || json!({"istio-injection": "enabled"});
        let both = || json!({"istio-injection": "enabled", "istio.io/rev": "1-28"});
        let off = || json!({"istio-injection": "disabled"});
        let table = [
            (json!({}), "1-28", Some(rev("1-28")), "enrolled (istio.io/rev=1-28)"),
            (json!({}), "default", Some(injected()), "enrolled (istio-injection=enabled)"),
            (rev("1-27"), "1-28", Some(rev("1-28")), "enrolled (istio.io/rev=1-28, was istio.io/rev=1-27)"),
            (injected(), "1-28", Some(rev("1-28")), "enrolled (istio.io/rev=1-28, was istio-injection=enabled)"),
            (rev("1-27"), "default", Some(injected()), "enrolled (istio-injection=enabled, was istio.io/rev=1-27)"),
            (off(), "1-28", Some(rev("1-28")), "enrolled (istio.io/rev=1-28, was istio-injection=disabled)"),
            (both(), "default", Some(injected()), "enrolled (istio-injection=enabled, was istio.io/rev=1-28)"),
            (both(), "1-28", Some(rev("1-28")), "enrolled (istio.io/rev=1-28, was istio-injection=enabled)"),
            (rev("1-28"), "1-28", None, "already enrolled (istio.io/rev=1-28)"),
            (rev("default"), "default", None, "already enrolled (istio.io/rev=default)"),
            (injected(), "default", None, "already enrolled (istio-injection=enabled)"),
        ];
        for (labels, names, wanted, said) in table {
            assert_eq!(after(&labels, |object| bind(object, names)), (wanted, said.to_owned()), "{labels} {names}");
        }
    }

    #[test]
    fn the_label_of_the_ambient_mesh_stands_beside_no_label_that_binds() {
        let ambient = || json!({"istio.io/dataplane-mode": "ambient"});
        let table = [
            (json!({}), Some(ambient()), "enrolled (istio.io/dataplane-mode=ambient)"),
            (
                json!({"istio.io/dataplane-mode": "none"}),
                Some(ambient()),
                "enrolled (istio.io/dataplane-mode=ambient, was istio.io/dataplane-mode=none)",
            ),
            (ambient(), None, "already enrolled (istio.io/dataplane-mode=ambient)"),
        ];
        for (labels, wanted, said) in table {
            assert_eq!(after(&labels, capture), (wanted, said.to_owned()), "{labels}");
        }
        for labels in [
            json!({"istio-injection": "enabled"}),
            json!({"istio.io/rev": "1-28"}),
            json!({"istio.io/rev": "1-28", "istio.io/dataplane-mode": "ambient"}),
        ] {
            let Decision::Refuse(why) = capture(&namespace(&labels)) else { panic!("{labels}") };
            let hint = why.hint.map(|hint| hint.to_string()).unwrap_or_default();
            assert!(hint.starts_with("gloo-rs istio unenroll shop"), "{hint}");
        }
        let off = json!({"istio-injection": "disabled"});
        assert!(matches!(capture(&namespace(&off)), Decision::Change { .. }));
    }

    #[test]
    fn what_binds_is_taken_away_and_an_opt_out_is_left() {
        let table = [
            (json!({"a": "b", "istio.io/rev": "x"}), Some(json!({"a": "b"})), "unenrolled (istio.io/rev=x removed)"),
            (
                json!({"istio-injection": "enabled", "istio.io/rev": "x"}),
                Some(json!({})),
                "unenrolled (istio-injection=enabled and istio.io/rev=x removed)",
            ),
            (json!({"istio-injection": "disabled"}), None, "not enrolled"),
            (
                json!({"istio-injection": "disabled", "istio.io/dataplane-mode": "ambient"}),
                Some(json!({"istio-injection": "disabled"})),
                "unenrolled (istio.io/dataplane-mode=ambient removed)",
            ),
            (
                json!({"istio.io/rev": "x", "istio.io/dataplane-mode": "ambient"}),
                Some(json!({})),
                "unenrolled (istio.io/rev=x and istio.io/dataplane-mode=ambient removed)",
            ),
            (json!({"istio.io/dataplane-mode": "none"}), None, "not enrolled"),
            (json!({}), None, "not enrolled"),
        ];
        for (labels, wanted, said) in table {
            assert_eq!(after(&labels, release), (wanted, said.to_owned()), "{labels}");
        }
    }

    #[test]
    fn other_labels_stay_as_they_are() {
        let (labels, _) = after(&json!({"z": "1", "istio-injection": "enabled", "a": "2"}), |it| bind(it, "1-28"));
        assert_eq!(labels.unwrap().to_string(), r#"{"z":"1","a":"2","istio.io/rev":"1-28"}"#);
    }
}
