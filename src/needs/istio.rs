//! The other commands of `istio`.

use super::declaration::{Declaration, EDIT, GET, LIST};
use super::{edits, proxy, upstreams, writes};
use crate::load::policies::ISTIO_SYSTEM;
use crate::model::{Kind, kinds};
use crate::options::{
    Describe, DescribeSubject, Enrol, Enrolment, Global, Injection, PeerAuth, PeerAuthGet, PodsOf, Proxies, Restarts,
    SettingsSwitches, Sidecars, SweepScope, UpstreamsTask, VerifyTask, Via,
};
use crate::plan::peer::Mode;
use crate::plan::peer::change::{PolicyScope, PolicyWish};

/// What `enroll` restarts.
const RESTARTED: [&Kind; 3] = [&kinds::DEPLOYMENT, &kinds::DAEMON_SET, &kinds::STATEFUL_SET];

/// `revisions`
pub(super) fn revisions(istio_namespace: Option<&str>, all: &mut Declaration) {
    all.istiods(istio_namespace)
        .everywhere(LIST, &[&kinds::NAMESPACE, &kinds::POD, &kinds::DEPLOYMENT, &kinds::DAEMON_SET]);
}

/// `describe`
pub(super) fn describe(task: &Describe, global: &Global, all: &mut Declaration) {
    all.settings(global, GET).gateways(global).mesh().routes();
    // The root certificate of the mesh stands in the namespace of each gateway.
    all.everywhere(GET, &[&kinds::CONFIG_MAP]);
    match &task.subject {
        DescribeSubject::Upstream(named) => {
            upstreams::named(std::slice::from_ref(named), GET, global, all);
            all.everywhere(LIST, &[&kinds::SERVICE, &kinds::POD]);
        }
        DescribeSubject::Request(_) => {
            all.everywhere(LIST, &[&kinds::SERVICE, &kinds::POD, &kinds::KUBE_GATEWAY])
                .everywhere(GET, &[&kinds::UPSTREAM]);
        }
        DescribeSubject::All { scope, .. } => {
            let namespace = match scope {
                SweepScope::Namespace => global.object_namespace(),
                SweepScope::Everywhere => "",
            };
            all.backends().within(namespace, LIST, &[&kinds::UPSTREAM]);
        }
    }
}

/// `inject`, `uninject`
pub(super) fn sidecars(task: &Sidecars, global: &Global, all: &mut Declaration) {
    let home = match (&task.proxies, &global.namespace) {
        (Proxies::Gateway(_), _) => return of_gateway(task, global, all),
        _ => global.object_namespace(),
    };
    proxy::workloads(&task.proxies, edits(task.preview), global, all);
    all.within(home, edits(task.preview), &[&kinds::CONFIG_MAP])
        .forwards(home)
        .rollouts(home, task.preview)
        .suggests(&[]);
    match &task.act {
        Injection::Inject { istio, auto_mtls, .. } => {
            all.istiods(istio.namespace.as_deref()).within(home, LIST, &[&kinds::DEPLOYMENT]);
            if *auto_mtls == SettingsSwitches::On {
                all.settings(global, edits(task.preview)).everywhere(LIST, &[&kinds::UPSTREAM]);
            }
        }
        Injection::Uninject { upstreams, .. } => {
            pointing(home, all);
            all.traffic(global).behind();
            if *upstreams == UpstreamsTask::Included && writes(task.preview) {
                all.everywhere(EDIT, &[&kinds::UPSTREAM]);
            }
        }
    }
}

/// The objects that point to the sidecars of the gateway.
pub(super) fn pointing(home: &str, all: &mut Declaration) {
    // Gloo may watch all namespaces, or some that its Settings name.
    all.named((home, "default"), GET, &kinds::SETTINGS)
        .everywhere(LIST, &[&kinds::UPSTREAM, &kinds::VIRTUAL_SERVICE, &kinds::GATEWAY]);
}

/// The proxy of a Gateway: its parameters and the Settings of its installation decide.
pub(super) fn of_gateway(task: &Sidecars, global: &Global, all: &mut Declaration) {
    parameters(all);
    all.everywhere(edits(task.preview), &[&kinds::GATEWAY_PARAMETERS, &kinds::SETTINGS, &kinds::DEPLOYMENT])
        .everywhere(GET, &[&kinds::CONFIG_MAP])
        .everywhere(LIST, &[&kinds::POD, &kinds::EVENT, &kinds::UPSTREAM])
        .everywhere(&["get", "list"], &[&kinds::SECRET, &kinds::CONFIG_MAP])
        .traffic(global)
        .suggests(&[]);
    if let Injection::Inject { istio, .. } = &task.act {
        all.istiods(istio.namespace.as_deref());
    }
}

