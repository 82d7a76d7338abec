//! Finds `PeerAuthentications` that Istio ignores, because an older one selects the same pods, and those that have no
//! effect for other reasons.

use crate::command::kubectl;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Check, Finding, Look, codes, opted_out, port_modes};
use crate::model::{Object, ObjectRef, kinds};
use crate::plan::peer::ignored::{IgnoredPart, ignored};
use crate::plan::peer::{Policies, PolicyRef, selector};

pub(super) const CHECK: Check = Check {
    title: "PeerAuthentications",
    word: "peer-authentications",
    codes: &[
        &codes::SHADOWED_POLICY,
        &codes::OPTED_OUT_UNDER_STRICT,
        &codes::PORT_OF_SERVICE,
        &codes::IGNORED_PART,
        &codes::INVALID_MODE,
    ],
    kinds: &[
        &kinds::PEER_AUTHENTICATION,
        &kinds::POD,
        &kinds::NAMESPACE,
        &kinds::DEPLOYMENT,
        &kinds::SERVICE,
        &kinds::ENDPOINT_SLICE,
        &kinds::CONFIG_MAP,
        &kinds::MUTATING_WEBHOOK,
    ],
    beyond: &[],
    run,
};

fn run(look: &Look<'_>) -> Vec<Finding> {
    let root = look.root_namespace();
    let mut by_namespace: BTreeMap<&str, Vec<&Object>> = BTreeMap::new();
    for policy in look.all(&kinds::PEER_AUTHENTICATION) {
        let namespace = policy.reference.namespace.as_str();
        if namespace == root || look.is_watched(namespace) {
            by_namespace.entry(namespace).or_default().push(policy);
        }
    }
    let parts = by_namespace.values().flatten().flat_map(|policy| ignored_parts(policy, root)).collect::<Vec<_>>();
    let mut pairs = BTreeSet::new();
    for (namespace, policies) in by_namespace.into_iter().filter(|(_, policies)| policies.len() > 1) {
        let values: Vec<Value> = policies.iter().map(|policy| policy.value.clone()).collect();
        let policies = Policies { all: &values, root_namespace: root };
        pairs.extend(shadowed(&policies.without_selector(namespace)));
        for own in values.iter().filter(|policy| !selector(policy).is_empty()) {
            // Pods with exactly the labels of the selector, whether they exist or not.
            pairs.extend(shadowed(&policies.with_selector(namespace, &own["spec"]["selector"]["matchLabels"])));
        }
        for pod in look.in_namespace(&kinds::POD, namespace) {
            pairs.extend(shadowed(&policies.with_selector(namespace, &pod.value["metadata"]["labels"])));
        }
    }
    let mut found: Vec<_> = pairs.into_iter().map(|(namespace, name, by)| finding(&namespace, &name, &by)).collect();
    found.extend(parts);
    found.extend(opted_out::find(look));
    found.extend(port_modes::find(look));
    found
}

/// At most one finding of each code: what Istio ignores, and what no API server stores.
fn ignored_parts(policy: &Object, root: &str) -> Vec<Finding> {
    let (refused, ignored): (Vec<_>, Vec<_>) =
        ignored(&policy.value, root).into_iter().partition(|part| part.why.is_refused());
    let ObjectRef { namespace, name, .. } = &policy.reference;
    let edit = kubectl("edit peerauthentication").value(name).with("-n", namespace);
    let finding = |code, parts: Vec<IgnoredPart>| {
        let (first, others) = parts.split_first()?;
        let message = format!("{} has no effect: {}", first.field, first.why);
        let details = others.iter().map(|part| format!("{}: {}", part.field, part.why));
        Some(Finding::new(code, &policy.reference, message).details(details))
    };
    let ignored = finding(&codes::IGNORED_PART, ignored).map(|finding| finding.hint(edit));
    ignored.into_iter().chain(finding(&codes::INVALID_MODE, refused)).collect()
}

/// The policies that are ignored, each with the effective one.
fn shadowed(oldest_first: &[&Value]) -> Vec<(String, String, String)> {
    let Some((first, rest)) = oldest_first.split_first() else { return Vec::new() };
    let by = PolicyRef::parse(first);
    rest.iter().map(|policy| PolicyRef::parse(policy)).map(|it| (it.namespace, it.name, by.name.clone())).collect()
}

fn finding(namespace: &str, name: &str, by: &str) -> Finding {
    let policy = ObjectRef::new(&kinds::PEER_AUTHENTICATION, namespace, name);
    let message = format!("has no effect for pods that the older policy {by} also selects");
    Finding::new(&codes::SHADOWED_POLICY, &policy, message)
        .decided_by(ObjectRef::new(&kinds::PEER_AUTHENTICATION, namespace, by))
        .hint(kubectl("get peerauthentication -n").value(namespace).value(by).value(name).fixed("-o yaml"))
}
