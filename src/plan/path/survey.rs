//! Collects the facts of a target from what was read.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde_json::Value;

use super::behind::{PodPolicies, ServicePort};
use super::endpoints::{self, PodEndpoints};
use super::installation::Installation;
use super::tunnel::AmbientMesh;
use super::{
    Behind, ClosedGateway, DEFAULT_ACCOUNT, Facts, ProxyState, ShownCertificate, Switched, closed, in_files,
    of_service, of_upstream,
};
use crate::model::names::KUBE_GATEWAY_LABEL;
use crate::model::{Found, Kind, Object, ObjectRef, Snapshot, Unknown, kinds};
use crate::plan::authorization::{AuthorizationPolicies, AuthorizationPolicy};
use crate::plan::backend;
use crate::plan::enrolment::target::{self, KnownIstiods};
use crate::plan::fix::{self, GatewayFix};
use crate::plan::gateway::PROXY_LABEL;
use crate::plan::istiod::{self, Istiod};
use crate::plan::labels::{PodSelector, labels};
use crate::plan::peer::{self, Policies};
use crate::plan::pod::is_running;
use crate::plan::revisions::Listed;
use crate::plan::routes::RouteTarget;
use crate::plan::sidecars::state::state;
use crate::plan::sidecars::{GatewayProxy, own_pods};
use crate::plan::{Unread, acceptance, owner};

/// The prefix of the names of proxies that Gloo creates for such Gateways.
pub(crate) const GATEWAY_PREFIX: &str = "gloo-proxy-";
/// The default root namespace of the mesh.
pub(crate) const ROOT_NAMESPACE: &str = "istio-system";

type Read<T> = Result<T, Unread>;

/// An index of what was read, so that ten thousand targets need lookups and not searches.
#[derive(Clone)]
pub struct Survey<'s> {
    snapshot: &'s Snapshot,
    installation: Installation,
    settings: Read<Switched>,
    proxies: Read<Vec<ProxyState>>,
    mesh: Arc<MeshIndex<'s>>,
}

/// The proxies of Gloo installations, by namespace. To read them, each bootstrap is parsed.
#[derive(Debug, Clone, Default)]
pub(crate) struct KnownProxies(RefCell<HashMap<String, Read<Vec<ProxyState>>>>);

/// What is the same for all Gloo installations. A cluster may have hundreds.
struct MeshIndex<'s> {
    /// The policies of each namespace together with those of the mesh.
    policies: Read<HashMap<String, Vec<Value>>>,
    authorization: Read<Vec<Arc<AuthorizationPolicy>>>,
    root_namespace: String,
    ambient: AmbientMesh,
    /// The control planes, if their Deployments are among those that were read.
    istiods: Vec<Istiod>,
    /// How many revisions of istiod there are, also where the istiods were not read.
    revisions: usize,
    /// Pods by namespace, label key and label value.
    pods: HashMap<(&'s str, &'s str, &'s str), Vec<&'s Object>>,
    /// `EndpointSlice`s by namespace and Service.
    slices: HashMap<(&'s str, &'s str), Vec<&'s Value>>,
}

/// The surveys of all Gloo installations that were read.
pub(crate) struct Surveys<'s> {
    /// The survey of the installation that the run is for.
    pub own: Survey<'s>,
    pub others: Vec<Survey<'s>>,
}

impl<'s> Surveys<'s> {
    /// Returns the gateways that clients outside of the mesh do not reach.
    pub(crate) fn closed(&self) -> Vec<ClosedGateway> {
        let all = std::iter::once(&self.own).chain(&self.others).flat_map(Survey::proxies);
        let closed =
            |proxy: &ProxyState| Some(ClosedGateway { name: proxy.name.clone(), by: proxy.closed.clone().ok()?? });
        all.filter_map(closed).collect()
    }

    /// Returns the same without those that were closed before.
    pub(crate) fn closed_since(&self, before: &[ClosedGateway]) -> Vec<ClosedGateway> {
        let is_new = |gateway: &ClosedGateway| !before.iter().any(|was| was.name == gateway.name);
        self.closed().into_iter().filter(is_new).collect()
    }

    /// Returns the survey of the installation in this namespace.
    pub(crate) fn for_installation(&self, installation: &str) -> &Survey<'s> {
        self.others.iter().find(|survey| survey.installation.namespace == installation).unwrap_or(&self.own)
    }
}

