//! The commands that fix the problem of a verdict, or show more about it.

use crate::command::{CommandLine, gloo_rs};

/// Makes an Upstream send mutual TLS. `upstream` is a value for `--upstream`.
pub(super) fn enable_mtls(upstream: &str) -> CommandLine {
    gloo_rs("istio enable-mtls").with("--upstream", upstream)
}

/// Shows the result of requests to each pod behind an Upstream.
pub(super) fn describe(upstream: &str) -> CommandLine {
    gloo_rs("istio describe upstream").value(upstream)
}

/// Follows a request through the routes.
pub(super) fn describe_host() -> CommandLine {
    gloo_rs("istio describe --host HOST --path PATH")
}

/// Compares what Gloo serves with what Envoy has.
pub(super) fn served() -> CommandLine {
    gloo_rs("proxy served-config --diff")
}

/// Shows whether the certificates have the current root of the mesh.
pub(super) fn root() -> CommandLine {
    gloo_rs("proxy certs")
}

/// Shows Envoy's recent logs.
pub(super) fn logs() -> CommandLine {
    gloo_rs("proxy logs --since 10m")
}

/// Shows the logs of the gateway's SDS server.
pub(super) fn sds_logs() -> CommandLine {
    gloo_rs("proxy logs --container sds")
}

/// Shows the logs of the sidecar that gets the certificates.
pub(super) fn istio_logs() -> CommandLine {
    gloo_rs("proxy logs --container istio-proxy")
}
