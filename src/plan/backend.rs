//! What answers behind an Upstream: the pods, and whether each of them is in the mesh.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::Value;

use super::path::Behind;
use super::revisions::opts_out;
use crate::command::{Hint, gloo_rs};

/// The label Istio puts on a pod whose sidecar takes mutual TLS (Gloo's own auto-mTLS reads it too).
pub(crate) const TLS_MODE: &str = "security.istio.io/tlsMode";

/// The annotation Istio puts on a pod whose traffic its node's ztunnel takes.
const REDIRECTION: &str = "ambient.istio.io/redirection";

/// Namespaces whose Services are not applications of the mesh.
const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// The Service an Upstream points at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ServiceRef {
    pub namespace: String,
    pub name: String,
}

/// What an Upstream says about its far end, before anything else is read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Destination {
    Service {
        service: ServiceRef,
        port: Option<u64>,
        selector: BTreeMap<String, String>,
    },
    /// A Service of Gloo, Istio or Kubernetes itself: `kube-system/kube-dns`.
    System(String),
    /// What is behind it is known without reading more.
    Decided(Behind),
}

/// Reads `spec.kube`; `gloo_namespace` is where Gloo's own Services are.
pub(crate) fn destination(upstream: &Value, gloo_namespace: &str) -> Destination {
    let kube = &upstream["spec"]["kube"];
    let text = |key: &str| kube[key].as_str().unwrap_or_default().to_owned();
    if !kube.is_object() {
        return Destination::Decided(Behind::Outside { kind: upstream_type(upstream).to_owned() });
    }
    let service = ServiceRef { namespace: text("serviceNamespace"), name: text("serviceName") };
    if is_system(&service, gloo_namespace) {
        return Destination::System(format!("{}/{}", service.namespace, service.name));
    }
    if service.name.is_empty() || service.namespace.is_empty() {
        return Destination::Decided(Behind::Unknown("spec.kube lacks serviceName or serviceNamespace".into()));
    }
    Destination::Service { service, port: kube["servicePort"].as_u64(), selector: labels(&kube["selector"]) }
}

/// The key under `spec` that says what kind of Upstream it is (`static`, `aws`, `consul`).
pub(crate) fn upstream_type(upstream: &Value) -> &str {
    const TYPES: [&str; 9] = ["static", "aws", "awsEc2", "azure", "consul", "gcp", "pipe", "ai", "kube"];
    TYPES.into_iter().find(|kind| upstream["spec"][kind].is_object()).unwrap_or("unknown type")
}

fn is_system(service: &ServiceRef, gloo_namespace: &str) -> bool {
    SYSTEM_NAMESPACES.contains(&service.namespace.as_str())
        || service.namespace == gloo_namespace
        || (service.namespace == "default" && service.name == "kubernetes")
        || service.name == "istiod"
        || service.name.starts_with("istiod-")
        || service.namespace == "istio-system"
}

/// String values of an object, as a label map.
pub(crate) fn labels(value: &Value) -> BTreeMap<String, String> {
    value
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())))
        .collect()
}

/// The pods of a Deployment or a `DaemonSet`, as the API server takes a selector.
pub(crate) fn workload_selector(workload: &Value) -> String {
    let selector = &workload["spec"]["selector"];
    let equal = labels(&selector["matchLabels"]).into_iter().map(|(key, value)| format!("{key}={value}"));
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten().filter_map(requirement);
    equal.chain(expressions).collect::<Vec<_>>().join(",")
}

