//! Namespaces that must not be enrolled in the mesh.

use serde_json::Value;

use crate::command::{flag, gloo_rs, kubectl};
use crate::error::Reason;
use crate::model::Object;
use crate::plan::outcome::Objection;

/// Namespaces that Istio's injector ignores, whatever their labels are.
const NEVER_INJECTED: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// The label of ambient mode, on a namespace or a pod.
pub(crate) const DATAPLANE_MODE: &str = "istio.io/dataplane-mode";

/// Whether Gloo's own namespace may be enrolled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GlooNamespace {
    Refused,
    /// `--include-gloo-namespace`
    Included,
}

/// The namespaces of Gloo and of the istiods.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Installed<'i> {
    pub gloo: &'i str,
    pub istiods: &'i [String],
}

/// Returns why this namespace is not enrolled, if so. A namespace that leaves the mesh is never refused.
pub(crate) fn against(namespace: &Object, installed: Installed<'_>, gloo: GlooNamespace) -> Option<Objection> {
    let name = namespace.reference.name.as_str();
    let refuse = |message: String| Some(Objection::new(Reason::SystemNamespace, message));
    if NEVER_INJECTED.contains(&name) {
        return refuse(
            "belongs to Kubernetes: Istio injects nothing there, so a label would have no effect".to_owned(),
        );
    }
    if installed.istiods.iter().any(|istiod| istiod == name) {
        return refuse("belongs to istiod: istiod would have to run before it could start".to_owned());
    }
    if name == installed.gloo && gloo == GlooNamespace::Refused {
        let why = Objection::new(
            Reason::SystemNamespace,
            "belongs to Gloo: the hook Jobs of its chart would get a sidecar and never end",
        );
        return Some(
            why.hint(
                gloo_rs("istio inject")
                    .of_installation(name)
                    .then(" puts only the gateway into the mesh")
                    .or_else("; ", flag("--include-gloo-namespace").text(" enrolls it")),
            ),
        );
    }
    if is_ambient(&namespace.value) {
        let why = Objection::new(Reason::NotInjected, "is in ambient mode: its pods are in the mesh without sidecars");
        let unlabel = kubectl("label namespace").value(name).value(format!("{DATAPLANE_MODE}-"));
        return Some(why.hint(unlabel.then(" takes it out of that first")));
    }
    let is_leaving = namespace.value["status"]["phase"] == "Terminating";
    is_leaving.then(|| Objection::new(Reason::NotFound, "is being deleted"))
}

/// Returns whether the pods are in the mesh in ambient mode, that is without sidecars.
pub(crate) fn is_ambient(value: &Value) -> bool {
    value["metadata"]["labels"][DATAPLANE_MODE] == "ambient"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::kinds::NAMESPACE;

    fn against(name: &str, more: &Value, gloo: GlooNamespace) -> Option<Objection> {
        let mut value = json!({"metadata": {"name": name}});
        value.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let istiods = ["istio-system".to_owned(), "mesh".to_owned()];
        super::against(&Object::new(&NAMESPACE, value), Installed { gloo: "edge", istiods: &istiods }, gloo)
    }

    #[test]
    fn what_must_stay_out_is_refused_and_only_gloos_own_can_be_included() {
        for (name, forced) in [("kube-system", true), ("mesh", true), ("istio-system", true), ("edge", false)] {
            assert!(against(name, &json!({}), GlooNamespace::Refused).is_some(), "{name}");
            assert_eq!(against(name, &json!({}), GlooNamespace::Included).is_some(), forced, "{name}");
        }
        assert_eq!(against("shop", &json!({}), GlooNamespace::Refused), None);
    }

    #[test]
    fn a_namespace_in_ambient_mode_or_on_its_way_out_is_refused() {
        let ambient = json!({"metadata": {"name": "shop", "labels": {DATAPLANE_MODE: "ambient"}}});
        let none = json!({"metadata": {"name": "shop", "labels": {DATAPLANE_MODE: "none"}}});
        let leaving = json!({"status": {"phase": "Terminating"}});
        let reason = |more: &Value| against("shop", more, GlooNamespace::Included).map(|why| why.reason);
        assert_eq!(reason(&ambient), Some(Reason::NotInjected));
        assert_eq!(reason(&none), None);
        assert_eq!(reason(&leaving), Some(Reason::NotFound));
    }
}
