//! The effects of a plan's steps on the state that was read. Each step starts with the state after the previous one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::survey::{KnownProxies, Surveys, root_namespace};
use super::{ProxyState, ROOT_NAMESPACE, Survey};
use crate::edit::{Edit, json as edited};
use crate::model::{FieldPath, Kind, Object, ObjectRef, Snapshot, kinds};
use crate::plan::auto_mtls::{AutoMtlsWish, with_switches};
use crate::plan::peer::Policies;
use crate::plan::peer::change::{PolicyRequest, PolicyScope, PolicyVerdict, after, decide};
use crate::plan::pod::{
    Capture, DATAPLANE_MODE, REDIRECTION, SIDECAR_STATUS, TLS_MODE, barred, capture, requests_ambient,
};
use crate::plan::ssl_config::istio_ssl_config;

/// Whether a setting is turned on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    On,
    Off,
}

/// The effect of a step on requests.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Effect {
    /// These gateways have the mesh's certificates from now on, or no longer. An empty list means all gateways of Gloo.
    Certificates(Vec<ObjectRef>, Turn),
    AutoMtls(Turn),
    /// The namespace's pods join the mesh, or leave it.
    Mesh(String, Turn),
    /// A ztunnel captures the namespace's pods from now on, or no longer.
    Ambient(String, Turn),
    /// The Upstream sends Istio's mutual TLS, whatever its pods accept.
    Tls(ObjectRef, Turn),
    Policy(PolicyRequest),
}

impl Effect {
    /// Returns whether the effect changes what the pods of this namespace accept. Otherwise it changes only what gateways
    /// send there. `None` is a namespace that is not known.
    pub(crate) fn is_about_pods(&self, namespace: Option<&str>) -> bool {
        match self {
            Self::Mesh(..) | Self::Policy(_) => true,
            // The pods of other namespaces stay as they are, even if they are unknown.
            Self::Ambient(own, _) => namespace.is_none_or(|namespace| own == namespace),
            Self::Certificates(..) | Self::AutoMtls(_) | Self::Tls(..) => false,
        }
    }
}

/// The objects that a plan affects and that must be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Touched {
    pub namespaces: BTreeSet<String>,
    pub upstreams: Vec<ObjectRef>,
    /// Whether every namespace is affected.
    pub mesh: bool,
    /// Whether a ztunnel is needed.
    pub ztunnel: bool,
}

impl Touched {
    /// Collects what these effects change.
    pub(crate) fn by<'e>(effects: impl IntoIterator<Item = &'e Effect>) -> Self {
        let mut touched = Self::default();
        for effect in effects {
            match effect {
                Effect::Certificates(..) => {}
                // Each Upstream without settings of its own.
                Effect::AutoMtls(_) => touched.mesh = true,
                Effect::Mesh(namespace, _) => drop(touched.namespaces.insert(namespace.clone())),
                // Where a gateway is captured, its requests to all other namespaces change.
                Effect::Ambient(..) => (touched.mesh, touched.ztunnel) = (true, true),
                Effect::Tls(upstream, _) => touched.upstreams.push(upstream.clone()),
                Effect::Policy(request) => touched.add_scope(&request.scope),
            }
        }
        touched
    }

    fn add_scope(&mut self, scope: &PolicyScope) {
        match scope {
            PolicyScope::Mesh => self.mesh = true,
            PolicyScope::Namespace(namespace) | PolicyScope::Workload { namespace, .. } => {
                self.namespaces.insert(namespace.clone());
            }
        }
    }

    /// Returns whether a target in this namespace, through this Upstream, is affected.
    pub(crate) fn has(&self, namespace: &str, upstream: Option<&ObjectRef>) -> bool {
        self.mesh
            || self.namespaces.contains(namespace)
            || upstream.is_some_and(|upstream| self.upstreams.contains(upstream))
    }
}

/// The state that was read, with the effects of the steps so far.
#[derive(Debug)]
pub(crate) struct PlannedWorld {
    pub snapshot: Snapshot,
    pub gloo_namespace: String,
    /// The kind `PeerAuthentication` in the version that the API server has.
    pub policy_kind: &'static Kind,
    /// Namespaces of other Gloo installations, whose gateways were read too.
    pub others: Vec<String>,
    /// No step changes the proxies of other installations.
    other_proxies: KnownProxies,
    /// The mesh's root namespace, if it is known from elsewhere than the snapshot.
    pub root_namespace: Option<String>,
    /// The effects of the steps on the certificates of gateways, the latest at the end. A gateway is given by name.
    /// `None` means all gateways.
    certificates: Vec<(Option<String>, Turn)>,
}

impl PlannedWorld {
    /// Creates the state as it was read.
    pub(crate) fn new(snapshot: Snapshot, gloo_namespace: &str, policy_kind: &'static Kind) -> Self {
        let gloo_namespace = gloo_namespace.to_owned();
        Self {
            snapshot,
            gloo_namespace,
            policy_kind,
            others: Vec::new(),
            other_proxies: KnownProxies::default(),
            root_namespace: None,
            certificates: Vec::new(),
        }
    }

