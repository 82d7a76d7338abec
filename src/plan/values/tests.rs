use serde_json::{Value, json};

use super::*;
use crate::edit::json::apply;
use crate::plan::advice::Code;
use crate::plan::istiod::{Istiod, Told};
use crate::plan::sidecars::Flags;

mod gateway_api;
mod wrapped;

fn istiod(revision: &str) -> Istiod {
    Istiod {
        revision: revision.into(),
        version: "1.28.3".into(),
        namespace: "istio-system".into(),
        name: format!("istiod-{revision}"),
        service: format!("istiod-{revision}"),
        address: format!("istiod-{revision}.istio-system.svc:15012"),
        mesh_id: "cluster.local".into(),
        trust_domain: "cluster.local".into(),
        root_namespace: "istio-system".into(),
        cluster_id: Told::Default("Kubernetes".into()),
        tags: Vec::new(),
        ready: 1,
        wanted: 1,
        image: Some("docker.io/istio/pilot:1.28.3".into()),
        webhook: None,
    }
}

fn chart(edition: Edition) -> Chart {
    Chart { edition, below: None, version: ChartVersion::parse("1.17.7"), defaults: Value::Null }
}

fn oss() -> Chart {
    chart(Edition::OpenSource)
}

fn flags(revision: Option<&str>) -> Flags {
    Flags { revision: revision.map(str::to_owned), ..Flags::default() }
}

fn merged(values: &Value, wish: &ValuesWish, flags: &Flags) -> (Value, ValuesPlan) {
    let plan = merge(values, &oss(), wish, flags, &[istiod("1-28")]).unwrap();
    (apply(values, &plan.edits).unwrap(), plan)
}

#[test]
fn nothing_said_gets_all_that_the_guide_sets() {
    let (after, plan) = merged(&json!({"mine": 1}), &ValuesWish::default(), &flags(Some("1-28")));
    assert_eq!(
        after,
        json!({
            "mine": 1,
            "global": {
                "istioIntegration": {"enabled": true, "enableAutoMtls": true},
                "glooMtls": {"istioProxy": {"image": {"tag": "1.28.3"}}},
            },
            "gatewayProxies": {"gatewayProxy": {"istioDiscoveryAddress": "istiod-1-28.istio-system.svc:15012"}},
        })
    );
    assert_eq!(plan.changes.len(), 4);
    let again = merge(&after, &oss(), &ValuesWish::default(), &flags(Some("1-28")), &[istiod("1-28")]).unwrap();
    assert_eq!(again.changes, []);
}

#[test]
fn of_several_istiods_the_one_in_use_is_taken_unless_the_values_have_one() {
    let both = [istiod("1-27"), istiod("1-28")];
    let address = |values: &Value, in_use: Option<&str>| {
        let flags = Flags { in_use: in_use.map(str::to_owned), ..Flags::default() };
        let plan = merge(values, &oss(), &ValuesWish::default(), &flags, &both).ok()?;
        let after = apply(values, &plan.edits).unwrap();
        after["gatewayProxies"]["gatewayProxy"]["istioDiscoveryAddress"].as_str().map(str::to_owned)
    };
    let of = |revision: &str| Some(format!("istiod-{revision}.istio-system.svc:15012"));
    assert_eq!(address(&json!({}), Some("1-28")), of("1-28"));
    assert_eq!(address(&json!({}), None), None, "nothing has chosen one");
    let has = json!({"gatewayProxies": {"gatewayProxy": {"istioDiscoveryAddress": of("1-27")}}});
    assert_eq!(address(&has, Some("1-28")), of("1-27"));
}

#[test]
fn enterprise_has_its_proxies_one_level_down() {
    let values = json!({"gloo": {"gatewayProxies": {"publicGw": {"kind": {}}, "gone": null}}});
    let chart = chart(Edition::Enterprise);
    let plan = merge(&values, &chart, &ValuesWish::default(), &Flags::default(), &[istiod("1-28")]).unwrap();
    let after = apply(&values, &plan.edits).unwrap();
    let proxies = &after["gloo"]["gatewayProxies"];
    for key in ["gatewayProxy", "publicGw"] {
        assert_eq!(proxies[key]["istioDiscoveryAddress"], "istiod-1-28.istio-system.svc:15012", "{key}");
    }
    assert_eq!(proxies["gone"], Value::Null);
    assert_eq!(after["global"]["istioIntegration"]["enabled"], true);
    assert_eq!(after.get("gatewayProxies"), None);
}

