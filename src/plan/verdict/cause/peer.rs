//! Causes in which both ends do not match: plaintext to a strict peer, TLS to pods without a sidecar.

use super::{CauseCandidate, CauseCheck};
use crate::plan::Unread;
use crate::plan::path::{Cause, Sends};
use crate::plan::verdict::commands;
use crate::plan::verdict::counters::Stat;
use crate::plan::verdict::evidence::{Case, CounterReading, Demand, SentTls};
use crate::plan::verdict::pods::{BackendPod, restarts};

pub(super) fn strict_peer(case: &Case<'_>) -> CauseCandidate {
    let peer = match &case.evidence.demand {
        Ok(Demand::Strict { by, .. }) => CauseCheck::For(format!("peer is STRICT: {by}")),
        Ok(Demand::Mixed { by, .. }) => CauseCheck::Unknown(format!("some pods are STRICT ({by}), others are not")),
        Ok(Demand::Lax { by }) => CauseCheck::Against(format!("peer is not STRICT: {by}")),
        Ok(Demand::Disabled { by, .. } | Demand::PartlyDisabled { by, .. }) => {
            CauseCheck::Against(format!("peer is DISABLE: {by}"))
        }
        Err(why) => CauseCheck::Unknown(format!("peer mode ({why})")),
    };
    let pods = match &case.evidence.pods {
        Ok(pods) if pods.is_empty() => CauseCheck::Against("no pod is behind it".to_owned()),
        Ok(pods) if pods.iter().all(BackendPod::is_guarded) => CauseCheck::For(guarded(pods)),
        Ok(pods) => CauseCheck::Against(unguarded(pods)),
        Err(why) => CauseCheck::Unknown(format!("sidecars ({why})")),
    };
    let reset = match case.answer.reset().as_deref() {
        Some("connection termination" | "remote reset" | "connection reset") => CauseCheck::Mute,
        Some(other) => CauseCheck::Against(format!("Envoy says: {other}")),
        None => match case.look(Stat::ClosedWithRequest) {
            CounterReading::Rose(rise) => CauseCheck::For(rise.to_string()),
            _ => CauseCheck::Unknown("how the connection ended".to_owned()),
        },
    };
    let fix = case.gateway_fix().or_else(|| {
        let upstream = case.upstream()?;
        Some(match upstream.sent.is_mutual() {
            true => commands::served().into(),
            false => case.backend().of_refused_plaintext(upstream.encrypts().into()),
        })
    });
    CauseCandidate::new(Cause::StrictPeer, vec![peer, plaintext(case), pods, reset]).fix(fix)
}

fn plaintext(case: &Case<'_>) -> CauseCheck {
    let handshakes = case.look(Stat::Handshake);
    let by_objects = || match case.upstream().map(|upstream| &upstream.sent) {
        Some(SentTls { sends: Sends::Plaintext { .. }, by }) => CauseCheck::For(by.clone()),
        Some(SentTls { sends: Sends::Unknown(why), .. }) => {
            CauseCheck::Unknown(format!("what the gateway sends ({why})"))
        }
        Some(SentTls { by, .. }) => CauseCheck::Against(format!("mTLS is on: {by}")),
        None => {
            CauseCheck::Unknown(format!("what the gateway sends{}", because(case.evidence.upstream.as_ref().err())))
        }
    };
    match (&case.evidence.has_tls, handshakes) {
        (_, CounterReading::Rose(rise)) => CauseCheck::Against(match case.look(Stat::TlsError) {
            CounterReading::Flat(_) => format!("mTLS is on, {rise}, no TLS errors"),
            _ => format!("mTLS is on, {rise}"),
        }),
        (Ok(true), _) => match by_objects() {
            CauseCheck::For(by) => CauseCheck::Against(format!("Envoy has TLS for it, though {by}")),
            other => other,
        },
        (Ok(false), _) => match by_objects() {
            CauseCheck::For(by) => CauseCheck::For(by),
            CauseCheck::Against(on) => CauseCheck::For(format!("Envoy's cluster has no TLS, though {on}")),
            _ => CauseCheck::For("Envoy's cluster has no TLS".to_owned()),
        },
        (Err(_), _) => by_objects(),
    }
}

/// Mutual TLS is sent to sidecars whose policy does not accept it.
pub(super) fn disabled_peer(case: &Case<'_>) -> CauseCandidate {
    let mute = || CauseCandidate::new(Cause::DisabledPeer, vec![CauseCheck::Mute]);
    let sends = match case.upstream().map(|upstream| &upstream.sent) {
        Some(sent) if sent.is_mutual() => CauseCheck::For(format!("mTLS is on: {}", sent.by)),
        _ => return mute(),
    };
    let (peer, fix) = match &case.evidence.demand {
        Ok(Demand::Disabled { by, fix }) => (CauseCheck::For(format!("peer is DISABLE: {by}")), fix),
        Ok(Demand::PartlyDisabled { by, fix }) => {
            (CauseCheck::Unknown(format!("some pods are DISABLE ({by}), others are not")), fix)
        }
        _ => return mute(),
    };
    let pods = match case.pods() {
        Some(pods) if !pods.is_empty() && pods.iter().all(|pod| pod.is_meshed) => CauseCheck::For(meshed(pods)),
        _ => CauseCheck::Mute,
    };
    let failed = match case.look(Stat::Handshake) {
        CounterReading::Rose(rise) => CauseCheck::Against(format!("TLS handshakes succeeded: {rise}")),
        _ => tls_failed(case).unwrap_or_else(|| CauseCheck::Unknown("whether TLS failed".to_owned())),
    };
    CauseCandidate::new(Cause::DisabledPeer, vec![sends, peer, failed, pods]).fix(fix.clone())
}

