//! How the gateway speaks to what answers, and whether that works: one verdict over facts.
//!
//! Each fact says which object it is from. What could not be read never becomes "ok": a verdict over it is
//! `unknown`, unless what is known decides alone.

pub(crate) mod behind;
pub(crate) mod causes;
pub(crate) mod effect;
pub(crate) mod endpoints;
pub(crate) mod forecast;
pub(crate) mod guard;
pub(crate) mod harm;
pub(crate) mod installation;
mod judge;
pub(crate) mod pair;
pub(crate) mod routed;
mod sends;
pub(crate) mod survey;

use super::Unread;
use super::acceptance::Acceptance;
use super::owner::Owner;
use super::peer::{Effective, Mode};
use super::routes::RouteTarget;

pub(crate) use causes::Cause;
pub use judge::judge;
pub(crate) use judge::{Judged, inject};
pub(crate) use pair::missing;
pub use sends::{Announced, Sends, Shows};
pub(crate) use sends::{Switched, of_service, of_upstream};
pub(crate) use survey::{ROOT_NAMESPACE, Survey};

/// In one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verdict {
    /// Istio's mutual TLS to every pod.
    Mtls,
    /// TLS that is not Istio's.
    Tls,
    /// Mutual TLS to some pods, plaintext to others.
    Mixed,
    Plaintext,
    /// Requests are answered with 503, all or some.
    Broken,
    /// What decides could not be read.
    Unknown,
}

impl Verdict {
    /// Every verdict there is.
    pub const ALL: [Self; 6] = [Self::Mtls, Self::Tls, Self::Mixed, Self::Plaintext, Self::Broken, Self::Unknown];

    /// Its name everywhere.
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

    /// The verdict of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|verdict| verdict.name() == name)
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// How a pod is in the mesh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// It has a sidecar, which takes mutual TLS.
    Sidecar,
    /// ztunnel stands before it: it takes no TLS of Gloo's, and policies hold for it all the same.
    Ambient,
    Outside,
}

/// A pod that answers.
#[derive(Debug, Clone, PartialEq)]
pub struct Pod {
    pub namespace: String,
    pub name: String,
    pub membership: Membership,
    /// The control plane that injected its sidecar.
    pub revision: Option<String>,
    /// What it takes, if anybody is there to say so.
    pub demands: Result<Effective, Unread>,
    /// The modes between which it is open what it takes: those of its ports, where its own is not known by its number.
    pub port_modes: Vec<(u64, Mode)>,
    /// Whether it takes requests.
    pub ready: Result<bool, Unread>,
    /// Why it gets no sidecar, whatever its namespace says.
    pub barred: Option<&'static str>,
}

/// `shop/cart-1`
impl std::fmt::Display for Pod {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl Pod {
    /// Whether it accepts the same as another: the same kind of traffic in the same modes.
    pub fn accepts_as(&self, other: &Self) -> bool {
        let mode = |pod: &Self| pod.demands.as_ref().map(|effective| effective.mode).map_err(Unread::clone);
        self.membership == other.membership
            && (self.membership == Membership::Outside
                || (mode(self) == mode(other) && self.port_modes == other.port_modes))
    }
}

/// What Istio takes a Service's port for, by its `appProtocol` or the beginning of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Declared {
    /// HTTP or gRPC: before it a sidecar takes no TLS but the mesh's.
    Http,
    /// Anything else, or nothing: other TLS goes through to the application.
    Other,
}

/// What is behind.
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
    /// A Service without that port: Gloo makes no endpoints of it.
    NoPort {
        service: String,
        port: u64,
    },
    /// A Service whose endpoints somebody makes by hand.
    ByHand {
        service: String,
    },
    /// No Service of this cluster: `static`, `aws`.
    Outside {
        kind: String,
    },
    Unknown(Unread),
}

