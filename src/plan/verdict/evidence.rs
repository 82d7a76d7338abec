//! Everything that was looked at: values, each of them known or unknown with the reason.

use jiff::Timestamp;

use super::answer::Answer;
use super::certs::Certs;
use super::counters::{Change, Rise, Stat, Went};
use super::hosts::Hosts;
use super::pods::Pod;
use crate::plan::Unread;
use crate::plan::gateway::Gateway;

/// What was read, or why it was not: a missing right makes a fact unknown, never absent.
pub type Known<T> = Result<T, Unread>;

/// What one run of the request showed, and what stands around it.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The status that was expected.
    pub expect: u16,
    /// Every answer, in their order; at least one.
    pub answers: Vec<Answer>,
    /// Whether the request carried a certificate header of its own, so that an echo proves nothing.
    pub brought_client_cert: bool,
    /// Envoy's name of the Upstream's cluster, if one was named.
    pub expected_cluster: Option<String>,
    pub change: Known<Change>,
    /// The endpoints of the cluster before and after.
    pub hosts: Known<(Hosts, Hosts)>,
    /// Whether Envoy counts TLS for the cluster, which it does where the cluster has a TLS context.
    pub has_tls: Known<bool>,
    pub certs: Known<Certs>,
    /// Who the gateway's pods run as: `/ns/gloo-system/sa/gateway-proxy`.
    pub identity: Known<String>,
    pub upstream: Known<Upstream>,
    pub demand: Known<Demand>,
    pub pods: Known<Vec<Pod>>,
    pub gateway: Gateway,
    pub now: Timestamp,
}

/// The Upstream behind the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upstream {
    /// As `--upstream` takes it.
    pub name: String,
    pub sends: Sends,
    /// The namespace of the pods behind it, for the commands that mend.
    pub backend_namespace: Option<String>,
}

/// What the gateway sends there, by the objects that decide it. Each says which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sends {
    /// Istio's mutual TLS, always.
    Istio {
        by: String,
    },
    /// Istio's mutual TLS to pods of the mesh, plaintext to others.
    PerPod {
        by: String,
    },
    /// Somebody else's TLS.
    Foreign {
        by: String,
    },
    Plaintext {
        by: String,
    },
    Unknown {
        why: Unread,
    },
}

impl Sends {
    /// Which object decides, in words.
    pub fn by(&self) -> String {
        match self {
            Self::Istio { by } | Self::PerPod { by } | Self::Foreign { by } | Self::Plaintext { by } => by.clone(),
            Self::Unknown { why } => format!("unknown ({why})"),
        }
    }
}

/// What the sidecars behind the Upstream demand, by their policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Demand {
    /// Every one takes mutual TLS alone.
    Strict { by: String },
    /// Some do.
    Mixed { by: String },
    /// None does.
    Lax { by: String },
}

/// The evidence with what follows from it at once.
pub struct Case<'e> {
    pub evidence: &'e Evidence,
    /// The answer that is judged: the last one.
    pub answer: &'e Answer,
    pub went: Option<Went>,
    /// The cluster that is judged.
    pub cluster: Option<String>,
}

/// What a counter showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    Rose(Rise),
    Flat(Rise),
    /// It rose while others used the cluster too.
    Noisy(Rise),
    Unknown(Unread),
}

impl<'e> Case<'e> {
    /// `None` where there is no answer to judge.
    pub fn of(evidence: &'e Evidence) -> Option<Self> {
        let went = evidence.change.as_ref().ok().map(|change| change.went(evidence.expected_cluster.as_deref()));
        let cluster = match &went {
            Some(Went::To(cluster)) => Some(cluster.clone()),
            _ => evidence.expected_cluster.clone(),
        };
        Some(Self { evidence, answer: evidence.answers.last()?, went, cluster })
    }

    /// A counter of the cluster.
    pub fn look(&self, stat: Stat) -> Look {
        let change = match &self.evidence.change {
            Ok(change) => change,
            Err(why) => return Look::Unknown(why.clone()),
        };
        let Some(cluster) = &self.cluster else { return Look::Unknown("which cluster took it is not known".into()) };
        let rise = change.of(cluster, stat);
        match rise.by() {
            0 => Look::Flat(rise),
            _ if change.is_ours_alone(cluster) => Look::Rose(rise),
            _ => Look::Noisy(rise),
        }
    }

    /// Whether other requests were counted with ours.
    pub fn is_noisy(&self) -> bool {
        match (&self.evidence.change, &self.cluster, &self.went) {
            (_, _, Some(Went::Several(_))) => true,
            (Ok(change), Some(cluster), Some(Went::To(_))) => !change.is_ours_alone(cluster),
            _ => false,
        }
    }

    /// Whether the request went to another cluster than the one that was named.
    pub fn strayed_to(&self) -> Option<&str> {
        match (&self.went, &self.evidence.expected_cluster) {
            (Some(Went::To(cluster)), Some(expected)) if cluster != expected => Some(cluster),
            _ => None,
        }
    }

    /// The Upstream's name as a command takes it.
    pub fn upstream(&self) -> Option<&Upstream> {
        self.evidence.upstream.as_ref().ok()
    }

    /// The pods, if they were read.
    pub fn pods(&self) -> Option<&[Pod]> {
        self.evidence.pods.as_deref().ok()
    }
}
