//! The admin pages of Gloo's control plane.
#![allow(unused_must_use, reason = "a reader is called to see that it does not panic")]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{each, spoiled};
use crate::envoy::state;
use crate::gloo::{Collected, Offers, ServedFilter, ServedSection, compare, metrics, read, socket_of};
use crate::render::diff::Secrets;
use crate::render::served;

const ROLE: &str = "gloo-system~gateway-proxy";

/// A snapshot as Gloo 1.18 serves it: a listener, its routes, a cluster with TLS, endpoints.
fn snapshot() -> Value {
    let kind = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
    let tls = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext";
    let address =
        |port: u16| json!({"Address": {"SocketAddress": {"address": "::", "PortSpecifier": {"PortValue": port}}}});
    let config = json!({"type_url": kind, "value": "GgoSCHJvdXRlcy0x"});
    let to = json!({"Cluster": "x_ns"});
    let weighted = json!({"WeightedClusters": {"clusters": [{"name": "x_ns"}]}});
    let item = |item: Value| json!({"ProtoMessage": item});
    json!({"error": "", "data": {ROLE: {
        "Listeners": {"Version": "3", "Items": {"l": item(json!({
            "name": "l", "address": address(8080),
            "filter_chains": [{"filters": [{"name": "hcm", "ConfigType": {"TypedConfig": config}}]}],
        }))}},
        "Routes": {"Version": "2", "Items": {"routes-1": item(json!({"name": "routes-1", "virtual_hosts": [{
            "name": "all", "domains": ["*", "a.example.com"],
            "routes": [{"Action": {"Route": {"ClusterSpecifier": to}}}, {"Action": {"Route": {"ClusterSpecifier": weighted}}}],
        }]}))}},
        "Clusters": {"Version": "1", "Items": {"x_ns": item(json!({
            "name": "x_ns", "ClusterDiscoveryType": {"Type": 3},
            "transport_socket": {"name": "envoy.transport_sockets.tls", "ConfigType": {"TypedConfig": {"type_url": tls, "value": "CgkiBWlzdGlv"}}},
        }))}},
        "Endpoints": {"Version": "1", "Items": {"x_ns-7": item(json!({"cluster_name": "x_ns", "endpoints": [
            {"lb_endpoints": [{"HostIdentifier": {"Endpoint": {"address": address(80)}}}]},
        ]}))}},
    }}})
}

/// Reads a snapshot in every way.
fn read_all(snapshot: &Value) {
    let text = snapshot.to_string();
    let upstream = Some(("ns".to_owned(), "x".to_owned()));
    let filters = [
        ServedFilter::default(),
        ServedFilter { port: Some(8080), ..ServedFilter::default() },
        ServedFilter { domain: Some("a.example.com".to_owned()), upstream, ..ServedFilter::default() },
    ];
    for filter in filters {
        for project in [served::as_row, served::as_value(Secrets::Masked)] {
            let mut kept = Collected::new(ROLE.to_owned(), filter.clone(), project);
            if read(&mut serde_json::Deserializer::from_str(&text), &mut kept).is_ok() {
                let all = kept.end();
                served::lines(&all);
                served::value(ROLE, all);
            }
        }
    }
    let mut offers = Offers::new(ROLE.to_owned());
    let _ = read(&mut serde_json::Deserializer::from_str(&text), &mut offers);
    for section in ServedSection::ALL {
        compare(section, &offers.take(section), &state::LoadedResources::default());
    }
    socket_of(&snapshot["data"][ROLE]["Clusters"]["Items"]["x_ns"]["ProtoMessage"]);
}

#[test]
fn no_type_of_any_node_of_a_snapshot_is_a_panic() {
    each(&snapshot(), &mut read_all);
}

#[test]
fn a_resource_that_is_not_an_object_is_an_error_that_names_the_resource() {
    for wrong in [json!("x"), json!(7), json!(null), json!(["x"]), json!({"ProtoMessage": "x"})] {
        let text = json!({"data": {ROLE: {"Clusters": {"Items": {"x_ns": wrong}}}}}).to_string();
        let mut kept = Collected::new(ROLE.to_owned(), ServedFilter::default(), served::as_row);
        let why = read(&mut serde_json::Deserializer::from_str(&text), &mut kept).unwrap_err().to_string();
        assert!(why.starts_with("x_ns of clusters is not an object"), "{why}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn no_nodes_of_a_snapshot_are_a_panic(snapshot in spoiled(&snapshot())) {
        read_all(&snapshot);
    }

    #[test]
    fn a_snapshot_that_ends_anywhere_is_an_error(at in any::<prop::sample::Index>()) {
        let text = snapshot().to_string();
        let cut = &text.as_bytes()[..at.index(text.len())];
        let mut kept = Collected::new(ROLE.to_owned(), ServedFilter::default(), served::as_row);
        prop_assert!(read(&mut serde_json::Deserializer::from_slice(cut), &mut kept).is_err());
    }

    #[test]
    fn no_page_of_metrics_is_a_panic(page in "([a-z_]{0,8}([{][a-z=\",\\\\]{0,12}[}]?)? ?[0-9eE.+NaInf-]{0,6}\n?){0,4}") {
        metrics::parse(&page);
    }
}
