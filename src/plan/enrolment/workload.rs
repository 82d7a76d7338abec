//! The decision for each workload: already as required, restarted, or not restarted with a reason.

use serde_json::Value;

use super::gap;
use super::pods::{PodHolder, holder, is_living};
use super::{Goal, proof};
use crate::command::kubectl;
use crate::error::Reason;
use crate::model::{Kind, Object, ObjectRef, kinds};
use crate::plan::change::Change;
use crate::plan::istiod::REVISION_LABEL;
use crate::plan::outcome::Objection;
use crate::plan::pod::{barred, requests_ambient};
use crate::plan::revisions::{INJECT_LABEL, injected_by, opts_out};
use crate::plan::rollout;

/// The decision for a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fate {
    /// All its pods are as required. The number of pods.
    Fits { pods: usize },
    /// A rollout that makes them so is already in progress.
    UnderWay,
    /// It wants more pods than there are. Those that exist are as required.
    Short { pods: usize, wanted: u64 },
    /// Its pods are restarted: the revisions that they run with now, none if pods are only missing, and the expected
    /// downtime.
    Restart { from: Vec<Option<String>>, gap: Option<String> },
    /// A restart would not help, or is not possible.
    Left(Objection),
}

/// Decides for a workload from its living pods and the change of its namespace's labels.
pub(crate) fn fate(workload: &Object, pods: &[&Value], goal: &Goal, label: &Change, budgets: &[Value]) -> Fate {
    let wanted = goal.revision();
    let mut from: Vec<_> = pods.iter().map(|pod| injected_by(pod)).filter(|has| has.as_deref() != wanted).collect();
    if from.is_empty() {
        return match missing(workload, pods, goal) {
            // Its controller waits ever longer before it tries again. A new template is tried at once.
            Some(Fate::Short { .. }) if !label.is_already() => {
                let gap = if pods.is_empty() { None } else { gap::find(workload, budgets) };
                Fate::Restart { from, gap }
            }
            Some(fate) => fate,
            None => Fate::Fits { pods: pods.len() },
        };
    }
    if let Some(why) = never_fits(&workload.value["spec"]["template"], goal) {
        return Fate::Left(why);
    }
    if let Some(why) = not_replaced(workload) {
        return Fate::Left(why);
    }
    // Of the pods created in the same second, the one that fits counts as the newest. A pod of another restart comes
    // from a template that was rolled back, and its controller is about to delete it.
    let age = |pod: &Value| {
        let created = pod["metadata"]["creationTimestamp"].as_str().unwrap_or_default().to_owned();
        (created, injected_by(pod).as_deref() == wanted && rollout::is_of_this_restart(pod, &workload.value))
    };
    let youngest_fits = pods.iter().map(|pod| age(pod)).max().is_some_and(|(_, fits)| fits);
    if !rollout::is_done(&workload.value) && youngest_fits {
        return Fate::UnderWay;
    }
    from.sort_unstable();
    from.dedup();
    Fate::Restart { from, gap: gap::find(workload, budgets) }
}

/// Returns what a workload waits for if its pods are all as required, but not complete.
fn missing(workload: &Object, pods: &[&Value], goal: &Goal) -> Option<Fate> {
    if rollout::is_done(&workload.value) {
        return None;
    }
    if proof::prove(pods.iter().copied(), goal.revision()).is_err() {
        return Some(Fate::UnderWay);
    }
    let (has, wanted) = (pods.len(), rollout::wanted(&workload.value));
    if has as u64 >= wanted {
        return None;
    }
    let never = never_fits(&workload.value["spec"]["template"], goal).or_else(|| not_replaced(workload));
    Some(match never {
        Some(why) => Fate::Left(Objection { message: format!("has {has} of {wanted} pods; {}", why.message), ..why }),
        None => Fate::Short { pods: has, wanted },
    })
}

/// Returns why new pods of this template would not be as required either.
fn never_fits(template: &Value, goal: &Goal) -> Option<Objection> {
    let metadata = &template["metadata"];
    let not_injected = |message: String| Some(Objection::new(Reason::NotInjected, message));
    match goal {
        Goal::Bound(_) => {
            let why = barred(template)
                .or_else(|| requests_ambient(template).then_some("is in ambient mode, without sidecars"));
            why.and_then(|why| not_injected(why.to_owned()))
        }
        // An annotation alone does not call the injector.
        Goal::Ambient | Goal::Free if !opts_out(metadata) => match metadata["labels"][REVISION_LABEL].as_str() {
            Some(names) => not_injected(format!("requests its own sidecar by {REVISION_LABEL}={names}")),
            None if metadata["labels"][INJECT_LABEL] == "true" => {
                not_injected(format!("requests its own sidecar by {INJECT_LABEL}=true"))
            }
            None => None,
        },
        Goal::Ambient | Goal::Free => None,
    }
}

