//! Rights, collected kind by kind, and the sets of them that several commands share.

use std::collections::HashSet;

use crate::load::paths;
use crate::load::snapshot::Want;
use crate::model::{Kind, kinds};
use crate::options::{Global, Preview};
use crate::plan::path::routed::ROUTES;
use crate::rights::{Need, Needs, Reach};

pub(super) const GET: &[&str] = &["get"];
pub(super) const LIST: &[&str] = &["list"];
pub(super) const EDIT: &[&str] = &["get", "patch"];
/// A WebSocket is opened by a GET. Since Kubernetes 1.35 it also needs the verb create.
const FORWARD: [&str; 2] = ["get", "create"];

/// The rights that were declared so far.
#[derive(Debug, Default)]
pub(super) struct Declaration(pub Needs);

fn within(namespace: &str) -> Reach {
    if namespace.is_empty() { Reach::Cluster } else { Reach::Namespace(namespace.to_owned()) }
}

impl Declaration {
    fn add(&mut self, reach: &Reach, verbs: &[&'static str], kinds: &[&'static Kind]) {
        for kind in kinds {
            self.add_resource(reach, verbs, kind.group, kind.plural);
        }
    }

    fn add_resource(&mut self, reach: &Reach, verbs: &[&'static str], group: &'static str, resource: &'static str) {
        self.0.extend(verbs.iter().map(|verb| Need { reach: reach.clone(), group, resource, verb, name: None }));
    }

    /// In the whole cluster.
    pub(super) fn everywhere(&mut self, verbs: &[&'static str], kinds: &[&'static Kind]) -> &mut Self {
        self.add(&Reach::Cluster, verbs, kinds);
        self
    }

    /// In one namespace.
    pub(super) fn within(&mut self, namespace: &str, verbs: &[&'static str], kinds: &[&'static Kind]) -> &mut Self {
        self.add(&within(namespace), verbs, kinds);
        self
    }

    /// One object of a namespace, or one without a namespace.
    pub(super) fn named(
        &mut self,
        (namespace, name): (&str, &str),
        verbs: &[&'static str],
        kind: &'static Kind,
    ) -> &mut Self {
        let need = |verb: &&'static str| {
            Need { reach: within(namespace), group: kind.group, resource: kind.plural, verb, name: None }.named(name)
        };
        self.0.extend(verbs.iter().map(need));
        self
    }

    /// Port-forwards into the pods of a namespace.
    pub(super) fn forwards(&mut self, namespace: &str) -> &mut Self {
        self.add_resource(&within(namespace), &FORWARD, "", "pods/portforward");
        self
    }

    /// Port-forwards into pods of any namespace.
    pub(super) fn forwards_anywhere(&mut self) -> &mut Self {
        self.add_resource(&Reach::Cluster, &FORWARD, "", "pods/portforward");
        self
    }

    /// The counters of the Envoys of all gateways.
    pub(super) fn counters(&mut self) -> &mut Self {
        self.everywhere(LIST, &[&kinds::POD]).everywhere(GET, &[&kinds::CONFIG_MAP]).forwards_anywhere()
    }

    /// The logs of the pods of a namespace.
    pub(super) fn logs(&mut self, namespace: &str) -> &mut Self {
        self.add_resource(&within(namespace), GET, "", "pods/log");
        self
    }

    /// The lists that a snapshot is read from.
    pub(super) fn wants(&mut self, wants: &[Want]) -> &mut Self {
        for want in wants {
            self.within(want.namespace.as_deref().unwrap_or_default(), LIST, &[want.kind]);
        }
        self
    }

    /// Gloo's Settings, by name.
    pub(super) fn settings(&mut self, global: &Global, verbs: &[&'static str]) -> &mut Self {
        for home in global.gloo_homes() {
            self.named((home, "default"), verbs, &kinds::SETTINGS);
        }
        self
    }

    /// What is read to find Gloo, if it may be in several namespaces.
    pub(super) fn found(&mut self, global: &Global) -> &mut Self {
        if global.gloo_homes().len() > 1 { self.settings(global, GET) } else { self }
    }

    /// The gateways of this installation of Gloo with their bootstraps, and what they have loaded.
    pub(super) fn gateways(&mut self, global: &Global) -> &mut Self {
        for home in global.gloo_homes() {
            self.wants(&paths::of_gateway(home));
        }
        // Those of the Gateway API may be in any namespace.
        self.everywhere(LIST, &[&kinds::CONFIG_MAP, &kinds::POD, &kinds::DAEMON_SET]).forwards_anywhere()
    }

    /// The gateways of this installation and of all others.
    pub(super) fn all_gateways(&mut self, global: &Global) -> &mut Self {
        self.found(global).gateways(global).wants(&[Want::all(&kinds::SETTINGS)]).wants(&paths::of_others())
    }

    /// The policies, the configuration and the ambient namespaces of the mesh.
    pub(super) fn mesh(&mut self) -> &mut Self {
        self.wants(&paths::of_mesh())
    }

    /// The routes of Gloo and of the Gateway API.
    pub(super) fn routes(&mut self) -> &mut Self {
        self.everywhere(LIST, &ROUTES).everywhere(LIST, &[&kinds::GATEWAY])
    }

    /// Services, their pods and endpoints.
    pub(super) fn backends(&mut self) -> &mut Self {
        self.wants(&paths::of_backends())
    }

    /// What the guard reads before a change of pods, of policies or of Settings.
    pub(super) fn traffic(&mut self, global: &Global) -> &mut Self {
        self.all_gateways(global).routes().mesh().backends().everywhere(LIST, &[&kinds::UPSTREAM])
    }

    /// The gateway's pods in Gloo's namespace and their bootstraps.
    pub(super) fn own_gateway(&mut self, global: &Global) -> &mut Self {
        self.found(global);
        for home in global.gloo_homes() {
            self.within(home, LIST, &[&kinds::POD, &kinds::DEPLOYMENT, &kinds::CONFIG_MAP]);
        }
        self
    }

    /// The Service of an Upstream, its pods, and the policies for them. The Service may be in any namespace.
    pub(super) fn behind(&mut self) -> &mut Self {
        self.everywhere(GET, &[&kinds::SERVICE]).everywhere(LIST, &[&kinds::POD]).policies()
    }

    /// The policies of the mesh, its root namespace and its ambient namespaces.
    pub(super) fn policies(&mut self) -> &mut Self {
        self.everywhere(LIST, &[&kinds::PEER_AUTHENTICATION, &kinds::AUTHORIZATION_POLICY, &kinds::NAMESPACE])
            .root_namespace()
    }

    /// The root namespace of the mesh, from the istiods' mesh configuration.
    pub(super) fn root_namespace(&mut self) -> &mut Self {
        self.everywhere(LIST, &[&kinds::DEPLOYMENT, &kinds::CONFIG_MAP])
    }

    /// The istiods, their tags, addresses and webhooks.
    pub(super) fn istiods(&mut self, namespace: Option<&str>) -> &mut Self {
        self.within(namespace.unwrap_or_default(), LIST, &[&kinds::DEPLOYMENT, &kinds::SERVICE, &kinds::CONFIG_MAP])
            .everywhere(LIST, &[&kinds::MUTATING_WEBHOOK])
    }

    /// The records of Helm's releases in a namespace.
    pub(super) fn releases(&mut self, namespace: &str) -> &mut Self {
        self.within(namespace, &["get", "list"], &[&kinds::SECRET, &kinds::CONFIG_MAP])
    }

    /// A rollout of workloads that is waited for, unless nothing is written.
    pub(super) fn rollouts(&mut self, namespace: &str, preview: Preview) -> &mut Self {
        if preview.is_on() { self } else { self.within(namespace, LIST, &[&kinds::POD, &kinds::EVENT]) }
    }

    /// What is read to suggest other names if a named object does not exist. A role does not have it.
    pub(super) fn suggests(&mut self, kinds: &[&'static Kind]) -> &mut Self {
        let resources: HashSet<_> = kinds.iter().chain([&&kinds::NAMESPACE]).map(|it| (it.group, it.plural)).collect();
        self.0.suggest(resources);
        self
    }
}
