//! An API server in memory that keeps what is written, for faults that come at each step of every command. It plays as
//! much of the controllers as the commands wait for: a Deployment is rolled out at once, and its pods get a sidecar
//! where their namespace asks for one. What a real API server does is tested on the stage.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::stub::Request;

/// The annotation of Istio's injector.
const INJECTED: &str = "sidecar.istio.io/status";
/// The annotation of istio-cni on a pod that ztunnel captures.
const REDIRECTION: &str = "ambient.istio.io/redirection";
const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";
const LONG_AGO: &str = "2026-01-01T00:00:00Z";

/// All objects by their paths.
#[derive(Clone, Default)]
pub struct World {
    objects: BTreeMap<String, Value>,
    version: u64,
}

/// What a person would call the state: no pods, no versions, no status, and of restarts only whether there was one.
pub type State = BTreeMap<String, Value>;

/// The parts of a request's path.
struct Place {
    /// Such as `/apis/apps/v1`.
    group: String,
    namespace: Option<String>,
    plural: String,
    name: Option<String>,
    is_subresource: bool,
}

impl World {
    /// The objects of these manifests, with Deployments that are rolled out.
    pub fn of(manifests: &[&str]) -> Self {
        let mut world = Self::default();
        for object in manifests.iter().flat_map(|text| crate::stage::documents(text).unwrap()) {
            let (version, kind) = (object["apiVersion"].as_str().unwrap(), object["kind"].as_str().unwrap());
            let root = if version.contains('/') { "apis" } else { "api" };
            let namespace = object["metadata"]["namespace"].as_str().map(|it| format!("/namespaces/{it}"));
            let kind = kind.to_lowercase();
            let plural = match kind.strip_suffix('y') {
                Some(stem) if !stem.ends_with('a') => format!("{stem}ies"),
                _ if kind.ends_with('s') => kind,
                _ => format!("{kind}s"),
            };
            let path = format!("/{root}/{version}{}/{plural}", namespace.unwrap_or_default());
            world.store(&format!("{path}/{}", object["metadata"]["name"].as_str().unwrap()), object);
        }
        world
    }

    /// The same when all restarts so far were long ago.
    pub fn later(mut self) -> Self {
        for object in self.objects.values_mut() {
            if let Some(at) = restart(object) {
                *at = json!(LONG_AGO);
            }
        }
        self
    }

    pub fn state(&self) -> State {
        let is_kept = |path: &&String| !path.contains("/pods/");
        self.objects.iter().filter(|(path, _)| is_kept(path)).map(|(path, it)| (path.clone(), settled(it))).collect()
    }

    /// Answers a request, and whether it wrote.
    pub fn answer(&mut self, request: &Request) -> (u16, Value, bool) {
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let is_dry = query.contains("dryRun") || !body["dryRun"].is_null();
        if path.ends_with("accessreviews") {
            return (201, json!({"kind": "SelfSubjectAccessReview", "status": {"allowed": true}}), false);
        }
        let Some(place) = Place::of(path) else { return refused(404, "NotFound", "", "") };
        if place.is_subresource {
            return refused(403, "Forbidden", &place.plural, "");
        }
        let (status, answer, after) = match request.method.as_str() {
            "GET" => {
                let (status, answer) = self.read(path, query, &place);
                return (status, answer, false);
            }
            "POST" => {
                let name = body["metadata"]["name"].as_str().unwrap_or_default();
                let path = format!("{path}/{name}");
                if self.objects.contains_key(&path) {
                    return refused(409, "AlreadyExists", &place.plural, name);
                }
                let pod = self.with_sidecar(body, place.namespace.as_deref().unwrap_or_default());
                (201, pod.clone(), Some((path, pod)))
            }
            "PATCH" => {
                let Some(before) = self.objects.get(path) else { return gone(&place) };
                let wanted = &body[0]["value"];
                if body[0]["path"] == "/metadata/resourceVersion" && *wanted != before["metadata"]["resourceVersion"] {
                    return refused(409, "Conflict", &place.plural, "");
                }
                let after = patched(before, &body);
                (200, after.clone(), Some((path.to_owned(), after)))
            }
            "DELETE" if self.objects.contains_key(path) => {
                if !is_dry {
                    self.objects.remove(path);
                }
                return (200, json!({"kind": "Status", "apiVersion": "v1", "status": "Success"}), !is_dry);
            }
            "DELETE" => return gone(&place),
            other => panic!("{other} {path}"),
        };
        match after {
            Some((path, after)) if !is_dry => (status, self.store(&path, after), true),
            _ => (status, answer, false),
        }
    }

