//! Enrols a namespace in the mesh or unenrols it: its label, and which of its workloads are restarted.
//!
//! The injector handles a pod when it is created, so the label alone does not change running pods.

pub(crate) mod advice;
pub(crate) mod captured;
pub(crate) mod gap;
pub(crate) mod guard;
pub(crate) mod label;
pub(crate) mod manifest;
pub(crate) mod pods;
pub(crate) mod proof;
pub(crate) mod target;
pub(crate) mod workload;

use serde_json::Value;

use super::change::Change;
use super::outcome::{Decision, Objection};
use super::pod::requests_ambient;
use crate::command::flag;
use crate::error::Reason;
use crate::model::{Kind, Object, ObjectRef, kinds};
use crate::text::nearest;
use pods::{holder, is_living};
use workload::Fate;

/// The requested state of the namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Goal {
    /// In the mesh, with sidecars.
    Bound(Revision),
    /// In the ambient mesh, without sidecars.
    Ambient,
    /// Not in the mesh.
    Free,
}

/// The revision that a namespace is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Revision {
    /// The revision or tag in the label.
    pub names: String,
    /// The revision that it resolves to.
    pub revision: String,
}

impl Goal {
    /// Returns the revision that the pods must run with, if any.
    pub(crate) fn revision(&self) -> Option<&str> {
        match self {
            Self::Bound(target) => Some(&target.revision),
            Self::Ambient | Self::Free => None,
        }
    }
}

/// Whether a ztunnel must capture the pods of a namespace, or must not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Capturing {
    Begins,
    Ends,
}

/// What was read from a namespace.
#[derive(Debug, Clone, Default)]
pub(crate) struct NamespaceState {
    /// Deployments, `StatefulSet`s, `DaemonSet`s.
    pub workloads: Vec<Object>,
    /// The pods that have not ended.
    pub pods: Vec<Value>,
    pub cron_jobs: Vec<Object>,
    pub budgets: Vec<Value>,
}

/// A workload name as typed. Without a kind, it matches all three kinds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct WorkloadName {
    pub kind: Option<&'static Kind>,
    pub name: String,
}

impl std::fmt::Display for WorkloadName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.kind {
            Some(kind) => write!(f, "{}/{}", kind.singular, self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// The changes of a namespace and of each workload in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct NamespacePlan {
    pub namespace: Object,
    pub goal: Goal,
    pub label: Change,
    /// In the order in which they were read.
    pub workloads: Vec<(Object, Fate)>,
    /// Other objects that run pods in the namespace and are not restarted, each with the reason.
    pub left: Vec<(ObjectRef, Objection)>,
    /// The pods that stay out of the ambient mesh, each with the reason, if the namespace joins it.
    pub uncaptured: Vec<String>,
}

impl NamespacePlan {
    /// Returns what must become of the pods in the ambient mesh. `None` if the plan is not about it.
    pub(crate) fn capturing(&self) -> Option<Capturing> {
        match self.goal {
            Goal::Ambient => Some(Capturing::Begins),
            Goal::Free => requests_ambient(&self.namespace.value).then_some(Capturing::Ends),
            Goal::Bound(_) => None,
        }
    }

    /// Returns the workloads that are restarted.
    pub(crate) fn restarts(&self) -> impl Iterator<Item = &Object> {
        self.workloads.iter().filter(|(_, fate)| matches!(fate, Fate::Restart { .. })).map(|(workload, _)| workload)
    }

    /// Returns the workloads that want more pods than there are and whose pods are otherwise as required.
    pub(crate) fn short_of_pods(&self) -> impl Iterator<Item = &Object> {
        let is_short = |fate: &Fate| match fate {
            Fate::Restart { from, .. } => from.is_empty(),
            Fate::Short { .. } => true,
            Fate::Fits { .. } | Fate::UnderWay | Fate::Left(_) => false,
        };
        self.workloads.iter().filter(move |(_, fate)| is_short(fate)).map(|(workload, _)| workload)
    }

    /// Returns whether anything is written.
    pub(crate) fn changes(&self) -> bool {
        !self.label.is_already() || self.restarts().next().is_some()
    }

