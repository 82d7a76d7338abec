//! What the gateway sends to a destination, and whether that works: one verdict from facts.
//!
//! Each fact names the object that it comes from. Something that could not be read never becomes "ok": the verdict is
//! `unknown`, unless the known facts are enough.

pub(crate) mod behind;
pub(crate) mod causes;
mod closed;
mod decider;
pub(crate) mod effect;
pub(crate) mod endpoints;
pub(crate) mod fixes;
pub(crate) mod forecast;
pub(crate) mod guard;
pub(crate) mod harm;
mod holders;
pub(crate) mod identity;
pub(crate) mod in_files;
pub(crate) mod installation;
mod judge;
pub(crate) mod pair;
pub(crate) mod routed;
mod sends;
mod serving;
mod state;
pub(crate) mod survey;
pub(crate) mod tunnel;
mod workloads;

use super::Unread;
use std::sync::Arc;

use serde::{Serialize, Serializer};

use super::acceptance::Acceptance;
use super::authorization::AuthorizationPolicy;
use super::fix::GatewayFix;
use super::owner::Owner;
use super::peer::{Effective, Mode};
use super::pod;
use super::routes::RouteTarget;

pub(crate) use causes::Cause;
pub(crate) use decider::Decider;
pub(crate) use fixes::inject;
pub(crate) use judge::JudgedPath;
pub use judge::judge;
pub(crate) use pair::missing;
pub use sends::{Announced, Negotiated, Sends, Shows};
pub(crate) use sends::{Switched, of_service, of_upstream};
pub(crate) use survey::{ROOT_NAMESPACE, Survey};

/// The verdict on a path in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Istio's mutual TLS to every pod.
    Mtls,
    /// TLS that is not Istio's.
    Tls,
    /// Mutual TLS to some pods, plaintext to others.
    Mixed,
    Plaintext,
    /// All or some requests get 503s.
    Broken,
    /// A fact that decides could not be read.
    Unknown,
}

impl Verdict {
    /// All verdicts.
    pub const ALL: [Self; 6] = [Self::Mtls, Self::Tls, Self::Mixed, Self::Plaintext, Self::Broken, Self::Unknown];

    /// Returns the name of the verdict in all output.
    pub fn name(self) -> &'static str {
        match self {
            Self::Mtls => "mtls",
            Self::Tls => "tls",
            Self::Mixed => "mixed",
            Self::Plaintext => "plaintext",
            Self::Broken => "broken",
            Self::Unknown => "unknown",
        }
    }

    /// Returns the verdict with this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }
}

impl Serialize for Verdict {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether and how a pod is in the mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// It has a sidecar, which accepts mutual TLS.
    Sidecar,
    /// It is behind a ztunnel. It does not accept TLS from Gloo, but policies apply to it.
    Ambient,
    /// A label requests the ambient mesh, and nothing proves that a ztunnel captures it.
    Labelled,
    Outside,
    /// The files do not tell. Why is in the place of its demands.
    Unknown,
}

/// A pod behind a target.
#[derive(Debug, Clone, PartialEq)]
pub struct Pod {
    pub namespace: String,
    pub name: String,
    pub membership: Membership,
    /// Whether its sidecar accepts HBONE, which a ztunnel sends.
    pub accepts_hbone: bool,
    /// The revision of the control plane that injected its sidecar.
    pub revision: Option<String>,
    /// What it accepts.
    pub demands: Result<Effective, Unread>,
    /// The possible modes, where the number of its port is unknown: those of all its ports.
    pub port_modes: Vec<(u64, Mode)>,
    /// The number of its port, if it is known.
    pub port: Option<u64>,
    /// The authorization policies that its sidecar enforces. Only a pod of the mesh enforces any.
    pub authorization: Result<Vec<Arc<AuthorizationPolicy>>, Unread>,
    /// Whether it gets requests.
    pub ready: Result<bool, Unread>,
    /// Why it gets no sidecar, whatever its namespace's labels are.
    pub barred: Option<&'static str>,
}

/// Writes `shop/cart-1`.
impl std::fmt::Display for Pod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Pod {
    /// Returns whether it is in the mesh, as far as that is proven. Of a pod in files that may be, it counts.
    pub fn is_in_mesh(&self) -> bool {
        !matches!(self.membership, Membership::Outside | Membership::Labelled)
    }

    /// Returns whether it stands for all pods of a workload in a file.
    pub(crate) fn is_of_template(&self) -> bool {
        self.name.contains('/')
    }

    /// Returns `pod shop/cart-1`, or `pods of deployment shop/cart`.
    pub(crate) fn shown(&self) -> String {
        pod::shown(&format!("{}/", self.namespace), &self.name)
    }

