//! The owner of an object: another tool that writes it. It is read from labels, annotations and field managers.

use serde_json::Value;

/// A tool that renders or syncs the object and may undo a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    ArgoCd { application: String },
    Flux { kind: &'static str, name: String },
    Helm { release: String, namespace: String },
    Discovery,
}

/// Returns the owner of an object. A tool that syncs comes before one that renders.
pub(crate) fn find(object: &Value) -> Option<Owner> {
    let metadata = &object["metadata"];
    let label = |key: &str| metadata["labels"][key].as_str();
    let annotation = |key: &str| metadata["annotations"][key].as_str();
    // argocd.argoproj.io/tracking-id is `<application>:<group>/<kind>:<namespace>/<name>`.
    let argo = annotation("argocd.argoproj.io/tracking-id")
        .and_then(|id| id.split(':').next())
        .or_else(|| label("argocd.argoproj.io/instance"));
    if let Some(application) = argo {
        return Some(Owner::ArgoCd { application: application.to_owned() });
    }
    if is_managed_by(metadata, "argocd-") {
        // This is Argo CD's tracking label by default. Helm charts set it too, so the field manager decides.
        let application = label("app.kubernetes.io/instance").unwrap_or(UNNAMED);
        return Some(Owner::ArgoCd { application: application.to_owned() });
    }
    let flux = [("kustomize.toolkit.fluxcd.io/name", "Kustomization"), ("helm.toolkit.fluxcd.io/name", "HelmRelease")];
    if let Some((name, kind)) = flux.iter().find_map(|(key, kind)| Some((label(key)?, *kind))) {
        return Some(Owner::Flux { kind, name: name.to_owned() });
    }
    if is_managed_by(metadata, "kustomize-controller") {
        return Some(Owner::Flux { kind: "Kustomization", name: UNNAMED.to_owned() });
    }
    if label("app.kubernetes.io/managed-by") == Some("Helm") {
        let text = |key: &str| annotation(key).unwrap_or("unknown").to_owned();
        return Some(Owner::Helm {
            release: text("meta.helm.sh/release-name"),
            namespace: text("meta.helm.sh/release-namespace"),
        });
    }
    label("discovered_by").map(|_| Owner::Discovery)
}

/// The text for a name that the object does not contain.
pub(crate) const UNNAMED: &str = "(unnamed)";

fn is_managed_by(metadata: &Value, prefix: &str) -> bool {
    metadata["managedFields"].as_array().into_iter().flatten().any(|entry| {
        entry["manager"].as_str().is_some_and(|manager| manager.starts_with(prefix)) && entry["subresource"].is_null()
    })
}

impl std::fmt::Display for Owner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::ArgoCd { application } => write!(f, "Argo CD application {application}"),
            Self::Flux { kind, name } => write!(f, "Flux {kind} {name}"),
            Self::Helm { release, namespace } => write!(f, "Helm release {namespace}/{release}"),
            Self::Discovery => f.write_str("Gloo's discovery"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn owners_are_told_by_the_marks_they_leave() {
        let table = [
            (json!({"labels": {"app": "x"}}), None),
            (
                json!({"annotations": {"argocd.argoproj.io/tracking-id": "edge:gloo.solo.io/Upstream:gloo-system/a"},
                       "labels": {"app.kubernetes.io/managed-by": "Helm"}}),
                Some("Argo CD application edge"),
            ),
            (json!({"labels": {"kustomize.toolkit.fluxcd.io/name": "apps"}}), Some("Flux Kustomization apps")),
            (
                json!({"labels": {"app.kubernetes.io/managed-by": "Helm"},
                       "annotations": {"meta.helm.sh/release-name": "g", "meta.helm.sh/release-namespace": "n"}}),
                Some("Helm release n/g"),
            ),
            (
                json!({"labels": {"app.kubernetes.io/instance": "edge"},
                       "managedFields": [{"manager": "argocd-controller"}]}),
                Some("Argo CD application edge"),
            ),
            (json!({"labels": {"app.kubernetes.io/instance": "edge"}}), None),
            (
                json!({"managedFields": [{"manager": "gloo"}, {"manager": "kustomize-controller"}]}),
                Some("Flux Kustomization (unnamed)"),
            ),
            (json!({"managedFields": [{"manager": "argocd-controller", "subresource": "status"}]}), None),
            (json!({"labels": {"discovered_by": "kubernetesplugin"}}), Some("Gloo's discovery")),
        ];
        for (metadata, wanted) in table {
            let owner = find(&json!({"metadata": metadata})).map(|owner| owner.to_string());
            assert_eq!(owner.as_deref(), wanted);
        }
    }
}