/// Returns why a changed template would not replace all pods of the workload.
fn not_replaced(workload: &Object) -> Option<Objection> {
    let ObjectRef { kind, namespace, name } = &workload.reference;
    let spec = &workload.value["spec"];
    let objection = |message: &str| Objection::new(Reason::NotRestarted, message);
    if !workload.value["metadata"]["deletionTimestamp"].is_null() {
        return Some(objection("is being deleted"));
    }
    if spec["paused"] == true {
        let resume = kubectl("rollout resume").value(format!("{}/{name}", kind.singular)).with("-n", namespace);
        return Some(objection("is paused: its pods are not replaced").hint(resume.then(", then enroll again")));
    }
    let strategy = &spec["updateStrategy"];
    if strategy["type"] == "OnDelete" {
        let why = objection("has updateStrategy OnDelete: its pods are replaced only when they are deleted");
        return Some(why.hint(kubectl("delete pod -n").value(namespace).then(", one after another")));
    }
    let partition = strategy["rollingUpdate"]["partition"].as_u64().unwrap_or_default();
    (partition > 0).then(|| objection(&format!("has a partition: its pods below number {partition} are not replaced")))
}

/// Returns the other objects in the namespace whose pods are not as required, each once. If the namespace is enrolled,
/// also returns the `CronJob`s whose next Jobs will get a sidecar.
pub(crate) fn others(
    workloads: &[(Object, Fate)],
    pods: &[Value],
    cron_jobs: &[Object],
    goal: &Goal,
    namespace: &str,
) -> Vec<(ObjectRef, Objection)> {
    let wanted = goal.revision();
    let mut left: Vec<(ObjectRef, Objection)> = Vec::new();
    for pod in pods.iter().filter(|pod| is_living(pod) && injected_by(pod).as_deref() != wanted) {
        let holder = holder(pod);
        if workloads.iter().any(|(workload, _)| holder.is(&workload.reference)) {
            continue;
        }
        let (object, why) = other(pod, holder, goal, namespace);
        if !left.iter().any(|(known, _)| *known == object) {
            left.push((object, why));
        }
    }
    if matches!(goal, Goal::Bound(_)) {
        left.extend(cron_jobs.iter().filter_map(|job| {
            let never = never_fits(&job.value["spec"]["jobTemplate"]["spec"]["template"], goal);
            let message = "its next Jobs get a sidecar, which keeps a Job from ending unless it is an init container";
            let why = Objection::new(Reason::NotRestarted, message).hint(format!("{INJECT_LABEL}=false on its pods"));
            never.is_none().then(|| (job.reference.clone(), why))
        }));
    }
    left
}

fn other(pod: &Value, holder: PodHolder, goal: &Goal, namespace: &str) -> (ObjectRef, Objection) {
    let named = |kind: &'static Kind, name: &str| ObjectRef::new(kind, namespace, name);
    let this = || named(&kinds::POD, pod["metadata"]["name"].as_str().unwrap_or_default());
    let (object, message, hint) = match holder {
        PodHolder::Workload { kind, name } if kind == &kinds::JOB => {
            (named(kind, &name), "a Job cannot be restarted".to_owned(), None)
        }
        PodHolder::Workload { kind, name } if kind == &kinds::ROLLOUT => {
            let hint = kubectl("argo rollouts restart").value(&name).with("-n", namespace).into();
            (named(kind, &name), "an Argo Rollout is restarted by its own controller".to_owned(), Some(hint))
        }
        PodHolder::Workload { kind, name } => {
            (named(kind, &name), "did not exist when it was looked for".to_owned(), None)
        }
        PodHolder::Other(owner) => (this(), format!("is managed by {owner}, which has to restart it"), None),
        PodHolder::Nobody => (this(), "nothing creates it again after it is deleted".to_owned(), None),
    };
    let mut why = never_fits(pod, goal).unwrap_or_else(|| Objection::new(Reason::NotRestarted, message));
    why.hint = why.hint.or(hint);
    (object, why)
}