/// Returns whether TLS failed. `None` if nothing indicates it.
fn tls_failed(case: &Case<'_>) -> Option<CauseCheck> {
    Some(match case.look(Stat::TlsError) {
        CounterReading::Rose(rise) => CauseCheck::For(format!("TLS failed: {rise}")),
        CounterReading::Noisy(rise) => CauseCheck::Unknown(format!("{rise}, including other requests")),
        CounterReading::Flat(_) => match case.look(Stat::ConnectFail) {
            // A server that expects HTTP may leave a TLS ClientHello without a reply forever.
            CounterReading::Rose(rise) => CauseCheck::Unknown(format!("whether TLS or the connection failed: {rise}")),
            _ => return None,
        },
        CounterReading::Unknown(why) => CauseCheck::Unknown(format!("TLS errors ({why})")),
    })
}

/// Returns whether mutual TLS is sent to sidecars of which at least one accepts only plaintext.
pub(in super::super) fn refuses_tls(case: &Case<'_>) -> bool {
    case.upstream().is_some_and(|upstream| upstream.sent.is_mutual())
        && matches!(case.evidence.demand, Ok(Demand::Disabled { .. } | Demand::PartlyDisabled { .. }))
}

/// Returns whether mutual TLS is sent to pods of which only some accept it.
pub(in super::super) fn meets_both(case: &Case<'_>) -> bool {
    let sends_istio = matches!(case.upstream().map(|upstream| &upstream.sent.sends), Some(Sends::Istio { .. }));
    let is_mixed = |pods: &[BackendPod]| pods.iter().any(|pod| pod.is_meshed) && pods.iter().any(|pod| !pod.is_meshed);
    sends_istio && case.pods().is_some_and(is_mixed)
}

pub(super) fn no_sidecar(case: &Case<'_>) -> CauseCandidate {
    let sends = match case.upstream().map(|upstream| &upstream.sent) {
        Some(SentTls { sends: Sends::Istio { .. }, by }) => CauseCheck::For(format!("mTLS is on: {by}")),
        _ => return CauseCandidate::new(Cause::NoSidecar, vec![CauseCheck::Mute]),
    };
    let Some(failed) = tls_failed(case) else { return CauseCandidate::new(Cause::NoSidecar, vec![CauseCheck::Mute]) };
    let pods = match &case.evidence.pods {
        Ok(pods) if pods.is_empty() => CauseCheck::Mute,
        Ok(pods) if !pods.iter().any(|pod| pod.is_meshed) => CauseCheck::For(meshed(pods)),
        Ok(pods) if pods.iter().all(|pod| pod.is_meshed) => CauseCheck::Against(meshed(pods)),
        Ok(pods) => CauseCheck::For(unguarded(pods)),
        Err(why) => CauseCheck::Unknown(format!("sidecars ({why})")),
    };
    let candidate =
        CauseCandidate::new(Cause::NoSidecar, vec![sends, failed, pods]).fix(case.backend().of_refused_tls());
    // Which of the pods got the request is not checked.
    if meets_both(case) { candidate.never_proven() } else { candidate }
}

fn guarded(pods: &[BackendPod]) -> String {
    let said = restarts(pods);
    let restarts = if said.is_empty() { "0 restarts in 1h".to_owned() } else { said.join("; ") };
    format!("{}; all ready; {restarts}", meshed(pods))
}

pub(super) fn meshed(pods: &[BackendPod]) -> String {
    format!("{} of {} pods have a sidecar", pods.iter().filter(|pod| pod.is_meshed).count(), pods.len())
}

fn unguarded(pods: &[BackendPod]) -> String {
    let first = pods.iter().find_map(|pod| {
        Some(match pod {
            BackendPod { is_meshed: false, .. } => format!("pod {} has no sidecar", pod.name),
            BackendPod { around_sidecar: Some(around), .. } => format!("pod {} has {around}", pod.name),
            BackendPod { sidecar_ready: Some(true), .. } => return None,
            _ => format!("the sidecar of pod {} is not ready", pod.name),
        })
    });
    first.unwrap_or_default()
}

fn because(why: Option<&Unread>) -> String {
    why.map(|why| format!(" ({why})")).unwrap_or_default()
}