    /// Returns the surveys in this state, one for each Gloo installation.
    pub(crate) fn surveys(&self) -> Surveys<'_> {
        let own = Survey::in_mesh(&self.snapshot, &self.gloo_namespace, self.root_namespace.as_deref());
        let others = self.others.iter().map(|namespace| own.of_another(namespace, &self.other_proxies)).collect();
        // A step affects only the gateways of the run's own Gloo.
        Surveys { own: own.with_proxies(|proxies| self.with_certificates(proxies)), others }
    }

    fn with_certificates(&self, proxies: &mut Vec<ProxyState>) {
        for (name, turn) in &self.certificates {
            // A gateway without the label is known only by its name in the step.
            if let Some(name) = name.as_ref().filter(|name| !proxies.iter().any(|proxy| proxy.name == **name)) {
                proxies.push(ProxyState::named(name));
            }
            let is_it = |proxy: &&mut ProxyState| name.as_ref().is_none_or(|name| proxy.name == *name);
            for proxy in proxies.iter_mut().filter(is_it) {
                proxy.lacks = Ok(match turn {
                    Turn::On => Vec::new(),
                    Turn::Off => vec!["Istio's sidecars".to_owned()],
                });
            }
        }
    }

    /// Applies a step to the state.
    pub(crate) fn take(&mut self, effect: &Effect) {
        match effect {
            Effect::Certificates(gateways, turn) if gateways.is_empty() => {
                self.certificates.push((None, *turn));
            }
            Effect::Certificates(gateways, turn) => {
                let name = |gateway: &ObjectRef| (Some(format!("{}/{}", gateway.namespace, gateway.name)), *turn);
                self.certificates.extend(gateways.iter().map(name));
            }
            Effect::AutoMtls(turn) => {
                let place = ObjectRef::new(&kinds::SETTINGS, self.gloo_namespace.as_str(), "default");
                let value = self.snapshot.object(&place).map_or_else(
                    || json!({"metadata": {"namespace": place.namespace, "name": place.name}, "spec": {}}),
                    |settings| settings.value.clone(),
                );
                let wish = if *turn == Turn::On { AutoMtlsWish::Enable } else { AutoMtlsWish::Disable };
                let value = with_switches(&value, wish);
                self.snapshot.replace(Object { reference: place, value });
            }
            Effect::Mesh(namespace, turn) => {
                let value = if *turn == Turn::On { json!("istio") } else { Value::Null };
                let edit = Edit::set(FieldPath::keys(&["metadata", "labels", TLS_MODE]), value);
                self.snapshot.edit(&kinds::POD, |pod| {
                    if pod.reference.namespace == *namespace && barred(&pod.value).is_none() {
                        apply(pod, &edit);
                        if *turn == Turn::Off && pod.value["metadata"]["annotations"][SIDECAR_STATUS].is_string() {
                            apply(pod, &Edit::remove(FieldPath::keys(&["metadata", "annotations", SIDECAR_STATUS])));
                        }
                    }
                });
            }
            Effect::Ambient(namespace, turn) => self.take_ambient(namespace, *turn),
            Effect::Tls(upstream, turn) => {
                let path = FieldPath::keys(&["spec", "sslConfig"]);
                let edit = match turn {
                    Turn::On => Edit::set(path, istio_ssl_config()),
                    Turn::Off => Edit::remove(path),
                };
                self.snapshot.edit(&kinds::UPSTREAM, |object| {
                    if object.reference == *upstream {
                        apply(object, &edit);
                    }
                });
            }
            Effect::Policy(request) => self.take_policy(request),
        }
    }

    fn take_ambient(&mut self, namespace: &str, turn: Turn) {
        let label = match turn {
            Turn::On => json!("ambient"),
            Turn::Off => Value::Null,
        };
        let label = Edit::set(FieldPath::keys(&["metadata", "labels", DATAPLANE_MODE]), label);
        self.snapshot.edit(&kinds::NAMESPACE, |object| {
            if object.reference.name == namespace {
                apply(object, &label);
            }
        });
        let annotation = FieldPath::keys(&["metadata", "annotations", REDIRECTION]);
        self.snapshot.edit(&kinds::POD, |pod| {
            if pod.reference.namespace != namespace {
                return;
            }
            // A pod with the label itself stays as it is.
            match (turn, capture(&pod.value, true), requests_ambient(&pod.value)) {
                (Turn::On, Capture::Labelled, false) => apply(pod, &Edit::set(annotation.clone(), json!("enabled"))),
                (Turn::Off, Capture::Proven, false) => apply(pod, &Edit::remove(annotation.clone())),
                _ => {}
            }
        });
    }

    fn take_policy(&mut self, request: &PolicyRequest) {
        let all: Vec<_> =
            self.snapshot.all(&kinds::PEER_AUTHENTICATION).iter().map(|policy| policy.value.clone()).collect();
        let root_namespace =
            root_namespace(&self.snapshot, self.root_namespace.as_deref()).unwrap_or_else(|| ROOT_NAMESPACE.to_owned());
        let policies = Policies { all: &all, root_namespace: &root_namespace };
        if let PolicyVerdict::Change { before, edits, .. } = decide(request, &policies, self.policy_kind) {
            self.change_policy(&before, &edits, &policies);
        }
    }

    /// Replaces the policies that were read by these.
    pub(crate) fn know_policies(&mut self, policies: &Policies) {
        let kind: &'static Kind = &kinds::PEER_AUTHENTICATION;
        let objects = policies.all.iter().map(|value| Object::new(kind, value.clone())).collect();
        self.snapshot.replace_all(kind, objects);
        self.root_namespace = Some(policies.root_namespace.to_owned());
    }

    /// Applies these edits of a policy to the state.
    pub(crate) fn change_policy(&mut self, before: &Object, edits: &[Edit], policies: &Policies) {
        let place = ObjectRef { kind: &kinds::PEER_AUTHENTICATION, ..before.reference.clone() };
        let is_it = |value: &Value| {
            value["metadata"]["namespace"] == *place.namespace && value["metadata"]["name"] == *place.name
        };
        match after(policies, before, edits).into_iter().find(is_it) {
            Some(value) => self.snapshot.replace(Object { reference: place, value }),
            None => self.snapshot.remove(&place),
        }
    }
}

fn apply(object: &mut Object, edit: &Edit) {
    if let Ok(value) = edited::apply(&object.value, std::slice::from_ref(edit)) {
        object.value = value;
    }
}
