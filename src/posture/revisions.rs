//! The control planes and their users, from a snapshot.

use serde::Serialize;

use crate::model::names::KUBE_GATEWAY_LABEL;
use crate::model::{Kind, Object, Snapshot, kinds};
use crate::plan::gateway::PROXY_LABEL;
use crate::plan::istiod::Istiod;
use crate::plan::revisions::{self, GatewayUse, Inputs, Listed, RevisionRow, RevisionTally};
use crate::plan::sidecars::{self, GatewayProxy, Pods};

/// A control plane and its users. `None` is unknown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RevisionUse {
    pub revision: String,
    pub version: String,
    pub namespace: String,
    pub ready: u64,
    pub wanted: u64,
    pub tags: Option<Vec<String>>,
    pub namespaces: Option<Vec<String>>,
    pub pods: Option<u64>,
    pub stale_pods: Option<u64>,
    pub gateways: Option<Vec<String>>,
    /// `yes`, `tag`, `no` or `?`.
    pub in_use: &'static str,
}

/// Returns the users of each control plane.
pub(super) fn in_snapshot(snapshot: &Snapshot, istiods: &[Istiod]) -> Vec<RevisionUse> {
    let bindings = listed(snapshot, &kinds::NAMESPACE, || {
        let namespaces: Vec<_> = snapshot.all(&kinds::NAMESPACE).iter().map(|it| it.value.clone()).collect();
        revisions::bindings(istiods, &namespaces)
    });
    let pods = listed(snapshot, &kinds::POD, || {
        let mut tally = RevisionTally::new(istiods, bindings.read().map_or(&[], Vec::as_slice));
        snapshot.all(&kinds::POD).iter().for_each(|pod| tally.pod(&pod.value));
        tally
    });
    let gateways = listed(snapshot, &kinds::DEPLOYMENT, || gateways(snapshot));
    let tags = listed(snapshot, &kinds::MUTATING_WEBHOOK, || ());
    let report = revisions::report(&Inputs { istiods, tags, bindings, pods, gateways });
    report.rows.into_iter().map(RevisionUse::from).collect()
}

fn listed<T>(snapshot: &Snapshot, kind: &'static Kind, list: impl FnOnce() -> T) -> Listed<T> {
    match snapshot.unknown(kind) {
        Some(unknown) => Listed::Unknown { why: unknown.why.clone() },
        None => Listed::Read(list()),
    }
}

fn gateways(snapshot: &Snapshot) -> Vec<GatewayUse> {
    let (key, value) = PROXY_LABEL.split_once('=').expect("a label and its value");
    let workloads = [&kinds::DEPLOYMENT, &kinds::DAEMON_SET].into_iter().flat_map(|kind| snapshot.all(kind));
    let is_gateway =
        |workload: &&Object| workload.label(key) == Some(value) || workload.label(KUBE_GATEWAY_LABEL).is_some();
    let used = workloads.filter(is_gateway).filter_map(|workload| {
        let proxy = GatewayProxy { workload: workload.clone(), bootstrap: None, pods: Pods::Unseen };
        let address = sidecars::current_address(&proxy)?;
        let reference = proxy.workload.reference;
        Some(GatewayUse { namespace: reference.namespace, name: reference.name, address })
    });
    used.collect()
}

impl From<RevisionRow> for RevisionUse {
    fn from(row: RevisionRow) -> Self {
        let names = |bindings: Vec<revisions::Binding>| bindings.into_iter().map(|it| it.namespace).collect();
        Self {
            revision: row.istiod.revision,
            version: row.istiod.version,
            namespace: row.istiod.namespace,
            ready: row.istiod.ready,
            wanted: row.istiod.wanted,
            tags: row.tags,
            namespaces: row.namespaces.map(names),
            pods: row.pods,
            stale_pods: row.stale,
            gateways: row.gateways,
            in_use: row.in_use.shown(),
        }
    }
}
