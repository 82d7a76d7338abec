//! A user's own chart around Gloo's: the values are below the key of the dependency.

use super::*;

fn around(edition: Edition) -> Chart {
    Chart { below: Some("edge".to_owned()), ..chart(edition) }
}

#[test]
fn all_values_go_below_the_dependency() {
    let values = json!({"mine": 1, "edge": {"gatewayProxies": {"publicGw": {}}, "kubeGateway": {"enabled": true}}});
    let chart = around(Edition::OpenSource);
    let plan = merge(&values, &chart, &ValuesWish::default(), &flags(Some("1-28")), &[istiod("1-28")]).unwrap();
    let after = apply(&values, &plan.edits).unwrap();
    let keys: Vec<_> = after.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["mine", "edge"]);
    let edge = &after["edge"];
    assert_eq!(edge["global"]["istioIntegration"], json!({"enabled": true, "enableAutoMtls": true}));
    assert_eq!(edge["global"]["glooMtls"]["istioProxy"]["image"]["tag"], "1.28.3");
    assert!(edge["gatewayProxies"]["publicGw"]["istioDiscoveryAddress"].is_string());
    assert!(edge["kubeGateway"]["gatewayParameters"].is_object());
    assert!(chart.has_istio(&after) && chart.has_auto_mtls(&after) && plan.turns_on_auto_mtls(&after, &chart));
    let plan = remove(&after, &chart, &ValuesWish::default(), None).unwrap();
    assert_eq!(apply(&after, &plan.edits).unwrap(), values);
}

#[test]
fn enterprise_has_one_more_level() {
    let chart = around(Edition::Enterprise);
    let plan = merge(&json!({}), &chart, &ValuesWish::default(), &flags(Some("1-28")), &[istiod("1-28")]).unwrap();
    let edge = &apply(&json!({}), &plan.edits).unwrap()["edge"];
    assert!(edge["gloo"]["gatewayProxies"]["gatewayProxy"]["istioDiscoveryAddress"].is_string());
    assert_eq!(edge["global"]["istioIntegration"]["enabled"], true);
}

#[test]
fn a_global_value_is_changed_where_it_decides() {
    let values = json!({
        "global": {"istioIntegration": {"enabled": false}},
        "edge": {"global": {"istioIntegration": {"enabled": true, "enableAutoMtls": false}}},
    });
    let chart = around(Edition::OpenSource);
    assert!(!chart.has_istio(&values));
    let plan = merge(&values, &chart, &ValuesWish::default(), &flags(Some("1-28")), &[istiod("1-28")]).unwrap();
    let after = apply(&values, &plan.edits).unwrap();
    assert_eq!(after["global"]["istioIntegration"], json!({"enabled": true}));
    assert_eq!(after["edge"]["global"]["istioIntegration"]["enableAutoMtls"], false);
}
