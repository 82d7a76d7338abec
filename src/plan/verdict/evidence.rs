//! Everything that was looked at: values, each of them known or unknown with the reason.

use jiff::Timestamp;

use super::answer::Answer;
use super::certs::Certs;
use super::counters::{Change, Rise, Stat, Went};
use super::hosts::Hosts;
use super::pods::Pod;
use crate::model::{Object, ObjectRef};
use crate::plan::Unread;
use crate::plan::gateway::{AutoMtls, Gateway};
use crate::plan::ssl_config::{Tls, tls_of};

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
    /// What the gateway sends to an Upstream, by its fields and by the switches in Settings.
    pub fn of(upstream: &Object, auto_mtls: &Known<AutoMtls>, gloo_namespace: &str) -> Self {
        let settings = format!("Settings {gloo_namespace}/default");
        match (tls_of(&upstream.value), auto_mtls) {
            (Tls::Istio(_), _) => Self::Istio { by: "spec.sslConfig of the Upstream".to_owned() },
            (Tls::Foreign(_), _) => Self::Foreign { by: "spec.sslConfig of the Upstream, not Istio's".to_owned() },
            (Tls::Absent, Err(why)) => Self::Unknown { why: why.clone() },
            (Tls::Absent, Ok(AutoMtls::Unknown)) => Self::Unknown { why: "auto-mTLS is unknown".into() },
            (Tls::Absent, Ok(auto)) if auto.covers(upstream) => Self::PerPod { by: format!("auto-mTLS in {settings}") },
            (Tls::Absent, Ok(AutoMtls::On)) => {
                Self::Plaintext { by: "no sslConfig; spec.disableIstioAutoMtls of the Upstream".to_owned() }
            }
            (Tls::Absent, Ok(AutoMtls::Off)) => {
                Self::Plaintext { by: format!("no sslConfig; auto-mTLS off in {settings}") }
            }
        }
    }

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
    /// Every one takes plaintext alone; `mend` is the command that changes it.
    Disabled { by: String, mend: String },
    /// Some take plaintext alone, and none mutual TLS alone.
    PartlyDisabled { by: String, mend: String },
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

/// Envoy's name of an Upstream's cluster (Gloo, `translator.UpstreamToClusterName`).
pub fn cluster_name(upstream: &ObjectRef) -> String {
    format!("{}_{}", upstream.name, upstream.namespace)
}

/// The namespace and the name of the Upstream whose cluster this is; neither may have `_` in it.
pub fn upstream_of(cluster: &str) -> Option<(&str, &str)> {
    let (name, namespace) = cluster.rsplit_once('_')?;
    let is_name = |text: &str| {
        let fine = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
        !text.is_empty() && text.bytes().all(fine)
    };
    (is_name(name) && is_name(namespace)).then_some((namespace, name))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::kinds::UPSTREAM;

    #[test]
    fn a_cluster_has_its_upstreams_name() {
        let cluster = cluster_name(&ObjectRef::new(&UPSTREAM, "gloo-system", "default-httpbin-8000"));
        assert_eq!(upstream_of(&cluster), Some(("gloo-system", "default-httpbin-8000")));
        for other in ["xds", "gloo.gloo-system.svc.cluster.local:9977", "_", "kube-svc:a_b_c", "../x_y"] {
            assert_eq!(upstream_of(other), None, "{other}");
        }
    }

    #[test]
    fn what_the_gateway_sends_is_the_upstreams_word_before_that_of_settings() {
        let sends = |spec: serde_json::Value, auto: AutoMtls| {
            let upstream = Object::new(&UPSTREAM, json!({"spec": spec}));
            Sends::of(&upstream, &Ok(auto), "gloo-system").by()
        };
        let istio = json!({"sslConfig": crate::plan::ssl_config::istio_ssl_config()});
        assert_eq!(sends(istio, AutoMtls::Off), "spec.sslConfig of the Upstream");
        assert_eq!(sends(json!({}), AutoMtls::On), "auto-mTLS in Settings gloo-system/default");
        let opted_out = json!({"disableIstioAutoMtls": true});
        assert_eq!(sends(opted_out, AutoMtls::On), "no sslConfig; spec.disableIstioAutoMtls of the Upstream");
        assert_eq!(sends(json!({}), AutoMtls::Off), "no sslConfig; auto-mTLS off in Settings gloo-system/default");
        let other = json!({"sslConfig": {"secretRef": {}}});
        assert_eq!(sends(other, AutoMtls::On), "spec.sslConfig of the Upstream, not Istio's");
        let unknown = Sends::of(&Object::new(&UPSTREAM, json!({})), &Err("may not".into()), "gloo-system");
        assert_eq!(unknown, Sends::Unknown { why: "may not".into() });
    }
}
