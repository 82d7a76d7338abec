//! The audit log of a plane's API server.

use std::{fs, path::Path};

use anyhow::Result;
use serde::Deserialize;
use serde_json::{Value, json};

/// One finished request.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    pub verb: String,
    #[serde(rename = "requestURI")]
    pub uri: String,
    #[serde(rename = "requestReceivedTimestamp")]
    pub received: jiff::Timestamp,
    #[serde(default)]
    pub user_agent: String,
    /// `username`, `groups` and other fields.
    pub user: Value,
    /// The impersonated user; null if there is none.
    #[serde(default)]
    pub impersonated_user: Value,
    /// `code` and, for failures, `reason` and `message`.
    #[serde(default)]
    pub response_status: Value,
}

pub fn write_policy(directory: &Path) -> Result<()> {
    let policy = json!({
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata"}],
    });
    Ok(fs::write(directory.join("audit-policy.json"), policy.to_string())?)
}

pub fn flags(directory: &Path) -> [String; 2] {
    [
        format!("--audit-policy-file={}", directory.join("audit-policy.json").display()),
        format!("--audit-log-path={}", directory.join("audit.log").display()),
    ]
}

/// Reads the complete lines. The last line may be incomplete because it is still being written.
pub fn read(directory: &Path) -> Result<Vec<Request>> {
    let log = fs::read_to_string(directory.join("audit.log"))?;
    let complete = log.rfind('\n').map_or("", |end| &log[..end]);
    complete.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

/// Counts the requests without parsing them: a bulk run of ten thousand leaves a log of 10 MB.
pub fn count(directory: &Path, agent: &str) -> Result<usize> {
    let log = fs::read_to_string(directory.join("audit.log"))?;
    Ok(log.matches(&format!("\"userAgent\":\"{agent}")).count())
}
