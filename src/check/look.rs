//! The input of a check: the snapshot, what all checks derive from it, and a record of what each check has seen.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeSet;

use serde_json::Value;

use crate::gloo::metrics::Metrics;
use crate::model::names::{GATEWAY_PROXY, ISTIO_SYSTEM, KUBE_GATEWAY_LABEL, SETTINGS};
use crate::model::{Found, Kind, Object, ObjectRef, Selector, Snapshot, Unknown, kinds};
use crate::plan::fix::GatewayFix;
use crate::plan::istiod::{self, Istiod};
use crate::plan::path::Facts;
use crate::plan::path::ShownCertificate;
use crate::plan::path::routed::{ROUTES, Routed};
use crate::plan::path::survey::{GATEWAY_PREFIX, Survey as Paths};
use crate::plan::sidecars::{GatewayProxy, own_pods};
use crate::plan::values::Chart;

/// Data that is not part of the snapshot.
#[derive(Debug, Clone, PartialEq)]
pub enum Beyond<T> {
    Read(T),
    /// It does not exist or was not requested, which is no problem: why.
    NotThere(String),
    Unknown(Unknown),
}

/// The part of the Helm release that matters here.
#[derive(Debug, Clone, PartialEq)]
pub struct Release {
    /// The namespace and name, such as `gloo-system/gloo`.
    pub name: String,
    pub revision: u64,
    pub values: Value,
    pub(crate) chart: Chart,
}

/// What a gateway's Envoy reports about its control plane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvoySaid {
    pub namespace: String,
    pub pod: String,
    /// Whether its stream to Gloo is connected, or `None` if it has no stream.
    pub connected: Option<bool>,
    /// Counters of rejected updates that grew during the check.
    pub grown: Vec<String>,
    /// Listeners whose last update was rejected, and why.
    pub refused: Vec<String>,
}

/// The input of all checks.
pub struct World<'s> {
    pub snapshot: &'s Snapshot,
    pub gloo_namespace: &'s str,
    /// The namespaces of Gloo's objects. `None` means all.
    pub namespaces: Option<BTreeSet<String>>,
    /// Selects the pods in Gloo's namespace to check.
    pub pods: Selector,
    pub release: Beyond<Release>,
    pub certificates: Beyond<Vec<ShownCertificate>>,
    /// What the gateways' Envoys report about their control plane.
    pub envoys: Beyond<Vec<EnvoySaid>>,
    /// Gloo's metrics about what it serves.
    pub metrics: Beyond<Metrics>,
    istiods: OnceCell<Vec<Istiod>>,
    gateways: OnceCell<Vec<GatewayProxy>>,
    gateways_of_api: OnceCell<Vec<GatewayProxy>>,
    paths: OnceCell<Paths<'s>>,
    routed: OnceCell<Option<Routed>>,
}

impl<'s> World<'s> {
    /// The world of a snapshot. `why` is the reason why nothing else was read.
    #[must_use]
    pub fn new(snapshot: &'s Snapshot, gloo_namespace: &'s str, pods: Selector, why: &str) -> Self {
        Self {
            snapshot,
            gloo_namespace,
            namespaces: None,
            pods,
            release: Beyond::NotThere(why.to_owned()),
            certificates: Beyond::NotThere(why.to_owned()),
            envoys: Beyond::NotThere(why.to_owned()),
            metrics: Beyond::NotThere(why.to_owned()),
            istiods: OnceCell::new(),
            gateways: OnceCell::new(),
            gateways_of_api: OnceCell::new(),
            paths: OnceCell::new(),
            routed: OnceCell::new(),
        }
    }

    fn is_watched(&self, namespace: &str) -> bool {
        self.namespaces.as_ref().is_none_or(|namespaces| namespaces.contains(namespace))
    }
}

/// What a check has read, and what it could not.
#[derive(Debug, Default)]
pub struct CheckGaps {
    pub kinds: Vec<&'static Kind>,
    pub gaps: Vec<Unknown>,
    pub skipped: Option<String>,
    pub saw_something: bool,
    pub not_judged: Vec<NotJudged>,
}

/// Objects in files that a check could not judge, all for the same reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotJudged {
    pub why: String,
    /// Number of objects.
    pub count: usize,
    /// The first of them.
    pub first: ObjectRef,
}

/// The view of one check on the world.
pub struct Look<'w> {
    pub world: &'w World<'w>,
    seen: RefCell<CheckGaps>,
}

impl<'w> Look<'w> {
    /// A view that has recorded nothing yet.
    #[must_use]
    pub fn new(world: &'w World<'w>) -> Self {
        Self { world, seen: RefCell::default() }
    }

    /// Returns what was recorded.
    #[must_use]
    pub fn into_seen(self) -> CheckGaps {
        self.seen.into_inner()
    }

