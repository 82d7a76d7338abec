//! The gateway proxies in the values.

use serde_json::{Map, Value};

use super::{Chart, ValuesWish, then};
use crate::error::{Exit, Failure, Reason};
use crate::model::FieldPath;
use crate::text::nearest;

/// The proxy of the chart itself.
pub(super) const USUAL: &str = "gatewayProxy";

/// One entry of `gatewayProxies`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ProxyEntry {
    pub key: String,
    pub path: FieldPath,
}

/// Returns the selected proxies, the chart's own first.
///
/// # Errors
/// A named proxy does not exist.
pub(super) fn selected(values: &Value, chart: &Chart, wish: &ValuesWish) -> Result<Vec<ProxyEntry>, Failure> {
    let all = all(values, chart);
    let entry = |key: &String| ProxyEntry { key: key.clone(), path: then(&chart.edition.proxies(), key) };
    if wish.proxies.is_empty() {
        let proxies = chart.edition.proxies();
        let is_off = |key: &&String| then(&then(&proxies, key), "disabled").get(values) == Some(&Value::Bool(true));
        return Ok(all.iter().filter(|key| !is_off(key)).map(entry).collect());
    }
    wish.proxies
        .iter()
        .map(|wanted| {
            let is_it = |key: &&String| *key == wanted || kebab(key) == *wanted;
            all.iter().find(is_it).map(entry).ok_or_else(|| not_found(wanted, &all, chart))
        })
        .collect()
}

fn not_found(wanted: &str, all: &[String], chart: &Chart) -> Failure {
    let proxies = chart.edition.proxies();
    let failure = Failure::new(Exit::SaidNo, Reason::NotFound, format!("--proxy {wanted}: not found in {proxies}"));
    let near = nearest(wanted, all.iter().map(String::as_str));
    match near.is_empty() {
        true => failure.detail(format!("there: {}", all.join(", "))),
        false => failure.detail(format!("near: {}", near.join(", "))),
    }
}

/// Returns every proxy that the chart renders: its own unless it was set to null, and those in the values.
fn all(values: &Value, chart: &Chart) -> Vec<String> {
    let path = chart.edition.proxies();
    let none = Map::new();
    let there = path.get(values).and_then(Value::as_object).unwrap_or(&none);
    let own = path.get(&chart.defaults).and_then(Value::as_object).unwrap_or(&none);
    let mut keys = vec![USUAL.to_owned()];
    for (key, value) in own.iter().chain(there) {
        if !keys.contains(key) && !value.is_null() {
            keys.push(key.clone());
        }
    }
    // An explicit null removes the chart's proxy. It is not added again.
    keys.retain(|key| there.get(key).is_none_or(|value| !value.is_null()));
    keys
}

/// Returns the name of the proxy's Deployment: the chart's `kebabcase`.
pub(super) fn kebab(key: &str) -> String {
    let mut name = String::new();
    for c in key.chars() {
        if c.is_ascii_uppercase() && !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
        name.push(if c == '_' { '-' } else { c.to_ascii_lowercase() });
    }
    name
}
