//! What the backend's authorization policies do to the verdict and to a change.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::error::Reason;
use crate::plan::authorization::AuthorizationPolicy;
use crate::plan::path::fixture::{meshed, plain, pods};
use crate::plan::path::guard::against_denial;
use crate::plan::path::harm::{Harm, harm};
use crate::plan::path::identity::switched;
use crate::plan::path::sends::Negotiated;
use crate::plan::path::{
    Announced, Cause, Decider, Described, Facts, Membership, Pod, ProxyState, Sends, Verdict, judge,
};
use crate::plan::peer::{Mode, PolicyRef};
use crate::plan::routes::RouteTarget;

fn policy(action: &str, source: &Value) -> Arc<AuthorizationPolicy> {
    let spec = json!({"action": action, "rules": [{"from": [{"source": source}]}]});
    let value = json!({"metadata": {"namespace": "shop", "name": "p"}, "spec": spec});
    Arc::new(AuthorizationPolicy::read(&value).unwrap())
}

fn by(policies: &[Arc<AuthorizationPolicy>]) -> Pod {
    Pod { authorization: Ok(policies.to_vec()), ..meshed(Mode::Permissive) }
}

fn proxy() -> ProxyState {
    ProxyState {
        account: "gateway-proxy".into(),
        lacks: Ok(Vec::new()),
        ..ProxyState::named("gloo-system/gateway-proxy")
    }
}

fn facts(sends: Sends, behind: Vec<Pod>) -> Facts {
    Facts::bare(RouteTarget::Other("u".into()), pods(behind), Ok(vec![proxy()])).sending(sends)
}

fn istio() -> Sends {
    Sends::Istio { any_peer: false, announced: Announced::AsTheMeshs, negotiated: Negotiated::AsSent }
}

fn plaintext() -> Sends {
    Sends::Plaintext { why: "no sslConfig".into() }
}

#[test]
fn a_policy_that_denies_breaks_the_path_and_is_its_decider() {
    let anonymous = json!({"notPrincipals": ["*"]});
    let gateway = json!({"namespaces": ["gloo-system"]});
    let table = [
        ("ALLOW", &gateway, istio(), None),
        ("ALLOW", &gateway, plaintext(), Some(Cause::Denied)),
        ("DENY", &gateway, istio(), Some(Cause::Denied)),
        ("DENY", &gateway, plaintext(), None),
        ("DENY", &anonymous, plaintext(), Some(Cause::Denied)),
        ("DENY", &anonymous, istio(), None),
        ("ALLOW", &gateway, Sends::PerPod, None),
    ];
    for (action, source, sends, cause) in table {
        let facts = facts(sends, vec![by(&[policy(action, source)])]);
        let judged = judge(&facts);
        assert_eq!(judged.cause, cause, "{action} {source} {:?}: {}", facts.sends, judged.why);
        assert_eq!(judged.verdict == Verdict::Broken, cause.is_some());
        if cause.is_some() {
            let policy = PolicyRef { namespace: "shop".into(), name: "p".into() };
            assert_eq!(Described::from(facts).decider(), Decider::Authorization(policy));
        }
    }
}

#[test]
fn one_denied_pod_of_two_is_broken_and_a_pod_outside_of_the_mesh_denies_nothing() {
    let deny = policy("DENY", &json!({"namespaces": ["gloo-system"]}));
    let judged = judge(&facts(istio(), vec![by(&[]), by(std::slice::from_ref(&deny))]));
    assert_eq!(judged.cause, Some(Cause::Denied), "{judged:?}");
    assert!(judged.why.starts_with("some requests get a 403"), "{}", judged.why);
    let outside = facts(plaintext(), vec![plain("shop/a")]);
    assert_eq!(judge(&outside).verdict, Verdict::Plaintext);
}

#[test]
fn a_condition_is_told_and_the_verdict_stays() {
    let spec = json!({"action": "DENY", "rules": [{"to": [{"operation": {"paths": ["/admin"]}}]}]});
    let value = json!({"metadata": {"namespace": "shop", "name": "p"}, "spec": spec});
    let judged = judge(&facts(istio(), vec![by(&[Arc::new(AuthorizationPolicy::read(&value).unwrap())])]));
    assert_eq!((judged.verdict, judged.cause), (Verdict::Mtls, None));
    assert!(judged.why.ends_with("; policy shop/p, DENY decides by paths"), "{}", judged.why);
}

