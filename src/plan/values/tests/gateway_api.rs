//! Proxies of the Kubernetes Gateway API: their settings are below `kubeGateway`.

use super::*;

const CONTAINER: [&str; 5] = ["kubeGateway", "gatewayParameters", "glooGateway", "istio", "istioProxyContainer"];

fn address() -> Value {
    json!("istiod-1-28.istio-system.svc:15012")
}

fn container(values: &Value) -> Value {
    FieldPath::keys(&CONTAINER).get(values).cloned().unwrap_or_default()
}

#[test]
fn they_get_address_ids_and_image_and_a_disabled_proxy_gets_none() {
    let values = json!({"kubeGateway": {"enabled": true}, "gatewayProxies": {"gatewayProxy": {"disabled": true}}});
    let (after, _) = merged(&values, &ValuesWish::default(), &flags(Some("1-28")));
    assert_eq!(container(&after), json!({"image": {"tag": "1.28.3"}, "istioDiscoveryAddress": address()}));
    assert_eq!(after["gatewayProxies"], values["gatewayProxies"]);
    assert_eq!(after["global"].get("glooMtls"), None, "no rendered proxy runs this image");

    let typed = Flags {
        discovery_address: Some("a.b.svc:15012".into()),
        mesh_id: Some("mesh1".into()),
        cluster_id: Some("east".into()),
        proxy_image: Some("mirror.example/i/proxyv2:9".into()),
        ..Flags::default()
    };
    let (after, _) = merged(&values, &ValuesWish::default(), &typed);
    let wanted = json!({
        "image": {"registry": "mirror.example/i", "tag": "9"},
        "istioDiscoveryAddress": "a.b.svc:15012", "istioMetaMeshId": "mesh1", "istioMetaClusterId": "east",
    });
    assert_eq!(container(&after), wanted);
}

#[test]
fn both_kinds_of_proxies_get_them() {
    let values = json!({"kubeGateway": {"enabled": true}});
    let (after, plan) = merged(&values, &ValuesWish::default(), &flags(Some("1-28")));
    assert_eq!(container(&after)["istioDiscoveryAddress"], address());
    assert_eq!(after["gatewayProxies"]["gatewayProxy"]["istioDiscoveryAddress"], address());
    assert_eq!(after["global"]["glooMtls"]["istioProxy"]["image"]["tag"], "1.28.3");
    assert_eq!(plan.changes.len(), 6);
    for (name, keys) in
        [("kubeGateway", [true, false]), ("kube-gateway", [true, false]), ("gateway-proxy", [false, true])]
    {
        let wish = ValuesWish { proxies: vec![name.into()], ..ValuesWish::default() };
        let (after, _) = merged(&values, &wish, &flags(Some("1-28")));
        assert_eq!([!container(&after).is_null(), after.get("gatewayProxies").is_some()], keys, "{name}");
    }
}

#[test]
fn enterprise_has_them_below_gloo_and_a_revision_moves_an_old_address() {
    let old = json!({"istioDiscoveryAddress": "istiod-1-27.istio-system.svc:15012", "istioMetaMeshId": "east"});
    let values = json!({"gloo": {
        "gatewayProxies": {"gatewayProxy": {"disabled": true}},
        "kubeGateway": {"enabled": true, "gatewayParameters": {"glooGateway": {"istio": {"istioProxyContainer": old}}}},
    }});
    let chart = chart(Edition::Enterprise);
    let kept = merge(&values, &chart, &ValuesWish::default(), &Flags::default(), &[istiod("1-27"), istiod("1-28")]);
    assert!(kept.unwrap().changes.iter().all(|change| !change.path.to_string().ends_with("Address")));
    let plan = merge(&values, &chart, &ValuesWish::default(), &flags(Some("1-28")), &[istiod("1-28")]).unwrap();
    let after = apply(&values, &plan.edits).unwrap();
    let moved = container(&after["gloo"]);
    assert_eq!(moved["istioDiscoveryAddress"], address());
    assert_eq!(moved["istioMetaMeshId"], "east");
    assert_eq!(after["gloo"]["gatewayProxies"], values["gloo"]["gatewayProxies"]);
}

