//! What may be behind an answer that the gateway gave itself: each cause a list of checks.
//!
//! A cause is proven where every check that it needs was seen, two at least, and none speaks against it.

use super::counters::Stat;
use super::evidence::{Case, Demand, Look, Sends};
use super::pods::{Pod, restarts};
use crate::plan::Unread;
use crate::plan::gateway::Gateway;

/// What a check came to, in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Check {
    For(String),
    Against(String),
    Unknown(String),
    /// Says nothing either way.
    Mute,
}

/// A cause and what was seen for and against it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    pub cause: Cause,
    pub checks: Vec<Check>,
    /// The command that mends it, if one does.
    pub mend: Option<String>,
    provable: bool,
}

/// The causes, in the order in which they are weighed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    NoRoute,
    NoCluster,
    NoEndpoint,
    NoSecret,
    StrictPeer,
    NoSidecar,
    CertificateInvalid,
    BackendNotTrusted,
    GatewayNotTrusted,
    NoConnection,
    BackendCloses,
}

impl Cause {
    /// Its name in the JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::NoRoute => "noRoute",
            Self::NoCluster => "noCluster",
            Self::NoEndpoint => "noEndpoint",
            Self::NoSecret => "noSecret",
            Self::StrictPeer => "strictPeer",
            Self::NoSidecar => "noSidecar",
            Self::CertificateInvalid => "certificateInvalid",
            Self::BackendNotTrusted => "backendNotTrusted",
            Self::GatewayNotTrusted => "gatewayNotTrusted",
            Self::NoConnection => "noConnection",
            Self::BackendCloses => "backendCloses",
        }
    }

    /// What it is called where it is one of several.
    pub fn words(self) -> &'static str {
        match self {
            Self::NoRoute => "no route",
            Self::NoCluster => "no cluster",
            Self::NoEndpoint => "no healthy endpoint",
            Self::NoSecret => "no certificate from SDS",
            Self::StrictPeer => "strict peer",
            Self::NoSidecar => "no sidecar",
            Self::CertificateInvalid => "gateway's certificate",
            Self::BackendNotTrusted => "backend's certificate",
            Self::GatewayNotTrusted => "gateway not trusted",
            Self::NoConnection => "no connection",
            Self::BackendCloses => "backend closes",
        }
    }

    /// What it is called where it is proven.
    pub fn title(self) -> &'static str {
        match self {
            Self::NoRoute => "no route",
            Self::NoCluster => "the route leads to a cluster that Envoy does not have",
            Self::NoEndpoint => "no healthy endpoint",
            Self::NoSecret => "the gateway has no certificate from SDS",
            Self::StrictPeer => "strict peer, gateway sends plaintext",
            Self::NoSidecar => "gateway sends TLS, pods have no sidecar",
            Self::CertificateInvalid => "the gateway's certificate is not valid now",
            Self::BackendNotTrusted => "the gateway does not accept the backend's certificate",
            Self::GatewayNotTrusted => "the backend does not accept the gateway's certificate",
            Self::NoConnection => "no connection to the endpoint",
            Self::BackendCloses => "the backend closes the connection",
        }
    }
}

impl Candidate {
    fn new(cause: Cause, checks: Vec<Check>) -> Self {
        Self { cause, checks, mend: None, provable: true }
    }

    #[must_use]
    fn mend(mut self, command: Option<String>) -> Self {
        self.mend = command;
        self
    }

    /// It may be so, and nothing that is looked at would prove it.
    #[must_use]
    fn never_proven(mut self) -> Self {
        self.provable = false;
        self
    }

    /// What was seen for it.
    pub fn facts(&self) -> Vec<&str> {
        let facts = self.checks.iter().filter_map(|check| if let Check::For(text) = check { Some(text) } else { None });
        facts.map(String::as_str).collect()
    }

    /// Whether every check was seen.
    pub fn is_proven(&self) -> bool {
        let fails = |check: &Check| matches!(check, Check::Against(_) | Check::Unknown(_));
        self.provable && self.facts().len() >= 2 && !self.checks.iter().any(fails)
    }

