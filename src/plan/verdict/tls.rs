//! Whether a request with a response used mutual TLS: proven, disproven, or neither.

use super::answer::Echo;
use super::certs::SPIFFE;
use super::client_cert::ClientCert;
use super::counters::Stat;
use super::evidence::{Case, CounterReading, Demand, SentTls};
use super::pods::BackendPod;
use super::tunnel::Tunnel;
use crate::plan::path::Sends;

/// The result of the evidence about TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TlsVerdict {
    /// Both ends presented a certificate.
    Mutual(TlsProof),
    /// No TLS. At least two facts that prove it.
    Plain(Vec<String>),
    /// The available evidence, and what is missing.
    Unproven { seen: Vec<String>, missing: Vec<String> },
}

/// The proof of mutual TLS.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct TlsProof {
    /// The client's identity as the backend saw it.
    pub client: Option<String>,
    /// The backend's identity.
    pub server: Option<String>,
    pub evidence: Vec<String>,
}

/// Checks the echo first, because it is about this request, and then Envoy's counters.
pub(crate) fn seen(case: &Case<'_>) -> TlsVerdict {
    let encryption = encryption(case);
    let mut missing = Vec::new();
    match echo(case) {
        Heard::Gateway(mut proof) => {
            proof.evidence.extend(encryption.ok());
            return TlsVerdict::Mutual(proof);
        }
        Heard::Other(why) => missing.push(why),
        Heard::Nothing => {}
    }
    let demanded = demanded(case);
    if let (Ok(encrypted), Ok(demanded)) = (&encryption, &demanded) {
        let evidence = vec![encrypted.clone(), demanded.clone()];
        return TlsVerdict::Mutual(TlsProof { evidence, ..TlsProof::default() });
    }
    if let Some(tunnelled) = tunnelled(case) {
        return tunnelled;
    }
    if let Some(plain) = plain(case) {
        return TlsVerdict::Plain(plain);
    }
    let mut seen = Vec::new();
    for fact in [encryption, demanded] {
        match fact {
            Ok(fact) => seen.push(fact),
            Err(why) => missing.push(why),
        }
    }
    TlsVerdict::Unproven { seen, missing }
}

/// Returns the verdict if a ztunnel carries the request, or may. Envoy then sees plaintext, which proves nothing.
fn tunnelled(case: &Case<'_>) -> Option<TlsVerdict> {
    let carried = "ztunnel captures the gateway and every pod".to_owned();
    match &case.evidence.tunnel {
        Tunnel::No => None,
        Tunnel::Yes { strict: Some(by) } => {
            let evidence = vec![carried, format!("peer STRICT ({by})")];
            Some(TlsVerdict::Mutual(TlsProof { evidence, ..TlsProof::default() }))
        }
        Tunnel::Yes { strict: None } => {
            let missing = vec!["the peer accepts plaintext too, and no request shows what ztunnel sends".to_owned()];
            Some(TlsVerdict::Unproven { seen: vec![carried], missing })
        }
        Tunnel::Unknown(why) => {
            let missing = vec![format!("whether ztunnel carries the request ({why})")];
            Some(TlsVerdict::Unproven { seen: Vec::new(), missing })
        }
    }
}

enum Heard {
    /// The backend's client was the gateway.
    Gateway(TlsProof),
    /// There is a certificate header, but it is not a proof. The reason.
    Other(String),
    Nothing,
}

fn echo(case: &Case<'_>) -> Heard {
    let certificates = match case.answer.echo() {
        Echo::Certificates(certificates) if !certificates.is_empty() => certificates,
        _ => return Heard::Nothing,
    };
    if case.evidence.brought_client_cert {
        return Heard::Other(
            "the request brought its own x-forwarded-client-cert, so the echo proves nothing".to_owned(),
        );
    }
    let Some(ours) = certificates.iter().rev().find(|certificate| is_gateway(case, certificate)) else {
        let named: Vec<_> = certificates.iter().flat_map(|certificate| &certificate.uris).map(String::as_str).collect();
        return Heard::Other(match &case.evidence.identity {
            Ok(identity) => {
                format!("x-forwarded-client-cert names {}, not the gateway (...{identity})", listed(&named))
            }
            Err(why) => format!("x-forwarded-client-cert names {}, the gateway's identity: {why}", listed(&named)),
        });
    };
    Heard::Gateway(TlsProof {
        client: ours.uris.first().cloned(),
        server: ours.by.iter().find(|by| by.starts_with(SPIFFE)).cloned(),
        evidence: vec!["x-forwarded-client-cert".to_owned()],
    })
}

