//! The commands of `proxy`.

use super::declaration::{Declaration, EDIT, GET, LIST};
use super::edits;
use crate::load::policies::ISTIO_SYSTEM;
use crate::load::proxy_pods::kinds_of;
use crate::model::{Kind, kinds};
use crate::options::{
    CertsTask, DumpSource, DumpTask, Global, LogExtent, LogsTask, PodsOf, Proxies, ProxyPods, ProxyTarget, Restart,
    ServedTask,
};
use crate::text::{ProxyKind, ProxyName};

const WORKLOADS: [&Kind; 2] = [&kinds::DEPLOYMENT, &kinds::DAEMON_SET];

/// `url`, `address`
pub(super) fn address(target: &ProxyTarget, global: &Global, all: &mut Declaration) {
    let namespace = match (target, &global.namespace) {
        (ProxyTarget::Gateway(_), None) => {
            all.everywhere(&["get", "list"], &[&kinds::SERVICE]);
            ""
        }
        (ProxyTarget::Gateway(gateway), Some(namespace)) => {
            all.named((namespace, &gateway.proxy()), GET, &kinds::SERVICE);
            namespace
        }
        (ProxyTarget::Service(name), _) => {
            all.named((global.object_namespace(), name), GET, &kinds::SERVICE);
            global.object_namespace()
        }
    };
    // A Service without a load balancer is reached at a node that has a ready pod.
    all.within(namespace, LIST, &[&kinds::POD, &kinds::EVENT]).everywhere(GET, &[&kinds::NODE]);
    all.suggests(&[&kinds::SERVICE]);
}

/// The pods of one proxy, with a port-forward into them: `stats`, `snapshot`.
pub(super) fn inside(pods: &ProxyPods, global: &Global, all: &mut Declaration) {
    let home = found(&pods.proxy, global, all);
    // A pod that does not answer is read again, to say why.
    all.forwards(home).within(home, GET, &[&kinds::POD]);
}

/// The proxy, its pods and its bootstrap. Returns their namespace; empty if it can be any.
fn found<'g>(proxy: &PodsOf, global: &'g Global, all: &mut Declaration) -> &'g str {
    let home = match (proxy, &global.namespace) {
        (PodsOf::Gateway(_), None) => {
            all.everywhere(LIST, &[&kinds::DEPLOYMENT]);
            ""
        }
        (PodsOf::Gateway(gateway), Some(namespace)) => {
            all.named((namespace, &gateway.proxy()), GET, &kinds::DEPLOYMENT);
            namespace
        }
        (PodsOf::Named(name), _) => {
            for kind in kinds_of(name) {
                all.named((global.object_namespace(), &name.name), GET, kind);
            }
            global.object_namespace()
        }
    };
    if !matches!(proxy, PodsOf::Named(ProxyName { kind: Some(ProxyKind::Pod), .. })) {
        all.within(home, LIST, &[&kinds::POD]);
    }
    all.within(home, GET, &[&kinds::CONFIG_MAP]);
    all.suggests(&[&kinds::DEPLOYMENT, &kinds::DAEMON_SET, &kinds::POD]);
    home
}

/// `dump`
pub(super) fn dump(task: &DumpTask, global: &Global, all: &mut Declaration) {
    if let DumpSource::Pods(pods) = &task.source {
        inside(pods, global, all);
    }
}

/// `certs`
pub(super) fn certs(task: &CertsTask, global: &Global, all: &mut Declaration) {
    inside(&task.pods, global, all);
    // The mesh's root is in the namespace of the gateway, or in istiod's.
    all.named((ISTIO_SYSTEM, "istio-ca-root-cert"), GET, &kinds::CONFIG_MAP);
}

/// `logs`
pub(super) fn logs(task: &LogsTask, global: &Global, all: &mut Declaration) {
    let home = found(&task.pods.proxy, global, all);
    all.logs(home);
    if matches!(task.extent, LogExtent::Followed { .. }) {
        all.within(home, GET, &[&kinds::POD]);
    }
    if task.level.is_some() {
        all.forwards(home);
    }
}

/// `served-config`
pub(super) fn served(task: &ServedTask, global: &Global, all: &mut Declaration) {
    all.found(global);
    inside(&task.pods, global, all);
    for home in global.gloo_homes() {
        all.within(home, LIST, &[&kinds::POD, &kinds::DEPLOYMENT]).forwards(home);
    }
}

/// `restart`
pub(super) fn restart(task: &Restart, global: &Global, all: &mut Declaration) {
    let home = workloads(&task.proxies, edits(task.preview), global, all);
    all.within(home, GET, &[&kinds::CONFIG_MAP]).forwards(home).rollouts(home, task.preview);
}

/// The workloads of gateway proxies, with their bootstraps and pods. Returns their namespace; empty if it can be any.
pub(super) fn workloads<'g>(
    proxies: &Proxies,
    verbs: &[&'static str],
    global: &'g Global,
    all: &mut Declaration,
) -> &'g str {
    let home = match (proxies, &global.namespace) {
        (Proxies::Gateway(_), None) => "",
        _ => global.object_namespace(),
    };
    match proxies {
        Proxies::Named(names) => {
            for name in names {
                for kind in kinds_of(name).into_iter().filter(|kind| *kind != &kinds::POD) {
                    all.named((home, &name.name), verbs, kind);
                }
            }
            all.suggests(&[&kinds::DEPLOYMENT, &kinds::DAEMON_SET]);
        }
        Proxies::Gateway(_) if home.is_empty() => {
            all.everywhere(LIST, &[&kinds::DEPLOYMENT]).everywhere(verbs, &[&kinds::DEPLOYMENT]);
        }
        Proxies::Gateway(gateway) => {
            all.named((home, &gateway.proxy()), verbs, &kinds::DEPLOYMENT);
        }
        Proxies::Usual | Proxies::All => {
            all.within(home, LIST, &WORKLOADS);
            if verbs == EDIT {
                all.within(home, EDIT, &WORKLOADS);
            }
        }
    }
    all.within(home, LIST, &[&kinds::POD]).suggests(&[]);
    home
}
