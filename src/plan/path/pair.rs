//! A pair of a gateway and a pod: compares what the gateway sends with what the pod accepts.

use super::{
    Announced, Behind, Cause, Declared, Facts, Membership, Negotiated, Pod, ProxyState, Sends, ShownCertificate, Shows,
    tunnel,
};
use crate::plan::authorization::{self, Admission, Caller, Enforcer};
use crate::plan::peer::{Effective, Mode, PolicyRef};
use crate::plan::sidecars::parts::{ISTIO_PROXY, SDS};
use crate::plan::sidecars::state::SidecarPart;

pub(crate) use super::state::PairState;

/// A gateway and a ready pod behind a target.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Pair<'f> {
    /// `None` if the gateways are unknown.
    pub proxy: Option<&'f ProxyState>,
    pub pod: &'f Pod,
    /// The result at the pod, with a ztunnel that carries it, whether the gateway can send this or not.
    pub ends: PairState,
    pub state: PairState,
}

/// Returns why nothing answers, whatever is sent.
pub(crate) fn nothing_behind(facts: &Facts) -> Option<(Cause, String)> {
    Some(match &facts.behind {
        Behind::NoUpstream => (Cause::NoUpstream, format!("{} is not there", facts.target)),
        Behind::NoService { service } => (Cause::NoService, format!("service {service} is not there")),
        Behind::NoPort(no_port) => (Cause::NoService, no_port.to_string()),
        Behind::Pods { service, pods, .. } if pods.is_empty() => {
            (Cause::NoEndpoint, format!("no pod runs behind service {service}: 503, no healthy upstream"))
        }
        Behind::Pods { service, pods, .. } if pods.iter().all(|pod| pod.ready == Ok(false)) => {
            (Cause::NoEndpoint, format!("none of {} behind service {service} is ready: 503", count(pods.len())))
        }
        _ => return None,
    })
}

/// Returns the result at each pod that is not known to be unready, for the gateway from which it is worst. Unready pods
/// get no requests.
pub(crate) fn ends(facts: &Facts) -> Vec<(&Pod, PairState)> {
    let over_all = |(pod, ends)| {
        let of_gateways = gateway_ends(facts, pod, &ends).into_iter().map(|(_, ends)| ends);
        (pod, of_gateways.min_by_key(PairState::rank).unwrap_or(ends))
    };
    at_pods(facts).into_iter().map(over_all).collect()
}

/// Returns the result at each pod if no ztunnel carries the requests.
fn at_pods(facts: &Facts) -> Vec<(&Pod, PairState)> {
    let Some((pods, port)) = facts.pods_and_port() else { return Vec::new() };
    let ready = pods.iter().filter(|pod| pod.ready != Ok(false));
    ready.map(|pod| (pod, of_pod(&facts.sends, pod, port))).collect()
}

/// Returns every pair of a gateway that is not scaled to 0 and a pod that is not known to be unready.
pub(crate) fn pairs(facts: &Facts) -> Vec<Pair<'_>> {
    let of_pod = |(pod, ends)| {
        let all = gateway_ends(facts, pod, &ends).into_iter();
        all.map(move |(proxy, ends)| Pair { proxy, pod, state: state(facts, proxy, pod, ends.clone()), ends })
    };
    at_pods(facts).into_iter().flat_map(of_pod).collect()
}

/// Returns the result at the pod for each gateway that is not scaled to 0, with a ztunnel that carries its requests.
/// `None` stands for gateways that are unknown.
fn gateway_ends<'f>(facts: &'f Facts, pod: &Pod, ends: &PairState) -> Vec<(Option<&'f ProxyState>, PairState)> {
    match &facts.proxies {
        Ok(proxies) if !proxies.is_empty() => {
            let active = proxies.iter().filter(|proxy| !proxy.is_idle);
            active.map(|proxy| (Some(proxy), tunnel::carried(&facts.sends, proxy, pod, ends))).collect()
        }
        Ok(_) => vec![(None, ends.clone())],
        Err(why) => vec![(None, tunnel::carried_by_unread(why, &facts.sends, pod, ends))],
    }
}