    /// Whether anything at all is to be said of it.
    pub fn is_worth_a_word(&self) -> bool {
        self.checks.iter().any(|check| *check != Check::Mute)
    }
}

/// All causes that can be behind this answer of the gateway.
pub fn candidates(case: &Case<'_>) -> Vec<Candidate> {
    let all = match case.answer.status {
        404 => vec![no_route(case)],
        503 => match no_cluster(case) {
            Some(candidate) => vec![candidate],
            None => vec![
                no_endpoint(case),
                no_secret(case),
                strict_peer(case),
                no_sidecar(case),
                certificate_invalid(case),
                backend_not_trusted(case),
                gateway_not_trusted(case),
                no_connection(case),
                backend_closes(case),
            ],
        },
        _ => Vec::new(),
    };
    all.into_iter().filter(Candidate::is_worth_a_word).collect()
}

fn no_route(case: &Case<'_>) -> Candidate {
    let counted = match &case.evidence.change {
        Err(why) => Check::Unknown(format!("Envoy's counters ({why})")),
        Ok(change) => match change.no_route() {
            (from, to) if to == from + change.sent => Check::For(format!("Envoy counts it: no_route {from} -> {to}")),
            (from, to) if to > from => Check::Unknown(format!("others found no route too: no_route {from} -> {to}")),
            (_, to) => Check::Against(format!("no_route stays {to}")),
        },
    };
    let said = match (case.answer.is_from_upstream(), case.answer.body.is_empty()) {
        (false, true) => Check::For("the gateway answered itself, with an empty body".to_owned()),
        (false, false) => Check::Against("the answer has a body, and Envoy's has none".to_owned()),
        (true, _) => Check::Against("an upstream answered".to_owned()),
    };
    let hint = "gloo-rs istio describe --host HOST --path PATH";
    Candidate::new(Cause::NoRoute, vec![counted, said]).mend(Some(hint.to_owned()))
}

/// `None` where Envoy has a cluster for the route.
fn no_cluster(case: &Case<'_>) -> Option<Candidate> {
    let change = case.evidence.change.as_ref().ok()?;
    let (from, to) = change.no_cluster();
    if to <= from || case.answer.is_from_upstream() || !case.answer.body.is_empty() {
        return None;
    }
    let counted = match to == from + change.sent {
        true => Check::For(format!("Envoy counts it: no_cluster {from} -> {to}")),
        false => Check::Unknown(format!("others found no cluster too: no_cluster {from} -> {to}")),
    };
    let listed = match (&case.evidence.hosts, &case.cluster) {
        (Ok((_, hosts)), Some(cluster)) if !hosts.is_there => {
            Check::For(format!("cluster {cluster} is not among Envoy's clusters"))
        }
        (Ok(_), Some(cluster)) => Check::Against(format!("Envoy has the cluster {cluster}")),
        _ => Check::For("the gateway answered itself, with an empty body".to_owned()),
    };
    let why = match &case.evidence.gateway {
        Gateway::NoCluster { .. } => Check::For("the gateway's bootstrap lacks gateway_proxy_sds".to_owned()),
        _ => Check::Mute,
    };
    let mend = match why {
        Check::For(_) => "gloo-rs istio inject",
        _ => "gloo-rs proxy served-config --diff",
    };
    Some(Candidate::new(Cause::NoCluster, vec![counted, listed, why]).mend(Some(mend.to_owned())))
}