    fn read(&self, path: &str, query: &str, place: &Place) -> (u16, Value) {
        if let Some(name) = &place.name {
            return self.objects.get(path).map_or_else(
                || {
                    let (status, answer, _) = refused(404, "NotFound", &place.plural, name);
                    (status, answer)
                },
                |object| (200, object.clone()),
            );
        }
        let selector = query.split('&').find_map(|part| part.strip_prefix("labelSelector=")).unwrap_or_default();
        let requirements = requirements(&decoded(selector));
        let items: Vec<_> = self
            .objects
            .iter()
            .filter(|(path, object)| {
                let of = Place::of(path).unwrap();
                let is_here = place.namespace.is_none() || of.namespace == place.namespace;
                of.group == place.group
                    && of.plural == place.plural
                    && is_here
                    && requirements.iter().all(|it| it.holds(&object["metadata"]["labels"]))
            })
            .map(|(_, object)| object.clone())
            .collect();
        let version = self.version.to_string();
        (200, json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": version}, "items": items}))
    }

    /// Keeps an object, and does what its controller would do.
    fn store(&mut self, path: &str, mut object: Value) -> Value {
        self.version += 1;
        let before = self.objects.get(path).cloned().unwrap_or_default();
        let metadata = &mut object["metadata"];
        metadata["resourceVersion"] = json!(self.version.to_string());
        if metadata["uid"].is_null() {
            metadata["uid"] = json!(format!("u{}", self.version));
            metadata["creationTimestamp"] = json!("2026-01-01T00:00:00Z");
        }
        let is_workload = path.contains("/deployments/") || path.contains("/daemonsets/");
        if is_workload && object["spec"] != before["spec"] {
            object["metadata"]["generation"] = json!(self.version);
            let pods = object["spec"]["replicas"].as_u64().unwrap_or(1);
            object["status"] = json!({
                "observedGeneration": self.version, "replicas": pods, "updatedReplicas": pods, "readyReplicas": pods,
                "availableReplicas": pods, "conditions": [{"type": "Available", "status": "True"}],
            });
            if object["kind"] == "DaemonSet" {
                for number in ["desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable", "numberReady"] {
                    object["status"][number] = json!(pods);
                }
            }
            self.replace_pod(&object);
        }
        self.objects.insert(path.to_owned(), object.clone());
        if object["kind"] == "Namespace" {
            self.capture(&object);
        }
        object
    }

    /// Annotates the pods of a namespace as istio-cni does where the label requests the ambient mesh.
    fn capture(&mut self, namespace: &Value) {
        let is_ambient = namespace["metadata"]["labels"]["istio.io/dataplane-mode"] == "ambient";
        let pods = format!("/api/v1/namespaces/{}/pods/", namespace["metadata"]["name"].as_str().unwrap_or_default());
        for (_, pod) in self.objects.iter_mut().filter(|(path, _)| path.starts_with(&pods)) {
            if is_ambient {
                pod["metadata"]["annotations"][REDIRECTION] = json!("enabled");
            } else if let Some(annotations) = pod["metadata"]["annotations"].as_object_mut() {
                annotations.shift_remove(REDIRECTION);
            }
        }
    }

    /// One pod for the workload, made from its template.
    fn replace_pod(&mut self, workload: &Value) {
        let text = |key: &str| workload["metadata"][key].as_str().unwrap().to_owned();
        let (namespace, name) = (text("namespace"), text("name"));
        let of_workload = format!("/api/v1/namespaces/{namespace}/pods/{name}-0-");
        self.objects.retain(|path, _| !path.starts_with(&of_workload));
        let mut pod = workload["spec"]["template"].clone();
        pod["apiVersion"] = json!("v1");
        pod["kind"] = json!("Pod");
        pod["metadata"]["namespace"] = json!(namespace);
        let pod_name = format!("{name}-0-{}", self.version);
        pod["metadata"]["name"] = json!(pod_name);
        pod["metadata"]["labels"]["pod-template-hash"] = json!("0");
        pod["metadata"]["ownerReferences"] =
            json!([{"apiVersion": "apps/v1", "kind": "ReplicaSet", "name": format!("{name}-0"), "controller": true}]);
        let mut pod = self.with_sidecar(pod, &namespace);
        let ready = |container: &Value| json!({"name": container["name"], "ready": true, "state": {"running": {}}});
        let statuses: Vec<_> = pod["spec"]["containers"].as_array().unwrap().iter().map(ready).collect();
        let conditions = json!([{"type": "Ready", "status": "True"}]);
        pod["status"] = json!({"phase": "Running", "containerStatuses": statuses, "conditions": conditions});
        self.store(&format!("/api/v1/namespaces/{namespace}/pods/{pod_name}"), pod);
    }

    /// A pod as Istio's injector makes it in this namespace; any other object as it is.
    fn with_sidecar(&self, mut object: Value, namespace: &str) -> Value {
        let namespace = self.objects.get(&format!("/api/v1/namespaces/{namespace}")).unwrap_or(&Value::Null);
        let Some(revision) = namespace["metadata"]["labels"]["istio.io/rev"].as_str() else { return object };
        if object["kind"] == "Pod" {
            object["metadata"]["labels"]["security.istio.io/tlsMode"] = json!("istio");
            object["metadata"]["annotations"][INJECTED] = json!(json!({"revision": revision}).to_string());
            let sidecar = json!({"name": "istio-proxy", "image": "docker.io/istio/proxyv2:1.28.3"});
            object["spec"]["containers"].as_array_mut().unwrap().push(sidecar);
        }
        object
    }
}

impl Place {
    fn of(path: &str) -> Option<Self> {
        let mut parts = path.trim_start_matches('/').split('/');
        let group = match parts.next()? {
            "api" => format!("/api/{}", parts.next()?),
            "apis" => format!("/apis/{}/{}", parts.next()?, parts.next()?),
            _ => return None,
        };
        let mut rest: Vec<_> = parts.map(str::to_owned).collect();
        let namespace = (rest.len() > 2 && rest[0] == "namespaces").then(|| rest.drain(..2).nth(1)).flatten();
        let mut rest = rest.into_iter();
        let (plural, name) = (rest.next()?, rest.next());
        Some(Self { group, namespace, plural, name, is_subresource: rest.next().is_some() })
    }
}

fn settled(object: &Value) -> Value {
    let mut object = object.clone();
    let without = |object: &mut Value, at: &str, keys: &[&str]| {
        let Some(map) = object.pointer_mut(at).and_then(Value::as_object_mut) else { return };
        map.retain(|key, value| !keys.contains(&key.as_str()) && *value != json!({}));
    };
    without(&mut object, "", &["status"]);
    let own = ["resourceVersion", "generation", "managedFields", "uid", "creationTimestamp"];
    without(&mut object, "/metadata", &own);
    if let Some(at) = restart(&mut object)
        && *at != LONG_AGO
    {
        *at = json!("now");
    }
    object
}

fn restart(object: &mut Value) -> Option<&mut Value> {
    object.pointer_mut("/spec/template/metadata/annotations")?.get_mut(RESTARTED)
}

fn refused(code: u16, reason: &str, plural: &str, name: &str) -> (u16, Value, bool) {
    let status = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code,
        "message": format!("{plural} \"{name}\": {reason}"), "details": {"name": name, "kind": plural},
    });
    (code, status, false)
}

