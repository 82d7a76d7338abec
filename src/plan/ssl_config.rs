//! The kind of an Upstream's `sslConfig`: managed by Istio, not managed by Istio, or none.
//!
//! Istio's is the one that Gloo's own documentation and `glooctl istio enable-mtls` write. It was tested end to end
//! with an Envoy that requires a client certificate.

use serde_json::{Value, json};

use crate::edit::Edit;
use crate::model::FieldPath;

pub(crate) use crate::edit::bootstrap::SDS_CLUSTER;
/// The address of that cluster.
pub(crate) const SDS_TARGET: &str = "127.0.0.1:8234";
pub(super) const CERTIFICATE: &str = "istio_server_cert";
pub(super) const VALIDATION: &str = "istio_validation_context";

/// Returns the `sslConfig` with which Envoy presents and requires Istio's certificates.
pub fn istio_ssl_config() -> Value {
    json!({
        "alpnProtocols": ["istio"],
        "sds": {
            "certificatesSecretName": CERTIFICATE,
            "clusterName": SDS_CLUSTER,
            "targetUri": SDS_TARGET,
            "validationContextName": VALIDATION,
        },
    })
}

/// The kind of an Upstream's `sslConfig`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Tls<'v> {
    /// None: plaintext, unless auto-mTLS decides otherwise.
    Absent,
    /// Istio's certificates, from the gateway's own SDS server.
    Istio(&'v Value),
    /// TLS settings not managed by Istio.
    Other(&'v Value),
}

/// Reads the `sslConfig` of an Upstream.
pub(crate) fn tls_of(upstream: &Value) -> Tls<'_> {
    match &upstream["spec"]["sslConfig"] {
        Value::Null => Tls::Absent,
        config if is_istio(config) => Tls::Istio(config),
        config => Tls::Other(config),
    }
}

/// Returns whether an `sslConfig` is Istio's. For an `sds` block with neither cluster nor target, Gloo uses
/// `gateway_proxy_sds` (projects/gloo/pkg/utils/ssl.go, buildSds), so such a block is Istio's too.
fn is_istio(config: &Value) -> bool {
    let sds = &config["sds"];
    let absent_or = |key: &str, wanted: &str| sds[key].is_null() || sds[key] == wanted;
    sds.is_object()
        && config["secretRef"].is_null()
        && config["sslFiles"].is_null()
        && sds["callCredentials"].is_null()
        && sds["certificatesSecretName"] == CERTIFICATE
        && absent_or("validationContextName", VALIDATION)
        && absent_or("clusterName", SDS_CLUSTER)
        && absent_or("targetUri", SDS_TARGET)
}

/// Returns the keys of an Istio `sslConfig` that are not Istio's: `sni`, `verifySubjectAltName`.
pub(crate) fn additions(config: &Value) -> Vec<&str> {
    config
        .as_object()
        .into_iter()
        .flat_map(|map| map.keys())
        .map(String::as_str)
        .filter(|key| !matches!(*key, "alpnProtocols" | "sds"))
        .collect()
}

/// Returns the edits that complete an Istio `sslConfig`.
pub(crate) fn completions(config: &Value) -> Vec<Edit> {
    let whole = istio_ssl_config();
    let mut edits = Vec::new();
    if config["alpnProtocols"].is_null() {
        edits.push(Edit::set(FieldPath::keys(&["spec", "sslConfig", "alpnProtocols"]), whole["alpnProtocols"].clone()));
    }
    for key in ["clusterName", "targetUri", "validationContextName"] {
        if config["sds"][key].is_null() {
            edits.push(Edit::set(FieldPath::keys(&["spec", "sslConfig", "sds", key]), whole["sds"][key].clone()));
        }
    }
    edits
}

/// The field in an Upstream's spec that opts it out of auto-mTLS.
pub(crate) const OPT_OUT: &str = "disableIstioAutoMtls";

/// Returns the TLS that an Upstream of this type uses without an `sslConfig`. Auto-mTLS may send plaintext there,
/// because its raw-buffer match for pods without sidecar comes first.
pub(crate) fn tls_of_type(spec: &Value) -> Option<&'static str> {
    if spec["aws"].is_object() {
        return Some("aws has TLS of its own");
    }
    if spec["azure"].is_object() {
        return Some("azure has TLS of its own");
    }
    let fixed = &spec["static"];
    let https = || fixed["hosts"].as_array().is_some_and(|hosts| hosts.iter().any(|host| host["port"] == 443));
    // Gloo's static plugin uses TLS if `useTls` is true, or at port 443 unless it is false.
    let tls = fixed["useTls"] == true || (fixed["useTls"].is_null() && https());
    tls.then_some("static, with TLS without an sslConfig")
}

/// Returns whether an `sds` block refers to the cluster. Gloo also uses the cluster if the block names none
/// (projects/gloo/pkg/utils/ssl.go, buildSds).
pub(crate) fn leads_here(sds: &Value) -> bool {
    let target = &sds["targetUri"];
    let by_default =
        sds["clusterName"].as_str().unwrap_or_default().is_empty() && (target.is_null() || *target == SDS_TARGET);
    sds.is_object() && (sds["clusterName"] == SDS_CLUSTER || (by_default && sds["callCredentials"].is_null()))
}
