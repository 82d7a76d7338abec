//! Reads the evidence about a request through the gateway: Envoy's statistics, and the Upstream with its pods.
//!
//! What may not or cannot be read is a value that says so.

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use serde_json::Value;

use super::ambient;
use super::survey::SurveyReader;
use crate::envoy::admin::{StatsFormat, StatsScope, StatsWish, stats};
use crate::kube::{ForwardFailure, Query, Scope, Session};
use crate::model::names::RUNNING;
use crate::model::{Object, kinds};
use crate::plan::Unread;
use crate::plan::backend::{self, Backend, ServiceRef};
use crate::plan::path::behind::{PodPolicies, ServicePort};
use crate::plan::path::tunnel::{captured, ztunnel_ready};
use crate::plan::path::{self, endpoints::PodEndpoints};
use crate::plan::pod::{capture, is_running};
use crate::plan::proxy_pods::ProxyPod;
use crate::plan::verdict::certs::Certs;
use crate::plan::verdict::counters::{self, Counters};
use crate::plan::verdict::demand;
use crate::plan::verdict::evidence::{Demand, Evident, PodAuthorization};
use crate::plan::verdict::hosts::Hosts;
use crate::plan::verdict::pods::BackendPod;
use crate::plan::verdict::tunnel::{Tunnel, TunnelEnd};

/// The most pods of a gateway whose counters are read. Each is read several times.
pub(crate) const MOST_PODS: usize = 24;

/// Number of proxies that are queried at the same time. Each request is a separate stream.
const AT_ONCE: usize = 8;

/// Envoy's counters at one moment, in every proxy that may receive the request.
pub(crate) struct WitnessMoment {
    pub counters: Evident<Counters>,
    /// The page `/clusters` of each.
    clusters: Evident<Vec<String>>,
}

impl WitnessMoment {
    /// A moment at which nothing could be read, and why.
    pub(crate) fn unknown(why: &Unread) -> Self {
        Self { counters: Err(why.clone()), clusters: Err(why.clone()) }
    }

    /// The endpoints of an Envoy cluster.
    ///
    /// # Errors
    /// Why they are unknown.
    pub(crate) fn hosts(&self, cluster: &str) -> Evident<Hosts> {
        let all = self.clusters.as_ref().map_err(Unread::clone)?;
        Ok(all.iter().map(|text| Hosts::parse(text, cluster)).fold(Hosts::default(), Hosts::and))
    }
}

/// Envoy's admin interface in the pods of a proxy.
pub(crate) struct Envoys<'w> {
    pub session: &'w Session,
    pub pods: &'w [ProxyPod],
}