impl From<&Unknown> for Unread {
    fn from(unknown: &Unknown) -> Self {
        Self { why: unknown.why.clone(), rule: unknown.rule.clone(), failure: None }
    }
}

impl<'s> Survey<'s> {
    /// Builds the index.
    pub fn new(snapshot: &'s Snapshot, gloo_namespace: &str) -> Self {
        Self::in_mesh(snapshot, gloo_namespace, None)
    }

    /// Like [`Self::new`], but with the mesh's root namespace if it is known from elsewhere than the snapshot.
    pub fn in_mesh(snapshot: &'s Snapshot, gloo_namespace: &str, root_namespace: Option<&str>) -> Self {
        let root = self::root_namespace(snapshot, root_namespace);
        let root_namespace = root.clone().unwrap_or_else(|| ROOT_NAMESPACE.to_owned());
        let istiods = istiod::in_snapshot(snapshot);
        let mesh = MeshIndex {
            policies: policies(snapshot, root.as_deref(), &root_namespace),
            authorization: authorization(snapshot, root.as_deref()),
            root_namespace,
            ambient: AmbientMesh::read(snapshot),
            revisions: istiod::revisions_in_snapshot(snapshot, &istiods),
            istiods,
            pods: index(snapshot.all(&kinds::POD)),
            slices: slices(snapshot.all(&kinds::ENDPOINT_SLICE)),
        };
        let installation = Installation::read(snapshot, gloo_namespace);
        let settings = settings(snapshot, gloo_namespace);
        let proxies = proxies(snapshot, &installation, &mesh);
        Self { snapshot, installation, settings, proxies, mesh: Arc::new(mesh) }
    }

    /// Builds the survey of another Gloo installation of the same cluster. Its proxies are read once.
    pub(crate) fn of_another(&self, gloo_namespace: &str, known: &KnownProxies) -> Self {
        let (snapshot, mesh) = (self.snapshot, Arc::clone(&self.mesh));
        let installation = Installation::read(snapshot, gloo_namespace);
        let mut known = known.0.borrow_mut();
        let proxies =
            known.entry(gloo_namespace.to_owned()).or_insert_with(|| proxies(snapshot, &installation, &mesh)).clone();
        Self { snapshot, installation, settings: settings(snapshot, gloo_namespace), proxies, mesh }
    }

    /// Returns the proxies that have everything to present Istio's certificate, each with its pods.
    pub fn ready_proxies(&self) -> Vec<(String, Vec<&'s Object>)> {
        let is_ready = |proxy: &&ProxyState| proxy.lacks.as_ref().is_ok_and(Vec::is_empty);
        let ready = self.proxies.iter().flatten().filter(is_ready).filter_map(|proxy| {
            let (namespace, name) = proxy.name.split_once('/')?;
            let mut workloads = [&kinds::DEPLOYMENT, &kinds::DAEMON_SET].into_iter();
            let workload = workloads.find_map(|kind| self.snapshot.find(kind, namespace, name).object())?;
            Some((proxy.name.clone(), own_pods(self.snapshot, workload)))
        });
        ready.collect()
    }

    /// Adds the certificates that the pods of these proxies reported.
    #[must_use]
    pub fn showing(mut self, mut certificates: HashMap<String, Read<Vec<ShownCertificate>>>) -> Self {
        for proxy in self.proxies.iter_mut().flatten() {
            proxy.certificates = certificates.remove(&proxy.name);
        }
        self
    }

    /// Changes the state of the proxies.
    #[must_use]
    pub fn with_proxies(mut self, change: impl FnOnce(&mut Vec<ProxyState>)) -> Self {
        if let Ok(proxies) = &mut self.proxies {
            change(proxies);
        }
        self
    }

    /// Returns the switches of auto-mTLS, if they were read.
    #[cfg(test)]
    pub(crate) fn settings(&self) -> &Read<Switched> {
        &self.settings
    }

    /// Returns the Gloo installation to which the gateways belong.
    pub fn installation(&self) -> &Installation {
        &self.installation
    }

    /// Returns whether this Gloo reads the Upstream of the target. A Service needs no Upstream.
    pub fn sees(&self, target: &RouteTarget) -> bool {
        !matches!(target, RouteTarget::Upstream { namespace, .. } if !self.installation.watches(namespace))
    }

