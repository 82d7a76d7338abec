use serde_json::{Value, json};

use super::*;
use crate::edit::json::apply;
use crate::model::kinds::{SETTINGS, UPSTREAM};
use crate::plan::path::fixture::{around, meshed, plain, pod, pods, switched};
use crate::plan::path::{Behind, Membership, Pod};
use crate::plan::peer::Mode::{self, Disable, Permissive, Strict};
use crate::plan::ssl_config::istio_ssl_config;

fn upstream(spec: &Value) -> Object {
    Object::new(&UPSTREAM, json!({"metadata": {"name": "cart", "namespace": "gloo-system"}, "spec": spec}))
}

fn with_config() -> Object {
    upstream(&json!({"kube": {}, "sslConfig": istio_ssl_config()}))
}

fn without_config() -> Object {
    upstream(&json!({"kube": {}}))
}

fn migration(caution: Caution) -> Migration {
    Migration { caution, gloo: "gloo-system".to_owned(), others: Ok(Vec::new()) }
}

fn context(behind: Behind, auto_mtls: bool) -> UpstreamContext {
    UpstreamContext { settings: Ok(switched(auto_mtls)), ..around(behind) }
}

fn on(pods_behind: Vec<Pod>) -> UpstreamContext {
    context(pods(pods_behind), true)
}

fn selected(object: &Object, around: &UpstreamContext) -> Decision {
    migration(Caution::Careful).decide(object, Picked::Selected, around)
}

/// The reason why it is skipped. Named, it is refused for the same reason, with and without auto-mTLS.
fn skipped(object: &Object, around: &UpstreamContext) -> Reason {
    let Decision::Skip(why) = selected(object, around) else { panic!("{:?}", selected(object, around)) };
    let named = migration(Caution::Careful).decide(object, Picked::Named, around);
    assert_eq!(named, Decision::Refuse(why.clone()));
    assert!(!why.message.is_empty());
    why.reason
}

/// What becomes of it, and the reason.
fn changed(object: &Object, around: &UpstreamContext) -> (Value, Option<Reason>) {
    let decision = selected(object, around);
    let Decision::Change { edits, .. } = &decision else { panic!("{decision:?}") };
    (apply(&object.value, edits).unwrap()["spec"].clone(), migration(Caution::Careful).reason(edits))
}

fn settings(namespace: &str, spec: &Value) -> Object {
    Object::new(&SETTINGS, json!({"metadata": {"name": "default", "namespace": namespace}, "spec": spec}))
}

#[test]
fn the_config_goes_where_every_pod_gets_the_same() {
    for modes in [vec![Permissive], vec![Strict], vec![Permissive, Strict, Permissive]] {
        let around = on(modes.into_iter().map(meshed).collect());
        assert_eq!(changed(&with_config(), &around), (json!({"kube": {}}), Some(Reason::SamePath)));
    }
    // It makes no difference that Gloo takes these parts for the same.
    let mut short = istio_ssl_config();
    for key in ["clusterName", "targetUri"] {
        short["sds"].as_object_mut().unwrap().remove(key);
    }
    let short = upstream(&json!({"kube": {}, "sslConfig": short}));
    assert_eq!(changed(&short, &on(vec![meshed(Strict)])).1, Some(Reason::SamePath));
}

#[test]
fn it_stays_where_auto_mtls_is_off_or_unknown() {
    let pods_behind = || pods(vec![meshed(Permissive)]);
    assert_eq!(skipped(&with_config(), &context(pods_behind(), false)), Reason::AutoMtlsOff);
    let Decision::Skip(why) = selected(&with_config(), &context(pods_behind(), false)) else { panic!() };
    assert_eq!(why.hint.unwrap().to_string(), "first: gloo-rs istio auto-mtls enable");
    let mut half = switched(true);
    half.switches.integration = false;
    let half = UpstreamContext { settings: Ok(half), ..around(pods_behind()) };
    assert_eq!(skipped(&with_config(), &half), Reason::AutoMtlsOff);
    let unread = UpstreamContext { settings: Err("not allowed to get settings".into()), ..around(pods_behind()) };
    assert_eq!(skipped(&with_config(), &unread), Reason::Unknown);
    // Not even --force turns it into plaintext.
    for around in [context(pods_behind(), false), half, unread] {
        let forced = migration(Caution::Forced).decide(&with_config(), Picked::Named, &around);
        assert!(matches!(forced, Decision::Refuse(_)), "{forced:?}");
    }
}

