//! The commands that mend what a verdict found, or look further into it.

/// Brings the workloads of a namespace into the mesh.
pub fn enroll(namespace: &str) -> String {
    format!(
        "kubectl label namespace {namespace} istio.io/rev=REVISION && kubectl rollout restart deployment -n {namespace}"
    )
}

/// Makes an Upstream speak mutual TLS; `upstream` as `--upstream` takes it.
pub fn enable_mtls(upstream: &str) -> String {
    format!("gloo-rs istio enable-mtls --upstream {upstream}")
}

/// Puts the sidecars beside the gateway, and their cluster into its bootstrap.
pub const INJECT: &str = "gloo-rs istio inject";
/// Follows a request through the routes.
pub const DESCRIBE: &str = "gloo-rs istio describe --host HOST --path PATH";
/// Whether Envoy takes what Gloo serves.
pub const SERVED: &str = "gloo-rs proxy stats --filter cluster_manager.cds";
/// The root that the mesh has now.
pub const ROOT: &str = "kubectl get configmap istio-ca-root-cert -n gloo-system -o yaml";
/// What Envoy said lately.
pub const LOGS: &str = "kubectl logs -l gloo=gateway-proxy --since 10m -n gloo-system";
/// What the gateway's SDS server says.
pub const SDS_LOGS: &str = "kubectl logs -l gloo=gateway-proxy -c sds -n gloo-system";
/// What the sidecar that gets the certificates says.
pub const ISTIO_LOGS: &str = "kubectl logs -l gloo=gateway-proxy -c istio-proxy -n gloo-system";
