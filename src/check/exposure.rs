//! Checks which pods can reach the port on which the gateway's SDS serves its key.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Check, Finding, Look, codes};
use crate::model::{Object, kinds};
use crate::plan::labels::{labels, selects};
use crate::plan::sidecars::GatewayProxy;
use crate::plan::sidecars::parts::SDS;
use crate::plan::sidecars::state::{env, item};

pub(super) const CHECK: Check = Check {
    title: "SDS exposure",
    word: "sds-exposure",
    codes: &[&codes::SDS_EXPOSED],
    kinds: &[&kinds::NETWORK_POLICY, &kinds::DEPLOYMENT, &kinds::DAEMON_SET, &kinds::CONFIG_MAP, &kinds::POD],
    beyond: &[],
    run,
};

const PORT: u64 = 8234;

fn run(look: &Look<'_>) -> Vec<Finding> {
    let gateways = look.gateways().iter().chain(look.gateways_of_api()).filter(|proxy| is_open(proxy));
    let found = gateways.filter_map(|proxy| {
        let finding = Finding::new(&codes::SDS_EXPOSED, &proxy.workload.reference, exposed(look, proxy)?);
        Some(finding.hint("add a NetworkPolicy for these pods that allows the listener ports but not 8234"))
    });
    found.collect()
}

/// How other pods reach the port of this proxy. `None` if they do not, or if it is unknown.
fn exposed(look: &Look<'_>, proxy: &GatewayProxy) -> Option<String> {
    let home = &proxy.workload.reference.namespace;
    let policies = look.in_namespace(&kinds::NETWORK_POLICY, home);
    match exposure(proxy, &policies) {
        // NetworkPolicies are additive: what one opens, no other closes.
        Exposure::By(policy) => {
            let name = &policy.reference.name;
            Some(format!("any pod can read the gateway's mesh key: networkpolicy {name} opens port 8234 to all"))
        }
        Exposure::ByNobody if look.world.snapshot.unknown_in(&kinds::NETWORK_POLICY, home).is_none() => {
            let message =
                "any pod can read the gateway's mesh key from port 8234: no NetworkPolicy applies to its pods";
            Some(message.to_owned())
        }
        Exposure::ByNobody | Exposure::None => None,
    }
}

/// Whether SDS serves Istio's key on more than the loopback interface. Gloo's server listens on 0.0.0.0:8234 unless
/// configured otherwise (`projects/sds/pkg/run/run_main.go`).
fn is_open(proxy: &GatewayProxy) -> bool {
    let Some(sds) = item(&proxy.pod_spec()["containers"], SDS) else { return false };
    let is_local =
        |address: &str| address.starts_with("127.") || address.starts_with("localhost") || address.starts_with("[::1]");
    env(sds, "ISTIO_MTLS_SDS_ENABLED") == Some("true") && !env(sds, "SDS_SERVER_ADDRESS").is_some_and(is_local)
}

/// What gives other pods access to the port.
enum Exposure<'p> {
    None,
    By(&'p Object),
    /// No policy selects these pods.
    ByNobody,
}

fn exposure<'p>(proxy: &GatewayProxy, policies: &[&'p Object]) -> Exposure<'p> {
    let pod_labels = &proxy.workload.value["spec"]["template"]["metadata"]["labels"];
    let mut mine = policies.iter().filter(|policy| is_about(&policy.value, pod_labels)).peekable();
    if mine.peek().is_none() {
        return Exposure::ByNobody;
    }
    mine.find(|policy| lets_anybody_in(&policy.value)).map_or(Exposure::None, |policy| Exposure::By(policy))
}

/// Whether a policy isolates the pods for ingress.
fn is_about(policy: &Value, pod_labels: &Value) -> bool {
    let spec = &policy["spec"];
    let types = spec["policyTypes"].as_array();
    let is_for_ingress = types.is_none_or(|types| types.iter().any(|kind| kind == "Ingress"));
    is_for_ingress && selects_pods(&spec["podSelector"], pod_labels)
}

fn selects_pods(selector: &Value, pod_labels: &Value) -> bool {
    let wanted: BTreeMap<String, String> = labels(&selector["matchLabels"]);
    let expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    selects(&wanted, pod_labels) && expressions.into_iter().all(|expression| holds(expression, pod_labels))
}

fn holds(expression: &Value, pod_labels: &Value) -> bool {
    let label = &pod_labels[expression["key"].as_str().unwrap_or_default()];
    let is_one = expression["values"].as_array().is_some_and(|values| values.contains(label));
    match expression["operator"].as_str() {
        Some("In") => is_one,
        Some("NotIn") => !is_one,
        Some("Exists") => !label.is_null(),
        Some("DoesNotExist") => label.is_null(),
        _ => false,
    }
}

/// Whether a rule of the policy opens the port to all: a rule without `from`, or with an empty peer.
fn lets_anybody_in(policy: &Value) -> bool {
    let rules = policy["spec"]["ingress"].as_array().into_iter().flatten();
    rules.into_iter().any(|rule| {
        let ports = rule["ports"].as_array().filter(|ports| !ports.is_empty());
        let has_port = ports.is_none_or(|ports| ports.iter().any(is_port));
        let peers = rule["from"].as_array().filter(|peers| !peers.is_empty());
        has_port && peers.is_none_or(|peers| peers.iter().any(is_anybody))
    })
}

fn is_port(port: &Value) -> bool {
    let is_tcp = port["protocol"].is_null() || port["protocol"] == "TCP";
    let first = &port["port"];
    let fits = match (first.as_u64(), port["endPort"].as_u64()) {
        (Some(first), Some(last)) => (first..=last).contains(&PORT),
        (Some(only), None) => only == PORT,
        // A rule without a port covers every port. The chart's name for this port is `sds`.
        (None, _) => first.is_null() || first == SDS,
    };
    is_tcp && fits
}

fn is_anybody(peer: &Value) -> bool {
    let all_namespaces = peer["namespaceSelector"].as_object().is_some_and(serde_json::Map::is_empty);
    let all_pods = peer["podSelector"].as_object().is_none_or(serde_json::Map::is_empty);
    (all_namespaces && all_pods) || matches!(peer["ipBlock"]["cidr"].as_str(), Some("0.0.0.0/0" | "::/0"))
}
