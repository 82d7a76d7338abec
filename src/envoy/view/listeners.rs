//! Listeners: one row for each filter chain, because each has its own TLS and its own destination.

use serde_json::{Value, json};

use super::{Column, Rows, ViewRow, address, column, list, row, tls, wide};
use crate::envoy::dump::DumpEntry;

pub(super) const COLUMNS: [Column; 6] = [
    column("LISTENER", "name"),
    column("ADDRESS", "address"),
    column("DOMAINS", "domains"),
    column("TLS", "tls"),
    column("TARGET", "target"),
    wide("SECRETS", "secrets"),
];

pub(super) fn rows(entry: &DumpEntry) -> Rows<'_> {
    let listener = &entry.resource;
    let default = Some(&listener["default_filter_chain"]).filter(|chain| chain.is_object());
    let chains: Vec<_> = list(listener, "filter_chains").chain(default).collect();
    match chains.is_empty() {
        true => Box::new(std::iter::once(chain_row(entry, &Value::Null))),
        false => Box::new(chains.into_iter().map(move |chain| chain_row(entry, chain))),
    }
}

fn chain_row(entry: &DumpEntry, chain: &Value) -> ViewRow {
    let (text, port) = address(&entry.resource["address"]);
    let tls = tls::read(chain);
    let matched = &chain["filter_chain_match"];
    let domains = if matched["server_names"].is_array() { matched["server_names"].clone() } else { json!(["*"]) };
    let target = list(chain, "filters").map(target).find(|target| !target.text.is_empty()).unwrap_or_default();
    row([
        ("name", json!(entry.name)),
        ("address", json!(text)),
        ("port", port),
        ("domains", domains),
        ("tls", json!(tls.mode)),
        ("target", json!(target.text)),
        ("routes", target.routes),
        ("clusters", json!(target.clusters)),
        ("secrets", json!(tls.secrets)),
    ])
}

/// The destination of a network filter.
#[derive(Default)]
struct Target {
    text: String,
    /// The name of a route table.
    routes: Value,
    clusters: Vec<String>,
}

fn target(filter: &Value) -> Target {
    // Envoy before 1.17 uses `config` without a type.
    let config = if filter["typed_config"].is_object() { &filter["typed_config"] } else { &filter["config"] };
    let names = [&config["rds"]["route_config_name"], &config["route_config"]["name"]];
    if let Some(name) = names.into_iter().find_map(Value::as_str) {
        return Target { text: format!("routes {name}"), routes: json!(name), clusters: Vec::new() };
    }
    let kind = [&config["@type"], &filter["name"]].map(|text| text.as_str().unwrap_or_default());
    if kind[0].ends_with("HttpConnectionManager") || kind[1].ends_with("http_connection_manager") {
        return Target { text: "routes of its own".to_owned(), ..Target::default() };
    }
    let weighted = list(&config["weighted_clusters"], "clusters").map(|it| &it["name"]);
    let clusters: Vec<_> =
        std::iter::once(&config["cluster"]).chain(weighted).filter_map(Value::as_str).map(str::to_owned).collect();
    let text = if clusters.is_empty() { String::new() } else { format!("cluster {}", clusters.join(",")) };
    Target { text, routes: Value::Null, clusters }
}
