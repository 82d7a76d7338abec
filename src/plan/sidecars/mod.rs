//! The `sds` and `istio-proxy` sidecars of a gateway proxy, and the cluster in its bootstrap: one plan for both
//! objects.
//!
//! Missing parts are added. Existing parts are changed only by an explicit flag. Only parts that `inject` adds are
//! removed, by name. So every partial state, whatever tool left it, ends in the full or the clean state.

pub(crate) mod claims;
mod guard;
pub(crate) mod image;
mod inject;
pub(crate) mod parts;
pub(crate) mod restart;
pub(crate) mod state;
mod uninject;
mod values;

use serde_json::Value;

use super::advice::{Advice, Code};
use super::change::Change;
use super::istiod::{Istiod, IstiodChoice};
use super::labels::{labels, selects};
use super::outcome::Objection;
use super::pod::is_running;
use super::rollout;
use crate::command::kubectl;
use crate::edit::Edit;
use crate::edit::bootstrap::BootstrapRefusal;
use crate::error::Reason;
use crate::model::names::KUBE_GATEWAY_LABEL;
use crate::model::{FieldPath, Object, Segment, Snapshot, Unknown, kinds};

pub(crate) use guard::makers;
pub(crate) use inject::inject;
pub(crate) use uninject::uninject;
pub(crate) use values::{CLUSTER_ID, MESH_ID, Provenance, choose, current_address};

/// The key of a gateway's `ConfigMap` that contains Envoy's bootstrap.
pub(crate) const BOOTSTRAP_KEY: &str = "envoy.yaml";

/// A gateway proxy as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayProxy {
    /// The Deployment or `DaemonSet` of the proxy.
    pub workload: Object,
    /// The `ConfigMap` `<name>-envoy-config`.
    pub bootstrap: Option<Object>,
    pub pods: Pods,
}

/// The pods of a workload.
#[derive(Debug, Clone, PartialEq)]
pub enum Pods {
    /// Not read, because of a manifest or a missing permission to list them.
    Unseen,
    Seen(Vec<SeenPod>),
}

/// A pod of a gateway.
#[derive(Debug, Clone, PartialEq)]
pub struct SeenPod {
    /// The pod. Its metadata is enough.
    pub object: Object,
    /// Whether its Envoy has the cluster of the sidecars. `None` if it was not asked.
    pub has_cluster: Option<Result<bool, Unknown>>,
}

impl GatewayProxy {
    /// Returns the proxy of this workload as a snapshot has it.
    pub fn in_snapshot(snapshot: &Snapshot, workload: &Object) -> Self {
        let namespace = &workload.reference.namespace;
        let seen = |pod: &Object| SeenPod { object: pod.clone(), has_cluster: snapshot.envoy(&pod.reference).cloned() };
        let own: Vec<_> = own_pods(snapshot, workload).into_iter().map(seen).collect();
        // If the snapshot has no pods of the proxy, they may not have been read.
        let pods = if own.is_empty() { Pods::Unseen } else { Pods::Seen(own) };
        let bootstrap = snapshot.find(&kinds::CONFIG_MAP, namespace, &bootstrap_of(workload)).object().cloned();
        Self { workload: workload.clone(), bootstrap, pods }
    }

    /// Returns the bootstrap, if its `ConfigMap` has one.
    pub fn bootstrap_text(&self) -> Option<&str> {
        self.bootstrap.as_ref()?.value["data"][BOOTSTRAP_KEY].as_str()
    }

    /// Returns the spec of the pod template.
    pub fn pod_spec(&self) -> &Value {
        &self.workload.value["spec"]["template"]["spec"]
    }

    fn container(&self, name: &str) -> Option<&Value> {
        state::item(&self.pod_spec()["containers"], name)
    }
}

/// Returns the running pods that the selector of the workload selects.
pub(crate) fn own_pods<'s>(snapshot: &'s Snapshot, workload: &Object) -> Vec<&'s Object> {
    let selector = labels(&workload.value["spec"]["selector"]["matchLabels"]);
    let is_own = |pod: &&Object| !selector.is_empty() && selects(&selector, &pod.value["metadata"]["labels"]);
    let living = snapshot.in_namespace(&kinds::POD, &workload.reference.namespace).filter(|pod| is_running(&pod.value));
    living.filter(is_own).collect()
}

