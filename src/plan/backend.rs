//! The destination of an Upstream, as far as the Upstream itself defines it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::fields;
use super::labels::labels;
use super::path::Behind;

/// Namespaces whose Services are not applications in the mesh.
const SYSTEM_NAMESPACES: [&str; 3] = ["kube-system", "kube-public", "kube-node-lease"];

/// The Service that an Upstream refers to.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ServiceRef {
    pub namespace: String,
    pub name: String,
}

/// The destination of an Upstream, before any other object is read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Backend {
    Service {
        service: ServiceRef,
        port: Option<u64>,
        selector: BTreeMap<String, String>,
    },
    /// A Service of Gloo, Istio or Kubernetes: `kube-system/kube-dns`.
    System(String),
    /// The destination is known without reading other objects.
    Decided(Behind),
}

/// Reads `spec.kube`. `gloo_namespace` is the namespace of Gloo's own Services.
pub(crate) fn destination(upstream: &Value, gloo_namespace: &str) -> Backend {
    let kube = &upstream["spec"]["kube"];
    let text = |key: &str| kube[key].as_str().unwrap_or_default().to_owned();
    if !kube.is_object() {
        return Backend::Decided(Behind::Outside { kind: upstream_type(upstream).to_owned() });
    }
    if let Some(unknown) = misspelt(upstream) {
        return Backend::Decided(unknown);
    }
    let service = ServiceRef { namespace: text("serviceNamespace"), name: text("serviceName") };
    if is_system(&service, gloo_namespace) {
        return Backend::System(format!("{}/{}", service.namespace, service.name));
    }
    if service.name.is_empty() || service.namespace.is_empty() {
        return Backend::Decided(Behind::Unknown("spec.kube lacks serviceName or serviceNamespace".into()));
    }
    Backend::Service { service, port: kube["servicePort"].as_u64(), selector: labels(&kube["selector"]) }
}

/// Returns that the Service of an Upstream is unknown if `spec.kube` has fields that the CRD does not have.
pub(crate) fn misspelt(upstream: &Value) -> Option<Behind> {
    let misspelt = fields::in_kube(upstream);
    (!misspelt.is_empty()).then(|| Behind::Unknown(fields::sentence(&misspelt).into()))
}

/// Returns the key under `spec` that is the type of the Upstream (`static`, `aws`, `consul`).
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

/// Returns the host of a Service that only names an external host: `ExternalName db.example`.
pub(crate) fn external(service: &Value) -> Option<String> {
    let host = service["spec"]["externalName"].as_str().unwrap_or_default();
    (service["spec"]["type"] == "ExternalName").then(|| format!("ExternalName {host}").trim_end().to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_service_may_be_a_name_for_a_host_elsewhere() {
        let service = json!({"spec": {"type": "ExternalName", "externalName": "db.example"}});
        assert_eq!(external(&service).as_deref(), Some("ExternalName db.example"));
        assert_eq!(external(&json!({"spec": {"type": "ClusterIP"}})), None);
    }

    #[test]
    fn system_services_are_recognised_by_where_they_are() {
        let kube = |namespace: &str, name: &str| json!({"spec": {"kube": {"serviceNamespace": namespace, "serviceName": name, "servicePort": 80}}});
        for (namespace, name) in [("gloo-system", "gloo"), ("kube-system", "kube-dns"), ("default", "kubernetes")] {
            let decided = destination(&kube(namespace, name), "gloo-system");
            assert!(matches!(decided, Backend::System(_)), "{namespace}/{name}");
        }
        assert!(matches!(destination(&kube("default", "httpbin"), "gloo-system"), Backend::Service { .. }));
        assert!(matches!(
            destination(&json!({"spec": {"static": {}}}), "gloo-system"),
            Backend::Decided(Behind::Outside { kind }) if kind == "static"
        ));
    }
}
