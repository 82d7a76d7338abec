//! Endpoints: the addresses of each cluster, and their health.

use serde_json::{Value, json};

use super::{Column, Rows, ViewRow, address, column, list, row, wide};
use crate::envoy::dump::DumpEntry;

pub(super) const COLUMNS: [Column; 6] = [
    column("ENDPOINT", "address"),
    column("CLUSTER", "cluster"),
    column("HEALTH", "health"),
    wide("WEIGHT", "weight"),
    wide("PRIORITY", "priority"),
    wide("LOCALITY", "locality"),
];

pub(super) fn rows(entry: &DumpEntry) -> Rows<'_> {
    let localities = list(&entry.resource, "endpoints");
    let of_locality = move |locality| list(locality, "lb_endpoints").map(move |it| endpoint_row(entry, locality, it));
    Box::new(localities.flat_map(of_locality))
}

fn endpoint_row(entry: &DumpEntry, locality: &Value, endpoint: &Value) -> ViewRow {
    let (text, port) = address(&endpoint["endpoint"]["address"]);
    let place = &locality["locality"];
    let place = ["region", "zone", "sub_zone"].iter().filter_map(|key| place[key].as_str());
    row([
        ("address", json!(text)),
        ("port", port),
        ("cluster", json!(entry.name)),
        ("health", json!(endpoint["health_status"].as_str().unwrap_or("UNKNOWN"))),
        ("weight", endpoint["load_balancing_weight"].clone()),
        ("priority", locality["priority"].clone()),
        ("locality", json!(place.filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/"))),
    ])
}
