//! The progress of a workload's rollout, and why its pods do not become ready.
//!
//! The rules are those of `kubectl rollout status` (kubectl, `polymorphichelpers/rollout_status.go`).

use serde_json::Value;

use crate::edit::Edit;
use crate::model::FieldPath;

/// The annotation that `kubectl rollout restart` sets.
pub(crate) const RESTARTED_AT: &str = "kubectl.kubernetes.io/restartedAt";

/// Returns the edit that restarts every pod of a workload. Two edits with the same `now` are the same restart.
pub(crate) fn restart(now: &str) -> Edit {
    Edit::set(restarted_at(), Value::from(now))
}

/// Returns whether this edit is a [`restart`].
pub(crate) fn is_restart(edit: &Edit) -> bool {
    edit.path == restarted_at()
}

/// Returns whether a pod was created since the last [`restart`] of its workload: the controller copies the annotations
/// of the template to the pod.
pub(crate) fn is_of_this_restart(pod: &Value, workload: &Value) -> bool {
    pod["metadata"]["annotations"][RESTARTED_AT]
        == workload["spec"]["template"]["metadata"]["annotations"][RESTARTED_AT]
}

fn restarted_at() -> FieldPath {
    FieldPath::keys(&["spec", "template", "metadata", "annotations", RESTARTED_AT])
}

/// The progress of a rollout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rollout {
    /// Every pod is new and available.
    Done { pods: u64 },
    /// Not complete. `ready` is the number of new and ready pods.
    Waiting { ready: u64, wanted: u64 },
    /// The controller gave up.
    GaveUp { ready: u64, wanted: u64, message: String },
    /// Its pods are not replaced until the operator acts: the reason, and the kubectl command.
    Held { why: &'static str, hint: Option<&'static str> },
}

/// Returns why the controller does not replace the old pods, if so.
fn held(spec: &Value) -> Option<Rollout> {
    if spec["paused"] == true {
        return Some(Rollout::Held { why: "is paused: its pods are not replaced", hint: Some("rollout resume") });
    }
    let by_hand = spec["updateStrategy"]["type"] == "OnDelete";
    by_hand.then_some(Rollout::Held {
        why: "has updateStrategy OnDelete: its pods are replaced only when they are deleted",
        hint: None,
    })
}

/// Reads the status of a Deployment or a `DaemonSet`.
pub(crate) fn read(workload: &Value) -> Rollout {
    match progress(workload) {
        Rollout::Done { pods } => Rollout::Done { pods },
        other => held(&workload["spec"]).unwrap_or(other),
    }
}

/// Returns whether every pod is new and available.
pub(crate) fn is_done(workload: &Value) -> bool {
    matches!(read(workload), Rollout::Done { .. })
}

fn progress(workload: &Value) -> Rollout {
    let status = &workload["status"];
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let seen = number(&status["observedGeneration"]) >= number(&workload["metadata"]["generation"]);
    let wanted = wanted(workload);
    if is_daemon_set(workload) {
        let new = number(&status["updatedNumberScheduled"]);
        let ready = new.min(number(&status["numberAvailable"]));
        return if seen && new >= wanted && number(&status["numberAvailable"]) >= wanted {
            Rollout::Done { pods: wanted }
        } else {
            Rollout::Waiting { ready: if seen { ready } else { 0 }, wanted }
        };
    }
    let (all, new, available) =
        (number(&status["replicas"]), number(&status["updatedReplicas"]), number(&status["availableReplicas"]));
    let old = all.saturating_sub(new);
    let ready = if seen { new.min(available.saturating_sub(old)) } else { 0 };
    let gave_up = status["conditions"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|condition| condition["type"] == "Progressing" && condition["reason"] == "ProgressDeadlineExceeded");
    if let (true, Some(condition)) = (seen, gave_up) {
        let message = condition["message"].as_str().unwrap_or("the progress deadline passed").to_owned();
        return Rollout::GaveUp { ready, wanted, message };
    }
    if seen && new >= wanted && all <= new && available >= new {
        Rollout::Done { pods: wanted }
    } else {
        Rollout::Waiting { ready, wanted }
    }
}

fn is_daemon_set(workload: &Value) -> bool {
    workload["kind"] == "DaemonSet" || !workload["status"]["desiredNumberScheduled"].is_null()
}

/// Returns how many pods the workload wants.
pub(crate) fn wanted(workload: &Value) -> u64 {
    match is_daemon_set(workload) {
        true => workload["status"]["desiredNumberScheduled"].as_u64().unwrap_or_default(),
        false => workload["spec"]["replicas"].as_u64().unwrap_or(1),
    }
}