/// `tier in (a,b)`, `!tier`: one of `matchExpressions`.
fn requirement(expression: &Value) -> Option<String> {
    let key = expression["key"].as_str()?;
    let values: Vec<_> = expression["values"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let values = values.join(",");
    Some(match expression["operator"].as_str()? {
        "In" => format!("{key} in ({values})"),
        "NotIn" => format!("{key} notin ({values})"),
        "Exists" => key.to_owned(),
        "DoesNotExist" => format!("!{key}"),
        _ => return None,
    })
}

/// What a Service is that only names a host elsewhere: `ExternalName db.example`.
pub(crate) fn external(service: &Value) -> Option<String> {
    let host = service["spec"]["externalName"].as_str().unwrap_or_default();
    (service["spec"]["type"] == "ExternalName").then(|| format!("ExternalName {host}").trim_end().to_owned())
}

/// The labels that pods have to have, all of them: where a key has two values, no pod has both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PodSelector(BTreeSet<(String, String)>);

impl PodSelector {
    /// What a Service and an Upstream together select: Gloo narrows the Service's endpoints by `spec.kube.selector`.
    /// `None` if the Service selects nothing by itself (its endpoints are made by hand).
    pub(crate) fn of(service: &Value, narrowed: &BTreeMap<String, String>) -> Option<Self> {
        let of_service = labels(&service["spec"]["selector"]);
        let has_any = !of_service.is_empty();
        let narrowed = narrowed.iter().map(|(key, value)| (key.clone(), value.clone()));
        has_any.then(|| Self(of_service.into_iter().chain(narrowed).collect()))
    }

    /// Key and value of each.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Whether a pod with these labels is selected.
    pub(crate) fn selects(&self, pod_labels: &Value) -> bool {
        self.pairs().all(|(key, value)| pod_labels[key] == *value)
    }
}

impl fmt::Display for PodSelector {
    /// As the API server takes it: `app=a,version=v2`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pairs: Vec<_> = self.pairs().map(|(key, value)| format!("{key}={value}")).collect();
        f.write_str(&pairs.join(","))
    }
}

/// The pod's port behind one of a Service's: by its number, or by its name in the pod's containers. `None` where
/// they have no such name, or were not read.
pub(crate) fn pod_port(of_service: &Value, pod: &Value) -> Option<u64> {
    let target = &of_service["targetPort"];
    let Some(name) = target.as_str() else { return target.as_u64().or(of_service["port"].as_u64()) };
    let lists = ["containers", "initContainers"].iter().filter_map(|list| pod["spec"][list].as_array());
    let mut ports = lists.flatten().filter_map(|container| container["ports"].as_array()).flatten();
    ports.find(|port| port["name"] == name)?["containerPort"].as_u64()
}

/// Whether a pod with these labels is selected.
pub(crate) fn selects(selector: &BTreeMap<String, String>, pod_labels: &Value) -> bool {
    selector.iter().all(|(key, value)| pod_labels[key] == **value)
}

/// What a pod says that has opted out.
pub(crate) const OPTED_OUT: &str = "opted out by sidecar.istio.io/inject=false";
/// What is so of a pod that shares its node's network.
const HOST_NETWORK: &str = "uses the host's network: Istio injects nothing there";

/// Why Istio puts no sidecar into a pod, or into those of a template, whatever their namespace says. Of a pod whose
/// metadata alone was read, only what stands there is known.
pub(crate) fn barred(pod: &Value) -> Option<&'static str> {
    match opts_out(&pod["metadata"]) {
        true => Some(OPTED_OUT),
        false => (pod["spec"]["hostNetwork"] == true).then_some(HOST_NETWORK),
    }
}

/// What makes a pod that is [`barred`] work again, where Istio's TLS is sent to it.
pub(crate) fn unbarred(why: &str, upstream: &str) -> Hint {
    let plain = gloo_rs("istio disable-mtls").with("-u", upstream);
    plain.after(if why == OPTED_OUT { format!("{why}: take that away, or ") } else { format!("{why}; ") })
}

/// Whether somebody at the pod holds its peers to the mesh's policies: its sidecar, or in an ambient mesh the node's
/// ztunnel.
pub(crate) fn obeys_policies(pod: &Value) -> bool {
    is_meshed(pod) || is_ambient(pod)
}

/// Whether the node's ztunnel stands before the pod. It speaks HBONE, not the mutual TLS of a sidecar.
pub(crate) fn is_ambient(pod: &Value) -> bool {
    pod["metadata"]["annotations"][REDIRECTION] == "enabled"
}

/// Whether a pod takes requests: it has not ended and is not being deleted. Where its status was not read, only the
/// latter is known.
pub(crate) fn is_running(pod: &Value) -> bool {
    pod["metadata"]["deletionTimestamp"].is_null()
        && !matches!(pod["status"]["phase"].as_str(), Some("Succeeded" | "Failed"))
}

