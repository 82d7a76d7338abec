//! What stands around Upstreams: gateways, Settings, pods, policies, each read at most once a run.
//!
//! Whatever may not or cannot be read is a value that says so: missing rights are never "ok".

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use serde_json::Value;
use tokio::sync::OnceCell;

use super::policies;
use crate::error::Failure;
use crate::kube::{ApiError, Cause, Freshness, Query, Scope, Session};
use crate::model::{Kind, Object, kinds};
use crate::options::{GLOO_SYSTEM, Global};
use crate::plan::backend::{self, Backend, Destination, PodSelector, ServiceRef};
use crate::plan::gateway::{self, AutoMtls, Gateway};
use crate::plan::mtls::{Found, Surroundings};
use crate::plan::peer::{self, Peer, Sent};
use crate::plan::{Unread, Wants};

/// Pods that have ended answer no request.
const RUNNING: &str = "status.phase!=Succeeded,status.phase!=Failed";

type Read<T> = Result<T, Unread>;

/// Reads what stands around, and keeps it.
pub struct Survey<'s> {
    session: &'s Session,
    /// `-n`, if it was typed: Gloo may be installed there.
    typed: Option<&'s str>,
    gloo_namespace: Option<&'s str>,
    settings: OnceCell<(String, Read<AutoMtls>)>,
    policies: OnceCell<Read<Vec<Value>>>,
    root_namespace: OnceCell<Read<String>>,
    pods: Cache,
    services: Cache,
}

/// Whole lists by namespace.
#[derive(Default)]
struct Cache(RefCell<HashMap<String, Rc<Once>>>);

/// A list that whoever comes first reads.
type Once = OnceCell<Read<Vec<Rc<Value>>>>;

impl<'s> Survey<'s> {
    /// A survey of the session's cluster.
    pub fn new(session: &'s Session, global: &'s Global) -> Self {
        Self {
            session,
            typed: global.namespace.as_deref(),
            gloo_namespace: global.gloo_namespace.as_deref(),
            settings: OnceCell::new(),
            policies: OnceCell::new(),
            root_namespace: OnceCell::new(),
            pods: Cache::default(),
            services: Cache::default(),
        }
    }

    /// Where Gloo is installed: the flag, or `-n` if it holds Settings `default`, or gloo-system.
    pub async fn gloo_namespace(&self) -> &str {
        &self.settings().await.0
    }

    /// Whether auto-mTLS is on, and if that is unknown why.
    pub async fn auto_mtls(&self) -> &Read<AutoMtls> {
        &self.settings().await.1
    }

    async fn settings(&self) -> &(String, Read<AutoMtls>) {
        self.settings
            .get_or_init(async || {
                let candidates: Vec<&str> = match (self.gloo_namespace, self.typed) {
                    (Some(said), _) => vec![said],
                    (None, Some(typed)) if typed != GLOO_SYSTEM => vec![typed, GLOO_SYSTEM],
                    (None, _) => vec![GLOO_SYSTEM],
                };
                let last = candidates[candidates.len() - 1];
                for namespace in candidates {
                    match self.session.get(&kinds::SETTINGS, namespace, "default").await {
                        Ok(settings) => return (namespace.to_owned(), Ok(AutoMtls::of_settings(&settings))),
                        Err(error) if error.cause == Cause::NotFound && namespace != last => {}
                        Err(error) => return (last.to_owned(), Err(self.unread(error))),
                    }
                }
                (last.to_owned(), Err("no Settings".into()))
            })
            .await
    }