    /// Returns whether the result depends on the gateway that a request goes through.
    pub fn gateways_differ(&self) -> bool {
        let state = |proxy: &ProxyState| {
            (proxy.is_idle, proxy.captured.clone(), proxy.lacks.clone(), proxy.certificates.clone())
        };
        let mut states = self.proxies().iter().map(state);
        states.next().is_some_and(|first| states.any(|other| other != first))
    }

    /// Returns whether all proxies are known.
    pub fn knows_proxies(&self) -> bool {
        self.proxies.is_ok()
    }

    /// Returns the proxies, or why they are unknown.
    pub(crate) fn read_proxies(&self) -> &Read<Vec<ProxyState>> {
        &self.proxies
    }

    /// Returns the known proxies.
    pub fn proxies(&self) -> &[ProxyState] {
        self.proxies.as_deref().unwrap_or_default()
    }

    /// Marks the proxies as unknown.
    #[must_use]
    pub fn without_proxies(self, why: &Unread) -> Self {
        Self { proxies: Err(why.clone()), ..self }
    }

    /// Returns why the certificates of some proxies are unknown, each reason once.
    pub fn unread_certificates(&self) -> Vec<&Unread> {
        let mut all: Vec<&Unread> = Vec::new();
        for proxy in self.proxies.iter().flatten() {
            if let Some(why) = proxy.unread_certificates().filter(|why| !all.contains(why)) {
                all.push(why);
            }
        }
        all
    }

    /// Returns the facts of a target that a route names. An Upstream is looked up.
    pub fn of_target(&self, target: &RouteTarget) -> Facts {
        let bare = |behind| Facts::bare(target.clone(), behind, self.proxies.clone());
        match target {
            RouteTarget::Service { namespace, name, port } => self.of_service(namespace, name, *port),
            RouteTarget::Upstream { namespace, name } => match self.snapshot.find(&kinds::UPSTREAM, namespace, name) {
                Found::There(upstream) => self.of_upstream(upstream),
                Found::NotThere => bare(Behind::NoUpstream),
                Found::Unknown(unknown) => bare(Behind::Unknown(unknown.into())),
            },
            RouteTarget::Other(what) => bare(Behind::Outside { kind: what.clone() }),
        }
    }

    /// Returns the facts of an Upstream.
    pub fn of_upstream(&self, upstream: &Object) -> Facts {
        let (sends, by) = of_upstream(upstream, &self.settings);
        let full = format!("{}/{}", upstream.reference.namespace, upstream.reference.name);
        let kube = &upstream.value["spec"]["kube"];
        let behind = backend::misspelt(&upstream.value).unwrap_or_else(|| match kube.is_object() {
            true => {
                let text = |key: &str| kube[key].as_str().unwrap_or_default();
                self.behind(
                    text("serviceNamespace"),
                    text("serviceName"),
                    kube["servicePort"].as_u64(),
                    &labels(&kube["selector"]),
                )
            }
            false => Behind::Outside { kind: backend::upstream_type(&upstream.value).to_owned() },
        });
        let enroll_revision = self.enroll_revision(&behind);
        Facts {
            target: upstream.into(),
            sends,
            sends_by: if by.starts_with("spec.") { format!("{by} of upstream {full}") } else { by },
            behind,
            proxies: self.proxies.clone(),
            enroll_revision,
            acceptance: Some(acceptance::read(&upstream.value)),
            owner: owner::find(&upstream.value),
        }
    }

    /// Returns the facts of a Service that is routed to without an Upstream.
    pub fn of_service(&self, namespace: &str, name: &str, port: Option<u64>) -> Facts {
        let service = self.snapshot.find(&kinds::SERVICE, namespace, name).object();
        let (sends, sends_by) = of_service(service.map(|service| &service.value), &self.settings);
        let behind = self.behind(namespace, name, port, &BTreeMap::new());
        let enroll_revision = self.enroll_revision(&behind);
        Facts {
            target: RouteTarget::Service { namespace: namespace.to_owned(), name: name.to_owned(), port },
            sends,
            sends_by,
            behind,
            proxies: self.proxies.clone(),
            enroll_revision,
            acceptance: None,
            owner: service.and_then(|service| owner::find(&service.value)),
        }
    }

