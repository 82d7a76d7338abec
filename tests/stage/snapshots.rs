//! Snapshots in the format of Gloo's admin port.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// A name and its resource.
pub type Item = (String, Value);

const TLS: &str = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
const MANAGER: &str =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

/// A protobuf field shorter than 128 bytes.
pub fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).expect("a short field")], bytes].concat()
}

/// A cluster as Gloo serves it, without TLS.
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

/// A listener on a port, whose route configuration is named `listener-::-PORT-routes`.
pub fn listener(port: u16) -> Item {
    let name = format!("listener-::-{port}");
    let manager = [field(2, b"http"), field(3, &field(2, format!("{name}-routes").as_bytes()))].concat();
    let config = json!({"type_url": MANAGER, "value": STANDARD.encode(manager)});
    let filter =
        json!({"name": "envoy.filters.network.http_connection_manager", "ConfigType": {"TypedConfig": config}});
    let address = json!({"Address": {"SocketAddress": {"address": "::", "PortSpecifier": {"PortValue": port}}}});
    let listener = json!({"name": name, "address": address, "filter_chains": [{"filters": [filter]}]});
    (name, json!({"ProtoMessage": listener}))
}

/// The routes of a listener: each a virtual host, its domains, and the destination cluster.
pub fn routes(port: u16, hosts: &[(&str, &[&str], &str)]) -> Item {
    let name = format!("listener-::-{port}-routes");
    let host = |(name, domains, cluster): &(&str, &[&str], &str)| {
        let action = json!({"Route": {"ClusterSpecifier": {"Cluster": cluster}}});
        json!({"name": name, "domains": domains, "routes": [{"match": {"PathSpecifier": {"Prefix": "/"}}, "Action": action}]})
    };
    let hosts: Vec<_> = hosts.iter().map(host).collect();
    (name.clone(), json!({"ProtoMessage": {"name": name, "virtual_hosts": hosts}}))
}

/// The endpoints of a cluster.
pub fn endpoints(name: &str, addresses: &[(&str, u16)]) -> Item {
    let endpoint = |(address, port): &(&str, u16)| {
        let address = json!({"Address": {"SocketAddress": {"address": address, "PortSpecifier": {"PortValue": port}}}});
        json!({"HostIdentifier": {"Endpoint": {"address": address}}})
    };
    let all: Vec<_> = addresses.iter().map(endpoint).collect();
    (
        name.to_owned(),
        json!({"ProtoMessage": {"cluster_name": name, "endpoints": [{"lb_endpoints": all, "LbConfig": null}]}}),
    )
}

/// The resources that a role is served: types with their version and resources.
pub fn role(name: &str, types: &[(&str, &str, Vec<Item>)]) -> Item {
    let of = |(_, version, items): &(&str, &str, Vec<Item>)| json!({"Version": version, "Items": items.iter().cloned().collect::<serde_json::Map<_, _>>()});
    let all = types.iter().map(|kind| (kind.0.to_owned(), of(kind)));
    (name.to_owned(), Value::Object(all.collect()))
}

/// A role that has only clusters.
pub fn clusters(name: &str, clusters: Vec<Item>) -> Item {
    role(name, &[("Endpoints", "1-1", Vec::new()), ("Clusters", "1", clusters)])
}

/// The whole snapshot, as in 1.18 and later.
pub fn snapshot(roles: Vec<Item>, error: &str) -> Vec<u8> {
    let roles: serde_json::Map<_, _> = roles.into_iter().collect();
    json!({"data": roles, "error": error}).to_string().into_bytes()
}
