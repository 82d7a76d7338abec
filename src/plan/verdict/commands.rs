//! The commands that fix what a verdict found, or look further into it.

use crate::command::{CommandLine, gloo_rs};

/// Brings the workloads of a namespace into the mesh.
pub(super) fn enroll(namespace: &str) -> CommandLine {
    gloo_rs("istio enroll").value(namespace)
}

/// Makes an Upstream speak mutual TLS; `upstream` as `--upstream` takes it.
pub(super) fn enable_mtls(upstream: &str) -> CommandLine {
    gloo_rs("istio enable-mtls").with("--upstream", upstream)
}

/// Says of each pod behind an Upstream what becomes of requests to it.
pub(super) fn describe(upstream: &str) -> CommandLine {
    gloo_rs("istio describe upstream").value(upstream)
}

/// Adds the sidecars to the gateway, and their cluster to its bootstrap.
pub(super) fn inject() -> CommandLine {
    gloo_rs("istio inject")
}

/// Follows a request through the routes.
pub(super) fn describe_host() -> CommandLine {
    gloo_rs("istio describe --host HOST --path PATH")
}

/// What Gloo serves next to what Envoy has.
pub(super) fn served() -> CommandLine {
    gloo_rs("proxy served-config --diff")
}

/// Whether the certificates are of the root that the mesh has now.
pub(super) fn root() -> CommandLine {
    gloo_rs("proxy certs")
}

/// What Envoy said lately.
pub(super) fn logs() -> CommandLine {
    gloo_rs("proxy logs --since 10m")
}

/// What the gateway's SDS server says.
pub(super) fn sds_logs() -> CommandLine {
    gloo_rs("proxy logs --container sds")
}

/// What the sidecar that gets the certificates says.
pub(super) fn istio_logs() -> CommandLine {
    gloo_rs("proxy logs --container istio-proxy")
}
