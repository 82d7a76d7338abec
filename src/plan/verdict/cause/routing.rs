//! Causes in which the request did not leave the gateway: no route, no cluster, no endpoint, no connection.

use super::peer::refuses_tls;
use super::{CauseCandidate, CauseCheck};
use crate::command::kubectl;
use crate::plan::gateway::Gateway;
use crate::plan::path::Cause;
use crate::plan::verdict::commands;
use crate::plan::verdict::counters::Stat;
use crate::plan::verdict::evidence::{Case, CounterReading};
use crate::plan::verdict::pods::restarts;

pub(super) fn no_route(case: &Case<'_>) -> CauseCandidate {
    let counted = match &case.evidence.change {
        Err(why) => CauseCheck::Unknown(format!("Envoy's counters ({why})")),
        Ok(change) => match change.no_route() {
            (from, to) if to == from + change.sent => {
                CauseCheck::For(format!("Envoy counts it: no_route {from} -> {to}"))
            }
            (from, to) if to > from => {
                CauseCheck::Unknown(format!("other requests found no route either: no_route {from} -> {to}"))
            }
            (_, to) => CauseCheck::Against(format!("no_route stays {to}")),
        },
    };
    let said = match (case.answer.is_from_upstream(), case.answer.body.is_empty()) {
        (false, true) => CauseCheck::For("the gateway answered itself, with an empty body".to_owned()),
        (false, false) => CauseCheck::Against("the answer has a body, and Envoy's has none".to_owned()),
        (true, _) => CauseCheck::Against("an upstream answered".to_owned()),
    };
    CauseCandidate::new(Cause::NoRoute, vec![counted, said]).fix(Some(commands::describe_host()))
}

pub(super) fn no_cluster(case: &Case<'_>) -> Option<CauseCandidate> {
    let change = case.evidence.change.as_ref().ok()?;
    let (from, to) = change.no_cluster();
    if to <= from || case.answer.is_from_upstream() || !case.answer.body.is_empty() {
        return None;
    }
    let counted = match to == from + change.sent {
        true => CauseCheck::For(format!("Envoy counts it: no_cluster {from} -> {to}")),
        false => CauseCheck::Unknown(format!("other requests found no cluster either: no_cluster {from} -> {to}")),
    };
    let listed = match (&case.evidence.hosts, &case.cluster) {
        (Ok((_, hosts)), Some(cluster)) if !hosts.is_there => {
            CauseCheck::For(format!("cluster {cluster} is not among Envoy's clusters"))
        }
        _ => CauseCheck::For("the gateway answered itself, with an empty body".to_owned()),
    };
    let why = match &case.evidence.gateway {
        Gateway::NoCluster { .. } => CauseCheck::For("the gateway's bootstrap lacks gateway_proxy_sds".to_owned()),
        _ => CauseCheck::Mute,
    };
    let fix = match why {
        CauseCheck::For(_) => case.gateway_fix(),
        _ => Some(commands::served().into()),
    };
    Some(CauseCandidate::new(Cause::NoCluster, vec![counted, listed, why]).fix(fix))
}

pub(super) fn no_endpoint(case: &Case<'_>) -> CauseCandidate {
    let said = case.answer.has_no_healthy_upstream();
    let counted = case.look(Stat::NoneHealthy);
    let words = match (said, &counted) {
        (true, CounterReading::Rose(rise)) => CauseCheck::For(format!("Envoy says: no healthy upstream; {rise}")),
        (true, _) => CauseCheck::For("Envoy says: no healthy upstream".to_owned()),
        (false, CounterReading::Rose(rise)) if case.answer.reset().is_none() => {
            CauseCheck::For(format!("Envoy counts it: {rise}"))
        }
        (false, _) => return CauseCandidate::new(Cause::NoEndpoint, against_no_endpoint(case)),
    };
    let endpoints = match (&case.evidence.hosts, &case.evidence.pods) {
        (Ok((_, hosts)), _) if hosts.by_address.is_empty() => {
            CauseCheck::For("Envoy has 0 endpoints for it".to_owned())
        }
        (Ok((_, hosts)), _) if hosts.healthy() == 0 => {
            CauseCheck::For(format!("0 of {} endpoints healthy: {}", hosts.by_address.len(), hosts.ailing().join(", ")))
        }
        (_, Ok(pods)) if !pods.iter().any(|pod| pod.is_ready) => {
            CauseCheck::For(format!("0 of {} pods are ready", pods.len()))
        }
        (Ok((_, hosts)), _) => CauseCheck::Unknown(format!("Envoy has {} healthy endpoints by now", hosts.healthy())),
        (Err(why), _) => CauseCheck::Unknown(format!("endpoints ({why})")),
    };
    let fix = case.pods().filter(|pods| pods.is_empty()).and_then(|_| case.upstream()?.backend_namespace.clone());
    let fix = fix.map(|namespace| kubectl("get pods,endpointslices").with("-n", namespace));
    CauseCandidate::new(Cause::NoEndpoint, vec![words, endpoints]).fix(fix)
}