    /// Returns whether it accepts the same as another pod: the same kind of traffic in the same modes.
    pub fn accepts_as(&self, other: &Self) -> bool {
        let mode = |pod: &Self| pod.demands.as_ref().map(|effective| effective.mode).map_err(Unread::clone);
        (self.membership, self.accepts_hbone) == (other.membership, other.accepts_hbone)
            && (self.membership == Membership::Outside
                || (mode(self) == mode(other)
                    && self.port_modes == other.port_modes
                    && self.authorization == other.authorization))
    }
}

/// The protocol that Istio uses for a Service's port, by its `appProtocol` or the beginning of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declared {
    /// HTTP or gRPC. A sidecar accepts only the mesh's TLS on such a port.
    Http,
    /// Any other or no protocol. Other TLS is passed through to the application.
    Other,
}

/// What is behind a target.
#[derive(Debug, Clone, PartialEq)]
pub enum Behind {
    /// The Upstream that a route names does not exist.
    NoUpstream,
    Pods {
        service: String,
        port: Declared,
        pods: Vec<Pod>,
    },
    NoService {
        service: String,
    },
    /// A Service without that port. Gloo creates no endpoints for it.
    NoPort(NoPort),
    /// A Service whose endpoints are maintained manually.
    ByHand {
        service: String,
    },
    /// Not a Service of this cluster: `static`, `aws`.
    Outside {
        kind: String,
    },
    Unknown(Unread),
}

/// A port that a Service does not have, and those that it has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoPort {
    pub service: String,
    pub port: u64,
    /// `8080 (http)`
    pub has: Vec<String>,
}

/// Writes `service shop/cart has no port 81, only 8080 (http) and 9090`.
impl std::fmt::Display for NoPort {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "service {} has no port {}", self.service, self.port)?;
        match self.has.split_last() {
            None => Ok(()),
            Some((only, [])) => write!(f, ", only {only}"),
            Some((last, others)) => write!(f, ", only {} and {last}", others.join(", ")),
        }
    }
}

/// The `ServiceAccount` of pods that name none.
pub(crate) const DEFAULT_ACCOUNT: &str = "default";

/// Whether a ztunnel carries the requests of a gateway. Nothing in Gloo's objects shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Captured {
    /// Each of its pods is captured, and ztunnel is ready.
    Yes,
    No,
    /// Something shows that it may be, and the reason why that is no proof.
    Unproven(Unread),
    /// Its pods could not be read, and nothing else shows that they are captured.
    Unread(Unread),
}

/// A gateway proxy, and what it needs to present Istio's certificate.
#[derive(Debug, Clone, PartialEq)]
pub struct ProxyState {
    /// `gloo-system/gateway-proxy`
    pub name: String,
    /// The `ServiceAccount` of its pods, in its namespace: the identity that it presents to the mesh.
    pub account: String,
    /// Whether Gloo's controller owns it, so that `inject` does not change it.
    pub of_gateway_api: bool,
    /// How it gets what it lacks.
    pub fix: GatewayFix,
    /// Whether it is scaled to 0.
    pub is_idle: bool,
    pub captured: Captured,
    /// The policy by which ztunnel refuses clients of the gateway outside of the mesh: its pods are captured and STRICT.
    pub closed: Result<Option<String>, Unread>,
    pub lacks: Result<Vec<String>, Unread>,
    /// The certificates that its pods present to the mesh. `None` if they were not requested.
    pub certificates: Option<Result<Vec<ShownCertificate>, Unread>>,
}

impl ProxyState {
    /// Creates a proxy of which only the name is known.
    pub fn named(name: &str) -> Self {
        let lacks = Err(format!("gateway proxy {name} has no label to find it by").into());
        let account = DEFAULT_ACCOUNT.to_owned();
        let fix = GatewayFix::named(name);
        Self {
            name: name.to_owned(),
            account,
            of_gateway_api: false,
            fix,
            is_idle: false,
            captured: Captured::No,
            closed: Ok(None),
            lacks,
            certificates: None,
        }
    }

    /// Returns why its certificates are unknown, if they were requested.
    pub fn unread_certificates(&self) -> Option<&Unread> {
        self.certificates.as_ref()?.as_ref().err()
    }
}

/// A gateway that clients outside of the mesh do not reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ClosedGateway {
    /// `gloo-system/gateway-proxy`
    pub name: String,
    /// The policy: `istio-system/default, mesh`.
    pub by: String,
}

impl ClosedGateway {
    /// The namespace of the gateway.
    pub(crate) fn namespace(&self) -> &str {
        self.name.split_once('/').map_or("", |(namespace, _)| namespace)
    }
}

/// Writes `gateway gloo-system/gateway-proxy: ztunnel refuses its clients outside of the mesh (STRICT, shop/p, namespace)`.
impl std::fmt::Display for ClosedGateway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "gateway {}: ztunnel refuses its clients outside of the mesh (STRICT, {})", self.name, self.by)
    }
}

