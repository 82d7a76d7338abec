//! What the far end demands: the `PeerAuthentication` that holds for a workload's port.

pub mod change;
pub mod exceptions;
pub mod exposure;
mod mode;
pub mod report;
mod scope;

use serde_json::Value;

pub use mode::{Effective, Level, Mode, PORT_UNKNOWN, Policies, PolicyRef, Source, mode, port_modes, selector};

use super::Unread;
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
    let policies = Policies { all: policies, root_namespace };
    let mut peer = Peer::Permissive;
    for pod in pods.into_iter().filter(|pod| super::backend::is_meshed(pod)) {
        match policies.on_port(namespace, &pod["metadata"]["labels"], target_port) {
            None => peer = Peer::Unknown { why: PORT_UNKNOWN.into() },
            Some(effective) => {
                if let Some(source) = effective.set_by().filter(|_| effective.is_strict()) {
                    return Peer::Strict { source: source.to_string() };
                }
            }
        }
    }
    peer
}

/// The namespace whose policies are the mesh's, by the mesh configuration in these `ConfigMap`s.
pub fn root_namespace<'v>(config_maps: impl IntoIterator<Item = &'v Value>) -> Option<String> {
    config_maps.into_iter().find_map(|map| {
        let mesh = crate::yaml::parse(map["data"]["mesh"].as_str()?).ok()?;
        Some(mesh["rootNamespace"].as_str()?.to_owned())
    })
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
    fn a_port_that_has_a_name_alone_is_unknown_where_single_ports_differ() {
        let pod = json!({"metadata": {"labels": {"app": "a", "security.istio.io/tlsMode": "istio"}}});
        let peer = |spec: Value| {
            let selecting = json!({"selector": {"matchLabels": {"app": "a"}}, "mtls": {"mode": "PERMISSIVE"}});
            let mut all = [policy("shop", "p", &selecting)];
            all[0]["spec"]["portLevelMtls"] = spec;
            of_pods(&all, "istio-system", "shop", [&pod], None)
        };
        assert_eq!(peer(json!({"8080": {"mode": "STRICT"}})), Peer::Unknown { why: PORT_UNKNOWN.into() });
        assert_eq!(peer(json!({"8080": {"mode": "PERMISSIVE"}})), Peer::Permissive);
        assert_eq!(peer(Value::Null), Peer::Permissive);
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
