//! Snapshots of the shape that Gloo's admin port serves.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A resource and its name.
pub type Item = (String, Value);

const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";

/// A field of a protobuf message that is shorter than 128 bytes.
pub fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

/// A cluster as Gloo serves it, and with Istio's TLS.
pub fn cluster(name: &str) -> Item {
    (name.to_owned(), json!({"ProtoMessage": {"name": name, "ClusterDiscoveryType": {"Type": 3}, "LbConfig": null}}))
}

/// The same with Istio's transport socket.
pub fn istio_cluster(name: &str) -> Item {
    tls_cluster(name, "istio_server_cert")
}

/// The same with the transport socket of any certificate.
pub fn tls_cluster(name: &str, secret: &str) -> Item {
    let common = [field(4, b"istio"), field(6, &field(1, secret.as_bytes()))].concat();
    let (name, mut cluster) = cluster(name);
    let context = json!({"type_url": TLS, "value": STANDARD.encode(field(1, &common))});
    cluster["ProtoMessage"]["transport_socket"] =
        json!({"name": "envoy.transport_sockets.tls", "ConfigType": {"TypedConfig": context}});
    (name, cluster)
}

/// What a role is served: types with their version and resources.
pub fn role(name: &str, types: &[(&str, &str, Vec<Item>)]) -> Item {
    let of = |(_, version, items): &(&str, &str, Vec<Item>)| json!({"Version": version, "Items": items.iter().cloned().collect::<serde_json::Map<_, _>>()});
    let all = types.iter().map(|kind| (kind.0.to_owned(), of(kind)));
    (name.to_owned(), Value::Object(all.collect()))
}

/// A role with nothing but clusters.
pub fn clusters(name: &str, clusters: Vec<Item>) -> Item {
    role(name, &[("Endpoints", "1-1", Vec::new()), ("Clusters", "1", clusters)])
}

/// The whole, as 1.18 and later have it.
pub fn snapshot(roles: Vec<Item>, error: &str) -> Vec<u8> {
    let roles: serde_json::Map<_, _> = roles.into_iter().collect();
    json!({"data": roles, "error": error}).to_string().into_bytes()
}