    /// Returns the expected downtime: each workload, and how it is interrupted.
    pub(crate) fn gaps(&self) -> impl Iterator<Item = (&ObjectRef, &str)> {
        self.workloads.iter().filter_map(|(workload, fate)| match fate {
            Fate::Restart { gap: Some(gap), .. } => Some((&workload.reference, gap.as_str())),
            _ => None,
        })
    }
}

/// An object that prevents the plan for its namespace, and the reason.
pub(crate) type EnrolmentRefusal = (ObjectRef, Objection);

/// Plans the changes of one namespace. `only` names the workloads to restart. If it is empty, all workloads that need
/// it are restarted.
///
/// # Errors
/// A named workload does not exist, or a restart of it does not help.
pub(crate) fn plan(
    namespace: Object,
    seen: NamespaceState,
    goal: Goal,
    only: &[WorkloadName],
) -> Result<NamespacePlan, Box<EnrolmentRefusal>> {
    let label = match label::decide(&namespace, &goal) {
        Decision::Change { edits, message } => Change::new(namespace.clone(), edits, message),
        Decision::Unchanged { message } => Change::new(namespace.clone(), Vec::new(), message),
        Decision::Skip(why) | Decision::Refuse(why) => return Err(Box::new((namespace.reference, why))),
    };
    let mut workloads: Vec<(Object, Fate)> = Vec::new();
    let NamespaceState { workloads: all, pods, cron_jobs, budgets } = seen;
    check_names(only, &all, &namespace.reference.name)?;
    for workload in all {
        let own: Vec<_> = pods.iter().filter(|pod| is_living(pod) && holder(pod).is(&workload.reference)).collect();
        let mut fate = workload::fate(&workload, &own, &goal, &label, &budgets);
        if !only.is_empty() {
            match (only.iter().any(|name| name.names(&workload.reference)), fate) {
                (true, Fate::Left(why)) => return Err(Box::new((workload.reference, why))),
                (true, named) => fate = named,
                (false, Fate::Restart { .. }) => {
                    let why = Objection::new(Reason::NotRestarted, "not one of those that --workload names");
                    fate = Fate::Left(why);
                }
                (false, other) => fate = other,
            }
        }
        workloads.push((workload, fate));
    }
    let left = workload::others(&workloads, &pods, &cron_jobs, &goal, &namespace.reference.name);
    let uncaptured = if goal == Goal::Ambient { captured::exceptions(&pods) } else { Vec::new() };
    Ok(NamespacePlan { namespace, goal, label, workloads, left, uncaptured })
}

fn check_names(only: &[WorkloadName], all: &[Object], namespace: &str) -> Result<(), Box<EnrolmentRefusal>> {
    for wanted in only {
        let found: Vec<_> = all.iter().filter(|workload| wanted.names(&workload.reference)).collect();
        let object = ObjectRef::new(wanted.kind.unwrap_or(&kinds::DEPLOYMENT), namespace, wanted.name.as_str());
        match found[..] {
            [_] => {}
            [] => {
                let mut why = Objection::new(Reason::NotFound, format!("not found in {namespace}"));
                let near = nearest(&wanted.name, all.iter().map(|workload| workload.reference.name.as_str()));
                why.details.extend((!near.is_empty()).then(|| format!("near: {}", near.join(", "))));
                return Err(Box::new((object, why)));
            }
            _ => {
                let kinds = found.iter().map(|it| format!("{}/{}", it.reference.kind.singular, wanted.name));
                let kinds: Vec<_> = kinds.collect();
                let why = Objection::new(Reason::Ambiguous, format!("several workloads are named {}", wanted.name));
                return Err(Box::new((object, why.hint(flag("--workload").text(format!(" {}", kinds.join(" or ")))))));
            }
        }
    }
    Ok(())
}

impl WorkloadName {
    fn names(&self, object: &ObjectRef) -> bool {
        self.name == object.name && self.kind.is_none_or(|kind| kind == object.kind)
    }
}

#[cfg(test)]
mod tests;
