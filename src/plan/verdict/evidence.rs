//! Everything that was looked at: values, each of them known or unknown with the reason.

use jiff::Timestamp;

use super::answer::HttpAnswer;
use super::certs::Certs;
use super::counters::{CounterChange, Rise, Stat, Went};
use super::hosts::Hosts;
use super::pods::BackendPod;
use crate::command::CommandLine;
use crate::model::{Object, ObjectRef};
use crate::plan::Unread;
use crate::plan::gateway::Gateway;
use crate::plan::path::{Sends, Switched, of_upstream};

/// What was read, or why it was not: a missing right makes a fact unknown, never absent.
pub(crate) type Evident<T> = Result<T, Unread>;

/// What one run of the request showed, and what stands around it.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    /// The status that was expected.
    pub expect: u16,
    /// Every answer, in their order; at least one.
    pub answers: Vec<HttpAnswer>,
    /// Whether the request carried a certificate header of its own, so that an echo proves nothing.
    pub brought_client_cert: bool,
    /// Envoy's name of the Upstream's cluster, if one was named.
    pub expected_cluster: Option<String>,
    pub change: Evident<CounterChange>,
    /// The endpoints of the cluster before and after.
    pub hosts: Evident<(Hosts, Hosts)>,
    /// Whether Envoy counts TLS for the cluster, which it does where the cluster has a TLS context.
    pub has_tls: Evident<bool>,
    pub certs: Evident<Certs>,
    /// Who the gateway's pods run as: `/ns/gloo-system/sa/gateway-proxy`.
    pub identity: Evident<String>,
    pub upstream: Evident<Upstream>,
    pub demand: Evident<Demand>,
    pub pods: Evident<Vec<BackendPod>>,
    pub gateway: Gateway,
    pub now: Timestamp,
}

/// The Upstream behind the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upstream {
    /// As `--upstream` takes it.
    pub name: String,
    pub sent: SentTls,
    /// The namespace of the pods behind it, for the commands that fix.
    pub backend_namespace: Option<String>,
}

/// What the gateway sends there, and the object that decides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SentTls {
    pub sends: Sends,
    /// In words, as an operator looks for it: `spec.sslConfig of the Upstream`.
    pub by: String,
}

impl SentTls {
    /// To an Upstream, by its fields and by the switches in Settings.
    pub(crate) fn to_upstream(upstream: &Object, settings: &Evident<Switched>) -> Self {
        let (sends, source) = of_upstream(upstream, settings);
        let source = source.replacen("settings ", "Settings ", 1);
        let by = match &sends {
            Sends::Istio { .. } => "spec.sslConfig of the Upstream".to_owned(),
            Sends::Tls { .. } if !upstream.value["spec"]["sslConfig"].is_null() => {
                "spec.sslConfig of the Upstream, not Istio's".to_owned()
            }
            Sends::Tls { how, .. } => format!("TLS {how}"),
            Sends::PerPod => format!("auto-mTLS in {source}"),
            Sends::Plaintext { why } => format!("{why} ({source})"),
            Sends::Unknown(why) => format!("unknown ({why})"),
        };
        Self { sends, by }
    }

    /// Whether it is Istio's mutual TLS, to every pod or to those of the mesh.
    pub(crate) fn is_mutual(&self) -> bool {
        matches!(self.sends, Sends::Istio { .. } | Sends::PerPod)
    }

    /// Why it is not known.
    pub(crate) fn unknown(&self) -> Option<&Unread> {
        if let Sends::Unknown(why) = &self.sends { Some(why) } else { None }
    }
}

/// What the sidecars behind the Upstream demand, by their policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Demand {
    /// Every one takes mutual TLS alone.
    Strict { by: String },
    /// Some do.
    Mixed { by: String },
    /// None does.
    Lax { by: String },
    /// Every one takes plaintext alone; `fix` is the command that changes it.
    Disabled { by: String, fix: Option<CommandLine> },
    /// Some take plaintext alone, and none mutual TLS alone.
    PartlyDisabled { by: String, fix: Option<CommandLine> },
}

/// The evidence with what follows from it at once.
pub(crate) struct Case<'e> {
    pub evidence: &'e Evidence,
    /// The answer that is judged: the last one.
    pub answer: &'e HttpAnswer,
    pub went: Option<Went>,
    /// The cluster that is judged.
    pub cluster: Option<String>,
}

/// What a counter showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CounterReading {
    Rose(Rise),
    Flat(Rise),
    /// It rose while others used the cluster too.
    Noisy(Rise),
    Unknown(Unread),
}

impl<'e> Case<'e> {
    /// `None` where there is no answer to judge.
    pub(crate) fn from_evidence(evidence: &'e Evidence) -> Option<Self> {
        let went = evidence.change.as_ref().ok().map(|change| change.went(evidence.expected_cluster.as_deref()));
        let cluster = match &went {
            Some(Went::To(cluster)) => Some(cluster.clone()),
            _ => evidence.expected_cluster.clone(),
        };
        Some(Self { evidence, answer: evidence.answers.last()?, went, cluster })
    }