    /// The namespace of Gloo.
    #[must_use]
    pub fn gloo(&self) -> &'w str {
        self.world.gloo_namespace
    }

    /// Records that something could not be read.
    pub fn gap(&self, unknown: &Unknown) {
        let gaps = &mut self.seen.borrow_mut().gaps;
        if !gaps.contains(unknown) {
            gaps.push(unknown.clone());
        }
    }

    /// Records that there is nothing to check, and why.
    pub fn skip(&self, why: impl Into<String>) {
        self.seen.borrow_mut().skipped = Some(why.into());
    }

    /// Records that the files do not tell enough to judge an object, and why.
    pub fn not_judged(&self, object: &ObjectRef, why: &str) {
        let all = &mut self.seen.borrow_mut().not_judged;
        match all.iter_mut().find(|it| it.why == why) {
            Some(known) => known.count += 1,
            None => all.push(NotJudged { why: why.to_owned(), count: 1, first: object.clone() }),
        }
    }

    /// Whether only files were read.
    #[must_use]
    pub fn is_of_files(&self) -> bool {
        self.world.snapshot.is_of_files()
    }

    /// Returns data that is not part of the snapshot. If it is missing, records why.
    pub fn beyond<'b, T>(&self, part: &'b Beyond<T>) -> Option<&'b T> {
        match part {
            Beyond::Read(part) => return Some(part),
            Beyond::NotThere(why) => self.skip(why.clone()),
            Beyond::Unknown(unknown) => self.gap(unknown),
        }
        None
    }

    fn note(&self, kind: &'static Kind, unknown: Option<&Unknown>) {
        let mut seen = self.seen.borrow_mut();
        if !seen.kinds.contains(&kind) {
            seen.kinds.push(kind);
        }
        drop(seen);
        if let Some(unknown) = unknown {
            self.gap(unknown);
        }
    }

    fn saw(&self, is_something: bool) {
        self.seen.borrow_mut().saw_something |= is_something;
    }

    /// Every object of a kind.
    pub fn all(&self, kind: &'static Kind) -> &'w [Object] {
        self.note(kind, self.world.snapshot.unknown(kind));
        let all = self.world.snapshot.all(kind);
        self.saw(!all.is_empty());
        all
    }

    /// The objects in the namespaces that Gloo watches.
    pub fn watched(&self, kind: &'static Kind) -> Vec<&'w Object> {
        let snapshot = self.world.snapshot;
        match &self.world.namespaces {
            None => self.all(kind).iter().collect(),
            Some(namespaces) => {
                self.note(kind, None);
                let mut found = Vec::new();
                for namespace in namespaces {
                    self.note(kind, snapshot.unknown_in(kind, namespace));
                    found.extend(snapshot.in_namespace(kind, namespace));
                }
                self.saw(!found.is_empty());
                found
            }
        }
    }

    /// The objects in one namespace.
    pub fn in_namespace(&self, kind: &'static Kind, namespace: &str) -> Vec<&'w Object> {
        self.note(kind, self.world.snapshot.unknown_in(kind, namespace));
        let found: Vec<_> = self.world.snapshot.in_namespace(kind, namespace).collect();
        self.saw(!found.is_empty());
        found
    }

    /// Finds one object.
    pub fn find(&self, kind: &'static Kind, namespace: &str, name: &str) -> Found<'w> {
        let found = self.world.snapshot.find(kind, namespace, name);
        let unknown = if let Found::Unknown(unknown) = found { Some(unknown) } else { None };
        self.note(kind, unknown);
        self.saw(found.object().is_some());
        found
    }

    /// Whether the API server lacks the kind. If so, records that there is nothing to check.
    pub fn skips_absent(&self, kind: &'static Kind) -> bool {
        let is_absent = self.world.snapshot.is_absent(kind);
        self.note(kind, None);
        if is_absent {
            self.skip(format!("{} CRD has not been registered", kind.kind));
        }
        is_absent
    }

    /// Gloo's Settings.
    pub fn settings(&self) -> Option<&'w Object> {
        self.find(&kinds::SETTINGS, self.gloo(), SETTINGS).object()
    }

    /// Every control plane.
    pub fn istiods(&self) -> &'w [Istiod] {
        for kind in [&kinds::DEPLOYMENT, &kinds::SERVICE, &kinds::CONFIG_MAP, &kinds::MUTATING_WEBHOOK] {
            self.note(kind, self.world.snapshot.unknown(kind));
        }
        self.world.istiods.get_or_init(|| istiod::in_snapshot(self.world.snapshot))
    }

    /// How a gateway gets what it lacks.
    pub(crate) fn fix(&self, proxy: &GatewayProxy) -> GatewayFix {
        let istiods = self.world.istiods.get_or_init(|| istiod::in_snapshot(self.world.snapshot));
        GatewayFix::read(proxy, self.gloo(), istiods)
    }

    /// The root namespace, whose policies apply to the whole mesh.
    pub fn root_namespace(&self) -> &'w str {
        self.istiods().first().map_or(ISTIO_SYSTEM, |istiod| istiod.root_namespace.as_str())
    }

    /// The gateway proxies in Gloo's namespace.
    pub fn gateways(&self) -> &'w [GatewayProxy] {
        let (gloo, snapshot) = (self.gloo(), self.world.snapshot);
        for kind in [&kinds::DEPLOYMENT, &kinds::DAEMON_SET, &kinds::CONFIG_MAP, &kinds::POD] {
            self.note(kind, snapshot.unknown_in(kind, gloo));
        }
        let gateways = self.world.gateways.get_or_init(|| {
            let workloads = [&kinds::DEPLOYMENT, &kinds::DAEMON_SET]
                .into_iter()
                .flat_map(|kind| snapshot.in_namespace(kind, gloo))
                .filter(|workload| workload.label(GATEWAY_PROXY.0) == Some(GATEWAY_PROXY.1));
            workloads.map(|workload| GatewayProxy::in_snapshot(snapshot, workload)).collect()
        });
        self.saw(!gateways.is_empty());
        gateways
    }

    /// The workload of a pod. If it was not read, the namespace.
    pub fn workload_of(&self, pod: &ObjectRef) -> ObjectRef {
        let snapshot = self.world.snapshot;
        let mut workloads = [&kinds::DEPLOYMENT, &kinds::DAEMON_SET]
            .into_iter()
            .flat_map(|kind| snapshot.in_namespace(kind, &pod.namespace));
        let found = workloads.find(|workload| own_pods(snapshot, workload).iter().any(|own| own.reference == *pod));
        let namespace = || ObjectRef::new(&kinds::NAMESPACE, "", pod.namespace.as_str());
        found.map_or_else(namespace, |workload| workload.reference.clone())
    }

    /// The proxies of Gateways of the Gateway API, in the namespaces that Gloo watches.
    pub fn gateways_of_api(&self) -> &'w [GatewayProxy] {
        let snapshot = self.world.snapshot;
        for kind in [&kinds::DEPLOYMENT, &kinds::CONFIG_MAP, &kinds::POD] {
            self.note(kind, snapshot.unknown(kind));
        }
        self.world.gateways_of_api.get_or_init(|| {
            let workloads = snapshot.all(&kinds::DEPLOYMENT).iter().filter(|workload| {
                let name = &workload.reference.name;
                workload.label(KUBE_GATEWAY_LABEL).is_some()
                    && name.starts_with(GATEWAY_PREFIX)
                    && self.is_watched(&workload.reference.namespace)
            });
            workloads.map(|workload| GatewayProxy::in_snapshot(snapshot, workload)).collect()
        })
    }

    /// The verdicts of `istio describe` for the same snapshot.
    pub fn paths(&self) -> &'w Paths<'w> {
        for kind in [&kinds::SETTINGS, &kinds::DEPLOYMENT, &kinds::DAEMON_SET, &kinds::CONFIG_MAP, &kinds::POD] {
            self.note(kind, self.world.snapshot.unknown_in(kind, self.gloo()));
        }
        for policies in [&kinds::PEER_AUTHENTICATION, &kinds::AUTHORIZATION_POLICY] {
            self.note(policies, self.world.snapshot.unknown(policies));
        }
        // If these are unknown, the facts of a target say so.
        self.note(&kinds::SERVICE, None);
        self.note(&kinds::ENDPOINT_SLICE, None);
        self.world.paths.get_or_init(|| Paths::new(self.world.snapshot, self.gloo()))
    }

    /// The destinations of all routes, or of those in the files. `None` if some routes of a cluster are unknown.
    pub(crate) fn routed(&self) -> Option<&'w Routed> {
        let routed = self.world.routed.get_or_init(|| {
            let snapshot = self.world.snapshot;
            let is_known = snapshot.is_of_files() || ROUTES.iter().all(|kind| snapshot.is_whole(kind));
            is_known.then(|| {
                let mut routed = Routed::by(snapshot.all(&kinds::GATEWAY).to_vec());
                ROUTES.iter().flat_map(|kind| snapshot.all(kind)).for_each(|object| routed.add(object));
                routed
            })
        });
        routed.as_ref()
    }

    /// The facts, reduced to the gateways of a route that leads to
    /// the target. With all gateways if some routes are unknown.
    pub fn narrowed(&self, facts: Facts) -> Facts {
        match self.routed() {
            Some(routed) => routed.narrow(self.paths(), facts),
            None => facts,
        }
    }

    /// Whether routes lead through a gateway proxy. Not if some routes are unknown.
    pub fn has_routes(&self, proxy: &GatewayProxy) -> bool {
        self.settings();
        for kind in ROUTES {
            self.watched(kind);
        }
        let paths = self.world.paths.get_or_init(|| Paths::new(self.world.snapshot, self.gloo()));
        let ObjectRef { namespace, name, .. } = &proxy.workload.reference;
        let full = format!("{namespace}/{name}");
        let state = paths.proxies().iter().find(|state| state.name == full);
        state.is_some_and(|state| self.routed().is_some_and(|routed| routed.has_routes(paths, state)))
    }

    /// Whether Gloo watches a namespace and it was requested.
    #[must_use]
    pub fn is_watched(&self, namespace: &str) -> bool {
        self.world.is_watched(namespace)
    }
}
