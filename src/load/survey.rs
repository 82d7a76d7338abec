//! Reads the context of Upstreams: gateways, Settings, pods and policies, each at most once per run.
//!
//! What may not or cannot be read is a value that says so. A missing permission never counts as "ok".

use crate::plan::pod;
use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::rc::Rc;
use std::sync::Arc;

use serde_json::Value;
use tokio::sync::OnceCell;

use super::unread::unread;
use super::{ambient, paths, policies};
use crate::error::Failure;
use crate::kube::{ApiCause, ApiError, Freshness, Query, Scope, Session};
use crate::model::names::{ISTIO_SYSTEM, RUNNING, SETTINGS};
use crate::model::{Kind, Object, kinds};
use crate::options::Global;
use crate::plan::authorization::{AuthorizationPolicies, AuthorizationPolicy};
use crate::plan::backend::{self, Backend, ServiceRef};
use crate::plan::gateway::{self, AutoMtls, Gateway};
use crate::plan::labels::PodSelector;
use crate::plan::mtls::{FarEnd, UpstreamContext};
use crate::plan::path::behind::{PodPolicies, ServicePort};
use crate::plan::path::endpoints::{self, PodEndpoints};
use crate::plan::path::pair::have_authorization;
use crate::plan::path::{Behind, Facts, ProxyState, Survey, Switched, of_upstream};
use crate::plan::peer::{self, Policies, Sent};
use crate::plan::policy::Picked;
use crate::plan::proxy_pods::{ProxyPod, bootstrap_of};
use crate::plan::{Unread, Wants};

type Read<T> = Result<T, Unread>;

/// Reads the context and keeps it.
pub(crate) struct SurveyReader<'s> {
    session: &'s Session,
    /// The namespaces in which Gloo may be.
    homes: Vec<&'s str>,
    settings: OnceCell<(String, Read<Switched>)>,
    policies: OnceCell<Read<Vec<Value>>>,
    authorization: OnceCell<Read<Vec<Arc<AuthorizationPolicy>>>>,
    root_namespace: OnceCell<Read<String>>,
    ambient_namespaces: OnceCell<HashSet<String>>,
    pods: Cache,
    services: Cache,
    endpoints: Cache,
    gateway: OnceCell<GatewayObjects>,
    proxies: OnceCell<Read<Vec<ProxyState>>>,
}

/// The gateway's pods and bootstraps, and what they show together.
struct GatewayObjects {
    judged: Gateway,
    whole: Whole,
    pods: Vec<Value>,
    config_maps: Vec<Value>,
}

/// Whether each of the gateway's pods and bootstraps has what Istio's certificates need, as far as is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Whole {
    Yes,
    No,
}

/// The policies that the pods behind an Upstream are judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PolicyNeed {
    None,
    /// Those that apply to the pods, if any policy of the mesh refuses this.
    IfRefused(Sent),
    All,
}

/// Lists, by namespace, and by the name or the selector in it where only that was read.
#[derive(Default)]
struct Cache(RefCell<HashMap<String, Rc<Once>>>);

/// A list that is read on first use.
type Once = OnceCell<Read<Vec<Rc<Value>>>>;

impl<'s> SurveyReader<'s> {
    /// A reader for the session's cluster.
    pub(crate) fn new(session: &'s Session, global: &'s Global) -> Self {
        Self {
            session,
            homes: global.gloo_homes(),
            settings: OnceCell::new(),
            policies: OnceCell::new(),
            authorization: OnceCell::new(),
            root_namespace: OnceCell::new(),
            ambient_namespaces: OnceCell::new(),
            pods: Cache::default(),
            services: Cache::default(),
            endpoints: Cache::default(),
            gateway: OnceCell::new(),
            proxies: OnceCell::new(),
        }
    }

    /// The namespace of Gloo: the flag, or `-n` if it contains Settings `default`, or gloo-system.
    pub(crate) async fn gloo_namespace(&self) -> &str {
        match self.homes[..] {
            [only] => only,
            _ => &self.settings().await.0,
        }
    }

    /// Whether auto-mTLS is on.
    ///
    /// # Errors
    /// Why that is unknown.
    pub(crate) async fn auto_mtls(&self) -> Read<AutoMtls> {
        self.switches().await.as_ref().map(Switched::auto_mtls).map_err(Unread::clone)
    }

    /// The switches of auto-mTLS, or why they are unknown.
    pub(crate) async fn switches(&self) -> &Read<Switched> {
        &self.settings().await.1
    }

