//! Finds namespaces whose pods are not created, because the injector's webhook fails.

use std::collections::BTreeMap;

use super::{Access, Finding, Look, app_istiods, codes};
use crate::command::kubectl;
use crate::model::{Object, ObjectRef, kinds};
use crate::plan::istiod::Istiod;
use crate::plan::revisions::Binding;
use crate::plan::rollout::refusals;

/// Events name the `ReplicaSet`s in question.
pub(super) const RIGHTS: &[Access] =
    &[Access { verb: "list", resource: "events" }, Access { verb: "get", resource: "replicasets.apps" }];

/// One finding for each namespace. `bindings` tell which istiod injects there.
pub(super) fn find(look: &Look<'_>, bindings: &[Binding]) -> Vec<Finding> {
    let mut prevented: BTreeMap<&str, Vec<Prevented<'_>>> = BTreeMap::new();
    for set in look.all(&kinds::REPLICA_SET).iter().filter(|set| look.is_watched(&set.reference.namespace)) {
        if let Some(one) = Prevented::of(set) {
            prevented.entry(&set.reference.namespace).or_default().push(one);
        }
    }
    prevented.into_iter().map(|(namespace, sets)| of_namespace(look, namespace, &sets, bindings)).collect()
}

/// A `ReplicaSet` with too few pods.
struct Prevented<'o> {
    set: &'o ObjectRef,
    made: u64,
    wanted: u64,
    why: String,
}

impl<'o> Prevented<'o> {
    /// `None` if it has its pods, or lacks them for a reason that is not Istio's.
    fn of(set: &'o Object) -> Option<Self> {
        let wanted = set.value["spec"]["replicas"].as_u64().unwrap_or(1);
        let made = set.value["status"]["replicas"].as_u64().unwrap_or_default();
        let why = refusals(&set.value).into_iter().find(|why| webhook(why).is_some())?;
        (made < wanted).then_some(Self { set: &set.reference, made, wanted, why })
    }

    fn shown(&self) -> String {
        format!("{} has {} of {} pods", self.set, self.made, self.wanted)
    }
}

/// The injector's webhook that this message of the API server names. Every revision has webhooks of these names.
fn webhook(why: &str) -> Option<&str> {
    let (_, rest) = why.split_once("failed calling webhook \"")?;
    let (name, _) = rest.split_once('"')?;
    name.ends_with("sidecar-injector.istio.io").then_some(name)
}

fn of_namespace(look: &Look<'_>, namespace: &str, sets: &[Prevented<'_>], bindings: &[Binding]) -> Finding {
    let binding = bindings.iter().find(|it| it.namespace == namespace);
    let revision = binding.and_then(|it| it.revision.as_deref());
    let istiod = look.istiods().iter().find(|istiod| Some(istiod.revision.as_str()) == revision);
    let by = istiod.map_or_else(|| "of Istio's injector".to_owned(), |istiod| format!("of istiod {}", istiod.shown()));
    let message = format!("pods were not created: the webhook {by} failed at the last try");
    let details = sets.iter().map(Prevented::shown).chain(sets.first().map(|first| first.why.clone()));
    let object = ObjectRef::new(&kinds::NAMESPACE, "", namespace);
    let finding = Finding::new(&codes::PODS_PREVENTED, &object, message).details(details);
    match istiod {
        Some(istiod) if istiod.ready == 0 => {
            finding.decided_by(app_istiods::reference(istiod)).hint(Istiod::unready(istiod))
        }
        Some(istiod) => {
            let istiod = app_istiods::reference(istiod);
            let logs = kubectl("logs").value(format!("deployment/{}", istiod.name)).with("-n", &istiod.namespace);
            finding.decided_by(istiod).hint(logs)
        }
        None => finding.hint(kubectl("get mutatingwebhookconfigurations").fixed("-l app=sidecar-injector")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_injectors_webhook_is_known_by_its_name() {
        let message = |name: &str| {
            format!(
                "Internal error occurred: failed calling webhook \"{name}\": failed to call webhook: Post \"https://x\""
            )
        };
        for (name, is_istios) in [
            ("rev.namespace.sidecar-injector.istio.io", true),
            ("object.sidecar-injector.istio.io", true),
            ("validate.kyverno.svc-fail", false),
        ] {
            assert_eq!(webhook(&message(name)), is_istios.then_some(name));
        }
        assert_eq!(webhook("pods \"x\" is forbidden: exceeded quota"), None);
    }
}