    /// Returns the value for `--revision` of `istio enroll`, if the command would not find an istiod for the namespace of
    /// these pods.
    fn enroll_revision(&self, behind: &Behind) -> Option<String> {
        let Behind::Pods { service, .. } = behind else { return None };
        let (namespace, _) = service.split_once('/')?;
        let tags = Listed::Read(());
        let known = KnownIstiods { istiods: &self.mesh.istiods, tags: &tags };
        let namespace = self.snapshot.find(&kinds::NAMESPACE, "", namespace).object();
        let is_found = namespace.is_some_and(|namespace| target::choose(known, None, None, namespace).is_ok());
        match self.mesh.istiods.as_slice() {
            // What a namespace is bound to is known only if it was read.
            [] => namespace.filter(|_| self.mesh.revisions > 1 && !is_found).map(|_| fix::REVISION.to_owned()),
            _ if is_found => None,
            // The namespace may be bound by a tag that was not read.
            [_] if self.snapshot.unknown(&kinds::MUTATING_WEBHOOK).is_some() => None,
            [only] => namespace.map(|_| only.revision.clone()),
            _ => Some(fix::REVISION.to_owned()),
        }
    }

    fn behind(&self, namespace: &str, name: &str, port: Option<u64>, narrowed: &BTreeMap<String, String>) -> Behind {
        let full = format!("{namespace}/{name}");
        let service = match self.snapshot.find(&kinds::SERVICE, namespace, name) {
            Found::There(service) => &service.value,
            // No Service has an empty namespace, and Gloo adds no default namespace here.
            _ if namespace.is_empty() => return Behind::NoService { service: full },
            Found::NotThere => return Behind::NoService { service: full },
            Found::Unknown(unknown) => return Behind::Unknown(in_files::unread(unknown, in_files::NO_SERVICE)),
        };
        let port = match ServicePort::find(&full, service, port, narrowed) {
            Ok(port) => port,
            Err(behind) => return behind,
        };
        // If pods were read by selector, the needed pods are known although not all pods were read.
        let in_all = self.snapshot.unknown(&kinds::POD);
        let is_of_files = self.snapshot.is_of_files();
        if let (Some(unknown), Some(_), false) = (self.snapshot.unknown_in(&kinds::POD, namespace), in_all, is_of_files)
        {
            return Behind::Unknown(unknown.into());
        }
        let mut pods = self.selected(namespace, &port.selector);
        if is_of_files {
            pods = in_files::without_jobs(pods);
        }
        let endpoints = self.endpoints(namespace, name, port.name());
        let policies = PodPolicies {
            is_ambient: self.mesh.ambient.has(namespace),
            peer: self.policies_of(namespace),
            authorization: self.authorization(),
        };
        let behind = port.behind(pods.iter().map(|pod| &pod.value), &endpoints, &policies);
        if is_of_files { in_files::proven(behind, &pods, self.snapshot) } else { behind }
    }

    fn endpoints(&self, namespace: &str, service: &str, port_name: &str) -> PodEndpoints<'s> {
        let is_of_a_file = self.snapshot.spot(&ObjectRef::new(&kinds::SERVICE, namespace, service)).is_some();
        match self.snapshot.unknown_in(&kinds::ENDPOINT_SLICE, namespace) {
            // The endpoints in the cluster belong to the Service in the cluster, not to the one in the file.
            _ if is_of_a_file => PodEndpoints::Unread((&Unknown::of_files()).into()),
            Some(unknown) => PodEndpoints::Unread(unknown.into()),
            None => {
                let slices = self.mesh.slices.get(&(namespace, service)).into_iter().flatten();
                PodEndpoints::from_slices(slices.copied(), port_name)
            }
        }
    }

    /// Returns the pods that have all these labels. It starts with the rarest label.
    fn selected(&self, namespace: &str, selector: &PodSelector) -> Vec<&'s Object> {
        let rarest = selector
            .pairs()
            .map(|(key, value)| self.having(namespace, key, value))
            .min_by_key(|pods| pods.len())
            .unwrap_or_default();
        let is_selected = |pod: &&&Object| selector.selects(&pod.value["metadata"]["labels"]);
        rarest.iter().filter(is_selected).copied().collect()
    }

    fn having<'a>(&'a self, namespace: &'a str, key: &'a str, value: &'a str) -> &'a [&'s Object] {
        self.mesh.pods.get(&(namespace, key, value)).map_or(&[], Vec::as_slice)
    }

    fn authorization(&self) -> Read<AuthorizationPolicies<'_>> {
        let all = self.mesh.authorization.as_ref().map_err(Unread::clone)?;
        Ok(AuthorizationPolicies { all, root_namespace: &self.mesh.root_namespace })
    }

    /// Returns the policies that apply to pods of the namespace.
    fn policies_of(&self, namespace: &str) -> Read<Policies<'_>> {
        self.mesh.policies_of(namespace)
    }
}

