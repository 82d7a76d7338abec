//! What the sidecars behind a Service accept on its port, pod by pod.

use super::evidence::{Demand, Evident};
use crate::plan::Unread;
use crate::plan::path::{Membership, Pod};
use crate::plan::peer::{Effective, Mode};

/// Returns what the pods in the mesh accept, all of one namespace. Pods without a sidecar have no policy and are
/// ignored here.
///
/// # Errors
/// Why it is unknown for one of them.
pub(crate) fn of_pods(pods: &[Pod]) -> Evident<Demand> {
    let of_mesh = pods.iter().filter(|pod| pod.membership == Membership::Sidecar);
    let namespace = pods.first().map_or("", |pod| pod.namespace.as_str());
    let all: Vec<&Effective> =
        of_mesh.map(|pod| pod.demands.as_ref().map_err(Unread::clone)).collect::<Result<_, _>>()?;
    let saying = |mode: Mode| {
        let mut they = all.iter().filter(move |effective| effective.mode == mode);
        let first = *they.next()?;
        Some((first, they.count() + 1 == all.len()))
    };
    let fix = |of: &Effective| of.set_by().map(|policy| policy.opened_by(namespace));
    Ok(match (saying(Mode::Strict), saying(Mode::Disable)) {
        (Some((first, true)), _) => Demand::Strict { by: by(first), fix: fix(first) },
        (Some((first, false)), _) => Demand::Mixed { by: by(first), fix: fix(first) },
        (None, Some((first, true))) => Demand::Disabled { by: by(first), fix: fix(first) },
        (None, Some((first, false))) => Demand::PartlyDisabled { by: by(first), fix: fix(first) },
        (None, None) => Demand::Lax {
            by: all.first().map_or_else(
                || "no pod of the mesh".to_owned(),
                |effective| format!("{} ({})", effective.mode, by(effective)),
            ),
        },
    })
}

/// Returns `PeerAuthentication istio-system/test (mesh)`.
fn by(effective: &Effective) -> String {
    match effective.set_by() {
        Some(source) => format!("PeerAuthentication {} ({})", source.policy, source.level.name()),
        None => "no PeerAuthentication, Istio's default".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::{Value, json};

    use super::*;
    use crate::command::gloo_rs;
    use crate::plan::authorization::AuthorizationPolicies;
    use crate::plan::path::Behind;
    use crate::plan::path::behind::{PodPolicies, ServicePort};
    use crate::plan::path::endpoints::PodEndpoints;
    use crate::plan::peer::{PORT_UNKNOWN, Policies};

    fn pod(app: &str) -> Value {
        json!({
            "metadata": {"namespace": "shop", "labels": {"app": app, "security.istio.io/tlsMode": "istio"}},
            "spec": {"containers": [{"ports": [{"name": "web", "containerPort": 8080}]}]},
        })
    }

    fn policy(name: &str, spec: &Value) -> Value {
        json!({"metadata": {"namespace": "shop", "name": name}, "spec": spec})
    }

    fn demand(all: &[Value], target: &Value, pods: &[Value]) -> Demand {
        read(all, target, pods).unwrap()
    }

    fn read(all: &[Value], target: &Value, pods: &[Value]) -> Evident<Demand> {
        let root_namespace = "istio-system";
        let policies = PodPolicies {
            is_ambient: false,
            peer: Ok(Policies { all, root_namespace }),
            authorization: Ok(AuthorizationPolicies { all: &[], root_namespace }),
        };
        let service = json!({"spec": {"selector": {"a": "b"}, "ports": [{"port": 80, "targetPort": target}]}});
        let port = ServicePort::find("shop/cart", &service, Some(80), &BTreeMap::new()).unwrap();
        let behind = port.behind(pods, &PodEndpoints::whole_pods(), &policies);
        let Behind::Pods { pods, .. } = behind else { panic!("{behind:?}") };
        of_pods(&pods)
    }

    #[test]
    fn every_pod_has_its_say() {
        let strict = policy("s", &json!({"mtls": {"mode": "STRICT"}}));
        let open = policy("o", &json!({"selector": {"matchLabels": {"app": "b"}}, "mtls": {"mode": "PERMISSIVE"}}));
        let by = || "PeerAuthentication shop/s (namespace)".to_owned();
        let fix = || Some(gloo_rs("istio peer-auth permissive").with("-n", "shop"));
        let both = [pod("a"), pod("b")];
        assert_eq!(demand(std::slice::from_ref(&strict), &json!(8080), &both), Demand::Strict { by: by(), fix: fix() });
        assert_eq!(demand(&[strict, open], &json!(8080), &both), Demand::Mixed { by: by(), fix: fix() });
        let disable = policy("d", &json!({"mtls": {"mode": "DISABLE"}}));
        let open = policy("o", &json!({"selector": {"matchLabels": {"app": "b"}}, "mtls": {"mode": "PERMISSIVE"}}));
        let by = || "PeerAuthentication shop/d (namespace)".to_owned();
        let every = Demand::Disabled { by: by(), fix: fix() };
        assert_eq!(demand(std::slice::from_ref(&disable), &json!(8080), &both), every);
        let some = Demand::PartlyDisabled { by: by(), fix: fix() };
        assert_eq!(demand(&[disable, open], &json!(8080), &both), some);
        let lax = |by: &str| Demand::Lax { by: by.to_owned() };
        assert_eq!(demand(&[], &json!(8080), &both), lax("PERMISSIVE (no PeerAuthentication, Istio's default)"));
        let bare = json!({"metadata": {"labels": {}}});
        assert_eq!(demand(&[], &json!(8080), &[bare]), lax("no pod of the mesh"));
    }

    #[test]
    fn a_named_port_is_the_pods_own() {
        let port = policy(
            "p",
            &json!({"selector": {"matchLabels": {"app": "a"}}, "mtls": {"mode": "PERMISSIVE"},
                    "portLevelMtls": {"8080": {"mode": "STRICT"}}}),
        );
        for target in [json!("web"), json!(8080)] {
            let found = demand(std::slice::from_ref(&port), &target, &[pod("a")]);
            assert!(matches!(found, Demand::Strict { by, .. } if by == "PeerAuthentication shop/p (port)"));
        }
        let other = read(&[port], &json!("admin"), &[pod("a")]);
        assert_eq!(other, Err(PORT_UNKNOWN.into()), "a name that no container has");
    }
}
