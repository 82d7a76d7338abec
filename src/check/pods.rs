//! Checks the pods in Gloo's namespace by the conditions that glooctl uses.

use super::{Check, Finding, Look, codes};
use crate::command::{flag, kubectl};
use crate::model::{Object, ObjectRef, kinds};
use crate::plan::rollout::complaints;

pub(super) const CHECK: Check = Check {
    title: "Pods",
    word: "pods",
    codes: &[&codes::POD, &codes::NO_PODS],
    kinds: &[&kinds::POD],
    beyond: &[],
    run,
};

/// Each condition, with the text if it is not met. The first one that is not met is the most specific.
const CONDITIONS: [(&str, &str); 4] = [
    ("PodScheduled", "is not scheduled"),
    ("Initialized", "is not initialized"),
    ("ContainersReady", "has containers that are not ready"),
    ("Ready", "is not ready"),
];

fn run(look: &Look<'_>) -> Vec<Finding> {
    let mut pods = look.in_namespace(&kinds::POD, look.gloo());
    pods.retain(|pod| look.world.pods.matches(&pod.value["metadata"]["labels"]));
    let is_known = look.world.snapshot.unknown_in(&kinds::POD, look.gloo()).is_none();
    if pods.is_empty() && is_known {
        let namespace = ObjectRef::new(&kinds::NAMESPACE, "", look.gloo());
        let message = format!("no pod has the labels {}", look.world.pods);
        return vec![
            Finding::new(&codes::NO_PODS, &namespace, message)
                .hint(flag("--pod-selector").text(" selects other labels")),
        ];
    }
    let found = pods.into_iter().filter_map(check_pod);
    found
        .map(|finding| {
            let workload = look.workload_of(&finding.object);
            finding.decided_by(workload)
        })
        .collect()
}

fn check_pod(pod: &Object) -> Option<Finding> {
    let is_ending = !pod.value["metadata"]["deletionTimestamp"].is_null();
    let conditions = pod.value["status"]["conditions"].as_array()?;
    let said = CONDITIONS.iter().find_map(|(kind, words)| {
        let condition = conditions.iter().find(|condition| condition["type"] == **kind)?;
        (condition["status"] != "True" && condition["reason"] != "PodCompleted").then_some((*words, condition))
    });
    let (words, condition) = said.filter(|_| !is_ending)?;
    let mut details = complaints(&pod.value);
    if details.is_empty() {
        details.extend(condition["message"].as_str().map(str::to_owned));
    }
    let ObjectRef { namespace, name, .. } = &pod.reference;
    Some(
        Finding::new(&codes::POD, &pod.reference, format!("the pod {words}"))
            .details(details)
            .hint(kubectl("describe pod").value(name).fixed("-n").value(namespace)),
    )
}