fn state(facts: &Facts, proxy: Option<&ProxyState>, pod: &Pod, ends: PairState) -> PairState {
    match (proxy, &facts.proxies) {
        (Some(proxy), _) => admitted(proxy, pod, from_gateway(&facts.sends, proxy, ends)),
        (None, _) if !needs_certificate(&facts.sends, &ends) => ends,
        (None, Err(why)) => PairState::unread("whether the gateway has Istio's sidecars is unknown: ", why),
        (None, Ok(_)) => {
            let why = "no gateway proxy was found that could present Istio's certificate".to_owned();
            PairState::Unknown { cause: None, why, rule: None }
        }
    }
}

/// Returns each pair of a ready pod and a gateway that is not scaled to 0, with the state before the pod's policies
/// decide.
pub(crate) fn presented(facts: &Facts) -> impl Iterator<Item = (&Pod, &ProxyState, PairState)> {
    at_pods(facts).into_iter().flat_map(move |(pod, ends)| {
        let of_gateways = gateway_ends(facts, pod, &ends).into_iter();
        of_gateways.filter_map(move |(proxy, ends)| Some((pod, proxy?, from_gateway(&facts.sends, proxy?, ends))))
    })
}

/// Returns the policy that denies the first denied pair.
pub(crate) fn denying(facts: &Facts) -> Option<PolicyRef> {
    presented(facts).find_map(|(pod, proxy, state)| match admission(proxy, pod, &state)? {
        Admission::Denied { by, .. } => Some(by.policy),
        _ => None,
    })
}

/// Returns whether a policy of a pod may deny the gateway.
pub(crate) fn have_authorization(facts: &Facts) -> bool {
    facts.pods().into_iter().flatten().any(|pod| pod.authorization.as_ref().is_ok_and(|policies| !policies.is_empty()))
}

/// Returns why one of these pairs is broken. A pair that is broken at the pod comes first, because another gateway
/// would not help.
pub(crate) fn first_broken<'p>(pairs: impl IntoIterator<Item = &'p Pair<'p>>) -> Option<(Cause, &'p str)> {
    let broken = pairs.into_iter().filter_map(|pair| match &pair.state {
        PairState::Broken { cause, why } => Some((matches!(pair.ends, PairState::Broken { .. }), *cause, why.as_str())),
        _ => None,
    });
    broken.min_by_key(|(is_of_pod, ..)| !is_of_pod).map(|(_, cause, why)| (cause, why))
}

/// Returns whether the gateway must present the mesh's certificate for this.
pub(crate) fn needs_certificate(sends: &Sends, state: &PairState) -> bool {
    !matches!(state, PairState::Broken { .. }) && (*state == PairState::Mtls || matches!(sends, Sends::Istio { .. }))
}

/// Combines the result at the pod with what the gateway can present.
pub(crate) fn from_gateway(sends: &Sends, proxy: &ProxyState, ends: PairState) -> PairState {
    if needs_certificate(sends, &ends) {
        return match &proxy.lacks {
            Ok(lacks) if lacks.is_empty() => refused(proxy).unwrap_or(ends),
            Ok(lacks) => {
                let why =
                    format!("gateway {} cannot present Istio's certificate: it lacks {}", proxy.name, missing(lacks));
                PairState::broken(Cause::NoSecret, why)
            }
            Err(why) => PairState::unread("whether the gateway has Istio's sidecars is unknown: ", why),
        };
    }
    if let Sends::Tls { shows: Shows::CertificateOfSds, how, .. } = sends {
        let cluster = SidecarPart::Cluster.to_string();
        if proxy.lacks.as_ref().is_ok_and(|lacks| lacks.contains(&cluster)) {
            let why = format!("TLS {how} comes from {cluster}, which gateway {} lacks", proxy.name);
            return PairState::broken(Cause::NoSecret, why);
        }
    }
    ends
}

/// Returns the broken state if the policies of the pod deny every request of the gateway.
fn admitted(proxy: &ProxyState, pod: &Pod, state: PairState) -> PairState {
    match admission(proxy, pod, &state) {
        Some(Admission::Denied { by, does }) => {
            PairState::broken(Cause::Denied, format!("policy {by} {does} gateway {}", proxy.name))
        }
        _ => state,
    }
}

/// Returns what the policies of the pod say about the gateway in this state. `None` if no request gets that far, or if
/// that is unknown. Only mutual TLS of the mesh carries the gateway's identity.
pub(crate) fn admission(proxy: &ProxyState, pod: &Pod, state: &PairState) -> Option<Admission> {
    let policies = pod.authorization.as_ref().ok()?;
    let enforcer = match pod.membership {
        Membership::Ambient | Membership::Labelled => Enforcer::Ztunnel,
        Membership::Sidecar | Membership::Outside | Membership::Unknown => Enforcer::Sidecar,
    };
    Some(authorization::admission(policies, caller(proxy, state)?, pod.port, enforcer))
}

