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
    /// Istio's certificates, from the files that istio-proxy writes.
    IstioFiles(&'v Value),
    /// TLS settings not managed by Istio.
    Other(&'v Value),
}

/// Reads the `sslConfig` of an Upstream.
pub(crate) fn tls_of(upstream: &Value) -> Tls<'_> {
    match &upstream["spec"]["sslConfig"] {
        Value::Null => Tls::Absent,
        config if is_istio(config) => Tls::Istio(config),
        config if is_istio_by_file(config) => Tls::IstioFiles(config),
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

/// The directories to which istio-proxy writes the certificates of its workload for other containers: `OUTPUT_CERTS` in
/// Gloo's chart, in Istio's documentation, and the mounted Secret before Istio 1.5.
const CERTIFICATE_DIRECTORIES: [&str; 3] = ["/etc/istio-certs", "/etc/istio-output-certs", "/etc/certs"];
/// The names of these files (Istio, `security/pkg/nodeagent/cache`).
const CERTIFICATE_FILES: [(&str, &str); 3] =
    [("tlsCert", "cert-chain.pem"), ("tlsKey", "key.pem"), ("rootCa", "root-cert.pem")];

/// Returns whether all certificates of an `sslConfig` are files of Istio. The root is optional.
fn is_istio_by_file(config: &Value) -> bool {
    let files = &config["sslFiles"];
    let is_istios = |key: &str, name: &str| {
        let place = files[key].as_str().and_then(|path| path.rsplit_once('/'));
        place.is_some_and(|(directory, file)| CERTIFICATE_DIRECTORIES.contains(&directory) && file == name)
    };
    config["secretRef"].is_null()
        && config["sds"].is_null()
        && CERTIFICATE_FILES
            .iter()
            .all(|(key, name)| is_istios(key, name) || (*key == "rootCa" && files["rootCa"].is_null()))
}

/// Returns the edits that replace Istio's certificate files of an Upstream with this spec by its SDS.
pub(crate) fn files_to_sds(spec: &Value) -> Vec<Edit> {
    let mut edits = vec![
        Edit::set(FieldPath::keys(&["spec", "sslConfig", "sds"]), istio_ssl_config()["sds"].clone()),
        Edit::remove(FieldPath::keys(&["spec", "sslConfig", "sslFiles"])),
    ];
    edits.extend(alpn_completion(spec));
    edits
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

/// The ALPN names with which Istio's own proxies announce the mesh's TLS. A PERMISSIVE sidecar matches its filter chain
/// for mutual TLS by them (Istio, `allIstioMtlsALPNs` in `pilot/pkg/networking/core/listener.go`).
const ALPN_OF_THE_MESH: [&str; 5] = ["istio", "istio-peer-exchange", "istio-http/1.0", "istio-http/1.1", "istio-h2"];

/// Returns the ALPN names of an `sslConfig`.
fn alpn(config: &Value) -> impl Iterator<Item = &str> {
    config["alpnProtocols"].as_array().into_iter().flatten().filter_map(Value::as_str)
}

/// Returns whether a PERMISSIVE sidecar recognizes this TLS as the mesh's.
pub(crate) fn announces_mesh(config: &Value) -> bool {
    alpn(config).any(|name| ALPN_OF_THE_MESH.contains(&name))
}

/// Returns whether Gloo may send HTTP/2 to an Upstream with this spec: always with `useHttp2` and to a gRPC service
/// (`projects/gloo/pkg/plugins/grpc`), and for some requests with `protocolSelection`.
fn may_send_http2(spec: &Value) -> bool {
    let types = spec.as_object().into_iter().flat_map(|spec| spec.values());
    let is_grpc = |service: &Value| service["grpc"].is_object() || service["grpcJsonTranscoder"].is_object();
    let follows_client = spec["protocolSelection"].as_str().is_some_and(|it| it == "USE_DOWNSTREAM_PROTOCOL");
    spec["useHttp2"] == true || follows_client || types.map(|it| &it["serviceSpec"]).any(is_grpc)
}

/// Returns whether the ALPN of the `sslConfig` offers HTTP/2, but Gloo sends HTTP/1.1. The sidecar of an HTTP port selects
/// `h2` and then expects HTTP/2.
pub(crate) fn offers_http2_in_vain(spec: &Value) -> bool {
    alpn(&spec["sslConfig"]).any(|name| name == "h2") && !may_send_http2(spec)
}

/// Returns the edit that makes the ALPN one that a sidecar recognizes and that fits what Gloo sends. Other names stay: a
/// proxyless gRPC server requires `h2`.
fn alpn_completion(spec: &Value) -> Option<Edit> {
    let announces = announces_mesh(&spec["sslConfig"]);
    let in_vain = offers_http2_in_vain(spec);
    if announces && !in_vain {
        return None;
    }
    let own = alpn(&spec["sslConfig"]).filter(|name| !in_vain || *name != "h2");
    let names: Value = (!announces).then_some("istio").into_iter().chain(own).collect();
    Some(Edit::set(FieldPath::keys(&["spec", "sslConfig", "alpnProtocols"]), names))
}

/// Returns the edits that complete the Istio `sslConfig` of an Upstream with this spec.
pub(crate) fn completions(spec: &Value) -> Vec<Edit> {
    let (config, whole) = (&spec["sslConfig"], istio_ssl_config());
    let mut edits = Vec::from_iter(alpn_completion(spec));
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