/// A gateway proxy and what it lacks to present Istio's certificate.
#[derive(Debug, Clone, PartialEq)]
pub struct ProxyState {
    /// `gloo-system/gateway-proxy`
    pub name: String,
    /// Whether Gloo's controller owns it, so that `inject` does not.
    pub of_gateway_api: bool,
    /// Whether it is scaled to nothing.
    pub is_idle: bool,
    pub lacks: Result<Vec<String>, Unread>,
    /// What its pods show the mesh; none: nobody asked them.
    pub certificates: Option<Result<Vec<ShownCertificate>, Unread>>,
}

impl ProxyState {
    /// A proxy of which nothing but its name is known.
    pub fn named(name: &str) -> Self {
        let lacks = Err(format!("gateway proxy {name} has no label to find it by").into());
        Self { name: name.to_owned(), of_gateway_api: false, is_idle: false, lacks, certificates: None }
    }

    /// Why its certificates are not known, if somebody asked for them.
    pub fn unread_certificates(&self) -> Option<&Unread> {
        self.certificates.as_ref()?.as_ref().err()
    }
}

/// A certificate that a gateway's pod shows the mesh, as its Envoy tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownCertificate {
    pub namespace: String,
    pub pod: String,
    /// `spiffe://cluster.local/ns/gloo-system/sa/gateway-proxy`
    pub id: String,
    /// RFC 3339.
    pub ends: String,
    /// Seconds until then; negative: it is over.
    pub left: i64,
    /// Whether its root is the one that istiod hands out; none: not known.
    pub is_of_the_mesh: Option<bool>,
}

/// The facts of a target and what follows from them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Described {
    pub facts: Facts,
    pub judged: Judged,
}

impl Described {
    /// What is said about it on the cluster that was typed.
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

/// All that is known of one target.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    pub target: RouteTarget,
    pub sends: Sends,
    /// The object that decides it.
    pub sends_by: String,
    pub behind: Behind,
    pub proxies: Result<Vec<ProxyState>, Unread>,
    /// None where no object of Gloo's stands for it.
    pub acceptance: Option<Acceptance>,
    pub owner: Option<Owner>,
}

impl Facts {
    /// Those of a target of which nothing is read but this.
    pub fn bare(target: RouteTarget, behind: Behind, proxies: Result<Vec<ProxyState>, Unread>) -> Self {
        let sends = match &behind {
            Behind::Unknown(why) => Sends::Unknown(why.clone()),
            _ => Sends::Unknown("it is not followed any further".into()),
        };
        Self { target, sends, sends_by: String::new(), behind, proxies, acceptance: None, owner: None }
    }

    /// The same target where this is sent.
    #[must_use]
    pub fn sending(&self, sends: Sends) -> Self {
        Self { sends, ..self.clone() }
    }

    /// Whether the gateways send the same as before, and can.
    pub fn is_sent_as(&self, before: &Self) -> bool {
        let lacks = |facts: &Self| {
            let proxies = facts.proxies.as_ref().map_err(Unread::clone)?;
            Ok::<Vec<_>, Unread>(proxies.iter().map(|proxy| proxy.lacks.clone()).collect())
        };
        self.sends.is_same_as(&before.sends) && lacks(self) == lacks(before)
    }

    /// What is sent where only Settings tell it and they are not known: by auto-mTLS, and without it.
    pub fn sends_either(&self) -> Option<[Self; 2]> {
        let is_unknown = matches!(self.sends, Sends::Unknown(_));
        is_unknown.then(|| [Sends::PerPod, Sends::Plaintext { why: String::new() }].map(|sends| self.sending(sends)))
    }

    /// The pods, if they are known.
    pub fn pods(&self) -> Option<&[Pod]> {
        match &self.behind {
            Behind::Pods { pods, .. } => Some(pods),
            _ => None,
        }
    }

    /// The pods, if they are known, and what Istio takes their port for.
    pub fn pods_and_port(&self) -> Option<(&[Pod], Declared)> {
        match &self.behind {
            Behind::Pods { pods, port, .. } => Some((pods, *port)),
            _ => None,
        }
    }

    /// Every reason why something is not known.
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
