//! The parts of a `PeerAuthentication` that have no effect.

use serde_json::Value;

use super::mode::{self, PolicyRef, selector};

/// A part of a policy that has no effect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IgnoredPart {
    pub policy: PolicyRef,
    /// `spec.portLevelMtls`
    pub field: String,
    pub why: WhyIgnored,
}

/// Why a part has no effect. Source: Istio's `pilot/pkg/security/authn/policy_applier.go` (`ComposePeerAuthentication`)
/// and the schema of the CRD.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum WhyIgnored {
    /// Istio reads modes of single ports only in a policy with a selector.
    NoSelector,
    /// Istio reads a policy of the root namespace only if it has no selector.
    SelectorInRoot,
    /// The API server refuses the whole policy.
    NotAMode(String),
    /// The API server refuses the whole policy.
    NotAPort,
}

impl WhyIgnored {
    /// Whether no API server stores this, so that it exists only in a file.
    pub(crate) fn is_refused(&self) -> bool {
        matches!(self, Self::NotAMode(_) | Self::NotAPort)
    }
}

impl std::fmt::Display for WhyIgnored {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoSelector => f.write_str("the policy has no selector, and Istio reads modes of ports only with one"),
            Self::SelectorInRoot => f.write_str("in the root namespace Istio reads only a policy without a selector"),
            Self::NotAMode(text) => {
                write!(
                    f,
                    "{text} is not a mode (STRICT, PERMISSIVE, DISABLE or UNSET): the API server refuses the policy"
                )
            }
            Self::NotAPort => f.write_str("the key is not the number of a port: the API server refuses the policy"),
        }
    }
}

/// Writes `spec.portLevelMtls of istio-system/default: the policy has no selector, …`.
impl std::fmt::Display for IgnoredPart {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} of {}: {}", self.field, self.policy, self.why)
    }
}

/// Returns the parts of a policy that have no effect, in the order of the fields.
pub(crate) fn ignored(policy: &Value, root_namespace: &str) -> Vec<IgnoredPart> {
    let reference = PolicyRef::parse(policy);
    let spec = &policy["spec"];
    let part = |field: &str, why| IgnoredPart { policy: reference.clone(), field: field.to_owned(), why };
    let mut found = Vec::new();
    let has_selector = !selector(policy).is_empty();
    if has_selector && reference.namespace == root_namespace {
        found.push(part("spec.selector", WhyIgnored::SelectorInRoot));
    }
    found.extend(not_a_mode(&spec["mtls"]).map(|why| part("spec.mtls.mode", why)));
    let ports: Vec<_> = spec["portLevelMtls"].as_object().into_iter().flatten().collect();
    if !has_selector && !ports.is_empty() {
        found.push(part("spec.portLevelMtls", WhyIgnored::NoSelector));
    }
    for (port, mtls) in ports {
        if !port.parse::<u16>().is_ok_and(|port| port > 0) {
            found.push(part(&format!("spec.portLevelMtls.{port}"), WhyIgnored::NotAPort));
        }
        found.extend(not_a_mode(mtls).map(|why| part(&format!("spec.portLevelMtls.{port}.mode"), why)));
    }
    found
}

fn not_a_mode(mtls: &Value) -> Option<WhyIgnored> {
    let written = &mtls["mode"];
    let is_known = written.is_null() || written == "UNSET" || mode::mode(mtls).is_some();
    (!is_known).then(|| WhyIgnored::NotAMode(written.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(namespace: &str, spec: &Value) -> Vec<String> {
        let policy = json!({"metadata": {"namespace": namespace, "name": "p"}, "spec": spec});
        ignored(&policy, "istio-system").iter().map(|part| format!("{} {:?}", part.field, part.why)).collect()
    }

    #[test]
    fn modes_of_ports_need_a_selector() {
        let ports = json!({"9090": {"mode": "DISABLE"}});
        let selector = json!({"matchLabels": {"app": "cart"}});
        assert_eq!(of("shop", &json!({"portLevelMtls": ports})), ["spec.portLevelMtls NoSelector"]);
        let empty = json!({"selector": {"matchLabels": {}}, "portLevelMtls": ports});
        assert_eq!(of("shop", &empty), ["spec.portLevelMtls NoSelector"]);
        assert_eq!(of("shop", &json!({"selector": selector, "portLevelMtls": ports})), [""; 0]);
    }

    #[test]
    fn the_root_namespace_has_no_policies_for_workloads() {
        let spec = json!({"selector": {"matchLabels": {"app": "cart"}}, "mtls": {"mode": "STRICT"}});
        assert_eq!(of("istio-system", &spec), ["spec.selector SelectorInRoot"]);
        assert_eq!(of("shop", &spec), [""; 0]);
    }

    #[test]
    fn a_mode_that_does_not_exist_is_named_as_it_is_written() {
        let spec = json!({"mtls": {"mode": "strict"}});
        assert_eq!(of("shop", &spec), [r#"spec.mtls.mode NotAMode("\"strict\"")"#]);
        let ports = json!({
            "selector": {"matchLabels": {"app": "cart"}},
            "portLevelMtls": {"8080": {"mode": true}, "http": {"mode": "UNSET"}, "0": {}}
        });
        assert_eq!(
            of("shop", &ports),
            [
                r#"spec.portLevelMtls.8080.mode NotAMode("true")"#,
                "spec.portLevelMtls.http NotAPort",
                "spec.portLevelMtls.0 NotAPort",
            ]
        );
        assert_eq!(of("shop", &json!({"mtls": {"mode": "UNSET"}})), [""; 0]);
    }
}