fn against_no_endpoint(case: &Case<'_>) -> Vec<CauseCheck> {
    match &case.evidence.hosts {
        Ok((_, hosts)) if hosts.healthy() > 0 => {
            vec![CauseCheck::Against(format!("{} of {} endpoints healthy", hosts.healthy(), hosts.by_address.len()))]
        }
        _ => vec![CauseCheck::Mute],
    }
}

pub(super) fn no_connection(case: &Case<'_>) -> CauseCandidate {
    let none = || CauseCandidate::new(Cause::NoConnection, vec![CauseCheck::Mute]);
    let reason = case.answer.reset();
    let failed = match case.look(Stat::ConnectFail) {
        CounterReading::Rose(rise) => CauseCheck::For(rise.to_string()),
        CounterReading::Noisy(rise) => CauseCheck::Unknown(format!("{rise}, including other requests")),
        CounterReading::Unknown(_) if reason.as_deref().is_some_and(is_connect_failure) => {
            CauseCheck::Unknown("whether TLS or the connection failed".to_owned())
        }
        CounterReading::Flat(_) | CounterReading::Unknown(_) => return none(),
    };
    // A connection on which TLS fails counts as a failed connection too.
    let of_tls = [Stat::TlsError, Stat::FailVerify, Stat::SecretsNotReady];
    if of_tls.into_iter().any(|stat| matches!(case.look(stat), CounterReading::Rose(_) | CounterReading::Noisy(_))) {
        return none();
    }
    let is_timeout = reason.as_deref() == Some("connection timeout");
    let said = reason.map_or(CauseCheck::Mute, |reason| CauseCheck::For(format!("Envoy says: {reason}")));
    let next = case.upstream().and_then(|upstream| upstream.backend_namespace.as_deref());
    let next = next.map(|namespace| kubectl("get pods,networkpolicies").with("-n", namespace));
    // With TLS, a connection counts as made only after the handshake. A backend that never answers the handshake, or
    // ends it, looks the same.
    let may_be_tls = case.evidence.has_tls != Ok(false) && (is_timeout || refuses_tls(case));
    let tls = match may_be_tls {
        true => CauseCheck::Unknown("whether TLS or the connection failed".to_owned()),
        false => CauseCheck::Mute,
    };
    CauseCandidate::new(Cause::NoConnection, vec![said, failed, tls]).fix(next)
}

fn is_connect_failure(reason: &str) -> bool {
    matches!(
        reason,
        "remote connection failure" | "local connection failure" | "connection failure" | "connection timeout"
    )
}

pub(super) fn backend_closes(case: &Case<'_>) -> CauseCandidate {
    let none = || CauseCandidate::new(Cause::BackendCloses, vec![CauseCheck::Mute]);
    let is_closed = case.answer.reset().is_some_and(|reason| !is_connect_failure(&reason));
    if !is_closed {
        return none();
    }
    let restarted = match &case.evidence.pods {
        Err(why) => CauseCheck::Unknown(format!("restarts ({why})")),
        Ok(pods) if pods.is_empty() => return none(),
        Ok(pods) => match restarts(pods) {
            said if !said.is_empty() => CauseCheck::For(said.join("; ")),
            _ if pods.iter().any(|pod| !pod.is_ready) => CauseCheck::For(format!(
                "{} of {} pods are not ready",
                pods.iter().filter(|pod| !pod.is_ready).count(),
                pods.len()
            )),
            _ => CauseCheck::Against("0 restarts in 1h, all pods ready".to_owned()),
        },
    };
    let closed = match case.look(Stat::ClosedWithRequest) {
        CounterReading::Rose(rise) => CauseCheck::For(rise.to_string()),
        _ => CauseCheck::Mute,
    };
    CauseCandidate::new(Cause::BackendCloses, vec![restarted, closed]).never_proven()
}