#[test]
fn another_gloo_that_reads_it_without_auto_mtls_is_in_the_way() {
    let on_there = json!({"gloo": {"istioOptions": {"enableAutoMtls": true, "enableIntegration": true}}});
    let elsewhere = json!({"watchNamespaces": ["edge"]});
    let around = on(vec![meshed(Strict)]);
    let reason = |others: Vec<Object>| {
        let others = Ok(OtherGloo::read(others, "gloo-system"));
        match (Migration { others, ..migration(Caution::Careful) }).decide(&with_config(), Picked::Selected, &around) {
            Decision::Skip(why) => Some(why.reason),
            Decision::Change { .. } => None,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(reason(vec![settings("edge", &json!({}))]), Some(Reason::AutoMtlsOff));
    assert_eq!(reason(vec![settings("edge", &on_there)]), None);
    assert_eq!(reason(vec![settings("edge", &elsewhere)]), None, "it does not read the namespace");
    assert_eq!(reason(vec![settings("gloo-system", &json!({}))]), None, "the run's own Settings are read apart");
    let unread = Migration { others: Err("not allowed to list settings".into()), ..migration(Caution::Careful) };
    let decision = unread.decide(&with_config(), Picked::Selected, &around);
    assert!(matches!(&decision, Decision::Skip(why) if why.reason == Reason::Unknown), "{decision:?}");
    let forced = Migration { caution: Caution::Forced, ..unread };
    assert!(matches!(forced.decide(&with_config(), Picked::Selected, &around), Decision::Change { .. }));
}

#[test]
fn it_stays_where_a_pod_gets_something_else_or_nothing_is_known() {
    let ambient = || pod("shop/z", Membership::Ambient, Permissive);
    let labelled = || pod("shop/l", Membership::Labelled, Permissive);
    let unread = || Pod { demands: Err("not allowed".into()), ..meshed(Permissive) };
    let table = [
        (pods(vec![plain("shop/a")]), Reason::NoSidecar),
        (pods(vec![meshed(Permissive), plain("shop/a")]), Reason::NoSidecar),
        (pods(vec![ambient()]), Reason::NoSidecar),
        (pods(vec![labelled()]), Reason::NoSidecar),
        (pods(vec![meshed(Disable)]), Reason::DisabledPeer),
        (pods(vec![unread()]), Reason::Unknown),
        (pods(Vec::new()), Reason::NoPods),
        (Behind::NoService { service: "shop/cart".into() }, Reason::NoPods),
        (Behind::ByHand { service: "shop/cart".into() }, Reason::Unknown),
        (Behind::Unknown("not allowed to list pods".into()), Reason::Unknown),
        (Behind::Outside { kind: "static".into() }, Reason::NotKubernetes),
    ];
    for (behind, reason) in table {
        let around = context(behind, true);
        assert_eq!(skipped(&with_config(), &around), reason, "{around:?}");
        let forced = migration(Caution::Forced).decide(&with_config(), Picked::Selected, &around);
        assert!(matches!(forced, Decision::Change { .. }), "{forced:?}");
    }
    let unseen = UpstreamContext { settings: Ok(switched(true)), ..UpstreamContext::unseen() };
    assert_eq!(skipped(&with_config(), &unseen), Reason::Unknown);
    let system = UpstreamContext { far_end: FarEnd::System("kube-system/dns".into()), settings: Ok(switched(true)) };
    assert_eq!(skipped(&with_config(), &system), Reason::SystemService);
}

#[test]
fn settings_that_auto_mtls_does_not_have_are_named() {
    let around = on(vec![meshed(Strict)]);
    let table = [
        ("sni", json!("cart.shop"), "sni"),
        ("verifySubjectAltName", json!(["spiffe://x"]), "verifySubjectAltName"),
        ("alpnProtocols", json!(["istio", "h2"]), "alpnProtocols"),
        ("alpnProtocols", Value::Null, "alpnProtocols"),
    ];
    for (key, value, named) in table {
        let mut config = istio_ssl_config();
        config[key] = value;
        let object = upstream(&json!({"kube": {}, "sslConfig": config}));
        assert_eq!(skipped(&object, &around), Reason::PathDiffers, "{config}");
        let Decision::Skip(why) = selected(&object, &around) else { panic!() };
        assert!(why.message.ends_with(named), "{why:?}");
    }
    let mut config = istio_ssl_config();
    config["sds"].as_object_mut().unwrap().remove("validationContextName");
    assert_eq!(skipped(&upstream(&json!({"kube": {}, "sslConfig": config})), &around), Reason::PathDiffers);
    let of_static = upstream(&json!({"static": {"hosts": []}, "sslConfig": istio_ssl_config()}));
    assert_eq!(skipped(&of_static, &around), Reason::NotKubernetes);
}

#[test]
fn what_is_not_istios_is_left_untouched_whatever_is_typed() {
    let around = on(vec![meshed(Strict)]);
    let files = json!({"tlsCert": "/etc/istio-certs/cert-chain.pem", "tlsKey": "/etc/istio-certs/key.pem"});
    let table = [
        (json!({"kube": {}, "sslConfig": {"secretRef": {"name": "own"}}}), Reason::ForeignTls),
        (json!({"kube": {}, "sslConfig": {"sslFiles": files}}), Reason::PathDiffers),
        (json!({"kube": {}, "sslConfig": istio_ssl_config(), "disableIstioAutoMtls": true}), Reason::OptedOut),
        (json!({"kube": {}, "ssl_config": {}}), Reason::UnknownField),
        (json!("odd"), Reason::NoSpec),
    ];
    for (spec, reason) in table {
        let object = upstream(&spec);
        assert_eq!(skipped(&object, &around), reason, "{spec}");
        let forced = migration(Caution::Forced).decide(&object, Picked::Named, &around);
        assert!(matches!(forced, Decision::Refuse(_)), "{forced:?}");
    }
}

#[test]
fn the_one_that_auto_mtls_harms_opts_out_whether_it_is_on_or_not() {
    for is_on in [true, false] {
        let around = |modes: &[Mode]| context(pods(modes.iter().copied().map(meshed).collect()), is_on);
        let out = (json!({"kube": {}, "disableIstioAutoMtls": true}), Some(Reason::AutoMtlsHarms));
        assert_eq!(changed(&without_config(), &around(&[Disable])), out);
        assert_eq!(changed(&without_config(), &around(&[Permissive, Disable])), out);
        // Neither serves all of its pods.
        assert_eq!(skipped(&without_config(), &around(&[Strict, Disable])), Reason::WouldBreak);
        for modes in [&[Permissive][..], &[Strict], &[Permissive, Strict]] {
            assert!(matches!(selected(&without_config(), &around(modes)), Decision::Unchanged { .. }), "{modes:?}");
        }
        for own in [json!({"aws": {}}), json!({"static": {"useTls": true}})] {
            let outside = context(Behind::Outside { kind: "aws".into() }, is_on);
            assert_eq!(changed(&upstream(&own), &outside).1, Some(Reason::AutoMtlsHarms), "{own}");
        }
        let plain_host = upstream(&json!({"static": {"hosts": [{"addr": "x", "port": 80}]}}));
        let outside = context(Behind::Outside { kind: "static".into() }, is_on);
        assert!(matches!(selected(&plain_host, &outside), Decision::Unchanged { .. }));
        for behind in [pods(vec![plain("shop/a")]), pods(Vec::new()), Behind::NoService { service: "s".into() }] {
            let decision = selected(&without_config(), &context(behind, is_on));
            assert!(matches!(decision, Decision::Unchanged { .. }), "{decision:?}");
        }
        assert_eq!(skipped(&without_config(), &context(Behind::Unknown("no".into()), is_on)), Reason::Unknown);
        let already = upstream(&json!({"kube": {}, "disableIstioAutoMtls": true}));
        assert!(matches!(selected(&already, &around(&[Disable])), Decision::Unchanged { .. }));
    }
    let unread = UpstreamContext { settings: Err("no".into()), ..around(pods(vec![meshed(Disable)])) };
    assert_eq!(changed(&without_config(), &unread).1, Some(Reason::AutoMtlsHarms), "Settings do not decide it");
}

#[test]
fn the_command_for_files_and_what_is_served_follow_from_the_change() {
    let plan = migration(Caution::Careful);
    assert_eq!(plan.in_files(&without_config()).command, "istio disable-mtls");
    let out = upstream(&json!({"kube": {}, "disableIstioAutoMtls": true}));
    assert_eq!(plan.in_files(&out).command, "istio auto-mtls disable");
    for object in [with_config(), without_config()] {
        assert_eq!(plan.expects(&object), Some(Wanted::AutoMtls), "before the sslConfig is removed, and after it");
    }
    assert_eq!(plan.expects(&out), Some(Wanted::NotIstio));
    assert_eq!(migration(Caution::Forced).expects(&with_config()), Some(Wanted::NotIstio));
}
