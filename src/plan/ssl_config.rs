//! What an Upstream's `sslConfig` is: Istio's, somebody else's or none.
//!
//! Istio's is the one Gloo's own documentation and `glooctl istio enable-mtls` write; it was
//! tried end to end with an Envoy that demands a client certificate.

use serde_json::{Value, json};

use crate::edit::Edit;
use crate::model::FieldPath;

pub(crate) use crate::edit::bootstrap::SDS_CLUSTER;
/// Where that cluster leads.
pub(crate) const SDS_TARGET: &str = "127.0.0.1:8234";
pub(super) const CERTIFICATE: &str = "istio_server_cert";
pub(super) const VALIDATION: &str = "istio_validation_context";

/// The `sslConfig` that makes Envoy present and demand Istio's certificates.
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

/// What an Upstream's `sslConfig` is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Tls<'v> {
    /// There is none: plaintext, unless auto-mTLS decides otherwise.
    Absent,
    /// Istio's certificates, from the gateway's own SDS server.
    Istio(&'v Value),
    /// Somebody else's.
    Other(&'v Value),
}

/// Reads an Upstream's `sslConfig`.
pub(crate) fn tls_of(upstream: &Value) -> Tls<'_> {
    match &upstream["spec"]["sslConfig"] {
        Value::Null => Tls::Absent,
        config if is_istio(config) => Tls::Istio(config),
        config => Tls::Other(config),
    }
}

/// Gloo fills an `sds` block that names neither cluster nor target with `gateway_proxy_sds`
/// (projects/gloo/pkg/utils/ssl.go, buildSds), so such a block means Istio's as well.
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

/// The keys of an Istio `sslConfig` that are not Istio's: `sni`, `verifySubjectAltName`.
pub(crate) fn additions(config: &Value) -> Vec<&str> {
    config
        .as_object()
        .into_iter()
        .flat_map(|map| map.keys())
        .map(String::as_str)
        .filter(|key| !matches!(*key, "alpnProtocols" | "sds"))
        .collect()
}

/// What an Istio `sslConfig` lacks of the whole one.
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

/// The field of an Upstream's spec that opts it out of auto-mTLS.
pub(crate) const OPT_OUT: &str = "disableIstioAutoMtls";

/// The TLS that the type of an Upstream brings without an `sslConfig`. Auto-mTLS may send plaintext there: its
/// raw-buffer match for pods without sidecar comes first.
pub(crate) fn tls_of_type(spec: &Value) -> Option<&'static str> {
    if spec["aws"].is_object() {
        return Some("aws has TLS of its own");
    }
    if spec["azure"].is_object() {
        return Some("azure has TLS of its own");
    }
    let fixed = &spec["static"];
    let https = || fixed["hosts"].as_array().is_some_and(|hosts| hosts.iter().any(|host| host["port"] == 443));
    // Gloo's static plugin: TLS if asked for, or at port 443 unless it is turned down.
    let tls = fixed["useTls"] == true || (fixed["useTls"].is_null() && https());
    tls.then_some("static, with TLS without an sslConfig")
}

/// Whether an `sds` block points at the cluster. Gloo takes it for one that names none
/// (projects/gloo/pkg/utils/ssl.go, buildSds).
pub(crate) fn leads_here(sds: &Value) -> bool {
    let target = &sds["targetUri"];
    let by_default =
        sds["clusterName"].as_str().unwrap_or_default().is_empty() && (target.is_null() || *target == SDS_TARGET);
    sds.is_object() && (sds["clusterName"] == SDS_CLUSTER || (by_default && sds["callCredentials"].is_null()))
}
