//! Where TLS came to nothing: no secret, a certificate that is not valid or not trusted.

use super::peer::meshed;
use super::{Candidate, Check};
use crate::plan::gateway::Gateway;
use crate::plan::path::Cause;
use crate::plan::verdict::commands;
use crate::plan::verdict::counters::Stat;
use crate::plan::verdict::evidence::{Case, Look};

pub(super) fn no_secret(case: &Case<'_>) -> Candidate {
    // It tells the state of the cluster, so who asked makes no difference.
    let counted = match case.look(Stat::SecretsNotReady) {
        Look::Rose(rise) | Look::Noisy(rise) => Check::For(format!("Envoy counts it: {rise}")),
        Look::Flat(_) | Look::Unknown(_) => return Candidate::new(Cause::NoSecret, vec![Check::Mute]),
    };
    let around = match (&case.evidence.gateway, &case.evidence.certs) {
        (Gateway::NoSidecars { pods }, _) => {
            Check::For(format!("no sds and istio-proxy beside it: {}", pods.join(", ")))
        }
        (Gateway::NoCluster { .. }, _) => Check::For("its bootstrap lacks gateway_proxy_sds".to_owned()),
        (_, Ok(certs)) if certs.own.is_empty() => Check::For("Envoy's /certs has none of the mesh".to_owned()),
        _ => match case.look(Stat::Handshake) {
            Look::Flat(rise) => Check::For(rise.to_string()),
            _ => Check::Mute,
        },
    };
    let mend = match &case.evidence.gateway {
        Gateway::NoSidecars { .. } | Gateway::NoCluster { .. } => commands::inject(),
        _ => commands::sds_logs(),
    };
    Candidate::new(Cause::NoSecret, vec![counted, around]).mend(Some(mend))
}

pub(super) fn certificate_invalid(case: &Case<'_>) -> Candidate {
    let Ok(certs) = &case.evidence.certs else { return Candidate::new(Cause::CertificateInvalid, vec![Check::Mute]) };
    let faults: Vec<_> = certs.own.iter().filter_map(|cert| Some((cert, cert.fault(case.evidence.now)?))).collect();
    let certificate = match (faults.first(), faults.len() == certs.own.len()) {
        (None, _) => return Candidate::new(Cause::CertificateInvalid, vec![Check::Mute]),
        (Some((cert, fault)), true) => Check::For(format!("{} {fault}", cert.uris.join(", "))),
        (Some((cert, fault)), false) => Check::Unknown(format!("one of several {fault}: {}", cert.uris.join(", "))),
    };
    let failed = match case.look(Stat::TlsError) {
        Look::Rose(rise) => Check::For(format!("the backend ended TLS: {rise}")),
        Look::Noisy(rise) => Check::Unknown(format!("{rise}, with requests of others")),
        // With TLS 1.3 the server looks at the certificate after the client is through.
        Look::Flat(_) => match case.look(Stat::ClosedWithRequest) {
            Look::Rose(rise) => Check::Unknown(format!("the backend closed after TLS: {rise}")),
            _ => Check::Against("no TLS error".to_owned()),
        },
        Look::Unknown(why) => Check::Unknown(format!("TLS errors ({why})")),
    };
    Candidate::new(Cause::CertificateInvalid, vec![certificate, failed]).mend(Some(commands::istio_logs()))
}

pub(super) fn backend_not_trusted(case: &Case<'_>) -> Candidate {
    let refused = match case.look(Stat::FailVerify) {
        Look::Rose(rise) => Check::For(format!("Envoy refused the backend's certificate: {rise}")),
        Look::Noisy(rise) => Check::Unknown(format!("{rise}, with requests of others")),
        Look::Flat(_) | Look::Unknown(_) => return Candidate::new(Cause::BackendNotTrusted, vec![Check::Mute]),
    };
    let handshake = match case.look(Stat::Handshake) {
        Look::Flat(rise) => Check::For(format!("no handshake came about: {rise}")),
        Look::Rose(rise) | Look::Noisy(rise) => Check::Unknown(format!("others came about: {rise}")),
        Look::Unknown(_) => Check::Mute,
    };
    let root = case
        .evidence
        .certs
        .as_ref()
        .ok()
        .and_then(|certs| certs.roots.iter().find_map(|root| root.fault(case.evidence.now)));
    let root = root.map_or(Check::Mute, |fault| Check::For(format!("the gateway's root of the mesh {fault}")));
    Candidate::new(Cause::BackendNotTrusted, vec![refused, handshake, root]).mend(Some(commands::root()))
}

pub(super) fn gateway_not_trusted(case: &Case<'_>) -> Candidate {
    let none = || Candidate::new(Cause::GatewayNotTrusted, vec![Check::Mute]);
    let ended = match (case.look(Stat::TlsError), case.look(Stat::FailVerify)) {
        (Look::Rose(rise), Look::Flat(_)) => Check::For(format!("the backend ended TLS: {rise}")),
        (Look::Noisy(rise), _) => Check::Unknown(format!("{rise}, with requests of others")),
        _ => return none(),
    };
    let sidecars = match case.pods() {
        Some(pods) if !pods.is_empty() && pods.iter().all(|pod| pod.is_meshed) => Check::For(meshed(pods)),
        Some(pods) if !pods.iter().any(|pod| pod.is_meshed) => return none(),
        _ => Check::Mute,
    };
    let times = match &case.evidence.certs {
        Ok(certs) if certs.own.iter().any(|cert| cert.fault(case.evidence.now).is_some()) => return none(),
        Ok(certs) if !certs.own.is_empty() => {
            Check::For(format!("{} is not expired, its root may be another", certs.identities().join(", ")))
        }
        Ok(_) => Check::Mute,
        Err(why) => Check::Unknown(format!("the gateway's certificate ({why})")),
    };
    let candidate = Candidate::new(Cause::GatewayNotTrusted, vec![ended, sidecars, times]).never_proven();
    candidate.mend(Some(commands::root()))
}
