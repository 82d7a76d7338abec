//! Policies that keep another mode than the policy of a level.

use super::mode::{Mode, Policies, PolicyRef, mode, port_modes, selector};
use super::scope::{PolicyScope, shown};

/// A policy that is not changed and has another mode than the requested one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exception {
    pub policy: PolicyRef,
    /// `PERMISSIVE for app=cart`, `DISABLE for port 8080 of app=cart`
    pub says: String,
}

/// Returns what keeps another mode than `wanted` within the scope: narrower policies, and ports of this policy.
pub(crate) fn exceptions(scope: &PolicyScope, wanted: Mode, policies: &Policies) -> Vec<Exception> {
    let mut found = Vec::new();
    for policy in policies.all {
        let text = |key: &str| policy["metadata"][key].as_str().unwrap_or_default().to_owned();
        let reference = PolicyRef { namespace: text("namespace"), name: text("name") };
        let labels = selector(policy);
        let is_narrower = match scope {
            PolicyScope::Mesh => reference.namespace != policies.root_namespace,
            PolicyScope::Namespace(namespace) => reference.namespace == *namespace && !labels.is_empty(),
            PolicyScope::Workload { .. } => false,
        };
        let is_this = matches!(scope, PolicyScope::Workload { namespace, labels: own } if *namespace == reference.namespace && *own == labels);
        let whose = if labels.is_empty() { format!("namespace {}", reference.namespace) } else { shown(&labels) };
        let own = mode(&policy["spec"]["mtls"]).filter(|_| is_narrower);
        let of_ports = port_modes(policy).into_iter().filter(|_| (is_narrower || is_this) && !labels.is_empty());
        let said = own.filter(|mode| *mode != wanted).map(|mode| format!("{mode} for {whose}")).into_iter().chain(
            of_ports
                .filter_map(|(port, mode)| Some((port, mode.filter(|mode| *mode != wanted)?)))
                .map(|(port, mode)| format!("{mode} for port {port} of {whose}")),
        );
        found.extend(said.map(|says| Exception { policy: reference.clone(), says }));
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;

    fn policy(place: &str, spec: &Value) -> Value {
        let (namespace, name) = place.split_once('/').unwrap();
        json!({"metadata": {"namespace": namespace, "name": name}, "spec": spec})
    }

    #[test]
    fn what_keeps_another_mode_is_told() {
        let all = [
            policy("shop/n", &json!({"mtls": {"mode": "PERMISSIVE"}})),
            policy(
                "shop/w",
                &json!({"selector": {"matchLabels": {"app": "cart"}}, "mtls": {"mode": "STRICT"},
                        "portLevelMtls": {"8080": {"mode": "DISABLE"}, "9090": {"mode": "UNSET"}}}),
            ),
            policy("other/n", &json!({"mtls": {"mode": "STRICT"}})),
        ];
        let policies = Policies { all: &all, root_namespace: "istio-system" };
        let shop = PolicyScope::Namespace("shop".into());
        let labels = BTreeMap::from([("app".to_owned(), "cart".to_owned())]);
        let cart = PolicyScope::Workload { namespace: "shop".into(), labels };
        let said = |scope: &PolicyScope, wanted| -> Vec<String> {
            exceptions(scope, wanted, &policies).into_iter().map(|it| format!("{} {}", it.policy, it.says)).collect()
        };
        let port = "shop/w DISABLE for port 8080 of app=cart";
        assert_eq!(said(&PolicyScope::Mesh, Mode::Strict), ["shop/n PERMISSIVE for namespace shop", port]);
        assert_eq!(said(&shop, Mode::Strict), [port]);
        assert_eq!(said(&shop, Mode::Permissive), ["shop/w STRICT for app=cart", port]);
        assert_eq!(said(&cart, Mode::Strict), [port]);
    }
}
