//! Reads the opaque parts of served resources: a cluster's TLS, a listener's routes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

use super::wire::texts;

const UPSTREAM_TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
const CONNECTION_MANAGER: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
/// The field `common_tls_context.tls_certificate_sds_secret_configs.name`.
const CERTIFICATES: [u64; 3] = [1, 6, 1];
/// The field `common_tls_context.alpn_protocols`.
const PROTOCOLS: [u64; 2] = [1, 4];
/// The field `rds.route_config_name`.
const ROUTES: [u64; 2] = [3, 2];

/// The transport that Envoy uses to the endpoints of a cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Socket {
    /// No transport socket: plaintext, unless a transport socket match for auto-mTLS decides otherwise.
    Plain,
    /// Istio's mutual TLS: the certificate of the gateway's own SDS server, with Istio's ALPN.
    Istio,
    /// Any other transport socket.
    Other,
}

impl Socket {
    /// The text in a table.
    pub(crate) fn shown(self) -> &'static str {
        match self {
            Self::Plain => "-",
            Self::Istio => "istio",
            Self::Other => "tls",
        }
    }
}

/// Reads a served cluster's transport socket. Auto-mTLS uses transport socket matches, which are not considered.
#[must_use]
pub(crate) fn socket_of(cluster: &Value) -> Socket {
    let socket = &cluster["transport_socket"];
    if socket.is_null() {
        return Socket::Plain;
    }
    let Some((kind, message)) = any(&socket["ConfigType"]["TypedConfig"]) else { return Socket::Other };
    let has = |way: &[u64], text: &str| texts(&message, way).contains(&text);
    match kind == UPSTREAM_TLS && has(&CERTIFICATES, "istio_server_cert") && has(&PROTOCOLS, "istio") {
        true => Socket::Istio,
        false => Socket::Other,
    }
}

/// The names of the route configurations that a served listener uses.
#[must_use]
pub(crate) fn route_configs(listener: &Value) -> Vec<String> {
    let chains = listener["filter_chains"].as_array().into_iter().flatten().chain([&listener["default_filter_chain"]]);
    let filters = chains.filter_map(|chain| chain["filters"].as_array()).flatten();
    let mut names: Vec<String> = filters
        .filter_map(|filter| any(&filter["ConfigType"]["TypedConfig"]))
        .filter(|(kind, _)| *kind == CONNECTION_MANAGER)
        .flat_map(|(_, message)| texts(&message, &ROUTES).into_iter().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The type and the message of an `Any`.
fn any(value: &Value) -> Option<(&str, Vec<u8>)> {
    Some((value["type_url"].as_str()?, STANDARD.decode(value["value"].as_str()?).ok()?))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A field of a message. Numbers and lengths are below 128 here.
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
    }

    fn cluster(kind: &str, secret: &str, protocol: &str) -> Value {
        let common = [field(4, protocol.as_bytes()), field(6, &field(1, secret.as_bytes()))].concat();
        let config = json!({"type_url": kind, "value": STANDARD.encode(field(1, &common))});
        json!({"name": "x_ns", "transport_socket": {"name": "envoy.transport_sockets.tls", "ConfigType": {"TypedConfig": config}}})
    }

    #[test]
    fn istios_socket_is_told_by_its_secret_and_protocol() {
        assert_eq!(socket_of(&json!({"name": "x_ns"})), Socket::Plain);
        assert_eq!(socket_of(&cluster(UPSTREAM_TLS, "istio_server_cert", "istio")), Socket::Istio);
        assert_eq!(socket_of(&cluster(UPSTREAM_TLS, "istio_server_cert", "h2")), Socket::Other);
        assert_eq!(socket_of(&cluster(UPSTREAM_TLS, "mine", "istio")), Socket::Other);
        assert_eq!(socket_of(&cluster("type.googleapis.com/x", "istio_server_cert", "istio")), Socket::Other);
        assert_eq!(socket_of(&json!({"transport_socket": {"ConfigType": 7}})), Socket::Other);
    }

    #[test]
    fn matches_of_auto_mtls_are_no_socket() {
        let matches = json!({"transport_socket_matches": [cluster(UPSTREAM_TLS, "istio_server_cert", "istio")]});
        assert_eq!(socket_of(&matches), Socket::Plain);
    }

    #[test]
    fn a_listeners_routes_are_found_in_its_connection_managers() {
        let manager = [field(2, b"http"), field(3, &field(2, b"listener-::-8080-routes"))].concat();
        let filter = |kind: &str| json!({"name": "x", "ConfigType": {"TypedConfig": {"type_url": kind, "value": STANDARD.encode(&manager)}}});
        let listener = json!({"filter_chains": [
            {"filters": [filter(CONNECTION_MANAGER), filter("type.googleapis.com/other")]},
            {"filters": [filter(CONNECTION_MANAGER)]},
        ]});
        assert_eq!(route_configs(&listener), ["listener-::-8080-routes"]);
        assert_eq!(route_configs(&json!({"filter_chains": 7})), [""; 0]);
    }
}