impl Envoys<'_> {
    /// Reads the current counters.
    pub(crate) async fn moment(&self) -> WitnessMoment {
        let used = |filter: &str| {
            stats(&StatsWish { filter: Some(filter.to_owned()), format: StatsFormat::Text, scope: StatsScope::Used })
        };
        let counters = self.pages(&used(counters::FILTER)).await;
        let clusters = match &counters {
            Ok(_) => self.pages("/clusters").await,
            Err(why) => Err(why.clone()),
        };
        let of_pod = |(pod, page): (&ProxyPod, &String)| Counters::of_pod(&pod.name, page);
        let counters =
            counters.map(|pages| self.pods.iter().zip(&pages).map(of_pod).fold(Counters::default(), Counters::and));
        WitnessMoment { counters, clusters }
    }

    /// Whether Envoy counts TLS for a cluster, which it does if the cluster has a TLS context.
    ///
    /// # Errors
    /// Why that is unknown.
    pub(crate) async fn has_tls(&self, cluster: &str) -> Evident<bool> {
        let name: String =
            cluster.chars().flat_map(|c| (!c.is_ascii_alphanumeric()).then_some('\\').into_iter().chain([c])).collect();
        let filter = format!(r"^cluster\.{name}\.(ssl\.handshake|upstream_cx_total)$");
        let wish = StatsWish { filter: Some(filter), format: StatsFormat::Text, scope: StatsScope::All };
        let pages = self.pages(&stats(&wish)).await?;
        let has = |page: &String, counter: &str| page.contains(&format!(".{counter}: "));
        match pages.iter().any(|page| has(page, "upstream_cx_total")) {
            true => Ok(pages.iter().any(|page| has(page, "ssl.handshake"))),
            false => Err(format!("Envoy has no cluster {cluster}").into()),
        }
    }

    /// The certificates that the mesh issued.
    ///
    /// # Errors
    /// Why they are unknown.
    pub(crate) async fn certs(&self) -> Evident<Certs> {
        let pages = self.pages("/certs").await?;
        let mut parsed =
            pages.iter().map(|page| Certs::parse(page).ok_or_else(|| Unread::from("/certs is not in Envoy's format")));
        parsed.try_fold(Certs::default(), |all, one| Ok(all.and(one?)))
    }

    /// The identity of the pods, such as `/ns/gloo-system/sa/gateway-proxy`.
    ///
    /// # Errors
    /// Why it is unknown.
    pub(crate) async fn identity(&self, survey: &SurveyReader<'_>) -> Evident<String> {
        let Some(pod) = self.pods.first() else { return Err("no pod of the gateway".into()) };
        let read = self.session.get(&kinds::POD, &pod.namespace, &pod.name).await;
        let read = read.map_err(|error| survey.unread(error))?;
        let account = read["spec"]["serviceAccountName"].as_str().unwrap_or("default");
        Ok(format!("/ns/{}/sa/{account}", pod.namespace))
    }

    /// Whether a ztunnel carries the requests of the pods to this end. Each is read only if the end shows the ambient mesh.
    pub(crate) async fn tunnel(&self, end: &TunnelEnd, survey: &SurveyReader<'_>) -> Tunnel {
        if *end == TunnelEnd::Outside {
            return Tunnel::No;
        }
        let read = async |pod: &ProxyPod| self.session.get(&kinds::POD, &pod.namespace, &pod.name).await;
        let pods: Vec<Value> = match stream::iter(self.pods).map(read).buffered(AT_ONCE).try_collect().await {
            Ok(pods) => pods,
            Err(error) => return Tunnel::Unknown(survey.unread(error)),
        };
        let namespaces = survey.ambient_namespaces().await;
        let is_ambient = self.pods.first().is_some_and(|pod| namespaces.contains(&pod.namespace));
        let ztunnel = match ambient::ztunnels(self.session).await {
            Ok(ztunnels) => ztunnel_ready(&ztunnels).map_err(Unread::from),
            Err(error) => Err(survey.unread(error)),
        };
        end.from(&captured(&pods.iter().collect::<Vec<_>>(), is_ambient, &ztunnel))
    }

    async fn pages(&self, path: &str) -> Evident<Vec<String>> {
        let page = async |pod: &ProxyPod| {
            let page = self.session.get_in_pod(&pod.namespace, &pod.name, pod.admin_port, path).await;
            page.map(|page| String::from_utf8_lossy(&page).into_owned()).map_err(|failure| unread(&failure))
        };
        stream::iter(self.pods).map(page).buffered(AT_ONCE).try_collect().await
    }
}

fn unread(failure: &ForwardFailure) -> Unread {
    Unread { why: failure.why(), rule: failure.rule(), failure: None }
}

/// The backends of an Upstream.
pub(crate) struct Backends {
    /// The namespace of the pods.
    pub namespace: Option<String>,
    pub demand: Evident<Demand>,
    pub authorization: Evident<Vec<PodAuthorization>>,
    pub pods: Evident<Vec<BackendPod>>,
    pub tunnel_end: TunnelEnd,
}

impl Backends {
    pub(crate) fn unknown(why: impl Into<Unread>) -> Self {
        let why = why.into();
        Self {
            namespace: None,
            demand: Err(why.clone()),
            authorization: Err(why.clone()),
            pods: Err(why),
            tunnel_end: TunnelEnd::Outside,
        }
    }
}