/// Returns the name of the `ConfigMap` with the bootstrap of this workload.
pub(crate) fn bootstrap_of(workload: &Object) -> String {
    let name = &workload.reference.name;
    if workload.label(KUBE_GATEWAY_LABEL).is_some() { name.clone() } else { bootstrap_name(name) }
}

/// Returns `<name>-envoy-config`.
pub(crate) fn bootstrap_name(proxy: &str) -> String {
    format!("{proxy}-envoy-config")
}

/// The options of the command line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    pub revision: Option<String>,
    /// As [`crate::options::IstioWish::in_use`].
    pub in_use: Option<String>,
    pub discovery_address: Option<String>,
    pub mesh_id: Option<String>,
    pub cluster_id: Option<String>,
    pub sds_image: Option<String>,
    pub proxy_image: Option<String>,
    pub security: Security,
}

/// The security context of the sidecars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Security {
    /// That of the pod, because the chart sets none on the sidecars.
    #[default]
    OfThePod,
    /// `--restricted`
    Restricted,
}

/// What the plan depends on in addition to the proxy.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Around<'a> {
    /// All control planes, to name the previous one.
    pub istiods: &'a [Istiod],
    /// The control plane to use. `None` if the address is given by flag and no istiod of this cluster has it.
    pub choice: Option<&'a IstiodChoice>,
    /// The Deployment `gloo`.
    pub gloo: Option<&'a Value>,
    /// The time of the restart, RFC 3339, if a restart is part of the plan. `None` for a manifest, which restarts
    /// nothing.
    pub now: Option<&'a str>,
}

/// The changes of a gateway proxy. All are made, or none.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct TransactionPlan {
    /// In the order of writing.
    pub changes: Vec<Change>,
    /// The source of each value.
    pub provenance: Vec<Provenance>,
    pub advice: Vec<Advice>,
}

impl TransactionPlan {
    /// Returns whether anything is written.
    pub(crate) fn writes(&self) -> bool {
        self.changes.iter().any(|change| !change.is_already())
    }

    /// Adds a restart. Envoy reads its bootstrap only at start, so the pods restart if only the bootstrap changes. For
    /// a manifest, an advice shows the command instead.
    fn restart(&mut self, proxy: &GatewayProxy, now: Option<&str>, edits: &mut Vec<Edit>, notes: &mut Vec<String>) {
        match now {
            Some(now) => {
                edits.push(rollout::restart(now));
                notes.push("restarted: Envoy reads its bootstrap only at start".to_owned());
            }
            None => self.advice.push(
                Advice::note(Code::Completed, "only the bootstrap changes, and Envoy reads it only at start")
                    .hint(kubectl("rollout restart").value(proxy.workload.reference.to_string())),
            ),
        }
    }

    fn push(&mut self, before: &Object, edits: Vec<Edit>, notes: &[String]) {
        let message = match (edits.is_empty(), notes.is_empty()) {
            (true, _) => "unchanged".to_owned(),
            (false, true) => "patched".to_owned(),
            (false, false) => format!("patched ({})", notes.join(", ")),
        };
        self.changes.push(Change::new(before.clone(), edits, message));
    }
}

fn pod_path() -> FieldPath {
    FieldPath::keys(&["spec", "template", "spec"])
}

fn in_list(list: &str, name: &str) -> FieldPath {
    pod_path().join(&FieldPath::keys(&[list])).then(Segment::Named(name.to_owned()))
}

fn in_container(container: &str, list: &str, name: &str) -> FieldPath {
    in_list("containers", container).join(&FieldPath::keys(&[list])).then(Segment::Named(name.to_owned()))
}

fn of_container(container: &str, key: &str) -> FieldPath {
    in_list("containers", container).join(&FieldPath::keys(&[key]))
}

fn bootstrap_path() -> FieldPath {
    FieldPath::keys(&["data", BOOTSTRAP_KEY])
}

/// Converts the refusal to edit a bootstrap to an objection to the whole plan.
fn objection(proxy: &GatewayProxy, refusal: BootstrapRefusal) -> Objection {
    let map = bootstrap_name(&proxy.workload.reference.name);
    let line = if refusal.line > 0 { format!(", line {}", refusal.line) } else { String::new() };
    let why = format!("configmap/{map}, {BOOTSTRAP_KEY}{line}: {}; nothing changed", refusal.why);
    let mut objection = Objection::new(Reason::Unsafe, why).hint("change it by hand, then run this again");
    objection.details = refusal.manual;
    objection
}

#[cfg(test)]
mod tests;
