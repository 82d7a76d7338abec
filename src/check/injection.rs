//! Checks the labels that bind namespaces to a control plane.

use super::{Check, Finding, Look, codes, prevented};
use crate::command::gloo_rs;
use crate::command::kubectl;
use crate::model::{Object, ObjectRef, kinds};
use crate::plan::istiod::{DEFAULT, REVISION_LABEL, TAG_LABEL};
use crate::plan::revisions::bindings;

pub(super) const CHECK: Check = Check {
    title: "injection labels",
    word: "injection",
    codes: &[&codes::TWO_LABELS, &codes::DEAD_LABEL, &codes::PODS_PREVENTED],
    kinds: &[
        &kinds::NAMESPACE,
        &kinds::DEPLOYMENT,
        &kinds::REPLICA_SET,
        &kinds::SERVICE,
        &kinds::CONFIG_MAP,
        &kinds::MUTATING_WEBHOOK,
    ],
    beyond: prevented::RIGHTS,
    run,
};

const INJECTION: &str = "istio-injection";

fn run(look: &Look<'_>) -> Vec<Finding> {
    let mut namespaces: Vec<&Object> = look.all(&kinds::NAMESPACE).iter().collect();
    namespaces.retain(|namespace| look.is_watched(&namespace.reference.name));
    let mut found: Vec<_> = namespaces.iter().filter_map(|namespace| two_labels(namespace)).collect();
    let istiods = look.istiods();
    let values: Vec<_> = namespaces.iter().map(|namespace| namespace.value.clone()).collect();
    let bindings = bindings(istiods, &values);
    found.extend(prevented::find(look, &bindings));
    let all_seen =
        [&kinds::DEPLOYMENT, &kinds::MUTATING_WEBHOOK].iter().all(|kind| look.world.snapshot.unknown(kind).is_none());
    if !all_seen {
        return found;
    }
    let dead = bindings.into_iter().filter(|it| it.revision.is_none() && !has_webhook(look, &it.names));
    found.extend(dead.filter_map(|it| {
        let namespace = namespaces.iter().find(|namespace| namespace.reference.name == it.namespace)?;
        let message = format!("labelled {}, which no istiod has: new pods get no sidecar", it.label);
        let finding = Finding::new(&codes::DEAD_LABEL, &namespace.reference, message);
        Some(finding.decided_by(absent_istiod(look, &it.names)).hint(gloo_rs("istio revisions")))
    }));
    found
}

/// The istiod that a label names, as Istio's chart would name it. Namespaces with the same label have one problem.
fn absent_istiod(look: &Look<'_>, names: &str) -> ObjectRef {
    let name = if names == DEFAULT { "istiod".to_owned() } else { format!("istiod-{names}") };
    ObjectRef::new(&kinds::DEPLOYMENT, look.root_namespace(), name)
}

fn two_labels(namespace: &Object) -> Option<Finding> {
    let (injection, revision) = (namespace.label(INJECTION)?, namespace.label(REVISION_LABEL)?);
    let name = &namespace.reference.name;
    let message = format!("istio-injection={injection} takes effect, istio.io/rev={revision} does not");
    Some(
        Finding::new(&codes::TWO_LABELS, &namespace.reference, message)
            .hint(kubectl("label namespace").value(name).fixed("istio-injection-")),
    )
}

/// Whether a webhook of this name exists, with which a control plane in another cluster injects.
fn has_webhook(look: &Look<'_>, names: &str) -> bool {
    look.all(&kinds::MUTATING_WEBHOOK).iter().any(|webhook| {
        let is_own = webhook.label(TAG_LABEL).is_none() && webhook.label(REVISION_LABEL) == Some(names);
        is_own
            || webhook.label(TAG_LABEL) == Some(names)
            || (names == DEFAULT && webhook.label(REVISION_LABEL) == Some(""))
    })
}