/// A Gateway, its class and the parameters of both.
pub(super) fn parameters(all: &mut Declaration) {
    all.everywhere(LIST, &[&kinds::KUBE_GATEWAY])
        .everywhere(&["get", "list"], &[&kinds::KUBE_GATEWAY_CLASS])
        .everywhere(GET, &[&kinds::GATEWAY_PARAMETERS, &kinds::SETTINGS, &kinds::DEPLOYMENT, &kinds::KUBE_GATEWAY]);
}

/// `peer-auth strict|permissive|remove`
pub(super) fn peer_auth(task: &PeerAuth, global: &Global, all: &mut Declaration) {
    let root = task.root_namespace.as_deref().unwrap_or(ISTIO_SYSTEM);
    let home = task.request.scope.home(root);
    lists(task.root_namespace.as_deref(), all);
    all.named(("", home), GET, &kinds::NAMESPACE).suggests(&[]);
    all.within(home, GET, &[&kinds::PEER_AUTHENTICATION]);
    if writes(task.preview) {
        let verbs: &[_] = match task.request.wish {
            // A policy that was created is deleted by a rollback.
            PolicyWish::Set(_) => &["create", "patch", "delete"],
            PolicyWish::Remove => &["patch", "delete", "create"],
        };
        all.within(home, verbs, &[&kinds::PEER_AUTHENTICATION]);
    }
    // `-n` is the namespace of the policy and does not say where Gloo is installed.
    let gloo = Global { namespace: None, ..global.clone() };
    if task.request.wish != PolicyWish::Set(Mode::Permissive) {
        all.traffic(&gloo).own_gateway(&gloo);
    }
    let pods = if task.request.scope == PolicyScope::Mesh { "" } else { home };
    if task.request.wish == PolicyWish::Set(Mode::Strict) {
        all.within(pods, LIST, &[&kinds::POD]);
    }
}

/// `peer-auth get`
pub(super) fn policies(task: &PeerAuthGet, all: &mut Declaration) {
    lists(task.root_namespace.as_deref(), all);
    let root = task.root_namespace.as_deref().unwrap_or(ISTIO_SYSTEM);
    match &task.scope {
        None | Some(PolicyScope::Mesh) => {}
        Some(scope) => {
            all.named(("", scope.home(root)), GET, &kinds::NAMESPACE).suggests(&[]);
        }
    }
}

/// The policies of the mesh, and its root namespace unless a flag names it.
fn lists(root: Option<&str>, all: &mut Declaration) {
    all.everywhere(LIST, &[&kinds::PEER_AUTHENTICATION]);
    if root.is_none() {
        all.root_namespace();
    }
}

/// `enroll`, `unenroll`
pub(super) fn enrolment(task: &Enrolment, global: &Global, all: &mut Declaration) {
    match &task.act {
        Enrol::In { istio_namespace, .. } => {
            all.istiods(istio_namespace.as_deref());
        }
        Enrol::Ambient { istio_namespace } => {
            all.istiods(istio_namespace.as_deref()).everywhere(LIST, &[&kinds::DAEMON_SET]);
        }
        Enrol::Out => {}
    }
    for name in &task.namespaces {
        all.named(("", name), edits(task.preview), &kinds::NAMESPACE);
        members(name, task, all);
    }
    all.suggests(&[]).traffic(global);
}

/// The workloads of a namespace, and what restarts them.
pub(super) fn members(namespace: &str, task: &Enrolment, all: &mut Declaration) {
    all.within(namespace, LIST, &RESTARTED).within(
        namespace,
        LIST,
        &[&kinds::POD, &kinds::CRON_JOB, &kinds::DISRUPTION_BUDGET],
    );
    if !writes(task.preview) {
        return;
    }
    if !task.preview.is_on() {
        // The injector is tried with a pod that is not stored.
        all.within(namespace, &["create"], &[&kinds::POD]);
    }
    if !matches!(task.restarts, Restarts::None) {
        all.within(namespace, EDIT, &RESTARTED).rollouts(namespace, task.preview);
    }
}

/// `verify`
pub(super) fn verify(task: &VerifyTask, global: &Global, all: &mut Declaration) {
    if let Some(upstream) = &task.upstream {
        upstreams::named(std::slice::from_ref(upstream), GET, global, all);
    }
    if let (PodsOf::Gateway(_), None) = (&task.pods.proxy, &global.gloo_namespace) {
        parameters(all);
    }
    if let Via::Address { target, .. } = &task.via {
        proxy::address(target, global, all);
    }
    proxy::inside(&task.pods, global, all);
    // A route without a host to send gives none; a gateway in the ambient mesh has a ztunnel.
    all.settings(global, GET)
        .own_gateway(global)
        .behind()
        .everywhere(GET, &[&kinds::UPSTREAM, &kinds::POD, &kinds::CONFIG_MAP])
        .everywhere(LIST, &[&kinds::VIRTUAL_SERVICE, &kinds::DAEMON_SET]);
}