fn gone(place: &Place) -> (u16, Value, bool) {
    refused(404, "NotFound", &place.plural, place.name.as_deref().unwrap_or_default())
}

/// RFC 6902, as far as it is sent.
pub fn patched(before: &Value, operations: &Value) -> Value {
    let mut after = before.clone();
    for operation in operations.as_array().unwrap() {
        let path = operation["path"].as_str().unwrap();
        let (parent, last) = path.rsplit_once('/').unwrap();
        let last = last.replace("~1", "/").replace("~0", "~");
        match (after.pointer_mut(parent).unwrap(), operation["op"].as_str().unwrap()) {
            (Value::Array(items), "add") => items.push(operation["value"].clone()),
            (Value::Array(items), "remove") => drop(items.remove(last.parse().unwrap())),
            (Value::Array(items), _) => items[last.parse::<usize>().unwrap()] = operation["value"].clone(),
            (Value::Object(map), "remove") => drop(map.shift_remove(&last)),
            (Value::Object(map), _) => drop(map.insert(last, operation["value"].clone())),
            (other, _) => panic!("{path} is in {other}"),
        }
    }
    after
}

/// A requirement of a label selector.
struct Requirement {
    key: String,
    /// None: any value.
    values: Option<Vec<String>>,
    is_met_without: bool,
}

impl Requirement {
    fn holds(&self, labels: &Value) -> bool {
        let value = labels[&self.key].as_str();
        let is_one = value.is_some_and(|value| self.values.as_ref().is_none_or(|all| all.iter().any(|it| it == value)));
        is_one != self.is_met_without
    }
}

fn requirements(selector: &str) -> Vec<Requirement> {
    let mut parts: Vec<String> = Vec::new();
    for part in selector.split(',').filter(|part| !part.is_empty()) {
        match parts.last_mut() {
            Some(open) if open.contains('(') && !open.contains(')') => *open = format!("{open},{part}"),
            _ => parts.push(part.trim().to_owned()),
        }
    }
    let list = |text: &str| text.trim_matches(['(', ')', ' ']).split(',').map(|it| it.trim().to_owned()).collect();
    let requirement = |part: String| {
        let (key, values, is_met_without): (&str, Option<Vec<String>>, bool) =
            if let Some(it) = part.split_once(" notin ") {
                (it.0, Some(list(it.1)), true)
            } else if let Some(it) = part.split_once(" in ") {
                (it.0, Some(list(it.1)), false)
            } else if let Some(it) = part.split_once("!=") {
                (it.0, Some(list(it.1)), true)
            } else if let Some(it) = part.split_once('=') {
                (it.0, Some(list(it.1.trim_start_matches('='))), false)
            } else if let Some(key) = part.strip_prefix('!') {
                (key, None, true)
            } else {
                (&*part, None, false)
            };
        Requirement { key: key.trim().to_owned(), values, is_met_without }
    };
    parts.into_iter().map(requirement).collect()
}

/// Percent-encoded text.
fn decoded(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut plain = Vec::new();
    while let Some(byte) = bytes.next() {
        match byte {
            b'%' => {
                let digits = [bytes.next().unwrap(), bytes.next().unwrap()];
                plain.push(u8::from_str_radix(str::from_utf8(&digits).unwrap(), 16).unwrap());
            }
            byte => plain.push(byte),
        }
    }
    String::from_utf8(plain).unwrap()
}