impl MeshIndex<'_> {
    fn policies_of(&self, namespace: &str) -> Read<Policies<'_>> {
        let by_namespace = self.policies.as_ref().map_err(Unread::clone)?;
        let all = by_namespace.get(namespace).or_else(|| by_namespace.get(&self.root_namespace));
        Ok(Policies { all: all.map_or(&[], Vec::as_slice), root_namespace: &self.root_namespace })
    }
}

/// Returns the root namespace of the mesh: the given one, otherwise the one in the mesh configuration.
pub(super) fn root_namespace(snapshot: &Snapshot, known: Option<&str>) -> Option<String> {
    let maps = || snapshot.all(&kinds::CONFIG_MAP).iter().map(|map| &map.value);
    known.map(str::to_owned).or_else(|| peer::root_namespace(maps()))
}

/// Indexes the pods that accept new requests.
fn index(pods: &[Object]) -> HashMap<(&str, &str, &str), Vec<&Object>> {
    let mut index: HashMap<_, Vec<_>> = HashMap::new();
    for pod in pods.iter().filter(|pod| is_running(&pod.value)) {
        let labels = pod.value["metadata"]["labels"].as_object();
        for (key, value) in labels.into_iter().flatten() {
            let key = (pod.reference.namespace.as_str(), key.as_str(), value.as_str().unwrap_or_default());
            index.entry(key).or_default().push(pod);
        }
    }
    index
}

fn slices(all: &[Object]) -> HashMap<(&str, &str), Vec<&Value>> {
    let mut slices: HashMap<_, Vec<_>> = HashMap::new();
    for slice in all {
        let Some(service) = endpoints::service(&slice.value) else { continue };
        slices.entry((slice.reference.namespace.as_str(), service)).or_default().push(&slice.value);
    }
    slices
}

fn settings(snapshot: &Snapshot, gloo_namespace: &str) -> Read<Switched> {
    match snapshot.find(&kinds::SETTINGS, gloo_namespace, "default") {
        Found::There(settings) => Ok(Switched::read(settings)),
        Found::NotThere => Err(format!("no settings default in {gloo_namespace}").into()),
        Found::Unknown(unknown) => Err(in_files::unread(unknown, in_files::NO_SETTINGS)),
    }
}

/// Returns the policies by namespace. There are none without Istio's CRDs. If there are policies, and the root
/// namespace is unknown because its ConfigMap may not be read, the policies of all namespaces are unknown.
fn policies(snapshot: &Snapshot, root: Option<&str>, root_namespace: &str) -> Read<HashMap<String, Vec<Value>>> {
    if let Some(unknown) = in_files::unknown(snapshot, &kinds::PEER_AUTHENTICATION) {
        return Err(in_files::unread(unknown, in_files::NO_POLICY));
    }
    let all = snapshot.all(&kinds::PEER_AUTHENTICATION);
    if let (None, false, Some(unknown)) = (root, all.is_empty(), unread_root(snapshot)) {
        return Err(unknown.into());
    }
    let mut by_namespace: HashMap<String, Vec<Value>> = HashMap::new();
    let is_meshs = |policy: &&Object| policy.reference.namespace == root_namespace;
    let of_mesh: Vec<_> = all.iter().filter(is_meshs).map(|policy| policy.value.clone()).collect();
    for policy in all.iter().filter(|policy| !is_meshs(policy)) {
        let own = by_namespace.entry(policy.reference.namespace.clone()).or_insert_with(|| of_mesh.clone());
        own.push(policy.value.clone());
    }
    by_namespace.insert(root_namespace.to_owned(), of_mesh);
    Ok(by_namespace)
}