/// Reads the pods behind an Upstream, with their state and the mTLS mode that they require of clients.
pub(crate) async fn behind(
    session: &Session,
    survey: &SurveyReader<'_>,
    upstream: &Object,
    now: Timestamp,
) -> Backends {
    match backend::destination(&upstream.value, survey.gloo_namespace().await) {
        Backend::Decided(path::Behind::Outside { kind }) => {
            Backends::unknown(format!("not a Kubernetes Service ({kind})"))
        }
        Backend::System(service) => Backends::unknown(format!("service {service} is not an application")),
        Backend::Decided(path::Behind::Unknown(why)) => Backends::unknown(why),
        Backend::Decided(_) => Backends::unknown("the Upstream names no Service"),
        Backend::Service { service, port, selector } => {
            behind_service(session, survey, &service, port, &selector, now).await
        }
    }
}

async fn behind_service(
    session: &Session,
    survey: &SurveyReader<'_>,
    service: &ServiceRef,
    port: Option<u64>,
    narrowed: &BTreeMap<String, String>,
    now: Timestamp,
) -> Backends {
    let ServiceRef { namespace, name } = service;
    let there = match session.get(&kinds::SERVICE, namespace, name).await {
        Ok(there) => there,
        Err(error) => {
            let (namespace, why) = (Some(namespace.clone()), survey.unread(error));
            return Backends { namespace, tunnel_end: TunnelEnd::Unread(why.clone()), ..Backends::unknown(why) };
        }
    };
    let full = format!("{namespace}/{name}");
    let port = match ServicePort::find(&full, &there, port, narrowed) {
        Ok(port) => port,
        Err(path::Behind::NoPort(no_port)) => return Backends::unknown(no_port.to_string()),
        Err(path::Behind::Outside { kind }) => return Backends::unknown(format!("not a Kubernetes Service ({kind})")),
        Err(_) => return Backends::unknown(format!("service {full} has no selector")),
    };
    let query = Query { fields: RUNNING.into(), ..Query::labelled(port.selector.to_string()) };
    let (pods, peer, authorization) = tokio::join!(
        session.list_all(&kinds::POD, Scope::Namespace(namespace), query),
        survey.policies(),
        survey.authorization()
    );
    let pods = pods.map_err(|error| survey.unread(error));
    // The label of the namespace matters only to a pod that shows nothing itself.
    let may_differ = |pod: &Value| capture(pod, false) != capture(pod, true);
    let is_ambient = pods.iter().flatten().any(may_differ) && survey.ambient_namespaces().await.contains(namespace);
    let policies = PodPolicies { is_ambient, peer: peer.map_err(Unread::clone), authorization };
    let of_pods = |pods: &Vec<Value>| match port.behind(
        pods.iter().filter(|pod| is_running(pod)),
        &PodEndpoints::whole_pods(),
        &policies,
    ) {
        path::Behind::Pods { pods, .. } => Ok(pods),
        _ => Err("what its pods require is unknown".into()),
    };
    let behind = pods.as_ref().map_err(Unread::clone).and_then(of_pods);
    let demand = behind.as_ref().map_err(Unread::clone).and_then(|pods| demand::of_pods(pods));
    let tunnel_end = behind.as_ref().map_or_else(|why| TunnelEnd::Unread(why.clone()), |pods| TunnelEnd::of_pods(pods));
    let of_pod = |pod: &path::Pod| Ok(PodAuthorization { policies: pod.authorization.clone()?, port: pod.port });
    let authorization = behind.and_then(|pods| pods.iter().map(of_pod).collect());
    let pods = pods.map(|pods| pods.iter().filter_map(|pod| BackendPod::read(pod, now)).collect());
    Backends { namespace: Some(namespace.clone()), demand, authorization, pods, tunnel_end }
}
