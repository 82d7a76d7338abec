//! The `sds` and `istio-proxy` sidecars of a gateway proxy, and the cluster in its bootstrap: one plan for
//! both objects.
//!
//! What is missing is added, what is there is changed only by a flag that was typed, and only what `inject`
//! puts in is taken out, by name. So every middle state, whoever left it, ends in the full or the clean one.

pub(crate) mod claims;
mod guard;
pub(crate) mod image;
mod inject;
pub(crate) mod parts;
pub(crate) mod state;
mod uninject;
mod values;

use serde_json::Value;

use super::advice::{Advice, Code};
use super::change::Change;
use super::istiod::{Choice, Istiod};
use super::outcome::Objection;
use super::rollout::restart;
use crate::command::kubectl;
use crate::edit::Edit;
use crate::edit::bootstrap::BootstrapRefusal;
use crate::error::Reason;
use crate::model::{FieldPath, Object, Segment};

pub(crate) use guard::makers;
pub(crate) use inject::inject;
pub(crate) use uninject::uninject;
pub(crate) use values::{CLUSTER_ID, MESH_ID, Provenance, choose, current_address};

/// The key of a gateway's `ConfigMap` that holds Envoy's bootstrap.
pub(crate) const BOOTSTRAP_KEY: &str = "envoy.yaml";

/// A gateway proxy as it was read.
#[derive(Debug, Clone, PartialEq)]
pub struct GatewayProxy {
    /// Its Deployment or `DaemonSet`.
    pub workload: Object,
    /// `ConfigMap` `<name>-envoy-config`.
    pub bootstrap: Option<Object>,
    pub pods: Pods,
}

/// The pods of a workload.
#[derive(Debug, Clone, PartialEq)]
pub enum Pods {
    /// Nobody looked: a manifest, or no right to list them.
    Unseen,
    /// Their metadata is enough.
    Seen(Vec<Value>),
}

impl GatewayProxy {
    /// The bootstrap, if its `ConfigMap` has one.
    pub fn bootstrap_text(&self) -> Option<&str> {
        self.bootstrap.as_ref()?.value["data"][BOOTSTRAP_KEY].as_str()
    }

    /// The pod template's spec.
    pub fn pod_spec(&self) -> &Value {
        &self.workload.value["spec"]["template"]["spec"]
    }

    fn container(&self, name: &str) -> Option<&Value> {
        state::item(&self.pod_spec()["containers"], name)
    }
}

/// `<name>-envoy-config`
pub(crate) fn bootstrap_name(proxy: &str) -> String {
    format!("{proxy}-envoy-config")
}

/// What was typed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Flags {
    pub revision: Option<String>,
    pub discovery_address: Option<String>,
    pub mesh_id: Option<String>,
    pub cluster_id: Option<String>,
    pub sds_image: Option<String>,
    pub proxy_image: Option<String>,
    pub security: Security,
}

/// What the sidecars' security context is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Security {
    /// The pod's: the chart sets none on the sidecars.
    #[default]
    OfThePod,
    /// `--restricted`
    Restricted,
}

/// What the plan rests on beside the proxy.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Around<'a> {
    /// All control planes, to name the one that was.
    pub istiods: &'a [Istiod],
    /// The one to use; none with an address that was typed and no istiod here.
    pub choice: Option<&'a Choice>,
    /// The Deployment `gloo`.
    pub gloo: Option<&'a Value>,
    /// RFC 3339, where a restart is part of the plan; a manifest restarts nothing.
    pub now: Option<&'a str>,
}

/// What is done to a gateway proxy, all of it or nothing.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct TransactionPlan {
    /// In the order of writing.
    pub changes: Vec<Change>,
    /// Which value came from where.
    pub provenance: Vec<Provenance>,
    pub advice: Vec<Advice>,
}

impl TransactionPlan {
    /// Whether anything is written.
    pub(crate) fn writes(&self) -> bool {
        self.changes.iter().any(|change| !change.is_already())
    }

    /// Envoy reads its bootstrap once: where only that changes, the pods start anew; a manifest says how.
    fn restart(&mut self, proxy: &GatewayProxy, now: Option<&str>, edits: &mut Vec<Edit>, notes: &mut Vec<String>) {
        match now {
            Some(now) => {
                edits.push(restart(now));
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

/// A bootstrap that cannot be edited, as an objection to the whole plan.
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