/// Returns the authorization policies that sidecars enforce. As for [`policies`], the root namespace must be known if
/// there are any.
fn authorization(snapshot: &Snapshot, root: Option<&str>) -> Read<Vec<Arc<AuthorizationPolicy>>> {
    if let Some(unknown) = in_files::unknown(snapshot, &kinds::AUTHORIZATION_POLICY) {
        return Err(unknown.into());
    }
    let all = snapshot.all(&kinds::AUTHORIZATION_POLICY);
    if let (None, false, Some(unknown)) = (root, all.is_empty(), unread_root(snapshot)) {
        return Err(unknown.into());
    }
    Ok(all.iter().filter_map(|policy| AuthorizationPolicy::read(&policy.value)).map(Arc::new).collect())
}

/// Returns why the `ConfigMap`s with the root namespace are unknown. For files Istio's usual one is assumed.
fn unread_root(snapshot: &Snapshot) -> Option<&Unknown> {
    snapshot.unknown(&kinds::CONFIG_MAP).filter(|unknown| !unknown.is_of_files())
}

/// Returns the proxies of this Gloo: those of its installation, and those of the Gateways in namespaces that it
/// watches.
fn proxies(snapshot: &Snapshot, installation: &Installation, mesh: &MeshIndex<'_>) -> Read<Vec<ProxyState>> {
    let (key, value) = PROXY_LABEL.split_once('=').expect("a label and its value");
    let mut found = Vec::new();
    for kind in [&kinds::DEPLOYMENT, &kinds::DAEMON_SET] {
        let kind: &'static Kind = kind;
        if let Some(unknown) = snapshot.unknown(kind).filter(|unknown| !unknown.is_of_files()) {
            return Err(unknown.into());
        }
        for workload in snapshot.all(kind) {
            let home = &workload.reference.namespace;
            let of_gateway_api = workload.label(KUBE_GATEWAY_LABEL).is_some()
                && workload.reference.name.starts_with(GATEWAY_PREFIX)
                && installation.watches(home);
            let is_classic = workload.label(key) == Some(value) && *home == installation.namespace;
            if of_gateway_api || is_classic {
                let state = proxy(snapshot, workload, &installation.namespace, mesh);
                found.push(ProxyState { of_gateway_api, ..state });
            }
        }
    }
    if found.is_empty() && snapshot.is_of_files() {
        return Err(in_files::NO_GATEWAY.into());
    }
    Ok(found)
}

fn proxy(snapshot: &Snapshot, workload: &Object, installation: &str, mesh: &MeshIndex<'_>) -> ProxyState {
    let (namespace, name) = (&workload.reference.namespace, &workload.reference.name);
    let read = GatewayProxy::in_snapshot(snapshot, workload);
    let fix = GatewayFix::read(&read, installation, &mesh.istiods).among(mesh.revisions);
    let is_in_files = snapshot.is_of_files() && read.bootstrap.is_some();
    let lacks = match snapshot.unknown(&kinds::CONFIG_MAP) {
        Some(unknown) if !is_in_files => Err(in_files::unread(unknown, in_files::NO_BOOTSTRAP)),
        _ => lacks(&read),
    };
    let spec = &workload.value["spec"];
    let account = spec["template"]["spec"]["serviceAccountName"].as_str().unwrap_or(DEFAULT_ACCOUNT).to_owned();
    let (name, is_idle) = (format!("{namespace}/{name}"), spec["replicas"] == 0);
    let captured = mesh.ambient.captured(snapshot, workload);
    let closed = closed::by(snapshot, workload, &captured, mesh.policies_of(&workload.reference.namespace));
    ProxyState { name, account, of_gateway_api: false, fix, is_idle, captured, closed, lacks, certificates: None }
}

/// Returns the parts that a proxy lacks.
fn lacks(proxy: &GatewayProxy) -> Read<Vec<String>> {
    let found = state(proxy).map_err(|refusal| {
        let home = &proxy.workload.reference;
        Unread::from(format!("bootstrap of {}/{}: {}", home.namespace, home.name, refusal.why))
    })?;
    match found.doubt {
        Some(unknown) if found.missing.is_empty() => Err(Unread::from(&unknown)),
        _ => Ok(found.missing.iter().map(ToString::to_string).collect()),
    }
}