#[test]
fn what_was_added_is_removed_again() {
    let plain = json!({"kubeGateway": {"enabled": true}, "gatewayProxies": {"gatewayProxy": {"disabled": true}}});
    let with_log_level = json!({"kubeGateway": {"enabled": true, "gatewayParameters": {"glooGateway": {
        "istio": {"istioProxyContainer": {"logLevel": "debug"}},
    }}}});
    for values in [plain, with_log_level] {
        let typed = Flags {
            mesh_id: Some("mesh1".into()),
            cluster_id: Some("east".into()),
            proxy_image: Some("mirror.example/i/proxyv2:9".into()),
            ..flags(Some("1-28"))
        };
        let (after, _) = merged(&values, &ValuesWish::default(), &typed);
        let removal = remove(&after, &oss(), &ValuesWish::default(), None).unwrap();
        assert_eq!(apply(&after, &removal.edits).unwrap(), values);
    }
    // Also where they have no effect any more.
    let off = json!({
        "kubeGateway": {"gatewayParameters": {"glooGateway": {"istio": {"istioProxyContainer": {"istioMetaMeshId": "m"}}}}},
        "gatewayProxies": {"gatewayProxy": {"disabled": true, "istioDiscoveryAddress": "a:1"}},
    });
    let removal = remove(&off, &oss(), &ValuesWish::default(), None).unwrap();
    let left = apply(&off, &removal.edits).unwrap();
    assert_eq!(left, json!({"gatewayProxies": {"gatewayProxy": {"disabled": true}}}));
}

#[test]
fn custom_sidecars_leave_nothing_to_set() {
    let custom = json!([{"name": "istio-proxy"}]);
    let kube = json!({"kubeGateway": {"enabled": true, "gatewayParameters": {"glooGateway": {
        "istio": {"customSidecars": custom},
    }}}});
    let (after, plan) = merged(&kube, &ValuesWish::default(), &flags(Some("1-28")));
    assert_eq!(container(&after), Value::Null);
    assert_eq!(after["gatewayProxies"]["gatewayProxy"]["istioDiscoveryAddress"], address());
    assert!(plan.changes.iter().all(|change| !change.path.to_string().starts_with("kubeGateway")));

    let rendered = json!({"global": {"istioSDS": {"customSidecars": custom}}, "kubeGateway": {"enabled": true}});
    let (after, _) = merged(&rendered, &ValuesWish::default(), &flags(Some("1-28")));
    assert_eq!(container(&after)["istioDiscoveryAddress"], address());
    assert_eq!(after.get("gatewayProxies"), None);
    assert_eq!(after["global"].get("glooMtls"), None);
    let none = json!({"global": {"istioSDS": {"customSidecars": []}}});
    let (after, _) = merged(&none, &ValuesWish::default(), &flags(Some("1-28")));
    assert_eq!(after["gatewayProxies"]["gatewayProxy"]["istioDiscoveryAddress"], address());
}

#[test]
fn flags_that_are_used_nowhere_are_named() {
    let values = json!({"gatewayProxies": {"gatewayProxy": {"disabled": true}}});
    let typed = Flags { discovery_address: Some("a:15012".into()), ..Flags::default() };
    let plan = merge(&values, &oss(), &ValuesWish::default(), &typed, &[]).unwrap();
    let said: Vec<_> = plan.advice.iter().map(|advice| (advice.code, advice.message.as_str())).collect();
    let words = "no gateway reads istiod's address: \
                 gatewayProxies.gatewayProxy.disabled is true, kubeGateway.enabled is not true";
    assert_eq!(said, [(Code::NoEffect, words)]);
    assert!(!needs_istiod(&values, &oss(), &ValuesWish::default(), &flags(Some("1-28"))).unwrap());
    let named = ValuesWish { proxies: vec!["kubeGateway".into()], ..ValuesWish::default() };
    let plan = merge(&json!({}), &oss(), &named, &typed, &[]).unwrap();
    assert_eq!(plan.advice[0].message, "kubeGateway.enabled is not true: not changed");
}

#[test]
fn an_old_chart_has_none() {
    let old = Chart { version: ChartVersion::parse("1.16.3"), ..oss() };
    let values = json!({"kubeGateway": {"enabled": true}});
    let plan = merge(&values, &old, &ValuesWish::default(), &Flags::default(), &[istiod("1-28")]).unwrap();
    assert!(plan.changes.iter().all(|change| !change.path.to_string().starts_with("kubeGateway")));
}

#[test]
fn the_address_to_wait_for_is_that_of_proxies_with_settings() {
    let of = |kube: Value| json!({"global": {"istioIntegration": {"enabled": true}}, "kubeGateway": kube});
    let settings = json!({"glooGateway": {"istio": {"istioProxyContainer": {"istioDiscoveryAddress": "a:1"}}}});
    let address = |values: &Value| gateway_api_address(values, &oss());
    assert_eq!(address(&of(json!({"enabled": true, "gatewayParameters": settings}))).as_deref(), Some("a:1"));
    assert_eq!(address(&of(json!({"gatewayParameters": settings}))), None);
    assert_eq!(address(&of(json!({"enabled": true}))), None);
    let mut off = of(json!({"enabled": true, "gatewayParameters": settings}));
    off["global"] = json!({});
    assert_eq!(address(&off), None);
}
