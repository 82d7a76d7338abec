//! Where the two ends do not fit: plaintext to a strict peer, TLS to pods without a sidecar.

use super::{Candidate, Check};
use crate::command::Hint;
use crate::plan::Unread;
use crate::plan::gateway::Gateway;
use crate::plan::path::{Cause, Sends};
use crate::plan::pod;
use crate::plan::verdict::commands;
use crate::plan::verdict::counters::Stat;
use crate::plan::verdict::evidence::{Case, Demand, Look, Sent};
use crate::plan::verdict::pods::{Pod, restarts};

pub(super) fn strict_peer(case: &Case<'_>) -> Candidate {
    let peer = match &case.evidence.demand {
        Ok(Demand::Strict { by }) => Check::For(format!("peer is STRICT: {by}")),
        Ok(Demand::Mixed { by }) => Check::Unknown(format!("some pods are STRICT ({by}), others are not")),
        Ok(Demand::Lax { by }) => Check::Against(format!("peer is not STRICT: {by}")),
        Ok(Demand::Disabled { by, .. } | Demand::PartlyDisabled { by, .. }) => {
            Check::Against(format!("peer is DISABLE: {by}"))
        }
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
        (Gateway::NoSidecars { .. } | Gateway::NoCluster { .. }, _) => Some(commands::inject()),
        (_, Some(upstream)) if upstream.sent.is_mutual() => Some(commands::served()),
        (_, Some(upstream)) => Some(commands::enable_mtls(&upstream.name)),
        (_, None) => None,
    };
    Candidate::new(Cause::StrictPeer, vec![peer, plaintext(case), pods, reset]).mend(mend)
}

fn plaintext(case: &Case<'_>) -> Check {
    let handshakes = case.look(Stat::Handshake);
    let by_objects = || match case.upstream().map(|upstream| &upstream.sent) {
        Some(Sent { sends: Sends::Plaintext { .. }, by }) => Check::For(by.clone()),
        Some(Sent { sends: Sends::Unknown(why), .. }) => Check::Unknown(format!("what the gateway sends ({why})")),
        Some(Sent { by, .. }) => Check::Against(format!("mTLS is on: {by}")),
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

/// Mutual TLS to sidecars that a policy tells to take none.
pub(super) fn disabled_peer(case: &Case<'_>) -> Candidate {
    let mute = || Candidate::new(Cause::DisabledPeer, vec![Check::Mute]);
    let sends = match case.upstream().map(|upstream| &upstream.sent) {
        Some(sent) if sent.is_mutual() => Check::For(format!("mTLS is on: {}", sent.by)),
        _ => return mute(),
    };
    let (peer, mend) = match &case.evidence.demand {
        Ok(Demand::Disabled { by, mend }) => (Check::For(format!("peer is DISABLE: {by}")), mend),
        Ok(Demand::PartlyDisabled { by, mend }) => {
            (Check::Unknown(format!("some pods are DISABLE ({by}), others are not")), mend)
        }
        _ => return mute(),
    };
    let pods = match case.pods() {
        Some(pods) if !pods.is_empty() && pods.iter().all(|pod| pod.is_meshed) => Check::For(meshed(pods)),
        _ => Check::Mute,
    };
    let failed = match case.look(Stat::Handshake) {
        Look::Rose(rise) => Check::Against(format!("TLS came about: {rise}")),
        _ => tls_failed(case).unwrap_or_else(|| Check::Unknown("whether TLS came to nothing".to_owned())),
    };
    Candidate::new(Cause::DisabledPeer, vec![sends, peer, failed, pods]).mend(mend.clone())
}

/// Whether TLS came to nothing; `None` where nothing points there.
fn tls_failed(case: &Case<'_>) -> Option<Check> {
    Some(match case.look(Stat::TlsError) {
        Look::Rose(rise) => Check::For(format!("TLS came to nothing: {rise}")),
        Look::Noisy(rise) => Check::Unknown(format!("{rise}, with requests of others")),
        Look::Flat(_) => match case.look(Stat::ConnectFail) {
            // Who waits for HTTP may let a greeting of TLS wait for ever.
            Look::Rose(rise) => Check::Unknown(format!("whether TLS or the connection failed: {rise}")),
            _ => return None,
        },
        Look::Unknown(why) => Check::Unknown(format!("TLS errors ({why})")),
    })
}

/// Whether mutual TLS is sent to sidecars of which one at least is told to take none.
pub(in super::super) fn refuses_tls(case: &Case<'_>) -> bool {
    case.upstream().is_some_and(|upstream| upstream.sent.is_mutual())
        && matches!(case.evidence.demand, Ok(Demand::Disabled { .. } | Demand::PartlyDisabled { .. }))
}

/// Whether mutual TLS is sent to pods of which some take it and others do not.
pub(in super::super) fn meets_both(case: &Case<'_>) -> bool {
    let sends_istio = matches!(case.upstream().map(|upstream| &upstream.sent.sends), Some(Sends::Istio { .. }));
    let is_mixed = |pods: &[Pod]| pods.iter().any(|pod| pod.is_meshed) && pods.iter().any(|pod| !pod.is_meshed);
    sends_istio && case.pods().is_some_and(is_mixed)
}

pub(super) fn no_sidecar(case: &Case<'_>) -> Candidate {
    let sends = match case.upstream().map(|upstream| &upstream.sent) {
        Some(Sent { sends: Sends::Istio { .. }, by }) => Check::For(format!("mTLS is on: {by}")),
        _ => return Candidate::new(Cause::NoSidecar, vec![Check::Mute]),
    };
    let Some(failed) = tls_failed(case) else { return Candidate::new(Cause::NoSidecar, vec![Check::Mute]) };
    let pods = match &case.evidence.pods {
        Ok(pods) if pods.is_empty() => Check::Mute,
        Ok(pods) if !pods.iter().any(|pod| pod.is_meshed) => Check::For(meshed(pods)),
        Ok(pods) if pods.iter().all(|pod| pod.is_meshed) => Check::Against(meshed(pods)),
        Ok(pods) => Check::For(unguarded(pods)),
        Err(why) => Check::Unknown(format!("sidecars ({why})")),
    };
    let candidate = Candidate::new(Cause::NoSidecar, vec![sends, failed, pods]).mend(mend_no_sidecar(case));
    // Which of its pods took the request is not looked at.
    if meets_both(case) { candidate.never_proven() } else { candidate }
}

/// Its namespace into the mesh; where that helps none of the pods, why not.
fn mend_no_sidecar(case: &Case<'_>) -> Option<Hint> {
    let upstream = case.upstream()?;
    let mut without = case.pods().into_iter().flatten().filter(|pod| !pod.is_meshed);
    match without.next().and_then(|pod| pod.barred) {
        Some(why) if without.all(|pod| pod.barred.is_some()) => Some(pod::unbarred(why, &upstream.name)),
        _ => upstream.backend_namespace.as_deref().map(|namespace| commands::enroll(namespace).into()),
    }
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
