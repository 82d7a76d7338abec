//! What stands in a cluster, as far as a way there and back has to leave it as it was.

use anyhow::{Context as _, Result};
use serde_json::{Map, Value};

use crate::stage::Plane;

/// All that the guide may touch.
const KINDS: [&str; 7] = [
    "gloo.solo.io/v1/Upstream",
    "gloo.solo.io/v1/Settings",
    "v1/ConfigMap",
    "v1/Service",
    "security.istio.io/v1/PeerAuthentication",
    "apps/v1/Deployment",
    "apps/v1/DaemonSet",
];
/// Notes of who counts: when pods were replaced, and which revision of a template is the newest.
const COUNTS: [&str; 3] = [
    "kubectl.kubernetes.io/restartedAt",
    "deployment.kubernetes.io/revision",
    "deprecated.daemonset.template.generation",
];

/// Objects less what no write can put back: versions, who wrote what, status, and when pods were replaced; and of each
/// pod its labels and containers.
#[derive(Debug, PartialEq, Eq)]
pub struct State {
    objects: Vec<Value>,
    pods: Vec<String>,
}

impl State {
    pub fn of(plane: &Plane, namespaces: &[&str]) -> Result<Self> {
        let api = plane.api();
        let mut objects = Vec::new();
        let mut pods = Vec::new();
        for namespace in namespaces {
            objects.push(api.get("v1/Namespace", "", namespace)?.context("the namespace")?);
            for kind in KINDS {
                objects.extend(api.list(kind, namespace)?);
            }
            pods.extend(api.list("v1/Pod", namespace)?.iter().filter_map(shape));
        }
        objects.iter_mut().for_each(reduce);
        pods.sort();
        Ok(Self { objects, pods })
    }

    /// Names the first object that differs.
    pub fn assert_same(&self, other: &Self) {
        for (one, other) in self.objects.iter().zip(&other.objects) {
            assert_eq!(one, other);
        }
        assert_eq!(self.objects.len(), other.objects.len());
        assert_eq!(self.pods, other.pods);
    }
}

fn reduce(object: &mut Value) {
    object.as_object_mut().map(|object| object.remove("status"));
    for path in ["/metadata", "/spec/template/metadata"] {
        let Some(metadata) = object.pointer_mut(path).and_then(Value::as_object_mut) else { continue };
        for own in ["resourceVersion", "managedFields", "generation"] {
            metadata.remove(own);
        }
        let Some(notes) = metadata.get_mut("annotations").and_then(Value::as_object_mut) else { continue };
        notes.retain(|name, _| !COUNTS.contains(&name.as_str()));
        if notes.is_empty() {
            metadata.remove("annotations");
        }
    }
}

/// A pod that stays: the hash of its template goes with the time of the restart.
fn shape(pod: &Value) -> Option<String> {
    let metadata = &pod["metadata"];
    let names = |list: &str| -> Vec<&str> {
        pod["spec"][list].as_array().into_iter().flatten().filter_map(|one| one["name"].as_str()).collect()
    };
    let labels: Map<String, Value> = metadata["labels"].as_object().cloned().unwrap_or_default();
    let labels: Vec<_> = labels.iter().filter(|(name, _)| *name != "pod-template-hash").collect();
    let stays = metadata["deletionTimestamp"].is_null();
    stays.then(|| {
        format!("{} {labels:?} {:?} {:?}", metadata["namespace"], names("containers"), names("initContainers"))
    })
}
