//! The workload that a pod belongs to, from the pod alone. So no permission to list `ReplicaSet`s is needed.

use serde_json::Value;

use crate::model::{Kind, ObjectRef, kinds};

/// The controller that creates a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PodHolder {
    Workload {
        kind: &'static Kind,
        name: String,
    },
    /// A controller that this program does not restart: `Sandbox x`.
    Other(String),
    Nobody,
}

impl PodHolder {
    /// Returns whether the holder is this workload.
    pub(crate) fn is(&self, workload: &ObjectRef) -> bool {
        matches!(self, Self::Workload { kind, name } if *kind == workload.kind && *name == workload.name)
    }
}

/// Kinds that create pods directly.
const MAKERS: [&Kind; 3] = [&kinds::STATEFUL_SET, &kinds::DAEMON_SET, &kinds::JOB];

/// Returns the controller that creates this pod, by its owner reference. The name of a `ReplicaSet` is the name of its
/// Deployment or Rollout with the hash that its pods have as a label.
pub(crate) fn holder(pod: &Value) -> PodHolder {
    let owners = pod["metadata"]["ownerReferences"].as_array();
    let Some(owner) = owners.into_iter().flatten().find(|owner| owner["controller"] == true) else {
        return PodHolder::Nobody;
    };
    let text = |key: &str| owner[key].as_str().unwrap_or_default();
    let (kind, name) = (text("kind"), text("name"));
    if let Some(maker) = MAKERS.into_iter().find(|maker| maker.matches(text("apiVersion"), kind)) {
        return PodHolder::Workload { kind: maker, name: name.to_owned() };
    }
    let hashes = [(&kinds::DEPLOYMENT, "pod-template-hash"), (&kinds::ROLLOUT, "rollouts-pod-template-hash")];
    let of_set = hashes.into_iter().find_map(|(kind, label)| {
        let hash = pod["metadata"]["labels"][label].as_str()?;
        Some((kind, name.strip_suffix(hash)?.strip_suffix('-')?))
    });
    match of_set {
        Some((kind, name)) if kinds::REPLICA_SET.matches(text("apiVersion"), text("kind")) => {
            PodHolder::Workload { kind, name: name.to_owned() }
        }
        _ => PodHolder::Other(format!("{kind} {name}")),
    }
}

/// Returns whether the pod is neither being deleted nor ended.
pub(crate) fn is_living(pod: &Value) -> bool {
    let is_over = pod["status"]["phase"] == "Failed" || pod["status"]["phase"] == "Succeeded";
    pod["metadata"]["deletionTimestamp"].is_null() && !is_over
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(api: &str, kind: &str, name: &str, labels: &Value) -> Value {
        let owner = json!({"apiVersion": api, "kind": kind, "name": name, "controller": true});
        json!({"metadata": {"name": "p", "labels": labels, "ownerReferences": [owner]}})
    }

    #[test]
    fn a_pod_says_who_makes_it() {
        let of = |kind: &'static Kind, name: &str| PodHolder::Workload { kind, name: name.to_owned() };
        let hash = json!({"pod-template-hash": "7d4f"});
        let table = [
            (pod("apps/v1", "ReplicaSet", "web-7d4f", &hash), of(&kinds::DEPLOYMENT, "web")),
            (
                pod("apps/v1", "ReplicaSet", "web-5c9", &json!({"rollouts-pod-template-hash": "5c9"})),
                of(&kinds::ROLLOUT, "web"),
            ),
            (pod("apps/v1", "ReplicaSet", "mine", &json!({})), PodHolder::Other("ReplicaSet mine".into())),
            (pod("apps/v1", "StatefulSet", "db", &json!({})), of(&kinds::STATEFUL_SET, "db")),
            (pod("apps/v1", "DaemonSet", "log", &json!({})), of(&kinds::DAEMON_SET, "log")),
            (pod("batch/v1", "Job", "once", &json!({})), of(&kinds::JOB, "once")),
            (pod("a.io/v1", "Job", "theirs", &json!({})), PodHolder::Other("Job theirs".into())),
            (json!({"metadata": {"name": "p"}}), PodHolder::Nobody),
        ];
        for (pod, wanted) in table {
            assert_eq!(holder(&pod), wanted, "{pod}");
        }
    }
}