/// Returns the number of pods that are ready and of those that are wanted, in words. `None` if enough are ready.
pub(crate) fn shortfall(workload: &Value) -> Option<String> {
    let (ready, wanted) = (serving(workload), wanted(workload));
    (ready < wanted).then(|| format!("{ready} of {wanted} pods ready"))
}

/// Returns how many pods are available, old or new.
pub(crate) fn serving(workload: &Value) -> u64 {
    let status = &workload["status"];
    status["availableReplicas"].as_u64().or_else(|| status["numberAvailable"].as_u64()).unwrap_or_default()
}

/// Returns why a pod is not ready, container by container: image pull, crash, scheduling, readiness.
pub(crate) fn complaints(pod: &Value) -> Vec<String> {
    if !pod["metadata"]["deletionTimestamp"].is_null() {
        return Vec::new();
    }
    let name = pod["metadata"]["name"].as_str().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut said = Vec::new();
    for condition in pod["status"]["conditions"].as_array().into_iter().flatten() {
        if condition["type"] == "PodScheduled" && condition["status"] == "False" {
            said.push(format!("pod {name}: not scheduled: {}", text(&condition["message"])));
        }
    }
    for list in ["initContainerStatuses", "containerStatuses"] {
        for status in pod["status"][list].as_array().into_iter().flatten() {
            let container = text(&status["name"]);
            if status["ready"] == true
                || (list == "initContainerStatuses" && status["state"]["terminated"]["exitCode"] == 0)
            {
                continue;
            }
            let state = &status["state"];
            let (reason, message) = match (&state["waiting"], &state["terminated"]) {
                (Value::Object(waiting), _) => {
                    (text(&waiting["reason"]), text(waiting.get("message").unwrap_or(&Value::Null)))
                }
                (_, Value::Object(ended)) => (
                    format!("{} (exit {})", text(&ended["reason"]), ended["exitCode"]),
                    text(ended.get("message").unwrap_or(&Value::Null)),
                ),
                _ => ("running, not ready".to_owned(), String::new()),
            };
            said.push(format!("pod {name}, container {container}: {reason}"));
            said.extend((!message.is_empty()).then(|| format!("  {message}")));
        }
    }
    said
}

/// Returns the flags that may fix what prevents the sidecars from starting.
pub(crate) fn hints(complaints: &[String]) -> Vec<&'static str> {
    let says = |words: &[&str]| complaints.iter().any(|line| words.iter().all(|word| line.contains(word)));
    let of_sidecars = |word: &str| says(&[word, "\"sds\""]) || says(&[word, "\"istio-proxy\""]);
    let table = [
        (
            of_sidecars("violates PodSecurity"),
            "--restricted gives the sidecars a securityContext that the namespace admits",
        ),
        (says(&["container sds: ", "Image"]), "--sds-image REGISTRY/sds:TAG"),
        (says(&["container istio-proxy: ", "Image"]), "--istio-proxy-image REGISTRY/proxyv2:TAG"),
    ];
    table.into_iter().filter(|(applies, _)| *applies).map(|(_, hint)| hint).collect()
}

/// Returns why no pod is created at all: quota, `PodSecurity`, an admission webhook.
pub(crate) fn refusals(workload: &Value) -> Vec<String> {
    let conditions = workload["status"]["conditions"].as_array().into_iter().flatten();
    conditions
        .filter(|condition| condition["type"] == "ReplicaFailure" && condition["status"] == "True")
        .filter_map(|condition| condition["message"].as_str().map(str::to_owned))
        .collect()
}

/// Returns whether an object is a workload, one of its `ReplicaSet`s or one of its pods. Their names are the workload's
/// name with one or two more parts.
fn belongs_to(name: &str, object: &Value) -> bool {
    let of = object["name"].as_str().unwrap_or_default();
    let more = of.strip_prefix(name).and_then(|rest| rest.strip_prefix('-'));
    let parts = if object["kind"] == "Pod" { 2 } else { 1 };
    of == name || more.is_some_and(|more| more.split('-').count() <= parts)
}

