//! All evidence: each value is known, or unknown with the reason.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::json;

use super::answer::HttpAnswer;
use super::certs::Certs;
use super::commands;
use super::counters::{CounterChange, Receivers, Rise, Stat, Went};
use super::hosts::Hosts;
use super::pods::BackendPod;
use super::tunnel::Tunnel;
use crate::command::{CommandLine, Hint, gloo_rs};
use crate::model::{Object, ObjectRef, kinds};
use crate::plan::Unread;
use crate::plan::authorization::AuthorizationPolicy;
use crate::plan::fix::{self, BackendFix, NoSidecar};
use crate::plan::gateway::Gateway;
use crate::plan::path::{Sends, Switched, of_upstream};

/// A value, or why it could not be read. A missing permission makes a fact unknown, never absent.
pub(crate) type Evident<T> = Result<T, Unread>;

/// The responses of one run of the request, and the state of the cluster.
#[derive(Debug, Clone)]
pub(crate) struct Evidence {
    /// The expected status.
    pub expect: u16,
    /// All responses, in their order. At least one.
    pub answers: Vec<HttpAnswer>,
    /// Whether the request had its own certificate header, so that an echo proves nothing.
    pub brought_client_cert: bool,
    /// Envoy's name for the named Upstream's cluster.
    pub expected_cluster: Option<String>,
    pub change: Evident<CounterChange>,
    /// The pods of the gateway that received the requests. Unknown also if the requests were sent to one pod.
    pub receivers: Receivers,
    /// What the requests were sent to.
    pub url: String,
    /// The endpoints of the cluster before and after.
    pub hosts: Evident<(Hosts, Hosts)>,
    /// Whether Envoy has TLS counters for the cluster. It has them if the cluster has a TLS context.
    pub has_tls: Evident<bool>,
    pub certs: Evident<Certs>,
    /// The identity of the gateway's pods: `/ns/gloo-system/sa/gateway-proxy`.
    pub identity: Evident<String>,
    pub upstream: Evident<Upstream>,
    pub demand: Evident<Demand>,
    /// Whether a ztunnel carries the requests.
    pub tunnel: Tunnel,
    /// For each pod of the mesh behind the Upstream.
    pub authorization: Evident<Vec<PodAuthorization>>,
    pub pods: Evident<Vec<BackendPod>>,
    pub gateway: Gateway,
    pub now: Timestamp,
}

/// The Upstream of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upstream {
    /// The value for `--upstream`. `None` if a route leads to a Service, for which Gloo has an Upstream only in memory.
    pub name: Option<String>,
    /// The namespace of Gloo.
    pub gloo: String,
    pub sent: SentTls,
    /// The namespace of the pods behind it, for the commands that fix the problem.
    pub backend_namespace: Option<String>,
}

/// What the gateway sends to an Upstream, and the object that decides it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SentTls {
    pub sends: Sends,
    /// The field that decides, as text for the operator: `spec.sslConfig of the Upstream`.
    pub by: String,
}

impl Upstream {
    /// Returns the command after which the gateway sends mutual TLS. Only auto-mTLS can do so for a Service.
    pub(crate) fn encrypts(&self) -> CommandLine {
        match &self.name {
            Some(name) => commands::enable_mtls(name),
            None => gloo_rs("istio auto-mtls enable").of_installation(&self.gloo),
        }
    }
}

impl SentTls {
    /// Reads what is sent to an Upstream, from its fields and from the switches in Settings.
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

    /// Returns whether it is Istio's mutual TLS, to every pod or to those with a sidecar.
    pub(crate) fn is_mutual(&self) -> bool {
        matches!(self.sends, Sends::Istio { .. } | Sends::PerPod)
    }

    /// Returns why it is unknown.
    pub(crate) fn unknown(&self) -> Option<&Unread> {
        if let Sends::Unknown(why) = &self.sends { Some(why) } else { None }
    }
}

/// The authorization policies of a pod, and the number of its port.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PodAuthorization {
    pub policies: Vec<Arc<AuthorizationPolicy>>,
    pub port: Option<u64>,
}

/// What the sidecars behind the Upstream accept, by their policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Demand {
    /// All accept only mutual TLS. `fix` is the command after which they accept plaintext as well.
    Strict { by: String, fix: Option<CommandLine> },
    /// Some accept only mutual TLS.
    Mixed { by: String, fix: Option<CommandLine> },
    /// None accepts only mutual TLS.
    Lax { by: String },
    /// All accept only plaintext. `fix` is the command that changes it.
    Disabled { by: String, fix: Option<CommandLine> },
    /// Some accept only plaintext, and none accepts only mutual TLS.
    PartlyDisabled { by: String, fix: Option<CommandLine> },
}

/// The evidence, with the values that follow from it directly.
pub(crate) struct Case<'e> {
    pub evidence: &'e Evidence,
    /// The response that is judged: the last one.
    pub answer: &'e HttpAnswer,
    pub went: Option<Went>,
    /// The cluster that is judged.
    pub cluster: Option<String>,
}

/// The change of a counter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CounterReading {
    Rose(Rise),
    Flat(Rise),
    /// It rose while other requests used the cluster too.
    Noisy(Rise),
    Unknown(Unread),
}

