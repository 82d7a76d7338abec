//! The bootstrap: the identity of Envoy, and the sources of its configuration.

use serde_json::{Value, json};

use super::{Column, ViewRow, address, cell, column, list, row};

pub(super) const COLUMNS: [Column; 2] = [column("SETTING", "setting"), column("VALUE", "value")];

/// The rows of a bootstrap whose secrets are masked.
pub(super) fn rows(bootstrap: &Value) -> Vec<ViewRow> {
    let node = &bootstrap["node"];
    let version = &node["user_agent_build_version"]["version"];
    let version = version.is_object().then(|| {
        let part = |key: &str| version[key].as_u64().unwrap_or_default();
        format!("{}.{}.{}", part("major_number"), part("minor_number"), part("patch"))
    });
    let resources = &bootstrap["static_resources"];
    let names = |key: &str| list(resources, key).filter_map(|it| it["name"].as_str()).collect::<Vec<_>>();
    let settings = [
        ("node id", node["id"].clone()),
        ("node cluster", node["cluster"].clone()),
        ("role", node["metadata"]["role"].clone()),
        ("envoy", json!(version)),
        ("admin", json!(address(&bootstrap["admin"]["address"]).0)),
        ("xds", json!(sources(&bootstrap["dynamic_resources"]))),
        ("static clusters", json!(names("clusters"))),
        ("static listeners", json!(names("listeners"))),
    ];
    settings
        .into_iter()
        .filter(|(_, value)| cell(Some(value)) != "-")
        .map(|(setting, value)| row([("setting", json!(setting)), ("value", value)]))
        .collect()
}

/// The sources of the configuration: `ads xds_cluster`, `cds /etc/envoy/cds.json`.
fn sources(dynamic: &Value) -> Vec<String> {
    let ways = [("ads", "ads_config"), ("cds", "cds_config"), ("lds", "lds_config")];
    ways.iter()
        .filter_map(|(word, key)| {
            let source = &dynamic[key];
            let services = [&source["grpc_services"], &source["api_config_source"]["grpc_services"]];
            let service = services.into_iter().flat_map(|all| all.as_array().into_iter().flatten()).next();
            let cluster = service.and_then(|it| it["envoy_grpc"]["cluster_name"].as_str());
            let path = source["path_config_source"]["path"].as_str().or_else(|| source["path"].as_str());
            let ads = source["ads"].is_object().then_some("ads");
            Some(format!("{word} {}", cluster.or(path).or(ads)?))
        })
        .collect()
}