/// Returns the latest warnings about a workload, its `ReplicaSet`s and its pods. What prevents pods from being created
/// comes first.
pub(crate) fn events_of(name: &str, events: &[Value]) -> Vec<String> {
    const SHOWN: usize = 3;
    let mut lines: Vec<_> = events
        .iter()
        .filter(|event| belongs_to(name, &event["involvedObject"]))
        .map(|event| {
            let text = |key: &str| event[key].as_str().unwrap_or_default();
            let prevents_pods = text("reason") == "FailedCreate";
            (prevents_pods, text("lastTimestamp"), format!("event {}: {}", text("reason"), text("message")))
        })
        .collect();
    lines.sort_unstable();
    let mut said: Vec<String> = Vec::new();
    for (_, _, line) in lines.into_iter().rev() {
        if !said.contains(&line) && said.len() < SHOWN {
            said.push(line);
        }
    }
    said
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn deployment(generation: u64, status: &Value) -> Value {
        json!({"kind": "Deployment", "metadata": {"generation": generation}, "spec": {"replicas": 2}, "status": status})
    }

    #[test]
    fn a_deployment_is_rolled_out_when_every_pod_is_new_and_available() {
        let table = [
            (json!({"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2}), 0),
            (json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "availableReplicas": 3}), 1),
            (json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2, "availableReplicas": 2}), 1),
        ];
        for (status, ready) in table {
            assert_eq!(read(&deployment(2, &status)), Rollout::Waiting { ready, wanted: 2 }, "{status}");
        }
        let done = json!({"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2});
        assert_eq!(read(&deployment(2, &done)), Rollout::Done { pods: 2 });
    }

    #[test]
    fn a_deployment_that_gave_up_says_why() {
        let status = json!({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "availableReplicas": 2,
            "conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded", "message": "timed out"}]});
        assert_eq!(read(&deployment(2, &status)), Rollout::GaveUp { ready: 0, wanted: 2, message: "timed out".into() });
    }

    #[test]
    fn nobody_waits_for_pods_that_nobody_replaces() {
        let is_held = |spec: &Value| {
            let workload = json!({"metadata": {"generation": 1}, "spec": spec});
            matches!(read(&workload), Rollout::Held { .. })
        };
        assert!(is_held(&json!({"paused": true})));
        assert!(is_held(&json!({"updateStrategy": {"type": "OnDelete"}})));
        assert!(!is_held(&json!({"updateStrategy": {"type": "RollingUpdate"}})));
    }

    #[test]
    fn a_daemon_set_counts_its_own_way() {
        let daemon_set = |updated: u64| {
            json!({"kind": "DaemonSet", "metadata": {"generation": 1},
                "status": {"observedGeneration": 1, "desiredNumberScheduled": 3, "updatedNumberScheduled": updated, "numberAvailable": 3}})
        };
        assert_eq!(read(&daemon_set(2)), Rollout::Waiting { ready: 2, wanted: 3 });
        assert_eq!(read(&daemon_set(3)), Rollout::Done { pods: 3 });
    }

    #[test]
    fn a_workload_that_wants_more_pods_than_are_ready_says_both_numbers() {
        let table = [
            (json!({"kind": "Deployment"}), Some("0 of 1 pods ready")),
            (deployment(1, &json!({"availableReplicas": 1})), Some("1 of 2 pods ready")),
            (deployment(1, &json!({"availableReplicas": 3})), None),
            (json!({"kind": "StatefulSet", "spec": {"replicas": 0}}), None),
            (json!({"kind": "DaemonSet", "status": {"desiredNumberScheduled": 3}}), Some("0 of 3 pods ready")),
            (json!({"kind": "DaemonSet"}), None),
        ];
        for (workload, said) in table {
            assert_eq!(shortfall(&workload).as_deref(), said, "{workload}");
        }
    }

    #[test]
    fn events_are_those_of_the_workload_and_what_prevents_pods_comes_first() {
        let event = |second: u32, kind: &str, name: &str, reason: &str| {
            json!({"involvedObject": {"kind": kind, "name": name}, "reason": reason, "message": name,
                "lastTimestamp": format!("2026-01-01T00:00:{second:02}Z")})
        };
        let events = [
            event(1, "ReplicaSet", "web-7d4f", "FailedCreate"),
            event(2, "Pod", "web-7d4f-x2z", "Unhealthy"),
            event(3, "Deployment", "web", "Odd"),
            event(4, "ReplicaSet", "web-admin-7d4f", "FailedCreate"),
            event(5, "Pod", "web-admin-7d4f-x2z", "Unhealthy"),
            event(6, "Deployment", "webshop", "Odd"),
        ];
        let wanted = ["event FailedCreate: web-7d4f", "event Odd: web", "event Unhealthy: web-7d4f-x2z"];
        assert_eq!(events_of("web", &events), wanted);
    }

    #[test]
    fn a_pod_says_which_container_and_why() {
        let pod = json!({"metadata": {"name": "p"}, "status": {"containerStatuses": [
            {"name": "envoy", "ready": true, "state": {"running": {}}},
            {"name": "istio-proxy", "ready": false, "state": {"waiting": {"reason": "ImagePullBackOff", "message": "429"}}},
            {"name": "sds", "ready": false, "state": {"terminated": {"reason": "Error", "exitCode": 1}}},
        ]}});
        assert_eq!(
            complaints(&pod),
            ["pod p, container istio-proxy: ImagePullBackOff", "  429", "pod p, container sds: Error (exit 1)"]
        );
    }
}