impl<'e> Case<'e> {
    /// Creates the case. `None` if there is no response.
    pub(crate) fn from_evidence(evidence: &'e Evidence) -> Option<Self> {
        let went = evidence.change.as_ref().ok().map(|change| change.went(evidence.expected_cluster.as_deref()));
        let cluster = match &went {
            Some(Went::To(cluster)) => Some(cluster.clone()),
            _ => evidence.expected_cluster.clone(),
        };
        Some(Self { evidence, answer: evidence.answers.last()?, went, cluster })
    }

    /// Returns the change of a counter of the cluster.
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

    /// Returns whether other requests were counted together with ours.
    pub(crate) fn is_noisy(&self) -> bool {
        match (&self.evidence.change, &self.cluster, &self.went) {
            (_, _, Some(Went::Several(_))) => true,
            (Ok(change), Some(cluster), Some(Went::To(_))) => !change.is_ours_alone(cluster),
            _ => false,
        }
    }

    /// Returns the cluster that got the request, if it is not the named one.
    pub(crate) fn strayed_to(&self) -> Option<&str> {
        match (&self.went, &self.evidence.expected_cluster) {
            (Some(Went::To(cluster)), Some(expected)) if cluster != expected => Some(cluster),
            _ => None,
        }
    }

    /// Returns the Upstream, if it was read.
    pub(crate) fn upstream(&self) -> Option<&Upstream> {
        self.evidence.upstream.as_ref().ok()
    }

    /// Returns what decides how the pods behind the Upstream are fixed.
    pub(crate) fn backend(&self) -> BackendFix {
        let upstream = self.upstream();
        let without = |pod: &BackendPod| match pod.barred {
            _ if pod.is_meshed => None,
            _ if pod.is_ambient => Some(NoSidecar::Ambient),
            Some(why) => Some(NoSidecar::Barred(why)),
            None => Some(NoSidecar::Enrollable),
        };
        let opens = match &self.evidence.demand {
            Ok(Demand::Strict { fix, .. } | Demand::Mixed { fix, .. }) => fix.clone(),
            _ => None,
        };
        BackendFix {
            namespace: upstream.and_then(|upstream| upstream.backend_namespace.clone()),
            revision: None,
            without: self.pods().into_iter().flatten().filter_map(without).collect(),
            opens,
            upstream: upstream.and_then(|upstream| upstream.name.clone()),
        }
    }

    /// Returns the commands that set up the sidecars of the gateway, if it lacks any.
    pub(crate) fn gateway_fix(&self) -> Option<Hint> {
        match &self.evidence.gateway {
            Gateway::NoSidecars { fix, .. } | Gateway::NoCluster { fix, .. } => fix::gateways(fix),
            _ => None,
        }
    }

    /// Returns the pods, if they were read.
    pub(crate) fn pods(&self) -> Option<&[BackendPod]> {
        self.evidence.pods.as_deref().ok()
    }
}

/// Returns Envoy's name for an Upstream's cluster (Gloo, `translator.UpstreamToClusterName`).
pub(crate) fn cluster_name(upstream: &ObjectRef) -> String {
    format!("{}_{}", upstream.name, upstream.namespace)
}

/// Returns the Upstream that Gloo has in memory for a route to a Service, by its cluster
/// `kube-svc:httpbin-httpbin-8000_httpbin` (Gloo, `kubernetes.serviceToUpstream`). `None` for other clusters, also where
/// the name is so long that Gloo shortens it.
pub(crate) fn in_memory(cluster: &str) -> Option<Object> {
    let (name, namespace) = cluster.strip_prefix("kube-svc:")?.rsplit_once('_')?;
    let (service, port) = name.strip_prefix(namespace)?.strip_prefix('-')?.rsplit_once('-')?;
    let port: u16 = port.parse().ok()?;
    let kube = json!({"serviceName": service, "serviceNamespace": namespace, "servicePort": port});
    let metadata = json!({"name": format!("kube-svc:{name}"), "namespace": namespace});
    Some(Object::new(&kinds::UPSTREAM, json!({"metadata": metadata, "spec": {"kube": kube}})))
}

/// Returns the namespace and the name of the Upstream of this cluster. Neither may contain `_`.
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
    fn a_cluster_of_a_service_has_the_service_in_its_name() {
        let kube = |cluster: &str| in_memory(cluster).map(|upstream| upstream.value["spec"]["kube"].clone());
        let of = |namespace: &str, name: &str, port: u16| {
            Some(json!({"serviceName": name, "serviceNamespace": namespace, "servicePort": port}))
        };
        assert_eq!(kube("kube-svc:httpbin-httpbin-8000_httpbin"), of("httpbin", "httpbin", 8000));
        assert_eq!(kube("kube-svc:a-b-c-d-80_a-b"), of("a-b", "c-d", 80));
        for other in [
            "default-httpbin-8000_gloo-system",
            "kube-svc:a-b-80_c",
            "kube-svc:a-b-99999_a",
            "kube-svc:a-80_a",
            "kube-svc:default-kubernetes-443_default-8057429479812104425",
        ] {
            assert_eq!(kube(other), None, "{other}");
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