    async fn settings(&self) -> &(String, Read<Switched>) {
        self.settings
            .get_or_init(async || {
                let last = self.homes[self.homes.len() - 1];
                for &namespace in &self.homes {
                    match self.session.get(&kinds::SETTINGS, namespace, SETTINGS).await {
                        Ok(settings) => {
                            let settings = Object::new(&kinds::SETTINGS, settings);
                            return (namespace.to_owned(), Ok(Switched::read(&settings)));
                        }
                        Err(error) if error.cause == ApiCause::NotFound && namespace != last => {}
                        Err(error) => return (last.to_owned(), Err(self.unread(error))),
                    }
                }
                (last.to_owned(), Err("no Settings".into()))
            })
            .await
    }

    /// The gateway's sidecars and bootstrap.
    pub(crate) async fn gateway(&self) -> &Gateway {
        &self.gateway_objects().await.judged
    }

    /// The sidecars and bootstraps of these pods only.
    pub(crate) async fn gateway_of(&self, pods: &[ProxyPod]) -> Gateway {
        let GatewayObjects { judged, pods: all, config_maps, .. } = self.gateway_objects().await;
        if pods.is_empty() || matches!(judged, Gateway::Unknown { .. }) {
            return judged.clone();
        }
        let is_one = |value: &Value| pods.iter().any(|pod| value["metadata"]["name"] == *pod.name);
        let own: Vec<_> = all.iter().filter(|pod| is_one(pod)).cloned().collect();
        let of_own = |map: &Value| own.iter().any(|pod| bootstrap_of(&pod["spec"]) == map["metadata"]["name"].as_str());
        let own_maps: Vec<_> = config_maps.iter().filter(|map| of_own(map)).cloned().collect();
        if !own.is_empty() {
            return gateway::judge(&own, &own_maps);
        }
        match self.elsewhere(pods).await {
            Ok((own, own_maps)) => gateway::judge(&own, &own_maps),
            Err(error) => Gateway::Unknown { why: self.unread(error) },
        }
    }

    /// Pods that are not of a proxy in Gloo's namespace with the usual label, and their bootstraps.
    async fn elsewhere(&self, pods: &[ProxyPod]) -> Result<(Vec<Value>, Vec<Value>), ApiError> {
        let (mut own, mut maps) = (Vec::new(), BTreeMap::new());
        for pod in pods {
            let value = self.session.get(&kinds::POD, &pod.namespace, &pod.name).await?;
            if let Some(name) = bootstrap_of(&value["spec"]).filter(|name| !maps.contains_key(*name)) {
                let map = self.session.get(&kinds::CONFIG_MAP, &pod.namespace, name).await?;
                maps.insert(name.to_owned(), map);
            }
            own.push(value);
        }
        Ok((own, maps.into_values().collect()))
    }

    /// Whether no gateway is known to lack something.
    pub(crate) async fn has_whole_gateways(&self) -> bool {
        self.gateway_objects().await.whole == Whole::Yes
    }

    async fn gateway_objects(&self) -> &GatewayObjects {
        self.gateway.get_or_init(|| self.read_gateway()).await
    }

