//! Workloads in files: whether they make pods, and of which template.

use serde_json::{Value, json};

use crate::model::{Kind, Object, ObjectRef, Snapshot, kinds};
use crate::plan::pod::is_running;
use crate::plan::sidecars::own_pods;

/// The kinds of workloads.
pub(super) const KINDS: [&Kind; 7] = [
    &kinds::DEPLOYMENT,
    &kinds::REPLICA_SET,
    &kinds::STATEFUL_SET,
    &kinds::DAEMON_SET,
    &kinds::ROLLOUT,
    &kinds::JOB,
    &kinds::CRON_JOB,
];

/// Returns whether the workload makes pods as it is: it is neither scaled to 0, nor suspended, nor a Job that has ended.
pub(super) fn makes_pods(workload: &Object) -> bool {
    let (spec, status) = (&workload.value["spec"], &workload.value["status"]);
    let is_over = |condition: &Value| {
        (condition["type"] == "Complete" || condition["type"] == "Failed") && condition["status"] == "True"
    };
    let conditions = status["conditions"].as_array().into_iter().flatten();
    let has_ended = *workload.reference.kind == kinds::JOB && conditions.clone().any(is_over);
    spec["replicas"] != 0 && spec["parallelism"] != 0 && spec["suspend"] != true && !has_ended
}

/// Returns whether the files have the pods of this workload, or its controller, whose template is the same.
pub(super) fn are_there(snapshot: &Snapshot, workload: &Object) -> bool {
    let ObjectRef { kind, namespace, name } = &workload.reference;
    let is_of_job = |pod: &Object| {
        let owner =
            controller(pod).filter(|owner| kinds::JOB.matches(&text(&owner["apiVersion"]), &text(&owner["kind"])));
        let job = owner.map(|owner| text(&owner["name"])).unwrap_or_default();
        match **kind == kinds::CRON_JOB {
            // The controller names a Job after its CronJob and its time.
            true => job.strip_prefix(name.as_str()).and_then(|rest| rest.strip_prefix('-')).is_some_and(is_number),
            false => job == *name,
        }
    };
    let has_pods = match [&kinds::JOB, &kinds::CRON_JOB].contains(kind) {
        true => snapshot.in_namespace(&kinds::POD, namespace).filter(|pod| is_running(&pod.value)).any(is_of_job),
        false => !own_pods(snapshot, workload).is_empty(),
    };
    has_pods
        || controller(workload).is_some_and(|owner| {
            let of_kind = KINDS.into_iter().find(|it| it.matches(&text(&owner["apiVersion"]), &text(&owner["kind"])));
            of_kind.is_some_and(|it| snapshot.find(it, namespace, &text(&owner["name"])).object().is_some())
        })
}

/// Returns the owner reference of the controller that made the object.
fn controller(object: &Object) -> Option<&Value> {
    object.value["metadata"]["ownerReferences"].as_array()?.iter().find(|owner| owner["controller"] == true)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Returns the pod template of a workload, with what the controller of Jobs adds to it.
pub(super) fn template(workload: &Object) -> Value {
    let (spec, name) = (&workload.value["spec"], &workload.reference.name);
    let (template, labels) = match workload.reference.kind {
        kind if *kind == kinds::CRON_JOB => (&spec["jobTemplate"]["spec"]["template"], Vec::new()),
        kind if *kind == kinds::JOB => (&spec["template"], vec!["job-name", "batch.kubernetes.io/job-name"]),
        _ => return spec["template"].clone(),
    };
    let mut metadata = template["metadata"].as_object().cloned().unwrap_or_default();
    let mut own = metadata.get("labels").and_then(Value::as_object).cloned().unwrap_or_default();
    own.extend(labels.into_iter().map(|label| (label.to_owned(), Value::from(name.as_str()))));
    metadata.insert("labels".to_owned(), own.into());
    let owner =
        json!({"apiVersion": kinds::JOB.api_version(), "kind": kinds::JOB.kind, "name": name, "controller": true});
    metadata.insert("ownerReferences".to_owned(), json!([owner]));
    json!({"metadata": metadata, "spec": template["spec"]})
}
