//! The TLS of a cluster or a filter chain: its mode, its secrets, its server name.

use serde_json::Value;

use super::list;

/// The TLS settings of a transport socket.
#[derive(Debug, Default)]
pub(super) struct SocketTls {
    /// `TLS` or `mTLS`; empty for plaintext.
    pub mode: &'static str,
    /// The names of the SDS secrets: certificates and validation.
    pub secrets: Vec<String>,
    pub sni: Value,
    pub alpn: Value,
}

/// Reads the `transport_socket` of a cluster or a filter chain. Envoy before 1.14 uses `tls_context`.
pub(super) fn read(owner: &Value) -> SocketTls {
    let socket = &owner["transport_socket"];
    let config = if socket["typed_config"].is_object() { &socket["typed_config"] } else { &owner["tls_context"] };
    let config = inner(config);
    let common = &config["common_tls_context"];
    if !common.is_object() && !is_tls(config) {
        return SocketTls::default();
    }
    let names = |key: &str| list(common, key).filter_map(|it| it["name"].as_str()).map(str::to_owned).collect();
    let own: Vec<String> = names("tls_certificate_sds_secret_configs");
    let has_own = !own.is_empty() || list(common, "tls_certificates").next().is_some();
    let combined = &common["combined_validation_context"]["validation_context_sds_secret_config"]["name"];
    let validation = common["validation_context_sds_secret_config"]["name"].as_str().or_else(|| combined.as_str());
    // A server always has a certificate. It is mutual TLS if the server also requires the client's certificate.
    let is_server = config["@type"].as_str().is_some_and(|kind| kind.ends_with("DownstreamTlsContext"));
    let mutual = if is_server { config["require_client_certificate"] == true } else { has_own };
    SocketTls {
        mode: if mutual { "mTLS" } else { "TLS" },
        secrets: own.into_iter().chain(validation.map(str::to_owned)).collect(),
        sni: config["sni"].clone(),
        alpn: common["alpn_protocols"].clone(),
    }
}

/// The inner transport socket of one that wraps another: the proxy protocol, `StartTLS`.
fn inner(config: &Value) -> &Value {
    let carried = &config["transport_socket"]["typed_config"];
    if carried.is_object() { carried } else { config }
}

fn is_tls(config: &Value) -> bool {
    config["@type"].as_str().is_some_and(|kind| kind.ends_with("TlsContext"))
}