#[test]
fn a_change_after_which_a_policy_denies_is_harmful_and_the_other_way_is_not() {
    let denies_identity = || vec![by(&[policy("DENY", &json!({"namespaces": ["gloo-system"]}))])];
    let (before, after) = (facts(plaintext(), denies_identity()), facts(istio(), denies_identity()));
    assert!(matches!(harm(&before, &after), Harm::Broken { cause: Cause::Denied, .. }), "{:?}", harm(&before, &after));
    assert_eq!(harm(&after, &before), Harm::None);
    let same = facts(istio(), denies_identity());
    assert_eq!(harm(&same, &same), Harm::None);
}

#[test]
fn a_policy_that_starts_or_stops_to_match_the_gateway_is_named_whichever_way_it_decides() {
    let gateway = json!({"namespaces": ["gloo-system"]});
    let (starts, stops) = ("starts", "stops");
    let table = [
        ("ALLOW", gateway.clone(), Some((starts, stops))),
        ("DENY", gateway, Some((starts, stops))),
        ("DENY", json!({"notPrincipals": ["*"]}), Some((stops, starts))),
        ("ALLOW", json!({"namespaces": ["other"]}), None),
        ("ALLOW", json!({"ipBlocks": ["10.0.0.0/8"]}), None),
    ];
    for (action, source, said) in table {
        let of = |sends| facts(sends, vec![by(&[policy(action, &source)]), by(&[policy(action, &source)])]);
        let told = |before, after| {
            let all = switched(&of(before), &of(after));
            all.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let line = |does: &str| format!("policy shop/p, {action} {does} to match gateway gloo-system/gateway-proxy");
        let (on, off) = said.map_or((vec![], vec![]), |(on, off)| (vec![line(on)], vec![line(off)]));
        assert_eq!(told(plaintext(), istio()), on, "{action} {source}");
        assert_eq!(told(istio(), plaintext()), off, "{action} {source}");
        assert_eq!(told(istio(), istio()), [""; 0]);
    }
}

#[test]
fn policies_that_may_not_be_read_do_not_deny() {
    let unread = Pod { authorization: Err("not allowed to list".into()), ..meshed(Mode::Permissive) };
    assert_eq!(judge(&facts(istio(), vec![unread])).verdict, Verdict::Mtls);
}

#[test]
fn a_bulk_run_has_an_objection_to_a_change_after_which_a_policy_denies_the_gateway() {
    let gateway = json!({"namespaces": ["gloo-system"]});
    let behind = |action: &str| vec![by(&[policy(action, &gateway)])];
    let objection = |action: &str, before: Sends, after: Sends| {
        against_denial(&facts(before, behind(action)), &facts(after, behind(action))).map(|why| why.reason)
    };
    assert_eq!(objection("DENY", plaintext(), istio()), Some(Reason::WouldBreak));
    assert_eq!(objection("ALLOW", istio(), plaintext()), Some(Reason::WouldBreak));
    // It is denied now.
    assert_eq!(objection("ALLOW", plaintext(), istio()), None);
    assert_eq!(objection("DENY", istio(), plaintext()), None);
    assert_eq!(objection("DENY", istio(), istio()), None);
    let unread = Facts { proxies: Err("not allowed".into()), ..facts(istio(), behind("DENY")) };
    assert_eq!(against_denial(&facts(plaintext(), behind("DENY")), &unread), None, "whose identity is unknown");
}

#[test]
fn a_denial_that_begins_with_the_capture_of_the_pod_is_harm() {
    let other = policy("ALLOW", &json!({"principals": ["cluster.local/ns/other/sa/x"]}));
    let captured = Pod { membership: Membership::Ambient, ..by(&[other]) };
    let outside = Pod { membership: Membership::Outside, authorization: Ok(Vec::new()), ..captured.clone() };
    let harmed = harm(&facts(plaintext(), vec![outside]), &facts(plaintext(), vec![captured]));
    assert!(matches!(harmed, Harm::Broken { cause: Cause::Denied, .. }), "{harmed:?}");
}