fn listed(names: &[&str]) -> String {
    if names.is_empty() { "nobody".to_owned() } else { names.join(", ") }
}

/// Returns whether a server of the mesh wrote this element about the gateway's own certificate.
fn is_gateway(case: &Case<'_>, certificate: &ClientCert) -> bool {
    let is_ours = |uri: &String| {
        let by_certs = case.evidence.certs.as_ref().is_ok_and(|certs| certs.identities().contains(&uri.as_str()));
        let by_pods = case.evidence.identity.as_ref().is_ok_and(|identity| uri.ends_with(identity.as_str()));
        uri.starts_with(SPIFFE) && (by_certs || by_pods)
    };
    certificate.by.iter().any(|by| by.starts_with(SPIFFE)) && certificate.uris.iter().any(is_ours)
}

/// Returns the fact from Envoy's counters that the gateway's connection used TLS.
fn encryption(case: &Case<'_>) -> Result<String, String> {
    match (case.look(Stat::Handshake), case.look(Stat::Connections)) {
        (CounterReading::Rose(handshakes), CounterReading::Rose(connections))
            if handshakes.by() >= connections.by() =>
        {
            Ok(handshakes.to_string())
        }
        (CounterReading::Rose(rise) | CounterReading::Noisy(rise) | CounterReading::Flat(rise), connections) => {
            // An existing connection may be reused. It used TLS if all connections did.
            let failed = match case.look(Stat::ConnectFail) {
                CounterReading::Rose(rise) | CounterReading::Noisy(rise) | CounterReading::Flat(rise) => rise.to,
                CounterReading::Unknown(_) => 0,
            };
            match connections {
                CounterReading::Rose(all) | CounterReading::Noisy(all) | CounterReading::Flat(all)
                    if rise.to > 0 && rise.to + failed == all.to && case.evidence.has_tls == Ok(true) =>
                {
                    Ok(format!("each of {} connections was TLS ({rise})", rise.to))
                }
                _ if case.evidence.has_tls == Ok(false) => Err("Envoy's cluster has no TLS".to_owned()),
                _ => Err(format!("whether the connection was TLS: {rise}")),
            }
        }
        (CounterReading::Unknown(why), _) => Err(format!("Envoy's counters ({why})")),
    }
}

/// Returns the fact that the backend accepts only mutual TLS.
fn demanded(case: &Case<'_>) -> Result<String, String> {
    let by = match &case.evidence.demand {
        Ok(Demand::Strict { by, .. }) => by,
        Ok(Demand::Mixed { by, .. }) => return Err(format!("some pods are STRICT ({by}), others are not")),
        Ok(Demand::Lax { by }) => return Err(format!("the peer accepts plaintext too: {by}")),
        Ok(Demand::Disabled { by, .. }) => return Err(format!("the peer accepts only plaintext: {by}")),
        Ok(Demand::PartlyDisabled { by, .. }) => return Err(format!("some pods accept only plaintext ({by})")),
        Err(why) => return Err(format!("peer mode ({why})")),
    };
    match &case.evidence.pods {
        Ok(pods) if !pods.is_empty() && pods.iter().all(BackendPod::is_guarded) => Ok(format!("peer STRICT ({by})")),
        Ok(pods) => {
            let bare = pods.iter().filter(|pod| !pod.is_guarded()).count();
            Err(format!("{bare} of {} pods have no ready sidecar in front of every port", pods.len()))
        }
        Err(why) => Err(format!("sidecars ({why})")),
    }
}

/// Returns the facts that prove that there was no TLS. A sidecar next to the gateway could still encrypt, so an echo,
/// if there is one, must agree.
fn plain(case: &Case<'_>) -> Option<Vec<String>> {
    let by_objects = match case.upstream().map(|upstream| &upstream.sent) {
        Some(SentTls { sends: Sends::Plaintext { .. }, by }) => Some(by.clone()),
        _ => None,
    };
    let by_envoy = match (&case.evidence.has_tls, case.look(Stat::Handshake), case.look(Stat::Connections)) {
        (Ok(false), ..) => Some("Envoy's cluster has no TLS".to_owned()),
        (_, CounterReading::Flat(handshakes), CounterReading::Rose(connections)) => {
            Some(format!("{connections}, {handshakes}"))
        }
        _ => None,
    };
    let by_echo = (case.answer.echo() == Echo::WithoutCertificate)
        .then(|| "the backend got no x-forwarded-client-cert".to_owned());
    let facts: Vec<_> = [by_objects, by_envoy, by_echo].into_iter().flatten().collect();
    let has_certificate = matches!(case.answer.echo(), Echo::Certificates(_));
    (facts.len() >= 2 && !has_certificate).then_some(facts)
}
