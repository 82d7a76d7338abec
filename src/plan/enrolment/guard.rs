//! Namespaces that must not be enrolled in the mesh.

use crate::command::{flag, gloo_rs};
use crate::error::Reason;
use crate::model::Object;
use crate::plan::outcome::Objection;
use crate::plan::pod::requests_ambient;

/// Namespaces that Istio's injector ignores, whatever their labels are.
const NEVER_INJECTED: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

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

/// Returns why this namespace is not enrolled with sidecars, if so. A namespace that leaves the mesh is never refused.
pub(crate) fn against(namespace: &Object, installed: Installed<'_>, gloo: GlooNamespace) -> Option<Objection> {
    let name = namespace.reference.name.as_str();
    if let Some(why) = of_system(namespace, installed.istiods) {
        return Some(why);
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
    if requests_ambient(&namespace.value) {
        let why = Objection::new(Reason::NotInjected, "is in ambient mode: its pods are in the mesh without sidecars");
        let unenroll = gloo_rs("istio unenroll").value(name);
        return Some(why.hint(unenroll.then(" takes it out of that first")));
    }
    is_leaving(namespace)
}

/// Returns why this namespace is not put into the ambient mesh, if so. Gloo's own may be: its Jobs get no sidecar.
pub(crate) fn against_ambient(namespace: &Object, istiods: &[String]) -> Option<Objection> {
    of_system(namespace, istiods).or_else(|| is_leaving(namespace))
}

fn of_system(namespace: &Object, istiods: &[String]) -> Option<Objection> {
    let name = namespace.reference.name.as_str();
    let refuse = |message: &str| Some(Objection::new(Reason::SystemNamespace, message));
    if NEVER_INJECTED.contains(&name) {
        return refuse("belongs to Kubernetes: Istio injects nothing there, so a label would have no effect");
    }
    let is_istiods = istiods.iter().any(|istiod| istiod == name);
    if is_istiods { refuse("belongs to istiod: istiod would have to run before it could start") } else { None }
}

fn is_leaving(namespace: &Object) -> Option<Objection> {
    let is_leaving = namespace.value["status"]["phase"] == "Terminating";
    is_leaving.then(|| Objection::new(Reason::NotFound, "is being deleted"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::kinds::NAMESPACE;
    use crate::plan::pod::DATAPLANE_MODE;

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
    fn the_ambient_mesh_may_have_gloos_namespace_but_none_of_the_system() {
        let istiods = ["mesh".to_owned()];
        let of = |name: &str, phase: &str| {
            let namespace = json!({"metadata": {"name": name}, "status": {"phase": phase}});
            against_ambient(&Object::new(&NAMESPACE, namespace), &istiods).map(|why| why.reason)
        };
        assert_eq!(of("edge", "Active"), None);
        for name in ["kube-system", "mesh"] {
            assert_eq!(of(name, "Active"), Some(Reason::SystemNamespace));
        }
        assert_eq!(of("shop", "Terminating"), Some(Reason::NotFound));
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