fn no_endpoint(case: &Case<'_>) -> Candidate {
    let said = case.answer.has_no_healthy_upstream();
    let counted = case.look(Stat::NoneHealthy);
    let words = match (said, &counted) {
        (true, Look::Rose(rise)) => Check::For(format!("Envoy says: no healthy upstream; {rise}")),
        (true, _) => Check::For("Envoy says: no healthy upstream".to_owned()),
        (false, Look::Rose(rise)) if case.answer.reset().is_none() => Check::For(format!("Envoy counts it: {rise}")),
        (false, _) => return Candidate::new(Cause::NoEndpoint, against_no_endpoint(case)),
    };
    let endpoints = match (&case.evidence.hosts, &case.evidence.pods) {
        (Ok((_, hosts)), _) if hosts.by_address.is_empty() => Check::For("Envoy has 0 endpoints for it".to_owned()),
        (Ok((_, hosts)), _) if hosts.healthy() == 0 => {
            Check::For(format!("0 of {} endpoints healthy: {}", hosts.by_address.len(), hosts.ailing().join(", ")))
        }
        (_, Ok(pods)) if !pods.iter().any(|pod| pod.is_ready) => {
            Check::For(format!("0 of {} pods are ready", pods.len()))
        }
        (Ok((_, hosts)), _) => Check::Unknown(format!("Envoy has {} healthy endpoints by now", hosts.healthy())),
        (Err(why), _) => Check::Unknown(format!("endpoints ({why})")),
    };
    let mend = case.pods().filter(|pods| pods.is_empty()).and_then(|_| case.upstream()?.backend_namespace.clone());
    let mend = mend.map(|namespace| format!("kubectl get pods,endpointslices -n {namespace}"));
    Candidate::new(Cause::NoEndpoint, vec![words, endpoints]).mend(mend)
}

fn against_no_endpoint(case: &Case<'_>) -> Vec<Check> {
    match &case.evidence.hosts {
        Ok((_, hosts)) if hosts.healthy() > 0 => {
            vec![Check::Against(format!("{} of {} endpoints healthy", hosts.healthy(), hosts.by_address.len()))]
        }
        _ => vec![Check::Mute],
    }
}

fn no_secret(case: &Case<'_>) -> Candidate {
    // It tells the state of the cluster, so who asked makes no difference.
    let counted = match case.look(Stat::SecretsNotReady) {
        Look::Rose(rise) | Look::Noisy(rise) => {
            Check::For(format!("Envoy counts it: {}", of_cluster(rise.to_string())))
        }
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
        Gateway::NoSidecars { .. } | Gateway::NoCluster { .. } => "gloo-rs istio inject",
        _ => "gloo-rs proxy logs --container sds",
    };
    Candidate::new(Cause::NoSecret, vec![counted, around]).mend(Some(mend.to_owned()))
}

fn strict_peer(case: &Case<'_>) -> Candidate {
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
        (Gateway::NoSidecars { .. } | Gateway::NoCluster { .. }, _) => Some("gloo-rs istio inject".to_owned()),
        (_, Some(upstream)) if matches!(upstream.sends, Sends::Istio { .. } | Sends::PerPod { .. }) => {
            Some("gloo-rs proxy served-config --diff".to_owned())
        }
        (_, Some(upstream)) => Some(format!("gloo-rs istio enable-mtls --upstream {}", upstream.name)),
        (_, None) => None,
    };
    Candidate::new(Cause::StrictPeer, vec![peer, plaintext(case), pods, reset]).mend(mend)
}

/// Whether the gateway sends plaintext: Envoy's own word before that of the objects.
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

