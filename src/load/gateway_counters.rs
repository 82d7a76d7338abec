//! Reads Envoy's counters in every pod of every gateway.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::Value;

use crate::envoy::admin::{StatsFormat, StatsScope, StatsWish, stats};
use crate::error::{Exit, Failure, Reason};
use crate::kube::{ApiCause, ApiError, Freshness, Query, Scope, Session};
use crate::model::kinds;
use crate::model::names::{GATEWAY_PROXY, KUBE_GATEWAY_LABEL, RUNNING};
use crate::plan::observe::window::{PodCounters, filter};
use crate::plan::proxy_pods::{ADMIN_PORT, PodAmount, ProxyPod, Which, admin_port, bootstrap_of, choose};
use crate::plan::sidecars::BOOTSTRAP_KEY;

/// The labels of the pods of all gateway proxies: Gloo's own, and those of the Kubernetes Gateway API.
const GATEWAYS: &str = "gloo in (gateway-proxy, kube-gateway)";
/// The label of a pod with the name of its proxy.
const PROXY: &str = "gateway-proxy-id";
/// Number of Envoys that are asked at the same time. Each request is a separate stream.
const AT_ONCE: usize = 8;

/// The Envoys of all gateways.
pub(crate) struct GatewayCounters<'s> {
    session: &'s Session,
    /// Gloo's namespace, for a user who may not list pods in all namespaces.
    gloo: &'s str,
    /// The path of the page with the counters.
    page: String,
    /// The port of the admin interface, by namespace and `ConfigMap` of the bootstrap.
    ports: RefCell<HashMap<(String, String), u16>>,
    /// The uids of the pods that have counters of the clusters.
    known: RefCell<HashSet<String>>,
    /// The uids of pods outside of Gloo's namespace that did not answer. They are not asked again.
    silent: RefCell<HashSet<String>>,
}

/// The gateway pods of which the counters were read.
pub(crate) struct Reading {
    pub pods: Vec<PodCounters>,
    /// Why gateways outside of Gloo's namespace were not read.
    pub elsewhere: Vec<String>,
}

