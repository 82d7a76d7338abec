//! Finds pods that opted out of injection although a STRICT policy applies to them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Finding, Look, codes};
use crate::model::names::KUBE_GATEWAY_LABEL;
use crate::model::{ObjectRef, kinds};
use crate::plan::peer::{Mode, Policies};
use crate::plan::pod::{is_running, obeys_policies, shown};
use crate::plan::revisions::{bond, opts_out};

/// One finding for each namespace that gets sidecars and has such pods. Gloo's own gateways get theirs otherwise.
pub(super) fn find(look: &Look<'_>) -> Vec<Finding> {
    let bound = look.all(&kinds::NAMESPACE).iter().filter(|namespace| bond(&namespace.value).is_some());
    let bound: BTreeSet<&str> = bound.map(|namespace| namespace.reference.name.as_str()).collect();
    let all: Vec<Value> = look.all(&kinds::PEER_AUTHENTICATION).iter().map(|policy| policy.value.clone()).collect();
    let policies = Policies { all: &all, root_namespace: look.root_namespace() };
    let mut without: BTreeMap<&str, Vec<&String>> = BTreeMap::new();
    for pod in look.watched(&kinds::POD) {
        let ObjectRef { namespace, name, .. } = &pod.reference;
        let metadata = &pod.value["metadata"];
        let is_bare = bound.contains(namespace.as_str())
            && *namespace != look.gloo()
            && is_running(&pod.value)
            && opts_out(metadata)
            && !obeys_policies(&pod.value)
            && !is_of_job(metadata)
            && metadata["labels"][KUBE_GATEWAY_LABEL].is_null();
        let is_strict = || policies.of_workload(namespace, &metadata["labels"], None).mode == Mode::Strict;
        if is_bare && is_strict() {
            without.entry(namespace).or_default().push(name);
        }
    }
    let found = without.into_iter().map(|(namespace, pods)| {
        let message = match pods.len() {
            number if pods.iter().any(|name| name.contains('/')) => {
                let plural = if number == 1 { "" } else { "s" };
                format!("pods of {number} workload{plural} opt out of injection, so they take plaintext under STRICT")
            }
            1 => "1 pod opted out of injection, so it takes plaintext under STRICT".to_owned(),
            number => format!("{number} pods opted out of injection, so they take plaintext under STRICT"),
        };
        Finding::new(&codes::OPTED_OUT_UNDER_STRICT, &ObjectRef::new(&kinds::NAMESPACE, "", namespace), message)
            .details(pods.into_iter().map(|name| shown("", name)))
            .hint("remove sidecar.istio.io/inject: \"false\" from the pod templates, and restart the workloads")
    });
    found.collect()
}

/// The pods of a Job end by themselves, so that they often opt out.
fn is_of_job(metadata: &Value) -> bool {
    metadata["ownerReferences"].as_array().into_iter().flatten().any(|owner| owner["kind"] == "Job")
}
