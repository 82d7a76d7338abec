//! Why a sweep leaves a target alone: requests for it would be answered with 503 after the change, or may be.

use super::pair::{State, of_pod};
use super::{Behind, Cause, Facts, Membership, Pod};
use crate::error::Reason;
use crate::plan::outcome::Objection;
use crate::plan::peer::{Mode, Source};

/// What flag gets past it.
const FORCE: &str = "--force takes it all the same";

/// Why Istio's TLS may not be answered there. A sweep takes only what can work: pods that are there and accept it.
pub fn against_tls(after: &Facts) -> Option<Objection> {
    let no_pods = |what: String| Some(Objection::new(Reason::NoPods, what));
    let objection = match &after.behind {
        Behind::Outside { kind } => {
            Some(Objection::new(Reason::NotKubernetes, format!("not a Kubernetes Service ({kind})")))
        }
        Behind::NoUpstream => None,
        Behind::NoService { service } => no_pods(format!("service {service} is not there")),
        Behind::NoPort { service, port } => no_pods(format!("service {service} has no port {port}")),
        Behind::ByHand { service } => {
            Some(Objection::new(Reason::Unknown, format!("sidecars unknown: service {service} has no selector")))
        }
        Behind::Unknown(why) => Some(Objection::new(Reason::Unknown, format!("sidecars unknown: {why}"))),
        Behind::Pods { pods, .. } if pods.is_empty() => no_pods("no pod is behind it".to_owned()),
        Behind::Pods { .. } => of_states(after),
    };
    objection.map(|objection| objection.hint(FORCE))
}

/// Why what is sent after a change may not be answered by the pods that are there. Where nothing else is sent than
/// before, or only Settings tell what is sent and the pods accept either, nothing is against it.
pub fn against(before: &Facts, after: &Facts) -> Option<Objection> {
    if before.sends.is_same_as(&after.sends) {
        return None;
    }
    match after.sends_either() {
        Some(either) => either.iter().find_map(against_sent),
        None => against_sent(after),
    }
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
    let (pods, port) = after.pods_and_port()?;
    let states: Vec<_> = pods.iter().map(|pod| (pod, of_pod(&after.sends, pod, port))).collect();
    let broken = states.iter().find_map(|(pod, state)| match state {
        State::Broken { cause, why } => Some(because(after, pod, *cause, why)),
        _ => None,
    });
    broken.or_else(|| {
        states.iter().find_map(|(pod, state)| match state {
            State::Unknown { why, .. } => Some(match &pod.demands {
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

fn because(after: &Facts, pod: &Pod, cause: Cause, why: &str) -> Objection {
    let source = |mode: Mode| {
        let source = pod.demands.as_ref().ok().and_then(|effective| effective.setting(mode));
        source.map_or_else(|| "Istio's default".to_owned(), Source::to_string)
    };
    match cause {
        Cause::NoSidecar => {
            let pods = after.pods().unwrap_or_default();
            let without = pods.iter().filter(|pod| pod.membership != Membership::Sidecar).count();
            let message = format!("{without} of {} pods behind it without sidecar", pods.len());
            Objection::new(Reason::NoSidecar, message)
        }
        Cause::Strict | Cause::Ambient => {
            let message = format!("its peer is STRICT ({}): 503 without mTLS", source(Mode::Strict));
            Objection::new(Reason::StrictPeer, message)
        }
        Cause::Disabled => {
            let message = format!("its peer is DISABLE ({}): 503 with mTLS", source(Mode::Disable));
            Objection::new(Reason::DisabledPeer, message)
        }
        _ => Objection::new(Reason::WouldBreak, format!("503 afterwards: {why}")),
    }
}
