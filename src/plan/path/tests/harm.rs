//! The effect of a policy change on one path.

use super::*;
use crate::plan::path::harm::{Harm, harm};

fn selecting(whole: &str, port: &str) -> Value {
    json!({"metadata": {"namespace": "shop", "name": "w"}, "spec": {"selector": {"matchLabels": {"app": "cart"}},
        "mtls": {"mode": whole}, "portLevelMtls": {"8080": {"mode": port}}}})
}

/// Returns the effect on the path when the policies `before` are replaced by `after`.
fn harm_after(cluster: &Cluster, before: &[Value], after: &[Value]) -> Harm {
    let facts = |policies: &[Value]| {
        let cluster = Cluster { policies: Some(policies.to_vec()), ..cluster.clone() };
        let upstream = Object::new(&kinds::UPSTREAM, cluster.upstream.clone());
        Survey::new(&cluster.snapshot(), "gloo-system").of_upstream(&upstream)
    };
    harm(&facts(before), &facts(after))
}

fn broken(harm: &Harm) -> Option<Cause> {
    if let Harm::Broken { cause, .. } = harm { Some(*cause) } else { None }
}

#[test]
fn plaintext_is_harmed_where_a_pod_with_a_sidecar_begins_to_demand_mutual_tls() {
    let cluster = Cluster::new();
    let (strict, open) = ([policy("STRICT")], [policy("PERMISSIVE")]);
    assert_eq!(broken(&harm_after(&cluster, &open, &strict)), Some(Cause::StrictPeer));
    assert_eq!(broken(&harm_after(&cluster, &[], &strict)), Some(Cause::StrictPeer));
    assert_eq!(harm_after(&cluster, &strict, &open), Harm::None);
    assert_eq!(harm_after(&cluster, &strict, &strict), Harm::None, "it is broken already");
    let without = Cluster::new().with(|it| it.pods = vec![plain("a")]);
    assert_eq!(harm_after(&without, &[], &strict), Harm::None, "no sidecar, no demand");
    let nothing = Cluster::new().with(|it| it.pods.clear());
    assert_eq!(harm_after(&nothing, &[], &strict), Harm::None, "no pod, no pair");
    let unready =
        Cluster::new().with(|it| it.pods.iter_mut().for_each(|pod| pod["status"] = json!({"phase": "Running"})));
    assert_eq!(harm_after(&unready, &[], &strict), Harm::None, "a pod that is not ready gets no request");
}

#[test]
fn istios_tls_is_harmed_by_disable_alone() {
    let istio = Cluster::new().with(|it| it.upstream["spec"]["sslConfig"] = istio_ssl_config());
    assert_eq!(harm_after(&istio, &[], &[policy("STRICT")]), Harm::None);
    assert_eq!(broken(&harm_after(&istio, &[], &[policy("DISABLE")])), Some(Cause::DisabledPeer));
    let unknown_gateway = istio.with(|it| it.proxy["metadata"]["labels"] = json!({}));
    assert_eq!(harm_after(&unknown_gateway, &[], &[policy("STRICT")]), Harm::None, "the policy changes nothing for it");
}

#[test]
fn a_certificate_that_is_not_istios_is_unknown_before_a_strict_peer_and_none_at_all_is_refused() {
    let with = |config: Value| Cluster::new().with(|it| it.upstream["spec"]["sslConfig"] = config);
    assert!(matches!(harm_after(&with(secret_tls()), &[], &[policy("STRICT")]), Harm::Unknown(_)));
    assert_eq!(broken(&harm_after(&with(json!({"sni": "a"})), &[], &[policy("STRICT")])), Some(Cause::OwnTls));
}

#[test]
fn a_port_that_has_a_name_alone_is_unknown_where_single_ports_begin_to_differ() {
    let named =
        Cluster::new().with(|it| it.service.as_mut().unwrap()["spec"]["ports"][0]["targetPort"] = json!("http"));
    let (strict, open) = (policy("STRICT"), policy("PERMISSIVE"));
    let table = [
        (open.clone(), selecting("PERMISSIVE", "STRICT"), "unknown"),
        (open.clone(), selecting("STRICT", "PERMISSIVE"), "unknown"),
        (selecting("PERMISSIVE", "STRICT"), selecting("STRICT", "PERMISSIVE"), "unknown"),
        (selecting("PERMISSIVE", "STRICT"), strict.clone(), "broken"),
        (open.clone(), selecting("STRICT", "STRICT"), "broken"),
        (strict, selecting("PERMISSIVE", "STRICT"), "none"),
        (selecting("PERMISSIVE", "STRICT"), open, "none"),
        (selecting("PERMISSIVE", "STRICT"), selecting("PERMISSIVE", "STRICT"), "none"),
    ];
    for (before, after, wanted) in table {
        let harm = harm_after(&named, std::slice::from_ref(&before), std::slice::from_ref(&after));
        let word = match harm {
            Harm::None => "none",
            Harm::Broken { .. } => "broken",
            Harm::Unknown(_) => "unknown",
        };
        assert_eq!(word, wanted, "{before} {after} {harm:?}");
    }
}

#[test]
fn what_could_not_be_read_is_unknown_and_never_fine() {
    let strict = [policy("STRICT")];
    let no_settings = Cluster::new().with(|it| it.settings = None);
    assert!(matches!(harm_after(&no_settings, &[], &strict), Harm::Unknown(_)));
    assert_eq!(harm_after(&no_settings, &strict, &strict), Harm::None, "nothing changes");
    let headless = Cluster::new().with(|it| it.service.as_mut().unwrap()["spec"]["selector"] = Value::Null);
    assert!(matches!(harm_after(&headless, &[], &strict), Harm::Unknown(_)));
}