    /// The gateway's sidecars and bootstrap.
    pub async fn gateway(&self) -> Gateway {
        let namespace = self.gloo_namespace().await;
        let list = async |kind: &'static Kind| {
            let query = Query { freshness: Freshness::AtHand, ..Query::labelled(gateway::PROXY_LABEL) };
            self.session.list_all(kind, Scope::Namespace(namespace), query).await
        };
        let read = async {
            let pods = list(&kinds::POD).await?;
            if pods.is_empty() {
                return Ok(gateway::without_pods(&list(&kinds::DEPLOYMENT).await?));
            }
            // Without sidecars the bootstrap makes no difference.
            let config_maps = if gateway::have_sidecars(&pods) { list(&kinds::CONFIG_MAP).await? } else { Vec::new() };
            Ok(gateway::of(&pods, &config_maps))
        };
        read.await.unwrap_or_else(|error| Gateway::Unknown { why: self.unread(error) })
    }

    /// What stands around an Upstream. A sweep reads pods and Services a namespace at a time.
    ///
    /// # Errors
    /// In a sweep, what decides could not be read although it may be: that is no reason to skip.
    pub async fn around(&self, upstream: &Object, found: Found, wants: Wants) -> Result<Surroundings, Failure> {
        let (gloo_namespace, auto_mtls) = self.settings().await;
        let failed = |unread: &Unread| unread.failure.as_deref().filter(|_| found == Found::Swept).cloned();
        if let Some(failure) = auto_mtls.as_ref().err().and_then(failed) {
            return Err(failure);
        }
        let (backend, peer) = match backend::destination(&upstream.value, gloo_namespace) {
            Destination::Decided(backend) => (backend, Peer::Permissive),
            Destination::Service { service, port, selector } => {
                self.behind(&service, port, &selector, found, wants).await
            }
        };
        let backend_failed = if let Backend::Unknown { why } = &backend { failed(why) } else { None };
        let peer_failed = if let Peer::Unknown { why } = &peer { failed(why) } else { None };
        if let Some(failure) = backend_failed.or(peer_failed) {
            return Err(failure);
        }
        let auto_mtls = auto_mtls.as_ref().copied().unwrap_or(AutoMtls::Unknown);
        Ok(Surroundings { backend, peer, auto_mtls })
    }

    async fn behind(
        &self,
        service: &ServiceRef,
        port: Option<u64>,
        narrowed: &BTreeMap<String, String>,
        found: Found,
        wants: Wants,
    ) -> (Backend, Peer) {
        let unknown = |why: Unread| (Backend::Unknown { why: why.clone() }, Peer::Unknown { why });
        let there = match self.service(service, found).await {
            Ok(Some(there)) => there,
            Ok(None) => {
                let service = format!("{}/{}", service.namespace, service.name);
                return (Backend::NoService { service }, Peer::Permissive);
            }
            Err(why) => return unknown(why),
        };
        if let Some(elsewhere) = backend::external(&there) {
            return (elsewhere, Peer::Permissive);
        }
        let Some(selector) = PodSelector::of(&there, narrowed) else {
            return unknown(format!("service {}/{} has no selector", service.namespace, service.name).into());
        };
        let pods = match self.pods(&service.namespace, &selector, found).await {
            Ok(pods) => pods,
            Err(why) => return unknown(why),
        };
        let peer = match wants.peer {
            None => Peer::Unseen,
            Some(sent) => {
                let port = backend::target_port(&there, port);
                self.peer(&service.namespace, &pods, port, sent).await
            }
        };
        (backend::of_pods(pods.iter().map(Rc::as_ref)), peer)
    }

    /// Whether these pods take what is to be sent. No more is read than may make a difference.
    async fn peer(&self, namespace: &str, pods: &[Rc<Value>], port: Option<u64>, sent: Sent) -> Peer {
        if !pods.iter().any(|pod| backend::is_meshed(pod)) {
            return Peer::Permissive;
        }
        match self.may_be_refused(sent).await {
            Ok(false) => return Peer::Permissive,
            Ok(true) => {}
            Err(why) => return Peer::Unknown { why: why.clone() },
        }
        match self.policies().await {
            Ok(peer::Policies { all, root_namespace }) => {
                peer::of_pods(all, root_namespace, namespace, pods.iter().map(Rc::as_ref), port, sent)
            }
            Err(why) => Peer::Unknown { why: why.clone() },
        }
    }

    async fn service(&self, service: &ServiceRef, found: Found) -> Read<Option<Rc<Value>>> {
        let ServiceRef { namespace, name } = service;
        match found {
            Found::Named => match self.session.get(&kinds::SERVICE, namespace, name).await {
                Ok(there) => Ok(Some(Rc::new(there))),
                Err(error) if error.cause == Cause::NotFound => Ok(None),
                Err(error) => Err(self.unread(error)),
            },
            Found::Swept => {
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

    /// The metadata of the pods that are selected.
    async fn pods(&self, namespace: &str, selector: &PodSelector, found: Found) -> Read<Vec<Rc<Value>>> {
        let query = Query { fields: RUNNING.into(), metadata_only: true, ..Query::default() };
        match found {
            Found::Named => {
                let query = Query { labels: selector.to_string(), freshness: Freshness::AtHand, ..query };
                self.kept(&kinds::POD, namespace, query).await
            }
            Found::Swept => {
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

    /// A list that is kept for the run, without what nobody asks: who wrote which field, half of an object.
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

    /// Every policy of the mesh, and the namespace whose policies are the mesh's own.
    ///
    /// # Errors
    /// Why they could not be read.
    pub async fn policies(&self) -> Result<peer::Policies<'_>, &Unread> {
        let all = self.listed_policies().await?;
        let read = async || match all.is_empty() {
            true => Ok(policies::ISTIO_SYSTEM.to_owned()),
            false => Box::pin(policies::root(self.session, None)).await.told(),
        };
        let root_namespace = self.root_namespace.get_or_init(read).await.as_ref()?;
        Ok(peer::Policies { all, root_namespace })
    }

    /// Whether any policy at all keeps its pods from what is to be sent.
    ///
    /// # Errors
    /// Why they could not be read.
    pub async fn may_be_refused(&self, sent: Sent) -> Result<bool, &Unread> {
        Ok(peer::is_set(self.listed_policies().await?, sent.refused_by()))
    }

    async fn listed_policies(&self) -> Result<&[Value], &Unread> {
        let read = async || match policies::list(self.session, Scope::All, Freshness::AtHand).await {
            Ok((_, all)) => Ok(all),
            // Without Istio's CRDs nobody can demand anything.
            Err(error) if error.cause == Cause::NoCrd => Ok(Vec::new()),
            Err(error) => Err(self.unread(error)),
        };
        self.policies.get_or_init(read).await.as_ref().map(Vec::as_slice)
    }

    /// Why something is unknown that was asked for in vain.
    pub fn unread(&self, error: ApiError) -> Unread {
        unread(self.session, error)
    }
}

impl Cache {
    fn cell(&self, namespace: &str) -> Rc<Once> {
        Rc::clone(self.0.borrow_mut().entry(namespace.to_owned()).or_default())
    }
}

/// Why something that a request should have told is unknown.
pub fn unread(session: &Session, error: ApiError) -> Unread {
    let why = why(&error);
    match &error.cause {
        Cause::Forbidden { rule, .. } => Unread { why, rule: rule.as_ref().map(ToString::to_string), failure: None },
        Cause::NotFound | Cause::NoCrd => why.into(),
        _ => Unread { why, rule: None, failure: Some(Box::new(error.into_failure(session))) },
    }
}

/// Why something is unknown, in a few words.
pub fn why(error: &ApiError) -> String {
    let kind = error.kind.map_or("the server", |kind| kind.plural);
    match &error.cause {
        Cause::Forbidden { .. } if error.namespace.is_empty() => format!("may not {} {kind}", error.verb),
        Cause::Forbidden { .. } => format!("may not {} {kind} in {}", error.verb, error.namespace),
        Cause::NotFound => format!("no {kind} {} in {}", error.name, error.namespace),
        Cause::NoCrd => format!("the cluster has no {kind}"),
        _ => format!("cannot {} {kind}: {}", error.verb, error.reason().meaning().to_lowercase()),
    }
}
