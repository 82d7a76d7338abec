//! Names defined by Gloo, Istio and Kubernetes, the same in every cluster.

/// The default of Istio's namespace, whose policies apply to the whole mesh.
pub(crate) const ISTIO_SYSTEM: &str = "istio-system";
/// The name of Gloo's Settings in its namespace.
pub(crate) const SETTINGS: &str = "default";
/// The label of a gateway proxy's workload, pods and `ConfigMap`.
pub(crate) const GATEWAY_PROXY: (&str, &str) = ("gloo", "gateway-proxy");
/// The label of a workload of the Kubernetes Gateway API; its value is the Gateway's name.
pub(crate) const KUBE_GATEWAY_LABEL: &str = "gateway.networking.k8s.io/gateway-name";
/// The controller of Gloo's `GatewayClass`.
pub(crate) const GATEWAY_CONTROLLER: &str = "solo.io/gloo-gateway";
/// The annotation of a Gateway that names its own `GatewayParameters`, in its namespace.
pub(crate) const OWN_PARAMETERS: &str = "gateway.gloo.solo.io/gateway-parameters-name";
/// The field selector for pods that have not ended. Pods that have ended answer no request.
pub(crate) const RUNNING: &str = "status.phase!=Succeeded,status.phase!=Failed";
