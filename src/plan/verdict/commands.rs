//! The commands that mend what a verdict found, or look further into it.

/// Brings the workloads of a namespace into the mesh.
pub fn enroll(namespace: &str) -> String {
    format!("gloo-rs istio enroll {namespace}")
}

/// Makes an Upstream speak mutual TLS; `upstream` as `--upstream` takes it.
pub fn enable_mtls(upstream: &str) -> String {
    format!("gloo-rs istio enable-mtls --upstream {upstream}")
}

/// Says of each pod behind an Upstream what becomes of requests to it.
pub fn describe(upstream: &str) -> String {
    format!("gloo-rs istio describe upstream {upstream}")
}

/// Puts the sidecars beside the gateway, and their cluster into its bootstrap.
pub const INJECT: &str = "gloo-rs istio inject";
/// Follows a request through the routes.
pub const DESCRIBE: &str = "gloo-rs istio describe --host HOST --path PATH";
/// What Gloo serves beside what Envoy has.
pub const SERVED: &str = "gloo-rs proxy served-config --diff";
/// Whether the certificates are of the root that the mesh has now.
pub const ROOT: &str = "gloo-rs proxy certs";
/// What Envoy said lately.
pub const LOGS: &str = "gloo-rs proxy logs --since 10m";
/// What the gateway's SDS server says.
pub const SDS_LOGS: &str = "gloo-rs proxy logs --container sds";
/// What the sidecar that gets the certificates says.
pub const ISTIO_LOGS: &str = "gloo-rs proxy logs --container istio-proxy";
