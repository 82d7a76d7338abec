//! Clusters: the destinations of requests, and their TLS.

use serde_json::{Value, json};

use super::{Column, ViewRow, column, list, row, tls, wide};
use crate::envoy::dump::DumpEntry;

pub(super) const COLUMNS: [Column; 8] = [
    column("CLUSTER", "name"),
    column("TYPE", "type"),
    column("TLS", "tls"),
    column("SECRETS", "secrets"),
    wide("SNI", "sni"),
    wide("ALPN", "alpn"),
    wide("ENDPOINTS", "endpoints"),
    wide("TIMEOUT", "connectTimeout"),
];

pub(super) fn rows(entry: &DumpEntry) -> Vec<ViewRow> {
    let cluster = &entry.resource;
    let own = tls::read(cluster);
    // With auto-mTLS the endpoint decides which of several transport sockets is used.
    let matches: Vec<_> = list(cluster, "transport_socket_matches").map(tls::read).collect();
    let by_match = matches.into_iter().find(|one| !one.mode.is_empty());
    let (mode, tls) = match by_match {
        Some(tls) => (format!("{} by endpoint", tls.mode), tls),
        None => (own.mode.to_owned(), own),
    };
    let custom = &cluster["cluster_type"]["name"];
    // The default of the field is STATIC, and defaults are not part of the dump.
    let kind = cluster["type"].as_str().or_else(|| custom.as_str()).unwrap_or("STATIC");
    let endpoints: usize =
        list(&cluster["load_assignment"], "endpoints").map(|locality| list(locality, "lb_endpoints").count()).sum();
    vec![row([
        ("name", if entry.name.is_empty() { Value::Null } else { json!(entry.name) }),
        ("type", json!(if cluster.is_null() { "" } else { kind })),
        ("tls", json!(mode)),
        ("secrets", json!(tls.secrets)),
        ("sni", tls.sni),
        ("alpn", tls.alpn),
        ("endpoints", if kind == "EDS" { Value::Null } else { json!(endpoints) }),
        ("connectTimeout", cluster["connect_timeout"].clone()),
    ])]
}
