//! What of the cluster matters to an upgrade beside the release: its namespace, Settings, the gateways' writers.

use serde_json::Value;

use crate::kube::{ApiError, Cause, Query, Scope, Session};
use crate::load::survey::why;
use crate::model::kinds;
use crate::plan::advice::{Advice, Code};
use crate::plan::gateway::PROXY_LABEL;
use crate::plan::values::findings;

/// The findings; what may not be read is said to be unknown.
pub async fn findings(session: &Session, namespace: &str, before: &Value) -> Vec<Advice> {
    let mut found = Vec::new();
    let (labels, settings, gateways) = tokio::join!(
        session.get(&kinds::NAMESPACE, "", namespace),
        session.get(&kinds::SETTINGS, namespace, "default"),
        session.list_all(&kinds::DEPLOYMENT, Scope::Namespace(namespace), Query::labelled(PROXY_LABEL)),
    );
    match labels {
        Ok(object) => found.extend(findings::of_namespace(&object)),
        Err(error) => found.extend(unknown("the namespace's labels", &error)),
    }
    match settings {
        Ok(object) => found.extend(findings::of_settings(before, &object)),
        Err(error) => found.extend(unknown("Settings", &error)),
    }
    match gateways {
        Ok(workloads) => found.extend(workloads.iter().filter_map(findings::of_gateway)),
        Err(error) => found.extend(unknown("the gateways", &error)),
    }
    found
}

fn unknown(what: &str, error: &ApiError) -> Option<Advice> {
    let is_absent = matches!(error.cause, Cause::NotFound | Cause::NoCrd);
    (!is_absent).then(|| Advice::note(Code::Unknown, format!("{what} could not be looked at: {}", why(error))))
}
