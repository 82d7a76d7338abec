//! Why a sweep leaves a target alone: requests for it would be answered with 503 after the change, or may be.

use super::pair::{PairState, ends, needs_certificate, nothing_behind, policy};
use super::{Behind, Cause, Facts, Membership, Pod};
use crate::error::Reason;
use crate::plan::outcome::Objection;

/// What flag gets past it.
const FORCE: &str = "--force proceeds anyway";

/// Why Istio's TLS may not be answered there. A sweep takes only what can work: pods that are there and accept it.
pub(crate) fn against_tls(after: &Facts) -> Option<Objection> {
    let unknown = |what: String| Some(Objection::new(Reason::Unknown, format!("sidecars unknown: {what}")));
    let objection = match &after.behind {
        Behind::Outside { kind } => {
            Some(Objection::new(Reason::NotKubernetes, format!("not a Kubernetes Service ({kind})")))
        }
        Behind::ByHand { service } => unknown(format!("service {service} has no selector")),
        Behind::Unknown(why) => unknown(why.to_string()),
        _ => match nothing_behind(after) {
            Some((cause, why)) => Some(because(after, None, cause, &why)),
            None => of_states(after),
        },
    };
    objection.map(|objection| objection.hint(FORCE))
}

/// Why what is sent after a change may not be answered by the pods that are there. Where nothing else is sent than
/// before, or only Settings tell what is sent and the pods accept either, nothing is against it.
pub(crate) fn against(before: &Facts, after: &Facts) -> Option<Objection> {
    if before.sends.is_same_as(&after.sends) {
        return None;
    }
    match after.sends_either() {
        Some(either) => either.iter().find_map(against_sent),
        None => against_sent(after),
    }
}

/// Whether a pod may not answer what is sent after a change, as far as is known of it.
pub(crate) fn may_break(before: &Facts, after: &Facts) -> bool {
    let is_broken = |(_, state): &(&Pod, PairState)| matches!(state, PairState::Broken { .. });
    !before.sends.is_same_as(&after.sends) && ends(after).iter().any(is_broken)
}

/// Whether gateways have to present the mesh's certificate after a change.
pub(crate) fn needs_certificates(before: &Facts, after: &Facts) -> bool {
    let needs = |(_, state): &(&Pod, PairState)| needs_certificate(&after.sends, state);
    !before.sends.is_same_as(&after.sends) && ends(after).iter().any(needs)
}

fn against_sent(after: &Facts) -> Option<Objection> {
    let objection = match &after.behind {
        Behind::Unknown(why) => Some(peer_unknown(why)),
        Behind::ByHand { service } => Some(peer_unknown(&format!("service {service} has no selector"))),
        _ => of_states(after),
    };
    objection.map(|objection| objection.hint(FORCE))
}

fn of_states(after: &Facts) -> Option<Objection> {
    let ends = ends(after);
    let broken = ends.iter().find_map(|(pod, state)| match state {
        PairState::Broken { cause, why } => Some(because(after, Some(pod), *cause, why)),
        _ => None,
    });
    broken.or_else(|| {
        ends.iter().find_map(|(pod, state)| match state {
            PairState::Unknown { cause: Some(cause), why, .. } => Some(because(after, Some(pod), *cause, why)),
            PairState::Unknown { why, .. } => Some(match &pod.demands {
                Err(unread) => peer_unknown(unread),
                Ok(_) => Objection::new(Reason::Unknown, why.clone()),
            }),
            _ => None,
        })
    })
}

fn peer_unknown(why: &impl std::fmt::Display) -> Objection {
    Objection::new(Reason::Unknown, format!("peer mode unknown: {why}"))
}

fn because(after: &Facts, pod: Option<&Pod>, cause: Cause, why: &str) -> Objection {
    let pods = after.pods().unwrap_or_default();
    let without = pods.iter().filter(|pod| pod.membership != Membership::Sidecar).count();
    let row = cause.row();
    let policy = pod.map(policy).unwrap_or_default();
    Objection::new(row.reason, row.skipped(why, &policy, &format!("{without} of {} pods", pods.len())))
}