/// A certificate that a gateway's pod presents to the mesh, as its Envoy reports it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownCertificate {
    pub namespace: String,
    pub pod: String,
    /// `spiffe://cluster.local/ns/gloo-system/sa/gateway-proxy`
    pub id: String,
    /// The end of its validity, RFC 3339.
    pub ends: String,
    /// Seconds until the end. Zero or negative if it has expired.
    pub left: i64,
    /// Whether its root is the one that istiod distributes. `None` if unknown.
    pub is_of_the_mesh: Option<bool>,
}

/// The facts of a target and the verdict from them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Described {
    pub facts: Facts,
    pub judged: JudgedPath,
}

impl Described {
    /// Sets the cluster of the command line in the fix.
    #[must_use]
    pub(crate) fn on(mut self, target: &crate::command::TypedTarget) -> Self {
        self.judged.fix = self.judged.fix.map(|hint| hint.on(target));
        self
    }
}

impl From<Facts> for Described {
    fn from(facts: Facts) -> Self {
        let judged = judge(&facts);
        Self { facts, judged }
    }
}

/// All known facts of one target.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    pub target: RouteTarget,
    pub sends: Sends,
    /// The object or setting that decides what is sent.
    pub sends_by: String,
    pub behind: Behind,
    pub proxies: Result<Vec<ProxyState>, Unread>,
    /// The value for `--revision` of `istio enroll` for the namespace of the pods, if it needs one.
    pub enroll_revision: Option<String>,
    /// `None` if no object of Gloo's represents the target.
    pub acceptance: Option<Acceptance>,
    pub owner: Option<Owner>,
}

impl Facts {
    /// Creates the facts of a target of which nothing else is read.
    pub fn bare(target: RouteTarget, behind: Behind, proxies: Result<Vec<ProxyState>, Unread>) -> Self {
        let sends = match &behind {
            Behind::Unknown(why) => Sends::Unknown(why.clone()),
            _ => Sends::Unknown("it is not followed any further".into()),
        };
        let sends_by = String::new();
        Self { target, sends, sends_by, behind, proxies, enroll_revision: None, acceptance: None, owner: None }
    }

    /// Returns the facts of the same target with something else sent.
    #[must_use]
    pub fn sending(&self, sends: Sends) -> Self {
        Self { sends, ..self.clone() }
    }

    /// Returns whether the gateways send the same as before, have the same parts missing, and are captured alike.
    pub fn is_sent_as(&self, before: &Self) -> bool {
        let lacks = |facts: &Self| {
            let proxies = facts.proxies.as_ref().map_err(Unread::clone)?;
            Ok::<Vec<_>, Unread>(proxies.iter().map(|proxy| (proxy.lacks.clone(), proxy.captured.clone())).collect())
        };
        self.sends.is_same_as(&before.sends) && lacks(self) == lacks(before)
    }

    /// Returns both possibilities where only Settings decide what is sent and they are unknown: with auto-mTLS, and
    /// without it.
    pub fn sends_either(&self) -> Option<[Self; 2]> {
        let is_unknown = matches!(self.sends, Sends::Unknown(_));
        is_unknown.then(|| [Sends::PerPod, Sends::Plaintext { why: String::new() }].map(|sends| self.sending(sends)))
    }

    /// Returns the pods, if they are known.
    pub fn pods(&self) -> Option<&[Pod]> {
        match &self.behind {
            Behind::Pods { pods, .. } => Some(pods),
            _ => None,
        }
    }

    /// Returns the pods, if they are known, and the protocol of their port.
    pub fn pods_and_port(&self) -> Option<(&[Pod], Declared)> {
        match &self.behind {
            Behind::Pods { pods, port, .. } => Some((pods, *port)),
            _ => None,
        }
    }

    /// Returns every reason why something is unknown.
    pub fn unread(&self) -> Vec<&Unread> {
        let mut all: Vec<&Unread> = Vec::new();
        if let Sends::Unknown(why) = &self.sends {
            all.push(why);
        }
        if let Behind::Unknown(why) = &self.behind {
            all.push(why);
        }
        for pod in self.pods().into_iter().flatten() {
            all.extend(pod.demands.as_ref().err().into_iter().chain(pod.ready.as_ref().err()));
            // Files without such policies are in order: that there are none says nothing about what is encrypted.
            all.extend(pod.authorization.as_ref().err().filter(|why| why.rule.is_some()));
        }
        match &self.proxies {
            Err(why) => all.push(why),
            Ok(proxies) => all.extend(proxies.iter().filter_map(|proxy| proxy.lacks.as_ref().err())),
        }
        let mut seen: Vec<&Unread> = Vec::new();
        all.retain(|why| {
            !seen.contains(why) && {
                seen.push(why);
                true
            }
        });
        all
    }
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
