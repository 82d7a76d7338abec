//! Routes: one row each, in the order in which Envoy tries them.

use serde_json::{Value, json};

use super::{Column, Rows, ViewRow, column, list, row, wide};
use crate::envoy::dump::DumpEntry;

pub(super) const COLUMNS: [Column; 6] = [
    column("ROUTES", "routes"),
    column("DOMAINS", "domains"),
    column("MATCH", "match"),
    column("TARGET", "target"),
    wide("HOST", "host"),
    wide("NAME", "name"),
];

pub(super) fn rows(entry: &DumpEntry) -> Rows<'_> {
    let hosts = list(&entry.resource, "virtual_hosts");
    let mut rows =
        hosts.flat_map(move |host| list(host, "routes").map(move |route| route_row(entry, host, route))).peekable();
    match rows.peek() {
        Some(_) => Box::new(rows),
        None => Box::new(std::iter::once(row([("routes", json!(entry.name)), ("domains", json!([]))]))),
    }
}

fn route_row(entry: &DumpEntry, host: &Value, route: &Value) -> ViewRow {
    let clusters = clusters(&route["route"]);
    row([
        ("routes", json!(entry.name)),
        ("host", host["name"].clone()),
        ("domains", if host["domains"].is_array() { host["domains"].clone() } else { json!([]) }),
        ("match", json!(matched(&route["match"]))),
        ("target", json!(target(route, &clusters))),
        ("clusters", json!(clusters)),
        ("name", route["name"].clone()),
    ])
}

fn clusters(action: &Value) -> Vec<String> {
    let weighted = list(&action["weighted_clusters"], "clusters").map(|it| &it["name"]);
    std::iter::once(&action["cluster"]).chain(weighted).filter_map(Value::as_str).map(str::to_owned).collect()
}

/// The match of a route: `prefix /a`, `path /b`, `regex /c.*`, with the number of further conditions.
fn matched(value: &Value) -> String {
    let regex = &value["safe_regex"]["regex"];
    let ways = [
        ("prefix", &value["prefix"]),
        ("path", &value["path"]),
        ("prefix", &value["path_separated_prefix"]),
        ("regex", regex),
        ("regex", &value["regex"]),
        ("template", &value["path_match_policy"]["typed_config"]["path_template"]),
    ];
    let way = ways.iter().find_map(|(word, value)| Some(format!("{word} {}", value.as_str()?)));
    let way = way.or_else(|| value["connect_matcher"].is_object().then(|| "CONNECT".to_owned()));
    let method = list(value, "headers").find(|it| it["name"] == ":method").and_then(|it| {
        it["exact_match"].as_str().or_else(|| it["string_match"]["exact"].as_str()).map(|method| format!("{method} "))
    });
    let more = list(value, "headers").chain(list(value, "query_parameters")).count() - usize::from(method.is_some());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{}{more}", method.unwrap_or_default(), way.unwrap_or_else(|| "any".to_owned()))
}

fn target(route: &Value, clusters: &[String]) -> String {
    if route["redirect"].is_object() {
        let to = &route["redirect"];
        let host = to["host_redirect"].as_str().unwrap_or_default();
        let path = [&to["path_redirect"], &to["prefix_rewrite"]].into_iter().find_map(Value::as_str);
        let https = if to["https_redirect"] == true { "https://" } else { "" };
        return format!("redirect {https}{host}{}", path.unwrap_or_default()).trim_end().to_owned();
    }
    if route["direct_response"].is_object() {
        return format!("answer {}", route["direct_response"]["status"]);
    }
    let action = &route["route"];
    if let [only] = clusters {
        return only.clone();
    }
    if !clusters.is_empty() {
        let weighted = list(&action["weighted_clusters"], "clusters");
        let parts = weighted.map(|it| {
            let weight = it["weight"].as_u64().unwrap_or_default();
            format!("{} {weight}", it["name"].as_str().unwrap_or_default())
        });
        return parts.collect::<Vec<_>>().join(", ");
    }
    match action["cluster_header"].as_str() {
        Some(header) => format!("cluster of header {header}"),
        None => String::new(),
    }
}
