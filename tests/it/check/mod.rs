//! `check`: offline in every format, against a stub that counts, and one thing broken at a time, in files and on a real
//! API server.

mod control_plane;
mod formats;
mod live;
mod many;
mod requests;
mod table;
#[path = "../../fixtures/check/world.rs"]
mod world;

use serde_json::Value;

use crate::support::Output;

/// A gateway's admin port in order: connected, and with these certificates.
pub fn envoy_says(path: &str, certs: &Value) -> String {
    match path {
        "/certs" => certs.to_string(),
        path if path.starts_with("/stats?") => "control_plane.connected_state: 1\n".to_owned(),
        _ => "{}".to_owned(),
    }
}

/// The document on stdout, which says the code of the process.
pub fn document(output: &Output) -> Value {
    let document: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(document["exitCode"].as_i64(), output.code.map(i64::from), "{output:?}");
    document
}

/// `GRS101 Upstream shop/cart` of each finding.
pub fn found(document: &Value) -> Vec<String> {
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let findings = document["findings"].as_array().unwrap_or_else(|| panic!("{document:#}"));
    findings
        .iter()
        .map(|it| format!("{} {} {}/{}", text(it, "code"), text(it, "kind"), text(it, "namespace"), text(it, "name")))
        .collect()
}
