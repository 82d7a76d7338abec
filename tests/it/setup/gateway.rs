//! `setup --gateway`: a Gateway of the Kubernetes Gateway API whose routes lead to Services, with a follower in the place of
//! Gloo's controller and requests through two real Envoys.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{SHOP, UPSTREAM, containers, ends, mode, plane, run, same, state};
use crate::stage::pair::Pair;
use crate::stage::{GatewayController, Injector, Plane, class_and_gateway, parameters_of_class};

const GLOO: &str = "gloo-system";
const WORDS: [&str; 13] = [
    "setup",
    "--gateway",
    "http",
    "--namespace-to-enroll",
    SHOP,
    "--revision",
    "1-28",
    "--auto-mtls",
    "--strict",
    "--host",
    "shop.example",
    "--path",
    "/cart",
];

/// A Gateway with a route to the shop's Service, which no `VirtualService` leads to.
fn with_gateway() -> Result<Plane> {
    let plane = plane()?;
    plane.api().delete("gateway.solo.io/v1/VirtualService", GLOO, "shop")?;
    plane.api().delete("gloo.solo.io/v1/Upstream", GLOO, UPSTREAM)?;
    let mut parameters = parameters_of_class();
    parameters["metadata"]["namespace"] = GLOO.into();
    let route = json!({
        "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
        "metadata": {"name": "shop", "namespace": SHOP},
        "spec": {
            "parentRefs": [{"name": "http", "namespace": GLOO}], "hostnames": ["shop.example"],
            "rules": [{"backendRefs": [{"name": "cart", "port": 80}]}],
        },
    });
    for object in class_and_gateway(GLOO).into_iter().chain([parameters, route]) {
        plane.api().apply(&object.to_string())?;
    }
    Ok(plane)
}

/// What the parameters and Settings say of Istio.
fn istio(plane: &Plane) -> Result<[Value; 2]> {
    let get = |kind: &str, name: &str| plane.api().get(kind, GLOO, name)?.context("it is there");
    let parameters = get("gateway.gloo.solo.io/v1alpha1/GatewayParameters", "gloo-gateway")?;
    let settings = get("gloo.solo.io/v1/Settings", "default")?;
    Ok([parameters["spec"]["kube"]["istio"].clone(), settings["spec"]["gloo"]["istioOptions"].clone()])
}

#[test]
fn a_gateway_whose_routes_lead_to_services_gets_to_proven_mutual_tls_and_back() -> Result<()> {
    let plane = with_gateway()?;
    let _injector = Injector::of_the_guide(&plane)?;
    let _controller = GatewayController::start(&plane, GLOO)?;
    let pair = Pair::start("kube-svc:shop-cart-80_shop")?;
    pair.beside(&["gateway_proxy_sds"]);
    pair.sends(&pair.mtls()?)?;
    pair.stand_in(&plane, GLOO)?;
    let (before, plain) = (state(&plane)?, istio(&plane)?);

    // The usual proxy stays without sidecars, and auto-mTLS is for every Upstream.
    let harm = run(&plane, &[&WORDS[..], &["--yes"]].concat());
    ends(&harm, 1, &[], &["error: step 3 is refused: requests that work now would get 503s", "default-httpbin-8000"]);
    same(&plane, &before)?;
    plane.api().delete("gateway.solo.io/v1/VirtualService", GLOO, "httpbin")?;
    let (before, pods) = (state(&plane)?, containers(&plane)?);

    let planned = [
        "  1 inject    sidecars for Gateway http\n",
        "undo: gloo-rs istio uninject --gateway http\n",
        "  2 enroll    namespace shop\n",
        "  3 auto-mtls Settings\n",
        "undo: gloo-rs istio auto-mtls disable -n gloo-system\n",
        "  4 verify    shop.example/cart: expect 200 and mTLS, before going strict\n",
        "  5 strict    namespace shop\n",
    ];
    ends(&run(&plane, &[&WORDS[..], &["--dry-run"]].concat()), 0, &planned, &[]);
    assert_eq!(istio(&plane)?, plain);
    let made = run(&plane, &[&WORDS[..], &["--yes"]].concat());
    let said = ["waiting for Gloo's controller", "GET /cart (Host: shop.example) to pod gloo-system/gloo-proxy-http-"];
    ends(&made, 0, &[&planned[..], &["mTLS proven\n", "setup done: 6 steps\n"]].concat(), &said);
    let [parameters, options] = istio(&plane)?;
    assert_eq!(parameters["istioProxyContainer"]["istioDiscoveryAddress"], "istiod-1-28.istio-system.svc:15012");
    assert_eq!((&options["enableIntegration"], &options["enableAutoMtls"]), (&json!(true), &json!(true)));
    assert_eq!(mode(&plane, SHOP)?.as_deref(), Some("STRICT"));
    ends(&run(&plane, &WORDS), 0, &["nothing to change\n", "setup done: 6 steps\n"], &[]);

    let back = run(&plane, &["teardown", "--yes"]);
    ends(&back, 0, &["uninject  Gateway http\n", "undo: gloo-rs istio inject --gateway http"], &[]);
    assert!(!back.stdout.contains("skipped: "), "{back:#?}");
    let [parameters, options] = istio(&plane)?;
    assert_eq!((&parameters, &options["enableIntegration"]), (&Value::Null, &plain[1]["enableIntegration"]));
    assert_eq!(containers(&plane)?, pods);
    same(&plane, &before)
}

#[test]
fn what_setup_cannot_do_for_a_gateway_is_named_and_changes_nothing() -> Result<()> {
    let plane = with_gateway()?;
    let before = state(&plane)?;
    let refused = |words: &[&str], code: i32, said: &[&str]| {
        ends(&run(&plane, &[&WORDS[..], words].concat()), code, &[], said);
    };
    refused(&["--via", "inject"], 2, &["--via"]);
    refused(&["--name", "gateway-proxy"], 2, &["--name"]);
    ends(&run(&plane, &["setup", "--gateway", "htp", "--no-verify"]), 4, &[], &["near: http"]);
    let unasked = run(&plane, &["setup", "--gateway", "http", "--namespace-to-enroll", SHOP]);
    ends(&unasked, 2, &[], &["needs the host of a request", "--no-verify"]);
    let unproven = run(&plane, &["setup", "--mesh", "ambient", "--namespace-to-enroll", SHOP, "-u", "x"]);
    ends(&unproven, 2, &[], &["--strict"]);
    // Nothing made its proxy.
    refused(&[], 4, &["has made no deployment/gloo-proxy-http"]);
    let tls = json!({"spec": {"listeners": [{"name": "https", "port": 8443, "protocol": "HTTPS"}]}});
    plane.api().merge("gateway.networking.k8s.io/v1/Gateway", GLOO, "http", &tls)?;
    refused(&[], 1, &["no listener with plain HTTP", "--no-verify"]);
    same(&plane, &before)
}