    /// A counter of the cluster.
    pub(crate) fn look(&self, stat: Stat) -> CounterReading {
        let change = match &self.evidence.change {
            Ok(change) => change,
            Err(why) => return CounterReading::Unknown(why.clone()),
        };
        let Some(cluster) = &self.cluster else {
            return CounterReading::Unknown("which cluster took it is unknown".into());
        };
        let rise = change.rise_of(cluster, stat);
        match rise.by() {
            0 => CounterReading::Flat(rise),
            _ if change.is_ours_alone(cluster) => CounterReading::Rose(rise),
            _ => CounterReading::Noisy(rise),
        }
    }

    /// Whether other requests were counted with ours.
    pub(crate) fn is_noisy(&self) -> bool {
        match (&self.evidence.change, &self.cluster, &self.went) {
            (_, _, Some(Went::Several(_))) => true,
            (Ok(change), Some(cluster), Some(Went::To(_))) => !change.is_ours_alone(cluster),
            _ => false,
        }
    }

    /// Whether the request went to another cluster than the one that was named.
    pub(crate) fn strayed_to(&self) -> Option<&str> {
        match (&self.went, &self.evidence.expected_cluster) {
            (Some(Went::To(cluster)), Some(expected)) if cluster != expected => Some(cluster),
            _ => None,
        }
    }

    /// The Upstream's name as a command takes it.
    pub(crate) fn upstream(&self) -> Option<&Upstream> {
        self.evidence.upstream.as_ref().ok()
    }

    /// The pods, if they were read.
    pub(crate) fn pods(&self) -> Option<&[BackendPod]> {
        self.evidence.pods.as_deref().ok()
    }
}

/// Envoy's name of an Upstream's cluster (Gloo, `translator.UpstreamToClusterName`).
pub(crate) fn cluster_name(upstream: &ObjectRef) -> String {
    format!("{}_{}", upstream.name, upstream.namespace)
}

/// The namespace and the name of the Upstream whose cluster this is; neither may have `_` in it.
pub(crate) fn upstream_of(cluster: &str) -> Option<(&str, &str)> {
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
    use crate::plan::settings::Switches;

    #[test]
    fn a_cluster_has_its_upstreams_name() {
        let cluster = cluster_name(&ObjectRef::new(&UPSTREAM, "gloo-system", "default-httpbin-8000"));
        assert_eq!(upstream_of(&cluster), Some(("gloo-system", "default-httpbin-8000")));
        for other in ["xds", "gloo.gloo-system.svc.cluster.local:9977", "_", "kube-svc:a_b_c", "../x_y"] {
            assert_eq!(upstream_of(other), None, "{other}");
        }
    }

    #[test]
    fn what_the_gateway_sends_is_decided_by_the_upstream_before_settings() {
        let settings = |auto: bool| {
            let switches = Switches { integration: auto, auto_mtls: auto };
            Ok(Switched { switches, source: "settings gloo-system/default".into() })
        };
        let by = |spec: serde_json::Value, settings: &Evident<Switched>| {
            SentTls::to_upstream(&Object::new(&UPSTREAM, json!({"spec": spec})), settings).by
        };
        let istio = json!({"sslConfig": crate::plan::ssl_config::istio_ssl_config()});
        assert_eq!(by(istio, &settings(false)), "spec.sslConfig of the Upstream");
        assert_eq!(by(json!({"kube": {}}), &settings(true)), "auto-mTLS in Settings gloo-system/default");
        let opted_out = json!({"kube": {}, "disableIstioAutoMtls": true});
        let says = "opted out of auto-mTLS (spec.disableIstioAutoMtls)";
        assert_eq!(by(opted_out.clone(), &settings(true)), says);
        assert_eq!(by(opted_out, &Err("may not".into())), says, "Settings do not decide there");
        let off = "no sslConfig, and auto-mTLS is off (Settings gloo-system/default)";
        assert_eq!(by(json!({"kube": {}}), &settings(false)), off);
        let other = json!({"sslConfig": {"secretRef": {}}});
        assert_eq!(by(other, &settings(true)), "spec.sslConfig of the Upstream, not Istio's");
        let fixed = json!({"static": {"hosts": [{"addr": "db.example", "port": 5432}]}});
        let none = "auto-mTLS finds no pod of the mesh there (Settings gloo-system/default)";
        assert_eq!(by(fixed, &settings(true)), none);
        let unknown =
            SentTls::to_upstream(&Object::new(&UPSTREAM, json!({"spec": {"kube": {}}})), &Err("may not".into()));
        assert_eq!(unknown.unknown(), Some(&"may not".into()));
    }
}
