//! Names that Gloo, Istio and Kubernetes give, the same in every cluster.

/// Where Istio is installed, and whose policies are the mesh's, if nothing says otherwise.
pub(crate) const ISTIO_SYSTEM: &str = "istio-system";
/// Gloo's Settings, in its namespace.
pub(crate) const SETTINGS: &str = "default";
/// The label of a gateway proxy's workload, pods and `ConfigMap` alike.
pub(crate) const GATEWAY_PROXY: (&str, &str) = ("gloo", "gateway-proxy");
/// The label of a workload of the Kubernetes Gateway API, with the Gateway's name.
pub(crate) const KUBE_GATEWAY_LABEL: &str = "gateway.networking.k8s.io/gateway-name";
/// The field selector of pods that have not ended: those that have answer no request.
pub(crate) const RUNNING: &str = "status.phase!=Succeeded,status.phase!=Failed";