fn no_sidecar(case: &Case<'_>) -> Candidate {
    let sends = match case.upstream().map(|upstream| &upstream.sends) {
        Some(Sends::Istio { by }) => Check::For(format!("mTLS is on: {by}")),
        _ => return Candidate::new(Cause::NoSidecar, vec![Check::Mute]),
    };
    let failed = match case.look(Stat::TlsError) {
        Look::Rose(rise) => Check::For(format!("TLS came to nothing: {rise}")),
        Look::Noisy(rise) => Check::Unknown(format!("{rise}, with requests of others")),
        Look::Flat(_) => return Candidate::new(Cause::NoSidecar, vec![Check::Mute]),
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
    let mend = namespace.map(|namespace| format!("gloo-rs istio enroll {namespace}"));
    Candidate::new(Cause::NoSidecar, vec![sends, failed, pods]).mend(mend)
}

fn certificate_invalid(case: &Case<'_>) -> Candidate {
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
    let mend = "gloo-rs proxy logs --container istio-proxy";
    Candidate::new(Cause::CertificateInvalid, vec![certificate, failed]).mend(Some(mend.to_owned()))
}

fn backend_not_trusted(case: &Case<'_>) -> Candidate {
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
    let mend = "gloo-rs proxy certs";
    Candidate::new(Cause::BackendNotTrusted, vec![refused, handshake, root]).mend(Some(mend.to_owned()))
}

/// Nothing at the gateway tells an unknown root from another reason to end TLS.
fn gateway_not_trusted(case: &Case<'_>) -> Candidate {
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
    candidate.mend(Some("gloo-rs proxy certs".to_owned()))
}

fn no_connection(case: &Case<'_>) -> Candidate {
    let none = || Candidate::new(Cause::NoConnection, vec![Check::Mute]);
    let reason = case.answer.reset();
    let failed = match case.look(Stat::ConnectFail) {
        Look::Rose(rise) => Check::For(rise.to_string()),
        Look::Noisy(rise) => Check::Unknown(format!("{rise}, with requests of others")),
        Look::Unknown(_) if reason.as_deref().is_some_and(is_connect_failure) => {
            Check::Unknown("whether TLS or the connection failed".to_owned())
        }
        Look::Flat(_) | Look::Unknown(_) => return none(),
    };
    // A connection on which TLS fails is one that failed as well.
    let of_tls = [Stat::TlsError, Stat::FailVerify, Stat::SecretsNotReady];
    if of_tls.into_iter().any(|stat| matches!(case.look(stat), Look::Rose(_) | Look::Noisy(_))) {
        return none();
    }
    let said = reason.map_or(Check::Mute, |reason| Check::For(format!("Envoy says: {reason}")));
    let next = case.upstream().and_then(|upstream| upstream.backend_namespace.as_deref());
    let next = next.map(|namespace| format!("kubectl get pods,networkpolicies -n {namespace}"));
    Candidate::new(Cause::NoConnection, vec![said, failed]).mend(next)
}

fn is_connect_failure(reason: &str) -> bool {
    matches!(
        reason,
        "remote connection failure" | "local connection failure" | "connection failure" | "connection timeout"
    )
}

/// That it closes can be seen; whether for reasons of its own can not.
fn backend_closes(case: &Case<'_>) -> Candidate {
    let none = || Candidate::new(Cause::BackendCloses, vec![Check::Mute]);
    let is_closed = case.answer.reset().is_some_and(|reason| !is_connect_failure(&reason));
    if !is_closed {
        return none();
    }
    let restarted = match &case.evidence.pods {
        Err(why) => Check::Unknown(format!("restarts ({why})")),
        Ok(pods) if pods.is_empty() => return none(),
        Ok(pods) => match restarts(pods) {
            said if !said.is_empty() => Check::For(said.join("; ")),
            _ if pods.iter().any(|pod| !pod.is_ready) => Check::For(format!(
                "{} of {} pods are not ready",
                pods.iter().filter(|pod| !pod.is_ready).count(),
                pods.len()
            )),
            _ => Check::Against("0 restarts in 1h, all pods ready".to_owned()),
        },
    };
    let closed = match case.look(Stat::ClosedWithRequest) {
        Look::Rose(rise) => Check::For(rise.to_string()),
        _ => Check::Mute,
    };
    Candidate::new(Cause::BackendCloses, vec![restarted, closed]).never_proven()
}

fn guarded(pods: &[Pod]) -> String {
    let said = restarts(pods);
    let restarts = if said.is_empty() { "0 restarts in 1h".to_owned() } else { said.join("; ") };
    format!("{}; all ready; {restarts}", meshed(pods))
}

fn meshed(pods: &[Pod]) -> String {
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

fn of_cluster(text: String) -> String {
    text.replace("client_ssl_socket_factory.", "")
}
