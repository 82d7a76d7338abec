//! Advice for a namespace that is enrolled in the mesh or unenrolled from it.

use serde_json::Value;

use super::{Goal, NamespacePlan};
use crate::command::{Hint, gloo_rs};
use crate::model::{Object, ObjectRef};
use crate::plan::advice::{Advice, Code, some_of};

use crate::plan::owner::{self, Owner};
use crate::plan::peer::{Effective, Policies};
use crate::plan::ssl_config::{Tls, tls_of};

/// Returns advice about other writers of the namespace's labels or of the templates that are restarted.
pub(crate) fn on_owners(plan: &NamespacePlan) -> Vec<Advice> {
    let mut said = Vec::new();
    if !plan.label.is_already() {
        said.extend(owner::find(&plan.namespace.value).map(|owner| on_namespace(plan, &owner)));
    }
    said.extend(plan.restarts().filter_map(|workload| {
        let owner = owner::find(&workload.value)?;
        let message = match owner {
            Owner::ArgoCd { .. } | Owner::Flux { .. } => {
                format!("{owner} owns {}: it may remove restartedAt, which restarts its pods again", short(workload))
            }
            Owner::Helm { .. } | Owner::Discovery => return None,
        };
        Some(Advice::note(Code::Owner, message).about(&workload.reference))
    }));
    said
}

fn short(object: &Object) -> String {
    format!("{}/{}", object.reference.kind.singular, object.reference.name)
}

fn on_namespace(plan: &NamespacePlan, owner: &Owner) -> Advice {
    let name = &plan.namespace.reference.name;
    let again = match &plan.goal {
        Goal::Bound(target) => gloo_rs("istio enroll").value(name).with("--revision", &target.names),
        Goal::Ambient => gloo_rs("istio enroll --ambient").value(name),
        Goal::Free => gloo_rs("istio unenroll").value(name),
    };
    let advice = match owner {
        Owner::ArgoCd { .. } | Owner::Flux { .. } => {
            Advice::warning(Code::Owner, format!("{owner} owns namespace {name} and will undo the change"))
        }
        Owner::Helm { .. } | Owner::Discovery => {
            Advice::warning(Code::Owner, format!("{owner} owns namespace {name} and may undo the change"))
        }
    };
    advice.hint(again.fixed("-f PATH --write").after("change it in Git: ")).about(&plan.namespace.reference)
}

/// Returns a note about workloads that still run as before, because nothing is restarted.
pub(crate) fn on_stale(plan: &NamespacePlan) -> Option<Advice> {
    let stale: Vec<_> = plan.restarts().map(short).collect();
    let name = &plan.namespace.reference.name;
    let word = match plan.goal {
        Goal::Bound(_) => "istio enroll",
        Goal::Ambient => "istio enroll --ambient",
        Goal::Free => "istio unenroll",
    };
    (!stale.is_empty()).then(|| {
        let what =
            if stale.len() == 1 { "1 workload was".to_owned() } else { format!("{} workloads were", stale.len()) };
        Advice::note(Code::StalePods, format!("{what} not restarted, and {} as before", runs(stale.len())))
            .details(stale)
            .hint(gloo_rs(word).value(name))
            .about(&plan.namespace.reference)
    })
}

fn runs(number: usize) -> &'static str {
    if number == 1 { "runs" } else { "run" }
}

/// Returns a warning about the STRICT policies that apply to the restarted workloads.
pub(crate) fn on_policies(plan: &NamespacePlan, policies: &Policies<'_>) -> Option<Advice> {
    let name = &plan.namespace.reference.name;
    let of_workloads = plan
        .restarts()
        .map(|workload| policies.of_workload(name, &workload.value["spec"]["template"]["metadata"]["labels"], None));
    let mut strict: Vec<_> = of_workloads
        .filter(Effective::is_strict)
        .filter_map(|effective| effective.set_by().map(|source| format!("peerauthentication {source}")))
        .collect();
    strict.sort_unstable();
    strict.dedup();
    if strict.is_empty() {
        return None;
    }
    let (message, hint) = match plan.goal {
        Goal::Bound(_) => (
            format!("STRICT applies in {name}: once its pods have sidecars, plaintext to them gets 503"),
            gloo_rs("istio enable-mtls").after("its Upstreams need mTLS then: ").text(", or auto-mTLS"),
        ),
        // The guard knows which requests that concerns.
        Goal::Ambient => return None,
        Goal::Free => (
            format!(
                "STRICT applies in {name}: its pods will leave the mesh and can no longer reach what requires mTLS"
            ),
            Hint::from("workloads in the mesh will close their connections"),
        ),
    };
    Some(Advice::warning(Code::StrictPeer, message).details(strict).hint(hint).about(&plan.namespace.reference))
}

/// Returns a note about the pods that stay out of the ambient mesh.
pub(crate) fn on_uncaptured(plan: &NamespacePlan) -> Option<Advice> {
    let number = plan.uncaptured.len();
    let what = if number == 1 { "1 pod stays".to_owned() } else { format!("{number} pods stay") };
    let note = Advice::note(Code::OutOfReach, format!("{what} out of the ambient mesh"));
    (number > 0).then(|| note.details(some_of(plan.uncaptured.iter().cloned())).about(&plan.namespace.reference))
}

/// Returns the namespace of the Service behind an Upstream that always uses Istio's mutual TLS.
pub(crate) fn demands_tls(upstream: &Value) -> Option<&str> {
    let service = upstream["spec"]["kube"]["serviceNamespace"].as_str()?;
    matches!(tls_of(upstream), Tls::Istio(_)).then_some(service)
}

/// Returns a warning about Upstreams that will send mutual TLS to pods that no longer accept it.
pub(crate) fn on_upstreams(plan: &NamespacePlan, upstreams: &[ObjectRef]) -> Option<Advice> {
    let name = &plan.namespace.reference.name;
    let first = upstreams.first()?;
    let some = if upstreams.len() == 1 {
        "1 Upstream sends".to_owned()
    } else {
        format!("{} Upstreams send", upstreams.len())
    };
    Some(
        Advice::warning(Code::NoSidecar, format!("{some} Istio's mTLS to {name}: 503 once its pods have no sidecars"))
            .details(upstreams.iter().map(|upstream| format!("upstream {}/{}", upstream.namespace, upstream.name)))
            .hint(gloo_rs("istio disable-mtls").with("-u", &first.name).with("-n", &first.namespace))
            .about(&plan.namespace.reference),
    )
}