    async fn read_gateway(&self) -> GatewayObjects {
        let namespace = self.gloo_namespace().await;
        let list = async |kind: &'static Kind| {
            let query = Query { freshness: Freshness::AtHand, ..Query::labelled(gateway::PROXY_LABEL) };
            self.session.list_all(kind, Scope::Namespace(namespace), query).await
        };
        let without = |judged, whole| GatewayObjects { judged, whole, pods: Vec::new(), config_maps: Vec::new() };
        let read = async {
            let pods = list(&kinds::POD).await?;
            if pods.is_empty() {
                return Ok(without(gateway::without_pods(&list(&kinds::DEPLOYMENT).await?), Whole::No));
            }
            // Without sidecars the bootstrap makes no difference.
            let config_maps = if gateway::have_sidecars(&pods) { list(&kinds::CONFIG_MAP).await? } else { Vec::new() };
            let whole = if gateway::are_whole(&pods, &config_maps) { Whole::Yes } else { Whole::No };
            Ok(GatewayObjects { judged: gateway::judge(&pods, &config_maps), whole, pods, config_maps })
        };
        read.await.unwrap_or_else(|error| without(Gateway::Unknown { why: self.unread(error) }, Whole::Yes))
    }

    /// The context of an Upstream. A bulk run reads pods and Services a namespace at a time.
    ///
    /// # Errors
    /// In a bulk run, a required object could not be read for a reason other than a missing permission. That is no
    /// reason to skip the Upstream.
    pub(crate) async fn around(
        &self,
        upstream: &Object,
        found: Picked,
        wants: Wants,
    ) -> Result<UpstreamContext, Failure> {
        let (gloo_namespace, settings) = self.settings().await;
        let failed = |unread: &Unread| unread.failure.as_deref().filter(|_| found == Picked::Selected).cloned();
        if let Some(failure) = settings.as_ref().err().and_then(failed) {
            return Err(failure);
        }
        let behind = match backend::destination(&upstream.value, gloo_namespace) {
            Backend::System(service) => {
                return Ok(UpstreamContext { far_end: FarEnd::System(service), settings: settings.clone() });
            }
            Backend::Decided(behind) => behind,
            Backend::Service { service, port, selector } => {
                let policies = wants.peer.map_or(PolicyNeed::None, PolicyNeed::IfRefused);
                self.behind(&service, port, &selector, (found, policies)).await
            }
        };
        // Whether the gateway can present certificates is reported once per run, not for each Upstream.
        let sends = of_upstream(upstream, settings).0;
        let mut facts = Facts { sends, ..Facts::bare(upstream.into(), behind, Ok(Vec::new())) };
        if found == Picked::Selected && have_authorization(&facts) {
            facts.proxies = self.proxies().await.clone();
        }
        let failure =
            facts.unread().into_iter().filter(|why| !settings.as_ref().is_err_and(|own| own == *why)).find_map(failed);
        match failure {
            Some(failure) => Err(failure),
            None => Ok(UpstreamContext { far_end: FarEnd::Path(Box::new(facts)), settings: settings.clone() }),
        }
    }

    /// The gateways of this installation of Gloo, whose identities authorization policies are about.
    async fn proxies(&self) -> &Read<Vec<ProxyState>> {
        let read = async || {
            let gloo = self.gloo_namespace().await;
            match Box::pin(paths::gateways(self.session, gloo)).await {
                Ok(snapshot) => Survey::new(&snapshot, gloo).read_proxies().clone(),
                Err(failure) => Err(failure.message.into()),
            }
        };
        self.proxies.get_or_init(read).await
    }

    /// The pods behind an Upstream of a Service and all that they demand, whatever is sent. `None` for other Upstreams.
    /// Sends no request for what [`Self::around`] has read.
    pub(crate) async fn whole_behind(&self, upstream: &Object, found: Picked) -> Option<Behind> {
        match backend::destination(&upstream.value, self.gloo_namespace().await) {
            Backend::Service { service, port, selector } => {
                Some(self.behind(&service, port, &selector, (found, PolicyNeed::All)).await)
            }
            Backend::System(_) | Backend::Decided(_) => None,
        }
    }

    async fn behind(
        &self,
        service: &ServiceRef,
        port: Option<u64>,
        narrowed: &BTreeMap<String, String>,
        (found, needed): (Picked, PolicyNeed),
    ) -> Behind {
        let full = format!("{}/{}", service.namespace, service.name);
        let there = match self.service(service, found).await {
            Ok(Some(there)) => there,
            Ok(None) => return Behind::NoService { service: full },
            Err(why) => return Behind::Unknown(why),
        };
        let port = match ServicePort::find(&full, &there, port, narrowed) {
            Ok(port) => port,
            Err(behind) => return behind,
        };
        let pods = match self.pods(&service.namespace, &port.selector, found).await {
            Ok(pods) => pods,
            Err(why) => return Behind::Unknown(why),
        };
        let is_ambient = self.is_ambient(&service.namespace, &pods, needed).await;
        let policies = self.policies_of(&pods, needed, is_ambient).await;
        let authorization = self.authorization_of(&pods, needed).await;
        let slices = self.slices(&service.namespace, &port, found, &policies).await;
        let endpoints = match &slices {
            Ok(slices) => PodEndpoints::from_slices(of_service(slices, &service.name), port.name()),
            Err(why) => PodEndpoints::Unread(why.clone()),
        };
        let policies = PodPolicies { is_ambient, peer: policies, authorization };
        port.behind(pods.iter().map(Rc::as_ref).filter(|pod| pod::is_running(pod)), &endpoints, &policies)
    }

    /// The namespace's `EndpointSlice`s, if the metadata of its pods does not determine the effective policy.
    async fn slices(
        &self,
        namespace: &str,
        port: &ServicePort<'_>,
        found: Picked,
        policies: &Read<Policies<'_>>,
    ) -> Read<Vec<Rc<Value>>> {
        let have_ports = policies.as_ref().is_ok_and(Policies::have_ports);
        if found == Picked::Named || !port.is_by_name() || !have_ports {
            return Err("they were not needed".into());
        }
        let cell = self.endpoints.cell(namespace);
        cell.get_or_init(|| self.kept(&kinds::ENDPOINT_SLICE, namespace, Query::default())).await.clone()
    }

    /// Whether the label of the namespace requests the ambient mesh. It is read only if that decides something: a pod has
    /// neither a sidecar nor the annotation, and a policy may refuse what is sent.
    async fn is_ambient(&self, namespace: &str, pods: &[Rc<Value>], needed: PolicyNeed) -> bool {
        let is_open = |pod: &Rc<Value>| pod::capture(pod, false) != pod::capture(pod, true);
        let is_needed = match needed {
            _ if !pods.iter().any(is_open) => false,
            PolicyNeed::None => false,
            PolicyNeed::IfRefused(sent) => self.may_be_refused(sent).await.unwrap_or(true),
            PolicyNeed::All => true,
        };
        is_needed && self.ambient_namespaces().await.contains(namespace)
    }

    /// The namespaces whose label requests the ambient mesh; none if they may not be listed.
    pub(crate) async fn ambient_namespaces(&self) -> &HashSet<String> {
        let read = async || {
            let query = Query { metadata_only: true, ..Query::labelled(ambient::NAMESPACES) };
            let found = self.session.list_all(&kinds::NAMESPACE, Scope::All, query).await.unwrap_or_default();
            found.iter().filter_map(|namespace| Some(namespace["metadata"]["name"].as_str()?.to_owned())).collect()
        };
        self.ambient_namespaces.get_or_init(read).await
    }

    /// Only the policies that may affect these pods.
    async fn policies_of(&self, pods: &[Rc<Value>], needed: PolicyNeed, is_ambient: bool) -> Read<Policies<'_>> {
        let may_obey =
            |pod: &Rc<Value>| pod::obeys_policies(pod) || pod::capture(pod, is_ambient) == pod::Capture::Labelled;
        let are_needed = match needed {
            _ if !pods.iter().any(may_obey) => false,
            PolicyNeed::None => false,
            PolicyNeed::IfRefused(sent) => self.may_be_refused(sent).await.map_err(Unread::clone)?,
            PolicyNeed::All => true,
        };
        match are_needed {
            true => self.policies().await.map_err(Unread::clone),
            false => Ok(Policies { all: &[], root_namespace: ISTIO_SYSTEM }),
        }
    }

    /// The authorization policies of the mesh, if any of these pods enforces policies.
    async fn authorization_of(&self, pods: &[Rc<Value>], needed: PolicyNeed) -> Read<AuthorizationPolicies<'_>> {
        match needed {
            PolicyNeed::IfRefused(_) | PolicyNeed::All if pods.iter().any(|pod| pod::obeys_policies(pod)) => {
                self.authorization().await
            }
            _ => Ok(AuthorizationPolicies { all: &[], root_namespace: ISTIO_SYSTEM }),
        }
    }

    /// Every authorization policy of the mesh that sidecars enforce, and the root namespace.
    ///
    /// # Errors
    /// Why they could not be read.
    pub(crate) async fn authorization(&self) -> Read<AuthorizationPolicies<'_>> {
        let read = async || match policies::authorization(self.session, Freshness::AtHand).await {
            Ok(all) => Ok(all.iter().filter_map(AuthorizationPolicy::read).map(Arc::new).collect()),
            Err(error) if error.cause == ApiCause::NoCrd => Ok(Vec::new()),
            Err(error) => Err(self.unread(error)),
        };
        match self.authorization.get_or_init(read).await.as_deref() {
            Ok([]) => Ok(AuthorizationPolicies { all: &[], root_namespace: ISTIO_SYSTEM }),
            Ok(all) => Ok(AuthorizationPolicies { all, root_namespace: self.root().await.map_err(Unread::clone)? }),
            Err(why) => Err(why.clone()),
        }
    }

    async fn root(&self) -> Result<&String, &Unread> {
        let read = async || Box::pin(policies::root(self.session, None)).await.told();
        self.root_namespace.get_or_init(read).await.as_ref()
    }

    async fn service(&self, service: &ServiceRef, found: Picked) -> Read<Option<Rc<Value>>> {
        let ServiceRef { namespace, name } = service;
        match found {
            Picked::Named => {
                let read = async || match self.session.get(&kinds::SERVICE, namespace, name).await {
                    Ok(there) => Ok(vec![Rc::new(there)]),
                    Err(error) if error.cause == ApiCause::NotFound => Ok(Vec::new()),
                    Err(error) => Err(self.unread(error)),
                };
                let cell = self.services.cell(&format!("{namespace}/{name}"));
                Ok(cell.get_or_init(read).await.as_ref().map_err(Unread::clone)?.first().cloned())
            }
            Picked::Selected => {
                let cell = self.services.cell(namespace);
                let services = cell.get_or_init(|| self.kept(&kinds::SERVICE, namespace, Query::default())).await;
                Ok(services
                    .as_ref()
                    .map_err(Unread::clone)?
                    .iter()
                    .find(|there| there["metadata"]["name"] == **name)
                    .cloned())
            }
        }
    }

    /// The selected pods. In a bulk run, only their metadata.
    async fn pods(&self, namespace: &str, selector: &PodSelector, found: Picked) -> Read<Vec<Rc<Value>>> {
        let query = Query { fields: RUNNING.into(), metadata_only: found == Picked::Selected, ..Query::default() };
        match found {
            Picked::Named => {
                let query = Query { labels: selector.to_string(), freshness: Freshness::AtHand, ..query };
                let cell = self.pods.cell(&format!("{namespace}?{}", query.labels));
                cell.get_or_init(|| self.kept(&kinds::POD, namespace, query)).await.clone()
            }
            Picked::Selected => {
                let cell = self.pods.cell(namespace);
                let pods = cell
                    .get_or_init(|| self.kept(&kinds::POD, namespace, query))
                    .await
                    .as_ref()
                    .map_err(Unread::clone)?;
                let selected = pods.iter().filter(|pod| selector.selects(&pod["metadata"]["labels"]));
                Ok(selected.cloned().collect())
            }
        }
    }

    /// A list that is kept for the run, without the managed fields, which are half of an object and not needed.
    async fn kept(&self, kind: &'static Kind, namespace: &str, query: Query) -> Read<Vec<Rc<Value>>> {
        let without_writers = |mut object: Value| {
            if let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) {
                metadata.remove("managedFields");
            }
            Rc::new(object)
        };
        Ok(self.list(kind, namespace, query).await?.into_iter().map(without_writers).collect())
    }

    async fn list(&self, kind: &'static Kind, namespace: &str, query: Query) -> Read<Vec<Value>> {
        self.session.list_all(kind, Scope::Namespace(namespace), query).await.map_err(|error| self.unread(error))
    }

    /// Every policy of the mesh, and the root namespace, whose policies apply to the whole mesh.
    ///
    /// # Errors
    /// Why they could not be read.
    pub(crate) async fn policies(&self) -> Result<Policies<'_>, &Unread> {
        match self.listed_policies().await? {
            [] => Ok(Policies { all: &[], root_namespace: ISTIO_SYSTEM }),
            all => Ok(Policies { all, root_namespace: self.root().await? }),
        }
    }

    /// Whether any policy refuses what is sent.
    ///
    /// # Errors
    /// Why they could not be read.
    pub(crate) async fn may_be_refused(&self, sent: Sent) -> Result<bool, &Unread> {
        Ok(peer::is_set(self.listed_policies().await?, sent.refused_by()))
    }

    async fn listed_policies(&self) -> Result<&[Value], &Unread> {
        let read = async || match policies::list(self.session, Scope::All, Freshness::AtHand).await {
            Ok((_, all)) => Ok(all),
            // Without Istio's CRDs there are no policies.
            Err(error) if error.cause == ApiCause::NoCrd => Ok(Vec::new()),
            Err(error) => Err(self.unread(error)),
        };
        self.policies.get_or_init(read).await.as_ref().map(Vec::as_slice)
    }

    /// Why something is unknown after a failed request.
    pub(crate) fn unread(&self, error: ApiError) -> Unread {
        unread(self.session, error)
    }
}

fn of_service<'v>(slices: &'v [Rc<Value>], name: &str) -> impl Iterator<Item = &'v Value> {
    slices.iter().map(Rc::as_ref).filter(move |slice| endpoints::service(slice) == Some(name))
}

impl Cache {
    fn cell(&self, namespace: &str) -> Rc<Once> {
        Rc::clone(self.0.borrow_mut().entry(namespace.to_owned()).or_default())
    }
}