/// Whether a pod takes Istio's mutual TLS; a sidecar may be an init container, so the label decides.
pub(crate) fn is_meshed(pod: &Value) -> bool {
    pod["metadata"]["labels"][TLS_MODE] == "istio"
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_its_namespace_cannot_bring_into_the_mesh_says_why() {
        let of = |pod: Value| barred(&pod);
        for place in ["labels", "annotations"] {
            assert_eq!(of(json!({"metadata": {place: {"sidecar.istio.io/inject": "false"}}})), Some(OPTED_OUT));
            assert_eq!(of(json!({"metadata": {place: {"sidecar.istio.io/inject": "true"}}})), None);
        }
        assert_eq!(of(json!({"spec": {"hostNetwork": true}})), Some(HOST_NETWORK));
        assert_eq!(of(json!({"metadata": {}})), None);
        let way = "opted out by sidecar.istio.io/inject=false: take that away, or gloo-rs istio disable-mtls -u x";
        assert_eq!(unbarred(OPTED_OUT, "x"), way);
    }

    #[test]
    fn a_service_may_be_a_name_for_a_host_elsewhere() {
        let service = json!({"spec": {"type": "ExternalName", "externalName": "db.example"}});
        assert_eq!(external(&service).as_deref(), Some("ExternalName db.example"));
        assert_eq!(external(&json!({"spec": {"type": "ClusterIP"}})), None);
    }

    #[test]
    fn a_workload_may_select_its_pods_by_expressions() {
        let selector = |selector: Value| workload_selector(&json!({"spec": {"selector": selector}}));
        assert_eq!(selector(json!({"matchLabels": {"app": "a", "tier": "web"}})), "app=a,tier=web");
        let expressions = json!([
            {"key": "tier", "operator": "In", "values": ["web", "api"]},
            {"key": "old", "operator": "NotIn", "values": ["yes"]},
            {"key": "app", "operator": "Exists"},
            {"key": "canary", "operator": "DoesNotExist"},
        ]);
        let text = selector(json!({"matchExpressions": expressions}));
        assert_eq!(text, "tier in (web,api),old notin (yes),app,!canary");
        let read = crate::model::Selector::parse(&text).unwrap();
        assert!(read.matches(&json!({"tier": "api", "app": "x"})) && !read.matches(&json!({"tier": "db", "app": "x"})));
    }

    #[test]
    fn an_upstreams_selector_narrows_the_services() {
        let service = json!({"spec": {"selector": {"app": "a"}}});
        let narrowed = BTreeMap::from([("version".to_owned(), "v2".to_owned())]);
        let selector = PodSelector::of(&service, &narrowed).unwrap();
        assert!(selector.selects(&json!({"app": "a", "version": "v2", "x": "y"})));
        assert!(!selector.selects(&json!({"app": "a"})));
        assert_eq!(selector.to_string(), "app=a,version=v2");
        assert_eq!(PodSelector::of(&json!({"spec": {}}), &narrowed), None);
        // The Service was changed after Gloo discovered it.
        let other = PodSelector::of(&service, &BTreeMap::from([("app".to_owned(), "b".to_owned())])).unwrap();
        assert!(!other.selects(&json!({"app": "a"})) && !other.selects(&json!({"app": "b"})));
    }

    #[test]
    fn system_services_are_recognised_by_where_they_are() {
        let kube = |namespace: &str, name: &str| json!({"spec": {"kube": {"serviceNamespace": namespace, "serviceName": name, "servicePort": 80}}});
        for (namespace, name) in [("gloo-system", "gloo"), ("kube-system", "kube-dns"), ("default", "kubernetes")] {
            let decided = destination(&kube(namespace, name), "gloo-system");
            assert!(matches!(decided, Destination::System(_)), "{namespace}/{name}");
        }
        assert!(matches!(destination(&kube("default", "httpbin"), "gloo-system"), Destination::Service { .. }));
        assert!(matches!(
            destination(&json!({"spec": {"static": {}}}), "gloo-system"),
            Destination::Decided(Behind::Outside { kind }) if kind == "static"
        ));
    }
}
