//! Reads an `AuthorizationPolicy`.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Action;
use crate::plan::labels::labels;
use crate::plan::peer::PolicyRef;

/// With this annotation Istio evaluates a policy without enforcing it.
const DRY_RUN: &str = "istio.io/dry-run";

/// An `AuthorizationPolicy` that a sidecar enforces.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthorizationPolicy {
    pub reference: PolicyRef,
    pub action: Action,
    /// Empty if it applies to its whole namespace.
    pub selector: BTreeMap<String, String>,
    /// The `rules`, each as it is written. Empty if there are none: the policy never matches.
    pub(super) rules: Vec<Value>,
}

impl AuthorizationPolicy {
    /// Reads the policy. `None` if no sidecar enforces it: it only audits, it is a dry run, or it is attached to a
    /// waypoint or a Gateway.
    pub(crate) fn read(policy: &Value) -> Option<Self> {
        let spec = &policy["spec"];
        let action = match spec["action"].as_str() {
            None | Some("ALLOW") => Action::Allow,
            Some("DENY") => Action::Deny,
            Some("CUSTOM") => Action::Custom,
            Some(_) => return None,
        };
        let is_dry_run = policy["metadata"]["annotations"][DRY_RUN] == "true";
        let is_attached =
            spec["targetRef"].is_object() || spec["targetRefs"].as_array().is_some_and(|it| !it.is_empty());
        (!is_dry_run && !is_attached).then(|| Self {
            reference: PolicyRef::parse(policy),
            action,
            selector: labels(&spec["selector"]["matchLabels"]),
            rules: spec["rules"].as_array().cloned().unwrap_or_default(),
        })
    }
}
