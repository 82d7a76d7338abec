//! What the far end demands: the `PeerAuthentication` that holds for a workload's port.
//!
//! Istio's order: a policy that selects the workload, else its namespace's, else the mesh's; within one
//! policy the port's mode before its own; `UNSET` asks the next wider one; of several at one level the
//! oldest wins. (Istio, authentication policy concepts.)

use serde_json::Value;

use super::Unread;
use super::backend::{labels, selects};
use super::outcome::Objection;
use crate::error::Reason;

/// Whether the far end demands mutual TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// Nobody looked: a manifest without a cluster.
    Unseen,
    /// It could not be read.
    Unknown { why: Unread },
    /// Plaintext is taken, by some pods at least none of which demands TLS.
    Permissive,
    /// Mutual TLS alone is taken; `source` is the policy that says so.
    Strict { source: String },
}

impl Peer {
    /// Why plaintext would not be answered, if it would not.
    pub fn against_plaintext(&self) -> Option<Objection> {
        let objection = match self {
            Self::Unseen | Self::Permissive => return None,
            Self::Unknown { why } => Objection::new(Reason::Unknown, format!("peer mode unknown: {why}")),
            Self::Strict { source } => {
                Objection::new(Reason::StrictPeer, format!("its peer is STRICT ({source}): 503 without mTLS"))
            }
        };
        Some(objection.hint("--force takes it all the same"))
    }
}

/// A mode with the policy that sets it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Set {
    strict: bool,
    source: String,
}

/// What holds for these pods, all of `namespace`, on the port that the Service names `target_port`.
///
/// A pod without a sidecar demands nothing, whatever a policy says: nobody is there to demand it.
pub fn of_pods<'v>(
    policies: &[Value],
    root_namespace: &str,
    namespace: &str,
    pods: impl IntoIterator<Item = &'v Value>,
    target_port: Option<u64>,
) -> Peer {
    pods.into_iter()
        .filter(|pod| super::backend::is_meshed(pod))
        .find_map(|pod| strict_for(policies, root_namespace, namespace, &pod["metadata"]["labels"], target_port))
        .map_or(Peer::Permissive, |source| Peer::Strict { source })
}

/// The namespace whose policies are the mesh's, by the mesh configuration in these `ConfigMap`s.
pub fn root_namespace(config_maps: &[Value]) -> Option<String> {
    config_maps.iter().find_map(|map| {
        let mesh = crate::yaml::parse(map["data"]["mesh"].as_str()?).ok()?;
        Some(mesh["rootNamespace"].as_str()?.to_owned())
    })
}

fn strict_for(
    policies: &[Value],
    root_namespace: &str,
    namespace: &str,
    pod_labels: &Value,
    port: Option<u64>,
) -> Option<String> {
    let level = |of_namespace: &str, workload: bool| {
        policies
            .iter()
            .filter(|policy| policy["metadata"]["namespace"] == of_namespace)
            .filter(|policy| {
                let selector = labels(&policy["spec"]["selector"]["matchLabels"]);
                match workload {
                    true => !selector.is_empty() && selects(&selector, pod_labels),
                    false => selector.is_empty(),
                }
            })
            .min_by_key(|policy| policy["metadata"]["creationTimestamp"].as_str().unwrap_or_default())
    };
    let of_workload = level(namespace, true).and_then(|policy| {
        let of_port = port.and_then(|port| mode(&policy["spec"]["portLevelMtls"][port.to_string()]));
        set(policy, of_port, "port").or_else(|| set(policy, mode(&policy["spec"]["mtls"]), "workload"))
    });
    let whole = |of_namespace: &str, name: &str| {
        level(of_namespace, false).and_then(|policy| set(policy, mode(&policy["spec"]["mtls"]), name))
    };
    of_workload
        .or_else(|| whole(namespace, "namespace"))
        .or_else(|| whole(root_namespace, "mesh"))
        .and_then(|set| set.strict.then_some(set.source))
}

fn mode(mtls: &Value) -> Option<bool> {
    match mtls["mode"].as_str()? {
        "UNSET" => None,
        mode => Some(mode == "STRICT"),
    }
}

fn set(policy: &Value, strict: Option<bool>, level: &str) -> Option<Set> {
    let text = |key: &str| policy["metadata"][key].as_str().unwrap_or_default();
    Some(Set { strict: strict?, source: format!("{}/{}, {level}", text("namespace"), text("name")) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn policy(namespace: &str, name: &str, spec: &Value) -> Value {
        json!({"metadata": {"namespace": namespace, "name": name}, "spec": spec})
    }

    fn peer(policies: &[Value]) -> Peer {
        let pod = json!({"metadata": {"labels": {"app": "a", "security.istio.io/tlsMode": "istio"}}});
        of_pods(policies, "istio-system", "shop", [&pod], Some(8080))
    }

    fn strict(source: &str) -> Peer {
        Peer::Strict { source: source.into() }
    }

    #[test]
    fn the_narrowest_policy_that_says_something_holds() {
        let mesh = policy("istio-system", "m", &json!({"mtls": {"mode": "STRICT"}}));
        let unset = policy("shop", "u", &json!({"mtls": {"mode": "UNSET"}}));
        let open = policy("shop", "n", &json!({"mtls": {"mode": "PERMISSIVE"}}));
        let workload =
            policy("shop", "w", &json!({"selector": {"matchLabels": {"app": "a"}}, "mtls": {"mode": "STRICT"}}));
        let port = policy(
            "shop",
            "p",
            &json!({"selector": {"matchLabels": {"app": "a"}}, "mtls": {"mode": "STRICT"},
                   "portLevelMtls": {"8080": {"mode": "DISABLE"}}}),
        );
        let table = [
            (vec![], Peer::Permissive),
            (vec![mesh.clone()], strict("istio-system/m, mesh")),
            (vec![mesh.clone(), unset], strict("istio-system/m, mesh")),
            (vec![mesh.clone(), open.clone()], Peer::Permissive),
            (vec![mesh.clone(), open, workload], strict("shop/w, workload")),
            (vec![mesh, port], Peer::Permissive),
        ];
        for (policies, wanted) in table {
            assert_eq!(peer(&policies), wanted, "{policies:?}");
        }
    }

    #[test]
    fn a_policy_for_another_workload_or_namespace_says_nothing() {
        let other =
            policy("shop", "w", &json!({"selector": {"matchLabels": {"app": "b"}}, "mtls": {"mode": "STRICT"}}));
        let elsewhere = policy("other", "n", &json!({"mtls": {"mode": "STRICT"}}));
        assert_eq!(peer(&[other, elsewhere]), Peer::Permissive);
    }

    #[test]
    fn a_pod_without_sidecar_demands_nothing() {
        let mesh = policy("istio-system", "m", &json!({"mtls": {"mode": "STRICT"}}));
        let plain = json!({"metadata": {"labels": {"app": "a"}}});
        assert_eq!(of_pods(&[mesh], "istio-system", "shop", [&plain], None), Peer::Permissive);
    }
}
