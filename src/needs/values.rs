//! `upgrade-values`

use super::declaration::{Declaration, GET, LIST};
use crate::model::{Kind, kinds};
use crate::options::{GLOO_SYSTEM, Global, Preview, UpgradeValues, ValuesDestination, ValuesInput};

const WORKLOADS: [&Kind; 2] = [&kinds::DEPLOYMENT, &kinds::DAEMON_SET];

pub(super) fn values(task: &UpgradeValues, global: &Global, all: &mut Declaration) {
    let home = global.namespace.as_deref().or(global.gloo_namespace.as_deref()).unwrap_or(GLOO_SYSTEM);
    all.istiods(task.istio.namespace.as_deref());
    if let ValuesInput::Files { .. } = task.source {
        return;
    }
    release(home, all);
    if let ValuesDestination::Helm(_) = task.destination {
        all.traffic(global)
            .rollouts(home, Preview::default())
            .within(home, GET, &WORKLOADS)
            .within(home, LIST, &WORKLOADS);
    }
}

/// A release of Helm, and what stands in the cluster beside its values.
pub(super) fn release(home: &str, all: &mut Declaration) {
    all.releases(home)
        .within(home, LIST, &WORKLOADS)
        .within(home, LIST, &[&kinds::SERVICE, &kinds::POD, &kinds::CONFIG_MAP])
        .named(("", home), GET, &kinds::NAMESPACE)
        .named((home, "default"), GET, &kinds::SETTINGS)
        .everywhere(LIST, &[&kinds::UPSTREAM])
        .forwards(home)
        .suggests(&[]);
}
