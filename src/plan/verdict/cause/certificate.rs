//! Causes in which TLS failed: no secret, or a certificate that is not valid or not trusted.

use super::peer::meshed;
use super::{CauseCandidate, CauseCheck};
use crate::command::Hint;
use crate::plan::gateway::Gateway;
use crate::plan::path::Cause;
use crate::plan::verdict::commands;
use crate::plan::verdict::counters::Stat;
use crate::plan::verdict::evidence::{Case, CounterReading};

pub(super) fn no_secret(case: &Case<'_>) -> CauseCandidate {
    // This counter shows the state of the cluster, so it does not matter whose request it was.
    let counted = match case.look(Stat::SecretsNotReady) {
        CounterReading::Rose(rise) | CounterReading::Noisy(rise) => CauseCheck::For(format!("Envoy counts it: {rise}")),
        CounterReading::Flat(_) | CounterReading::Unknown(_) => {
            return CauseCandidate::new(Cause::NoSecret, vec![CauseCheck::Mute]);
        }
    };
    let around = match (&case.evidence.gateway, &case.evidence.certs) {
        (Gateway::NoSidecars { pods, .. }, _) => {
            let pods: Vec<_> = pods.iter().map(|pod| format!("pod {pod}")).collect();
            CauseCheck::For(pods.join(", "))
        }
        (Gateway::NoCluster { .. }, _) => CauseCheck::For("its bootstrap lacks gateway_proxy_sds".to_owned()),
        (_, Ok(certs)) if certs.own.is_empty() => {
            CauseCheck::For("Envoy's /certs has no certificate of the mesh".to_owned())
        }
        _ => match case.look(Stat::Handshake) {
            CounterReading::Flat(rise) => CauseCheck::For(rise.to_string()),
            _ => CauseCheck::Mute,
        },
    };
    let fix: Hint = case.gateway_fix().unwrap_or_else(|| commands::sds_logs().into());
    CauseCandidate::new(Cause::NoSecret, vec![counted, around]).fix(Some(fix))
}

pub(super) fn certificate_invalid(case: &Case<'_>) -> CauseCandidate {
    let Ok(certs) = &case.evidence.certs else {
        return CauseCandidate::new(Cause::CertificateInvalid, vec![CauseCheck::Mute]);
    };
    let faults: Vec<_> = certs.own.iter().filter_map(|cert| Some((cert, cert.fault(case.evidence.now)?))).collect();
    let certificate = match (faults.first(), faults.len() == certs.own.len()) {
        (None, _) => return CauseCandidate::new(Cause::CertificateInvalid, vec![CauseCheck::Mute]),
        (Some((cert, fault)), true) => CauseCheck::For(format!("{} {fault}", cert.uris.join(", "))),
        (Some((cert, fault)), false) => {
            CauseCheck::Unknown(format!("one of several {fault}: {}", cert.uris.join(", ")))
        }
    };
    let failed = match case.look(Stat::TlsError) {
        CounterReading::Rose(rise) => CauseCheck::For(format!("the backend ended TLS: {rise}")),
        CounterReading::Noisy(rise) => CauseCheck::Unknown(format!("{rise}, including other requests")),
        // With TLS 1.3 the server checks the certificate after the client has finished the handshake.
        CounterReading::Flat(_) => match case.look(Stat::ClosedWithRequest) {
            CounterReading::Rose(rise) => CauseCheck::Unknown(format!("the backend closed after TLS: {rise}")),
            _ => CauseCheck::Against("no TLS error".to_owned()),
        },
        CounterReading::Unknown(why) => CauseCheck::Unknown(format!("TLS errors ({why})")),
    };
    CauseCandidate::new(Cause::CertificateInvalid, vec![certificate, failed]).fix(Some(commands::istio_logs()))
}

pub(super) fn backend_not_trusted(case: &Case<'_>) -> CauseCandidate {
    let refused = match case.look(Stat::FailVerify) {
        CounterReading::Rose(rise) => CauseCheck::For(format!("Envoy refused the backend's certificate: {rise}")),
        CounterReading::Noisy(rise) => CauseCheck::Unknown(format!("{rise}, including other requests")),
        CounterReading::Flat(_) | CounterReading::Unknown(_) => {
            return CauseCandidate::new(Cause::BackendNotTrusted, vec![CauseCheck::Mute]);
        }
    };
    let handshake = match case.look(Stat::Handshake) {
        CounterReading::Flat(rise) => CauseCheck::For(format!("no handshake succeeded: {rise}")),
        CounterReading::Rose(rise) | CounterReading::Noisy(rise) => {
            CauseCheck::Unknown(format!("other handshakes succeeded: {rise}"))
        }
        CounterReading::Unknown(_) => CauseCheck::Mute,
    };
    let root = case
        .evidence
        .certs
        .as_ref()
        .ok()
        .and_then(|certs| certs.roots.iter().find_map(|root| root.fault(case.evidence.now)));
    let root =
        root.map_or(CauseCheck::Mute, |fault| CauseCheck::For(format!("the gateway's root of the mesh {fault}")));
    CauseCandidate::new(Cause::BackendNotTrusted, vec![refused, handshake, root]).fix(Some(commands::root()))
}

pub(super) fn gateway_not_trusted(case: &Case<'_>) -> CauseCandidate {
    let none = || CauseCandidate::new(Cause::GatewayNotTrusted, vec![CauseCheck::Mute]);
    let ended = match (case.look(Stat::TlsError), case.look(Stat::FailVerify)) {
        (CounterReading::Rose(rise), CounterReading::Flat(_)) => {
            CauseCheck::For(format!("the backend ended TLS: {rise}"))
        }
        (CounterReading::Noisy(rise), _) => CauseCheck::Unknown(format!("{rise}, including other requests")),
        _ => return none(),
    };
    let sidecars = match case.pods() {
        Some(pods) if !pods.is_empty() && pods.iter().all(|pod| pod.is_meshed) => CauseCheck::For(meshed(pods)),
        Some(pods) if !pods.iter().any(|pod| pod.is_meshed) => return none(),
        _ => CauseCheck::Mute,
    };
    let times = match &case.evidence.certs {
        Ok(certs) if certs.own.iter().any(|cert| cert.fault(case.evidence.now).is_some()) => return none(),
        Ok(certs) if !certs.own.is_empty() => {
            CauseCheck::For(format!("{} is not expired, its root may be another", certs.identities().join(", ")))
        }
        Ok(_) => CauseCheck::Mute,
        Err(why) => CauseCheck::Unknown(format!("the gateway's certificate ({why})")),
    };
    let candidate = CauseCandidate::new(Cause::GatewayNotTrusted, vec![ended, sidecars, times]).never_proven();
    candidate.fix(Some(commands::root()))
}
