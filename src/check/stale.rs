//! Finds pods that differ from what their namespace's label would give a new pod, and control planes that could inject
//! none.

use crate::command::kubectl;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::app_istiods::{self, Users};
use super::{Check, Finding, Look, codes};
use crate::model::{ObjectRef, kinds};
use crate::plan::istiod::Istiod;
use crate::plan::pod::{is_meshed, is_running};
use crate::plan::revisions::{Binding, RevisionTally, bindings, injected_by, opts_out};

pub(super) const CHECK: Check = Check {
    title: "injected pods",
    word: "revisions",
    codes: &[&codes::STALE_PODS, &codes::APP_ISTIOD_NOT_READY],
    kinds: &[
        &kinds::POD,
        &kinds::NAMESPACE,
        &kinds::DEPLOYMENT,
        &kinds::SERVICE,
        &kinds::CONFIG_MAP,
        &kinds::MUTATING_WEBHOOK,
    ],
    beyond: &[],
    run,
};

fn run(look: &Look<'_>) -> Vec<Finding> {
    let istiods = look.istiods();
    let namespaces: Vec<_> = look
        .all(&kinds::NAMESPACE)
        .iter()
        .filter(|namespace| look.is_watched(&namespace.reference.name))
        .map(|namespace| namespace.value.clone())
        .collect();
    let bound = bindings(istiods, &namespaces);
    let all_seen = look.world.snapshot.unknown(&kinds::NAMESPACE).is_none()
        && look.world.snapshot.unknown(&kinds::DEPLOYMENT).is_none();
    let mut tally = RevisionTally::new(istiods, &bound);
    let mut without: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    let mut injected = BTreeSet::new();
    let by_name: BTreeMap<&str, &Binding> = bound.iter().map(|it| (it.namespace.as_str(), it)).collect();
    for pod in look.watched(&kinds::POD).into_iter().filter(|pod| is_running(&pod.value)) {
        tally.pod(&pod.value);
        injected.extend(injected_by(&pod.value).map(|revision| (revision, pod.reference.namespace.clone())));
        let namespace = pod.reference.namespace.as_str();
        if by_name.get(namespace).is_some_and(|binding| binding.revision.is_some()) && lacks_sidecar(&pod.value) {
            without.entry(namespace).or_default().push(format!("pod {}", pod.reference.name));
        }
    }
    if !all_seen {
        return Vec::new();
    }
    let mut found: Vec<Finding> = tally
        .stale()
        .map(|(namespace, runs_on, wanted, pods)| {
            let (are, them) = if pods == 1 { ("pod runs", "its") } else { ("pods run", "their") };
            let message = format!("{pods} {are} on {runs_on}, {them} namespace is bound to {wanted}");
            finding(istiods, namespace, Some(wanted), message)
        })
        .collect();
    found.extend(without.into_iter().map(|(namespace, pods)| {
        let (are, label) = (if pods.len() == 1 { "pod runs" } else { "pods run" }, &by_name[namespace].label);
        let message = format!("{} {are} without a sidecar in a namespace labelled {label}", pods.len());
        finding(istiods, namespace, by_name[namespace].revision.as_deref(), message).details(pods)
    }));
    found.extend(app_istiods::find(istiods, &Users::of(&bound, &injected)));
    found
}

/// The finding about a namespace. Its cause is the istiod to which it is bound: after a tag moved, this is one problem
/// for all its namespaces.
fn finding(istiods: &[Istiod], namespace: &str, wanted: Option<&str>, message: String) -> Finding {
    let finding = Finding::new(&codes::STALE_PODS, &ObjectRef::new(&kinds::NAMESPACE, "", namespace), message);
    match istiods.iter().find(|istiod| Some(istiod.revision.as_str()) == wanted) {
        Some(istiod) => finding.decided_by(app_istiods::reference(istiod)).hint(istiod.restarts(namespace)),
        None => finding.hint(kubectl("rollout restart deployments").with("-n", namespace)),
    }
}

/// Whether the injector was not active when the pod was created: it has no sidecar, and nothing opts it out. Pods of
/// `DaemonSets`, which may use the host network, and of Jobs, which end, do not count.
fn lacks_sidecar(pod: &Value) -> bool {
    let metadata = &pod["metadata"];
    let owners = metadata["ownerReferences"].as_array().into_iter().flatten();
    let is_usual = owners.into_iter().any(|owner| owner["kind"] == "ReplicaSet" || owner["kind"] == "StatefulSet");
    let was_injected = !metadata["annotations"]["sidecar.istio.io/status"].is_null();
    is_usual && !opts_out(metadata) && !was_injected && !is_meshed(pod)
}