impl<'s> GatewayCounters<'s> {
    /// The counters of these clusters; without names, of all clusters.
    pub(crate) fn of<'c>(session: &'s Session, gloo: &'s str, clusters: impl Iterator<Item = &'c str>) -> Self {
        let wish = StatsWish { filter: Some(filter(clusters)), format: StatsFormat::Text, scope: StatsScope::Used };
        Self {
            session,
            gloo,
            page: stats(&wish),
            ports: RefCell::default(),
            known: RefCell::default(),
            silent: RefCell::default(),
        }
    }

    /// Reads the current counters.
    ///
    /// # Errors
    /// The pods could not be listed, none of them runs Envoy, or a pod that is ready does not answer. Outside of Gloo's
    /// namespace this is an error only if the pod had counters of the clusters before.
    pub(crate) async fn read(&self) -> Result<Reading, Failure> {
        let (all, elsewhere) = self.pods().await.map_err(|error| error.into_failure(self.session))?;
        let running = self.running(&all).await;
        if running.is_empty() {
            let failure = Failure::new(Exit::SaidNo, Reason::NotFound, "no gateway pod runs Envoy");
            return Err(failure.detail(self.session.looked()));
        }
        let read = stream::iter(&running).map(|(uid, pod)| self.of_pod(uid, pod)).buffered(AT_ONCE);
        let answers: Vec<_> = read.try_collect().await?;
        let mut reading = Reading { pods: Vec::new(), elsewhere: elsewhere.into_iter().collect() };
        for answer in answers {
            match answer {
                PodAnswer::Counters(counters) => reading.pods.push(counters),
                PodAnswer::Elsewhere(why) => reading.elsewhere.push(why),
                PodAnswer::NotReady => {}
            }
        }
        let with_clusters = reading.pods.iter().filter(|pod| !pod.is_empty());
        self.known.borrow_mut().extend(with_clusters.map(|pod| pod.uid.clone()));
        if reading.pods.is_empty() {
            let failure = Failure::new(Exit::NoAnswer, Reason::NotRunning, "no gateway pod answers");
            return Err(reading.elsewhere.into_iter().fold(failure, Failure::detail).detail(self.session.looked()));
        }
        Ok(reading)
    }

    async fn pods(&self) -> Result<(Vec<Value>, Option<String>), ApiError> {
        let list = async |scope| {
            let query = Query { fields: RUNNING.into(), freshness: Freshness::AtHand, ..Query::labelled(GATEWAYS) };
            self.session.list_all(&kinds::POD, scope, query).await
        };
        match list(Scope::All).await {
            Err(error) if matches!(error.cause, ApiCause::Forbidden { .. }) => {
                let here = list(Scope::Namespace(self.gloo)).await?;
                Ok((here, Some(error.into_failure(self.session).message)))
            }
            all => Ok((all?, None)),
        }
    }

    /// The pods in which Envoy runs, with their uid.
    async fn running(&self, all: &[Value]) -> Vec<(String, ProxyPod)> {
        let mut running = Vec::new();
        for pod in all {
            let label = |key: &str| pod["metadata"]["labels"][key].as_str();
            let proxy = label(PROXY).or_else(|| label(KUBE_GATEWAY_LABEL)).unwrap_or(GATEWAY_PROXY.1);
            let chosen = choose(std::slice::from_ref(pod), proxy, None, PodAmount::All, Which::Running);
            let uid = pod["metadata"]["uid"].as_str().unwrap_or_default().to_owned();
            if let Some(found) = chosen.ok().and_then(|chosen| chosen.pods.into_iter().next())
                && !self.silent.borrow().contains(&uid)
            {
                let admin_port = self.admin_port(pod).await;
                running.push((uid, ProxyPod { admin_port, ..found }));
            }
        }
        running
    }

    /// The port of the admin interface in the bootstrap. If the bootstrap may not be read, that of the charts.
    async fn admin_port(&self, pod: &Value) -> u16 {
        let namespace = pod["metadata"]["namespace"].as_str().unwrap_or_default();
        let Some(map) = bootstrap_of(&pod["spec"]) else { return ADMIN_PORT };
        let key = (namespace.to_owned(), map.to_owned());
        if let Some(port) = self.ports.borrow().get(&key) {
            return *port;
        }
        let read = self.session.get(&kinds::CONFIG_MAP, namespace, map).await;
        let port = read.ok().and_then(|map| admin_port(map["data"][BOOTSTRAP_KEY].as_str()?)).unwrap_or(ADMIN_PORT);
        self.ports.borrow_mut().insert(key, port);
        port
    }

    async fn of_pod(&self, uid: &str, pod: &ProxyPod) -> Result<PodAnswer, Failure> {
        match self.session.get_in_pod(&pod.namespace, &pod.name, pod.admin_port, &self.page).await {
            Ok(page) => Ok(PodAnswer::Counters(PodCounters::parse(uid, &String::from_utf8_lossy(&page)))),
            // It starts or ends.
            Err(_) if pod.not_ready.is_some() => Ok(PodAnswer::NotReady),
            Err(failure) if pod.namespace != self.gloo && !self.known.borrow().contains(uid) => {
                self.silent.borrow_mut().insert(uid.to_owned());
                Ok(PodAnswer::Elsewhere(format!("pod {}/{}: {}", pod.namespace, pod.name, failure.why())))
            }
            Err(failure) => {
                // It says which right is missing, if one is.
                let allowed = self.session.may_forward(&pod.namespace, &pod.name, pod.admin_port).await;
                Err(allowed.err().unwrap_or(failure).into_failure(self.session))
            }
        }
    }
}

/// What a pod answers.
enum PodAnswer {
    Counters(PodCounters),
    NotReady,
    /// Nothing, and why. It is outside of Gloo's namespace and may have nothing to do with the change.
    Elsewhere(String),
}