/// Returns who sends the gateway's requests, as the sidecar sees it in this state. `None` if no request gets that far, or
/// if that is unknown.
pub(crate) fn caller<'p>(proxy: &'p ProxyState, state: &PairState) -> Option<Caller<'p>> {
    let (namespace, _) = proxy.name.split_once('/')?;
    match state {
        PairState::Mtls | PairState::Tunnelled => Some(Caller::Account { namespace, name: &proxy.account }),
        PairState::Plaintext | PairState::Tls => Some(Caller::Anonymous),
        PairState::Broken { .. } | PairState::Unknown { .. } => None,
    }
}

/// Returns the broken state if no sidecar accepts the gateway's certificate.
fn refused(proxy: &ProxyState) -> Option<PairState> {
    let (what, certificate) = refused_certificate(proxy)?;
    let sentence = format!("gateway {}: {what} of pod {}", proxy.name, certificate.pod);
    Some(match certificate.left <= 0 {
        true => PairState::broken(Cause::CertificateInvalid, format!("{sentence} ended at {}", certificate.ends)),
        false => PairState::broken(Cause::GatewayNotTrusted, format!("{sentence} is not the mesh's")),
    })
}

/// Returns the certificate that no sidecar accepts, and which part of it is wrong.
pub(crate) fn refused_certificate(proxy: &ProxyState) -> Option<(&'static str, &ShownCertificate)> {
    let certificates = proxy.certificates.as_ref()?.as_ref().ok()?;
    let expired = certificates.iter().find(|it| it.left <= 0).map(|it| ("the certificate", it));
    expired.or_else(|| certificates.iter().find(|it| it.is_of_the_mesh == Some(false)).map(|it| ("the root", it)))
}

/// Compares what is sent to a pod behind this port with what the pod accepts. Whether the gateway can send it is
/// decided in [`from_gateway`].
pub(crate) fn of_pod(sends: &Sends, pod: &Pod, port: Declared) -> PairState {
    match (sends, pod.membership) {
        (Sends::Unknown(why), _) => PairState::Unknown { cause: None, why: why.why.clone(), rule: why.rule.clone() },
        (Sends::Istio { .. }, Membership::Ambient) => {
            PairState::broken(Cause::NoSidecar, "it is in the ambient mesh and has no sidecar to take TLS")
        }
        (Sends::Istio { .. }, Membership::Outside | Membership::Labelled) => {
            PairState::broken(Cause::NoSidecar, "it has no sidecar to take Istio's TLS")
        }
        (Sends::Tls { .. }, Membership::Outside) => PairState::Tls,
        (Sends::Plaintext { .. } | Sends::PerPod, Membership::Outside) => PairState::Plaintext,
        _ => match &pod.demands {
            Ok(effective) => under(effective.mode, sends, pod, port),
            Err(why) if pod.membership == Membership::Unknown => {
                PairState::unread("whether it gets a sidecar is unknown: ", why)
            }
            Err(why) => PairState::unread("the PeerAuthentication that applies is unknown: ", why),
        },
    }
}

/// Returns the result for a pod to which the mesh's policies apply.
fn under(mode: Mode, sends: &Sends, pod: &Pod, port: Declared) -> PairState {
    let is_ambient = matches!(pod.membership, Membership::Ambient | Membership::Labelled);
    match sends {
        Sends::Istio { announced, negotiated, .. } => istio(pod, mode, *announced, *negotiated, port),
        Sends::PerPod if !is_ambient => istio(pod, mode, Announced::AsTheMeshs, Negotiated::AsSent, port),
        _ if pod.membership == Membership::Labelled && mode == Mode::Strict => tunnel::labelled(),
        _ if is_ambient && mode == Mode::Strict => PairState::broken(
            Cause::StrictAmbient,
            format!("the ambient mesh accepts only its own TLS (STRICT, {})", policy(pod)),
        ),
        Sends::Tls { .. } if is_ambient => PairState::Tls,
        Sends::Tls { how, announced, shows } => {
            own(pod, mode, &Own { how, announced: *announced, shows: *shows }, port)
        }
        _ if mode == Mode::Strict => {
            PairState::broken(Cause::StrictPeer, format!("it accepts only mutual TLS (STRICT, {})", policy(pod)))
        }
        _ => PairState::Plaintext,
    }
}