#[test]
fn explicit_values_win() {
    let values = json!({
        "global": {
            "istioIntegration": {"enabled": false, "enableAutoMtls": false},
            "glooMtls": {"istioProxy": {"image": {"registry": "mirror.example/istio", "tag": "1.27.0"}}},
        },
        "gatewayProxies": {"gatewayProxy": {"istioDiscoveryAddress": "istiod-1-27.istio-system.svc:15012", "istioMetaMeshId": "m"}},
    });
    let (after, plan) = merged(&values, &ValuesWish::default(), &Flags::default());
    let mut wanted = values.clone();
    wanted["global"]["istioIntegration"]["enabled"] = true.into();
    assert_eq!(after, wanted);
    assert!(plan.advice.iter().any(|advice| advice.message.contains("enableAutoMtls stays false")));

    let typed = ValuesWish { auto_mtls: Switch::On, sds: Switch::On, proxies: Vec::new() };
    let (after, _) = merged(&values, &typed, &flags(Some("1-28")));
    assert_eq!(after["global"]["istioIntegration"]["enableAutoMtls"], true);
    assert_eq!(after["global"]["istioSDS"]["enabled"], true);
    let proxy = &after["gatewayProxies"]["gatewayProxy"];
    assert_eq!(proxy["istioDiscoveryAddress"], "istiod-1-28.istio-system.svc:15012");
    assert_eq!(proxy["istioMetaMeshId"], "m");
    let image = &after["global"]["glooMtls"]["istioProxy"]["image"];
    assert_eq!(*image, json!({"registry": "mirror.example/istio", "tag": "1.28.3"}));
}

#[test]
fn a_typed_image_replaces_all_of_it() {
    let values = json!({"global": {"glooMtls": {"istioProxy": {"image": {"tag": "1", "digest": "sha256:0"}}}}});
    let flags = Flags { proxy_image: Some("mirror.example/i/proxyv2:9".into()), ..Flags::default() };
    let (after, _) = merged(&values, &ValuesWish::default(), &flags);
    let image = &after["global"]["glooMtls"]["istioProxy"]["image"];
    assert_eq!(*image, json!({"tag": "9", "registry": "mirror.example/i"}));
}

#[test]
fn an_old_chart_gets_what_it_knows() {
    let old = Chart { version: ChartVersion::parse("1.16.3"), ..oss() };
    let plan = merge(&json!({}), &old, &ValuesWish::default(), &Flags::default(), &[istiod("1-28")]).unwrap();
    let after = apply(&json!({}), &plan.edits).unwrap();
    assert_eq!(after["global"]["istioSDS"]["enabled"], true);
    assert_eq!(after["global"].get("istioIntegration"), None);
}

#[test]
fn nothing_is_merged_by_guess() {
    for (values, at) in [
        (json!({"global": "x"}), "global: must be a map"),
        (json!({"global": {"istioIntegration": ["a"]}}), "global.istioIntegration: must be a map"),
        (
            json!({"global": {"istioIntegration": {"enabled": {}}}}),
            "global.istioIntegration.enabled: must be a single value",
        ),
        (json!({"gatewayProxies": {"gatewayProxy": 3}}), "gatewayProxies.gatewayProxy: must be a map"),
        (json!({"gatewayProxies": []}), "gatewayProxies: must be a map"),
    ] {
        let failure = merge(&values, &oss(), &ValuesWish::default(), &Flags::default(), &[istiod("1")]).unwrap_err();
        assert!(failure.message.starts_with(at), "{failure}");
        assert_eq!(failure.details.len(), 2);
    }
}

#[test]
fn a_proxy_that_was_nulled_is_not_brought_back_and_a_map_that_was_is_said() {
    let values = json!({"gatewayProxies": {"gatewayProxy": null, "own": {}}, "global": null});
    let (after, plan) = merged(&values, &ValuesWish::default(), &Flags::default());
    assert_eq!(after["gatewayProxies"]["gatewayProxy"], Value::Null);
    assert!(after["gatewayProxies"]["own"]["istioDiscoveryAddress"].is_string());
    assert!(plan.advice.iter().any(|advice| advice.message.starts_with("global is null")));
}

#[test]
fn a_proxy_is_named_by_its_key_or_its_deployment() {
    let values = json!({"gatewayProxies": {"publicGw": {}}});
    for name in ["publicGw", "public-gw"] {
        let wish = ValuesWish { proxies: vec![name.into()], ..ValuesWish::default() };
        let (after, _) = merged(&values, &wish, &Flags::default());
        assert_eq!(after["gatewayProxies"].as_object().unwrap().len(), 1);
    }
    let wish = ValuesWish { proxies: vec!["publicGv".into()], ..ValuesWish::default() };
    let failure = merge(&values, &oss(), &wish, &Flags::default(), &[istiod("1")]).unwrap_err();
    assert_eq!(failure.details, ["near: publicGw"]);
}

