//! What the far end demands: the `PeerAuthentication` that holds for a workload's port.

pub mod change;
pub mod exceptions;
pub mod exposure;
mod mode;
pub mod report;
mod scope;

use serde_json::Value;

pub use mode::{Effective, Level, Mode, PORT_UNKNOWN, Policies, PolicyRef, Source, is_set, mode, port_modes, selector};

use super::Unread;
use super::outcome::Objection;
use crate::error::Reason;

/// Whether the far end takes what is to be sent there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// Nobody looked: a manifest without a cluster.
    Unseen,
    /// It could not be read.
    Unknown { why: Unread },
    /// It is taken by every pod.
    Permissive,
    /// Mutual TLS alone is taken; `source` is the policy that says so.
    Strict { source: String },
    /// Plaintext alone is taken; `mend` is the command that changes it.
    Disabled { source: String, mend: String },
}

/// What is to be sent, by which is asked who does not take it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    Plaintext,
    MutualTls,
}

impl Sent {
    /// The mode of a peer that does not take it.
    pub fn refused_by(self) -> Mode {
        match self {
            Self::Plaintext => Mode::Strict,
            Self::MutualTls => Mode::Disable,
        }
    }
}

impl Peer {
    /// Why plaintext would not be answered, if it would not.
    pub fn against_plaintext(&self) -> Option<Objection> {
        let objection = match self {
            Self::Unseen | Self::Permissive | Self::Disabled { .. } => return None,
            Self::Unknown { why } => Objection::new(Reason::Unknown, format!("peer mode unknown: {why}")),
            Self::Strict { source } => {
                Objection::new(Reason::StrictPeer, format!("its peer is STRICT ({source}): 503 without mTLS"))
            }
        };
        Some(objection.hint("--force takes it all the same"))
    }

    /// Why mutual TLS would not be answered, if it would not.
    pub fn against_mutual_tls(&self) -> Option<Objection> {
        let objection = match self {
            Self::Unseen | Self::Permissive | Self::Strict { .. } => return None,
            Self::Unknown { why } => Objection::new(Reason::Unknown, format!("peer mode unknown: {why}")),
            Self::Disabled { source, .. } => {
                Objection::new(Reason::DisabledPeer, format!("its peer is DISABLE ({source}): 503 with mTLS"))
            }
        };
        Some(objection.hint("--force takes it all the same"))
    }
}

/// Whether these pods, all of `namespace`, take what is sent to the port that the Service names `target_port`.
///
/// A pod without a sidecar demands nothing, whatever a policy says: nobody is there to demand it.
pub fn of_pods<'v>(
    policies: &[Value],
    root_namespace: &str,
    namespace: &str,
    pods: impl IntoIterator<Item = &'v Value>,
    target_port: Option<u64>,
    sent: Sent,
) -> Peer {
    let policies = Policies { all: policies, root_namespace };
    let mut peer = Peer::Permissive;
    for pod in pods.into_iter().filter(|pod| super::backend::is_meshed(pod)) {
        match policies.on_port(namespace, &pod["metadata"]["labels"], target_port) {
            None => peer = Peer::Unknown { why: PORT_UNKNOWN.into() },
            Some(effective) => {
                if let Some(policy) = effective.setting(sent.refused_by()) {
                    let source = policy.to_string();
                    return match sent {
                        Sent::Plaintext => Peer::Strict { source },
                        Sent::MutualTls => Peer::Disabled { source, mend: policy.opened_by(namespace) },
                    };
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
        of_pods(policies, "istio-system", "shop", [&pod], Some(8080), Sent::Plaintext)
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
            of_pods(&all, "istio-system", "shop", [&pod], None, Sent::Plaintext)
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
        assert_eq!(of_pods(&[mesh], "istio-system", "shop", [&plain], None, Sent::Plaintext), Peer::Permissive);
    }

    #[test]
    fn mutual_tls_is_refused_by_what_is_disabled_and_the_command_is_of_its_level() {
        let meshed = json!({"metadata": {"labels": {"app": "a", "security.istio.io/tlsMode": "istio"}}});
        let plain = json!({"metadata": {"labels": {"app": "a"}}});
        let disable = json!({"mtls": {"mode": "DISABLE"}});
        let of_port =
            json!({"selector": {"matchLabels": {"app": "a"}}, "portLevelMtls": {"8080": {"mode": "DISABLE"}}});
        let peer = |policy: &Value, pod: &Value, namespace: &str| {
            of_pods(std::slice::from_ref(policy), "istio-system", namespace, [pod], Some(8080), Sent::MutualTls)
        };
        let disabled = |source: &str, mend: &str| Peer::Disabled { source: source.into(), mend: mend.into() };
        let own = policy("shop", "n", &disable);
        let opened = "gloo-rs istio peer-auth permissive -n shop";
        assert_eq!(peer(&own, &meshed, "shop"), disabled("shop/n, namespace", opened));
        assert_eq!(peer(&own, &plain, "shop"), Peer::Permissive);
        assert_eq!(peer(&policy("shop", "s", &json!({"mtls": {"mode": "STRICT"}})), &meshed, "shop"), Peer::Permissive);
        let mesh = policy("istio-system", "m", &disable);
        assert_eq!(peer(&mesh, &meshed, "shop"), disabled("istio-system/m, mesh", opened));
        let opened = "gloo-rs istio peer-auth permissive --mesh";
        assert_eq!(peer(&mesh, &meshed, "istio-system"), disabled("istio-system/m, mesh", opened));
        let opened = "kubectl edit peerauthentication p -n shop";
        assert_eq!(peer(&policy("shop", "p", &of_port), &meshed, "shop"), disabled("shop/p, port", opened));
        assert!(is_set(&[policy("shop", "p", &of_port)], Mode::Disable));
        assert!(!is_set(&[policy("shop", "s", &json!({"mtls": {"mode": "STRICT"}}))], Mode::Disable));
    }
}
