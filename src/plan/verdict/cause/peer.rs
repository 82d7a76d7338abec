//! Where the two ends do not fit: plaintext to a strict peer, TLS to pods without a sidecar.

use super::{Candidate, Cause, Check};
use crate::plan::Unread;
use crate::plan::gateway::Gateway;
use crate::plan::verdict::commands;
use crate::plan::verdict::counters::Stat;
use crate::plan::verdict::evidence::{Case, Demand, Look, Sends};
use crate::plan::verdict::pods::{Pod, restarts};

pub(super) fn strict_peer(case: &Case<'_>) -> Candidate {
    let peer = match &case.evidence.demand {
        Ok(Demand::Strict { by }) => Check::For(format!("peer is STRICT: {by}")),
        Ok(Demand::Mixed { by }) => Check::Unknown(format!("some pods are STRICT ({by}), others are not")),
        Ok(Demand::Lax { by }) => Check::Against(format!("peer is not STRICT: {by}")),
        Err(why) => Check::Unknown(format!("peer mode ({why})")),
    };
    let pods = match &case.evidence.pods {
        Ok(pods) if pods.is_empty() => Check::Against("no pod is behind it".to_owned()),
        Ok(pods) if pods.iter().all(Pod::is_guarded) => Check::For(guarded(pods)),
        Ok(pods) => Check::Against(unguarded(pods)),
        Err(why) => Check::Unknown(format!("sidecars ({why})")),
    };
    let reset = match case.answer.reset().as_deref() {
        Some("connection termination" | "remote reset" | "connection reset") => Check::Mute,
        Some(other) => Check::Against(format!("Envoy says: {other}")),
        None => match case.look(Stat::ClosedWithRequest) {
            Look::Rose(rise) => Check::For(rise.to_string()),
            _ => Check::Unknown("how the connection ended".to_owned()),
        },
    };
    let mend = match (&case.evidence.gateway, case.upstream()) {
        (Gateway::NoSidecars { .. } | Gateway::NoCluster { .. }, _) => Some(commands::INJECT.to_owned()),
        (_, Some(upstream)) if matches!(upstream.sends, Sends::Istio { .. } | Sends::PerPod { .. }) => {
            Some(commands::SERVED.to_owned())
        }
        (_, Some(upstream)) => Some(commands::enable_mtls(&upstream.name)),
        (_, None) => None,
    };
    Candidate::new(Cause::StrictPeer, vec![peer, plaintext(case), pods, reset]).mend(mend)
}

fn plaintext(case: &Case<'_>) -> Check {
    let handshakes = case.look(Stat::Handshake);
    let by_objects = || match case.upstream().map(|upstream| &upstream.sends) {
        Some(Sends::Plaintext { by }) => Check::For(by.clone()),
        Some(Sends::Unknown { why }) => Check::Unknown(format!("what the gateway sends ({why})")),
        Some(sends) => Check::Against(format!("mTLS is on: {}", sends.by())),
        None => Check::Unknown(format!("what the gateway sends{}", because(case.evidence.upstream.as_ref().err()))),
    };
    match (&case.evidence.has_tls, handshakes) {
        (_, Look::Rose(rise)) => Check::Against(match case.look(Stat::TlsError) {
            Look::Flat(_) => format!("mTLS is on, {rise}, no TLS errors"),
            _ => format!("mTLS is on, {rise}"),
        }),
        (Ok(true), _) => match by_objects() {
            Check::For(by) => Check::Against(format!("Envoy has TLS for it, though {by}")),
            other => other,
        },
        (Ok(false), _) => match by_objects() {
            Check::For(by) => Check::For(by),
            Check::Against(on) => Check::For(format!("Envoy's cluster has no TLS, though {on}")),
            _ => Check::For("Envoy's cluster has no TLS".to_owned()),
        },
        (Err(_), _) => by_objects(),
    }
}

pub(super) fn no_sidecar(case: &Case<'_>) -> Candidate {
    let sends = match case.upstream().map(|upstream| &upstream.sends) {
        Some(Sends::Istio { by }) => Check::For(format!("mTLS is on: {by}")),
        _ => return Candidate::new(Cause::NoSidecar, vec![Check::Mute]),
    };
    let failed = match case.look(Stat::TlsError) {
        Look::Rose(rise) => Check::For(format!("TLS came to nothing: {rise}")),
        Look::Noisy(rise) => Check::Unknown(format!("{rise}, with requests of others")),
        Look::Flat(_) => match case.look(Stat::ConnectFail) {
            // Who waits for HTTP may let a greeting of TLS wait for ever.
            Look::Rose(rise) => Check::Unknown(format!("whether TLS or the connection failed: {rise}")),
            _ => return Candidate::new(Cause::NoSidecar, vec![Check::Mute]),
        },
        Look::Unknown(why) => Check::Unknown(format!("TLS errors ({why})")),
    };
    let pods = match &case.evidence.pods {
        Ok(pods) if pods.is_empty() => Check::Mute,
        Ok(pods) if !pods.iter().any(|pod| pod.is_meshed) => Check::For(meshed(pods)),
        Ok(pods) if pods.iter().all(|pod| pod.is_meshed) => Check::Against(meshed(pods)),
        Ok(pods) => Check::Unknown(unguarded(pods)),
        Err(why) => Check::Unknown(format!("sidecars ({why})")),
    };
    let namespace = case.upstream().and_then(|upstream| upstream.backend_namespace.as_deref());
    let mend = namespace.map(commands::enroll);
    Candidate::new(Cause::NoSidecar, vec![sends, failed, pods]).mend(mend)
}

fn guarded(pods: &[Pod]) -> String {
    let said = restarts(pods);
    let restarts = if said.is_empty() { "0 restarts in 1h".to_owned() } else { said.join("; ") };
    format!("{}; all ready; {restarts}", meshed(pods))
}

pub(super) fn meshed(pods: &[Pod]) -> String {
    format!("{} of {} pods have a sidecar", pods.iter().filter(|pod| pod.is_meshed).count(), pods.len())
}

fn unguarded(pods: &[Pod]) -> String {
    let first = pods.iter().find_map(|pod| {
        Some(match pod {
            Pod { is_meshed: false, .. } => format!("pod {} has no sidecar", pod.name),
            Pod { around_sidecar: Some(around), .. } => format!("pod {} has {around}", pod.name),
            Pod { sidecar_ready: Some(true), .. } => return None,
            _ => format!("the sidecar of pod {} is not ready", pod.name),
        })
    });
    first.unwrap_or_default()
}

fn because(why: Option<&Unread>) -> String {
    why.map(|why| format!(" ({why})")).unwrap_or_default()
}