#[test]
fn an_address_in_the_values_or_typed_needs_no_cluster() {
    let none = json!({});
    let there = json!({"gatewayProxies": {"gatewayProxy": {"istioDiscoveryAddress": "a:15012"}}});
    let typed = Flags { discovery_address: Some("b:15012".into()), ..Flags::default() };
    let needs = |values: &Value, flags: &Flags| needs_istiod(values, &oss(), &ValuesWish::default(), flags).unwrap();
    assert!(needs(&none, &Flags::default()) && needs(&there, &flags(Some("x"))));
    assert!(!needs(&there, &Flags::default()) && !needs(&none, &typed));
    let plan = merge(&there, &oss(), &ValuesWish::default(), &Flags::default(), &[]).unwrap();
    assert_eq!(plan.changes.len(), 2);
}

#[test]
fn what_was_merged_in_is_taken_out_and_no_empty_map_stays() {
    for values in [
        json!({"mine": 1}),
        json!({"global": {"image": {"tag": "x"}}, "gatewayProxies": {"gatewayProxy": {"kind": {}}, "own": {}}}),
    ] {
        let (after, _) =
            merged(&values, &ValuesWish { sds: Switch::On, ..ValuesWish::default() }, &flags(Some("1-28")));
        assert!(oss().has_istio(&after) && !oss().has_istio(&values));
        let plan = remove(&after, &oss(), &ValuesWish::default(), None).unwrap();
        assert_eq!(apply(&after, &plan.edits).unwrap(), values);
        assert_eq!(remove(&values, &oss(), &ValuesWish::default(), None).unwrap().changes, []);
    }
}

#[test]
fn what_was_there_before_istio_comes_back() {
    let earlier = json!({
        "global": {"istioIntegration": {"enabled": false}, "glooMtls": {"istioProxy": {"image": {"tag": "1.20.0"}}}},
        "gatewayProxies": {"gatewayProxy": {}},
    });
    let (after, _) = merged(&earlier, &ValuesWish::default(), &flags(Some("1-28")));
    let plan = remove(&after, &oss(), &ValuesWish::default(), Some(&earlier)).unwrap();
    assert_eq!(apply(&after, &plan.edits).unwrap(), earlier);
}

#[test]
fn versions_are_read_as_far_as_they_decide() {
    for (text, wanted) in [
        ("1.17.7", Some(true)),
        ("v1.17.0-beta13", Some(true)),
        ("1.16.9", Some(false)),
        ("2.0.0", Some(true)),
        ("*", None),
    ] {
        assert_eq!(ChartVersion::parse(text).map(ChartVersion::has_integration), wanted, "{text}");
    }
}

#[test]
fn auto_mtls_goes_back_to_what_it_was_and_nothing_else_does() {
    let back = |values: &Value, chart: &Chart, before: &Value| {
        let plan = auto_mtls_back(values, chart, before);
        (apply(values, &plan.edits).unwrap(), plan.changes.len())
    };
    let with = |integration: Value| json!({"mine": 1, "global": {"istioIntegration": integration}});
    let (on, sidecars) = (with(json!({"enabled": true, "enableAutoMtls": true})), with(json!({"enabled": true})));
    assert_eq!(back(&on, &oss(), &json!({"mine": 1})), (sidecars.clone(), 1));
    let said = with(json!({"enabled": true, "enableAutoMtls": false}));
    assert_eq!(back(&on, &oss(), &with(json!({"enableAutoMtls": false}))), (said.clone(), 1));
    // If it was on without the integration, and so had no effect, it is set to false explicitly.
    assert_eq!(back(&on, &oss(), &with(json!({"enableAutoMtls": true}))), (said.clone(), 1));
    let usual = Chart { defaults: with(json!({"enableAutoMtls": true})), ..oss() };
    assert_eq!(back(&on, &usual, &json!({"mine": 1})), (said.clone(), 1));
    for off in [said, sidecars] {
        assert_eq!(back(&off, &oss(), &json!({})), (off.clone(), 0));
    }
}

#[test]
fn what_is_left_by_a_removal_is_named() {
    let values = json!({
        "global": {"istioIntegration": {"enabled": true, "enableAutoMtls": false}},
        "gatewayProxies": {"gatewayProxy": {"istioDiscoveryAddress": "a:1"}, "publicGw": {"istioDiscoveryAddress": "a:1"}},
    });
    let plan = remove(&values, &oss(), &ValuesWish::default(), None).unwrap();
    let left = json!({"global": {"istioIntegration": {"enableAutoMtls": false}}, "gatewayProxies": {"publicGw": {}}});
    assert_eq!(apply(&values, &plan.edits).unwrap(), left);
    let told: Vec<_> = plan.advice.iter().map(|advice| (advice.code, advice.message.as_str())).collect();
    let [(off, of_switch), (kept, of_proxy)] = told[..] else { panic!("{told:?}") };
    assert_eq!((off, kept), (Code::Explicit, Code::Explicit));
    assert!(of_switch.starts_with("global.istioIntegration.enableAutoMtls stays false"), "{told:?}");
    assert!(of_proxy.starts_with("gatewayProxies.publicGw stays"), "{told:?}");
}