fn istio(pod: &Pod, mode: Mode, announced: Announced, negotiated: Negotiated, port: Declared) -> PairState {
    match (mode, announced, negotiated, port) {
        (Mode::Disable, ..) => PairState::broken(
            Cause::DisabledPeer,
            format!("it does not accept mutual TLS ({} says DISABLE)", policy(pod)),
        ),
        (Mode::Permissive, Announced::Not, ..) => PairState::broken(
            Cause::NotAnnounced,
            "its sidecar is PERMISSIVE and recognizes the mesh's TLS by alpnProtocols [istio], which the sslConfig lacks",
        ),
        (_, _, Negotiated::OtherThanSent, Declared::Http) => PairState::broken(
            Cause::Http2NotSent,
            "its sidecar selects HTTP/2 by h2 in alpnProtocols, and the gateway sends HTTP/1.1 without useHttp2",
        ),
        (Mode::Permissive, Announced::AsTheMeshs, ..) | (Mode::Strict, ..) => PairState::Mtls,
    }
}

struct Own<'s> {
    how: &'s str,
    announced: Announced,
    shows: Shows,
}

/// Returns the result of TLS that is not Istio's, sent to a sidecar. If the sidecar terminates it, it requires a
/// certificate of the mesh. If not, the TLS is passed to the application, unless the port is declared HTTP, because
/// then there is no filter chain for it.
fn own(pod: &Pod, mode: Mode, own: &Own<'_>, port: Declared) -> PairState {
    let is_ended = mode == Mode::Strict || (mode == Mode::Permissive && own.announced == Announced::AsTheMeshs);
    let mode_of = format!("{mode} ({})", policy(pod));
    match (is_ended, own.shows, port) {
        (true, Shows::Nothing, _) => PairState::broken(
            Cause::OwnTls,
            format!("{mode_of} requires a certificate of the mesh, and TLS {} shows none", own.how),
        ),
        (true, Shows::FilesOfIstio, _) => PairState::Unknown {
            cause: None,
            why: format!("{mode_of} accepts TLS {} for 24 hours: Envoy does not read the files again", own.how),
            rule: None,
        },
        (true, Shows::Certificate | Shows::CertificateOfSds, _) => PairState::Unknown {
            cause: Some(Cause::OwnCertificate),
            why: format!("{mode_of} requires a certificate of the mesh; TLS {} may not be one", own.how),
            rule: None,
        },
        (false, _, Declared::Http) => {
            PairState::broken(Cause::OwnTls, "its port is declared HTTP, where a sidecar accepts only the mesh's TLS")
        }
        (false, _, Declared::Other) => PairState::Tls,
    }
}

/// Returns the policy that sets the pod's mode: `istio-system/default, mesh`.
pub(crate) fn policy(pod: &Pod) -> String {
    let effective = pod.demands.as_ref().ok();
    effective.and_then(Effective::set_by).map_or_else(|| "Istio's default".to_owned(), ToString::to_string)
}

/// `1 pod`, `3 pods`
pub(crate) fn count(number: usize) -> String {
    if number == 1 { "1 pod".to_owned() } else { format!("{number} pods") }
}

/// Returns the text for a host outside of the cluster: `a host of type static`, `host db.example (ExternalName)`.
pub(crate) fn outside_host(kind: &str) -> String {
    match kind.split_once(' ') {
        Some((by, host)) => format!("host {host} ({by})"),
        None => format!("a host of type {kind}"),
    }
}

/// Returns whether certificates cannot arrive with these parts missing: a sidecar, or the cluster in the bootstrap or in
/// a running Envoy.
pub(crate) fn stops_certificates(lacks: &[String]) -> bool {
    let sidecars = [SidecarPart::Container(SDS), SidecarPart::Container(ISTIO_PROXY)];
    let mut parts = sidecars.into_iter().chain([SidecarPart::Cluster, SidecarPart::LoadedCluster]);
    parts.any(|part| lacks.contains(&part.to_string()))
}

/// Returns the first missing parts, and the number of the others.
pub(crate) fn missing(parts: &[String]) -> String {
    const NAMED: usize = 3;
    let more = if parts.len() > NAMED { format!(" and {} more parts", parts.len() - NAMED) } else { String::new() };
    format!("{}{more}", parts.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", "))
}
