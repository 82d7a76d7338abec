//! glooctl's commands that are not here, and the words that do the same.

use clap::error::{ContextKind, ContextValue};

use crate::error::Failure;

/// Each with its aliases, and what to type instead.
const COMMANDS: [(&[&str], &str); 16] = [
    (&["get", "g"], "kubectl get upstreams,virtualservices,gateways,proxies -n gloo-system"),
    (&["add", "route"], "kubectl edit virtualservice NAME -n gloo-system"),
    (&["create", "c"], "kubectl apply -f FILE"),
    (&["delete", "d", "remove"], "kubectl delete upstream NAME -n gloo-system"),
    (&["edit", "ed"], "kubectl edit upstream NAME -n gloo-system"),
    (&["install"], "helm install gloo gloo --repo https://storage.googleapis.com/solo-public-helm -n gloo-system"),
    (&["uninstall"], "helm uninstall gloo -n gloo-system"),
    (&["upgrade", "ug"], "use your package manager to upgrade gloo-rs, and helm upgrade to upgrade Gloo"),
    (&["check-crds"], "helm template --include-crds | kubectl diff -f -"),
    (&["debug"], "kubectl logs deployment/gloo -n gloo-system; kubectl get upstreams,virtualservices -A -o yaml"),
    (&["dashboard", "ui"], "kubectl port-forward -n gloo-system deployment/gloo-fed-console 8090"),
    (&["cluster", "demo"], "kubectl config get-contexts"),
    (&["gateway-api"], "kubectl get gateways,httproutes -A"),
    (&["license"], "kubectl get secret license -n gloo-system"),
    (&["plugin", "init-plugin-manager"], "put an executable on PATH and run it"),
    (&["usage"], "kubectl get upstreams,virtualservices -A"),
];

/// What to say of a word that only glooctl has.
pub(super) fn failure_for(error: &clap::Error) -> Option<Failure> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else { return None };
    let (_, instead) = COMMANDS.iter().find(|(words, _)| words.contains(&word.as_str()))?;
    Some(Failure::usage(format!("{word:?} is a command of glooctl that gloo-rs does not have")).hint(*instead))
}
