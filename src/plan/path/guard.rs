//! Why a bulk run skips a target: requests for it would get 503s after the change, or might.

use super::pair::{Pair, PairState, ends, have_authorization, needs_certificate, nothing_behind, pairs, policy};
use super::{Behind, Cause, Facts, Membership, Pod};
use crate::error::Reason;
use crate::plan::outcome::Objection;

/// The hint with the flag that ignores the objection.
const FORCE: &str = "--force proceeds anyway";

/// Returns why the target may not accept Istio's TLS. A bulk run changes only Upstreams that can work: their pods exist
/// and accept it.
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

/// Returns why the existing pods may not accept what is sent after a change. There is no objection if the same is sent
/// as before. If only Settings decide what is sent and they are unknown, there is none if the pods accept both.
pub(crate) fn against(before: &Facts, after: &Facts) -> Option<Objection> {
    if before.sends.is_same_as(&after.sends) {
        return None;
    }
    match after.sends_either() {
        Some(either) => either.iter().find_map(against_sent),
        None => against_sent(after),
    }
}

/// Returns why a policy of the backend would deny the requests of a gateway that it does not deny now.
pub(crate) fn against_denial(before: &Facts, after: &Facts) -> Option<Objection> {
    if !have_authorization(after) {
        return None;
    }
    let was = pairs(before);
    let is_denied = |pair: &Pair<'_>| matches!(pair.state, PairState::Broken { cause: Cause::Denied, .. });
    let is_same = |one: &Pair<'_>, other: &Pair<'_>| one.proxy == other.proxy && one.pod == other.pod;
    let is_new = |pair: &&Pair<'_>| is_denied(pair) && !was.iter().any(|was| is_denied(was) && is_same(was, pair));
    pairs(after).iter().find(is_new).and_then(|pair| match &pair.state {
        PairState::Broken { cause, why } => Some(because(after, Some(pair.pod), *cause, why).hint(FORCE)),
        _ => None,
    })
}

/// Returns whether a pod may not accept what is sent after a change, as far as is known.
pub(crate) fn may_break(before: &Facts, after: &Facts) -> bool {
    let is_broken = |(_, state): &(&Pod, PairState)| matches!(state, PairState::Broken { .. });
    !before.sends.is_same_as(&after.sends) && (ends(after).iter().any(is_broken) || have_authorization(after))
}

/// Returns whether gateways must present the mesh's certificate after a change.
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
