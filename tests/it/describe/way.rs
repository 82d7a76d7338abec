//! One thing broken at a time: `--host` names it, and nothing else.

use serde_json::json;

use super::{UPSTREAM, World, judged};

fn to_httpbin(world: &World) {
    let name = world.httpbin();
    world.route(
        "shop.example",
        &format!("    - {{matchers: [{{prefix: /}}], routeAction: {{single: {{upstream: {{name: {name}, namespace: GLOO}}}}}}}}\n"),
    );
}

const REQUEST: &str = "--host shop.example --path /cart";

#[test]
fn one_thing_broken_at_a_time_is_named_with_its_command() {
    let world = World::new("broken");
    let (gloo, apps, name) = (world.gloo.clone(), world.apps.clone(), world.httpbin());
    to_httpbin(&world);

    let (verdict, why, hint) = judged(&world.document(REQUEST));
    assert_eq!(
        (verdict.as_str(), why.as_str()),
        ("plaintext", "plaintext to the one pod: no sslConfig, and auto-mTLS is off")
    );
    // What would be typed must not break what works: the gateway has no certificate yet.
    assert_eq!(
        hint,
        format!(
            "gloo-rs istio inject -n {gloo} --name gateway-proxy --revision REVISION, then gloo-rs istio enable-mtls -u {gloo}/{name}"
        )
    );

    world.policy("{mtls: {mode: STRICT}}");
    let (verdict, why, _) = judged(&world.document(REQUEST));
    assert_eq!(verdict, "broken");
    assert_eq!(
        why,
        format!("the one pod answers plaintext with 503: it accepts only mutual TLS (STRICT, {apps}/rule, namespace)")
    );

    world.done(&format!("enable-mtls -u {name} --force --yes"));
    let (verdict, why, hint) = judged(&world.document(REQUEST));
    assert_eq!(verdict, "broken");
    assert!(
        why.starts_with(&format!(
            "gateway {gloo}/gateway-proxy cannot present Istio's certificate: it lacks cluster gateway_proxy_sds"
        )),
        "{why}"
    );
    assert_eq!(hint, format!("gloo-rs istio inject -n {gloo} --name gateway-proxy --revision REVISION"));

    world.done("inject --revision 1-28");
    let (verdict, why, hint) = judged(&world.document(REQUEST));
    assert_eq!(
        (verdict.as_str(), why.as_str(), hint.as_str()),
        ("mtls", "Istio's mutual TLS to the one pod by sslConfig", "")
    );
    let quiet = world.run(&format!("describe {REQUEST} --fail-on mixed,plaintext,broken,unknown"));
    assert_eq!(quiet.code, Some(0), "{quiet:?}");
    assert!(!quiet.stderr.contains("note:") && !quiet.stderr.contains("warning:"), "{quiet:?}");

    world.policy(
        "{selector: {matchLabels: {app: httpbin}}, mtls: {mode: STRICT}, portLevelMtls: {'8080': {mode: DISABLE}}}",
    );
    let (verdict, why, hint) = judged(&world.document(REQUEST));
    assert_eq!(verdict, "broken");
    assert!(why.ends_with(&format!("it does not accept mutual TLS ({apps}/rule, port says DISABLE)")), "{why}");
    assert_eq!(hint, format!("kubectl edit peerauthentication rule -n {apps}"));
    world.policy("{mtls: {mode: STRICT}}");
    world.plane.api().delete("security.istio.io/v1/PeerAuthentication", &apps, "rule").unwrap();

    world.apply(
        "apiVersion: v1
kind: Pod
metadata: {name: stray, namespace: APPS, labels: {app: httpbin}}
spec: {containers: [{name: x, image: x}]}
",
    );
    world.plane.api().wait("v1/Pod", &apps, "stray", |pod| pod["status"]["phase"] == "Running").unwrap();
    let (verdict, why, hint) = judged(&world.document(REQUEST));
    assert_eq!((verdict.as_str(), hint), ("broken", format!("gloo-rs istio enroll {apps}")));
    assert_eq!(why, "1 of 2 pods answers Istio's TLS with 503: it has no sidecar to take Istio's TLS");
    world.plane.api().delete("v1/Pod", &apps, "stray").unwrap();

    let rejected = json!({"status": {"statuses": {&gloo: {"state": "Rejected", "reason": "secret not found"}}}});
    world.plane.api().merge(UPSTREAM, &gloo, &name, &rejected).unwrap();
    assert_eq!(judged(&world.document(REQUEST)).1, "Gloo rejects it: secret not found");
    let accepted = json!({"status": {"statuses": {&gloo: {"state": "Accepted", "reason": null}}}});
    world.plane.api().merge(UPSTREAM, &gloo, &name, &accepted).unwrap();

    world.plane.api().delete("v1/Service", &apps, "httpbin").unwrap();
    assert_eq!(judged(&world.document(REQUEST)).1, format!("service {apps}/httpbin is not there"));
    world.plane.api().delete(UPSTREAM, &gloo, &name).unwrap();
    assert_eq!(judged(&world.document(REQUEST)).1, format!("upstream {gloo}/{name} is not there"));
}

#[test]
fn the_text_is_one_screen_that_names_the_source_of_each_fact() {
    let world = World::new("screen");
    to_httpbin(&world);
    world.policy("{mtls: {mode: STRICT}}");
    let output = world.done(&format!("describe {REQUEST}"));
    let text = output.stdout.replace(&world.gloo, "GLOO").replace(&world.apps, "APPS");
    assert_eq!(
        text,
        "request shop.example/cart
gateway GLOO/gateway-proxy port 8080
  host shop.example in virtualservice GLOO/shop (exact)
    rather than * in virtualservice GLOO/httpbin
  1. prefix /: takes it
     virtualservice GLOO/shop route 1
     -> upstream GLOO/APPS-httpbin-8000

upstream GLOO/APPS-httpbin-8000: broken
  the one pod answers plaintext with 503: it accepts only mutual TLS (STRICT, APPS/rule, namespace)
  hint: gloo-rs istio inject -n GLOO --name gateway-proxy --revision REVISION, then gloo-rs istio enable-mtls -u GLOO/APPS-httpbin-8000
  TLS      none: no sslConfig, and auto-mTLS is off
           by settings GLOO/default
  pods     1 of 1 in the mesh, revision default
           of service APPS/httpbin
  peer     STRICT
           by peerauthentication APPS/rule, namespace: STRICT
  gateway  GLOO/gateway-proxy: lacks cluster gateway_proxy_sds, container sds, container istio-proxy and 7 more parts
  status   Accepted
  owner    Gloo's discovery
"
    );
    assert!(output.stderr.starts_with("context plane (https://127.0.0.1:"), "{output:?}");
}

#[test]
fn every_kind_of_route_ends_in_words() {
    let world = World::new("kinds");
    let name = world.httpbin();
    world.route(
        "shop.example",
        &format!(
            "    - {{matchers: [{{prefix: /gone}}], delegateAction: {{ref: {{name: gone, namespace: GLOO}}}}}}
    - {{matchers: [{{prefix: /round}}], delegateAction: {{selector: {{labels: {{round: 'yes'}}}}}}}}
    - {{matchers: [{{prefix: /kube}}], routeAction: {{single: {{kube: {{ref: {{name: plain, namespace: APPS}}, port: 8080}}}}}}}}
    - {{matchers: [{{prefix: /away}}], redirectAction: {{httpsRedirect: true}}}}
    - {{matchers: [{{prefix: /group}}], routeAction: {{upstreamGroup: {{name: both, namespace: GLOO}}}}}}
    - {{matchers: [{{prefix: /canary, headers: [{{name: x-canary, value: '1'}}]}}], routeAction: {{single: {{upstream: {{name: {name}}}}}}}}}
"
        ),
    );
    world.apply(&format!(
        "apiVersion: gateway.solo.io/v1
kind: RouteTable
metadata: {{name: round, namespace: GLOO, labels: {{round: 'yes'}}}}
spec: {{routes: [{{matchers: [{{prefix: /round}}], delegateAction: {{selector: {{labels: {{round: 'yes'}}}}}}}}]}}
---
apiVersion: gloo.solo.io/v1
kind: UpstreamGroup
metadata: {{name: both, namespace: GLOO}}
spec: {{destinations: [{{weight: 9, destination: {{upstream: {{name: {name}, namespace: GLOO}}}}}}, {{weight: 1, destination: {{upstream: {{name: weather, namespace: GLOO}}}}}}]}}
"
    ));
    let said = |path: &str| {
        let output = world.run(&format!("describe --host shop.example --path {path}"));
        (output.code, format!("{}{}", output.stdout, output.stderr))
    };
    for (path, code, words) in [
        ("/gone", 4, "left out by Gloo: route table GLOO/gone is not there"),
        ("/gone", 4, "no route takes shop.example/gone: 404"),
        ("/round", 4, "route table GLOO/round is already part of this chain: a cycle"),
        ("/kube", 0, "service APPS/plain:8080: plaintext"),
        ("/away", 0, "-> redirect to https"),
        ("/group", 0, "-> upstream GLOO/weather, 1 of 10 by upstreamgroup GLOO/both"),
        ("/canary", 0, "takes it if header x-canary is 1"),
        ("/canary", 0, "for any other request, no route takes the path: 404"),
        ("/nothing", 4, "no route takes shop.example/nothing: 404"),
    ] {
        let (seen, text) = said(path);
        let words = words.replace("GLOO", &world.gloo).replace("APPS", &world.apps);
        assert!(text.contains(&words), "{path}: {text}");
        assert_eq!(seen, Some(code), "{path}: {text}");
    }
}

#[test]
fn what_is_not_there_is_said_with_what_is_near() {
    let world = World::new("near");
    to_httpbin(&world);
    world.plane.api().delete("gateway.solo.io/v1/VirtualService", &world.gloo, "httpbin").unwrap();
    let host = world.run("describe --host shpo.example");
    assert_eq!(host.code, Some(4), "{host:?}");
    assert!(host.stderr.contains("error: no virtual host takes shpo.example: 404\n"), "{host:?}");
    assert!(host.stderr.contains("  near: shop.example"), "{host:?}");
    let port = world.run("describe --host shop.example --port 81");
    assert!(port.stderr.contains("error: no gateway listens at port 81\n"), "{port:?}");
    assert_eq!(
        world.done("describe --host shop.example --port 80").stdout.lines().count(),
        world.done("describe --host shop.example --port 8080").stdout.lines().count()
    );
    let upstream = world.run("describe upstream weathr");
    assert_eq!(upstream.code, Some(4), "{upstream:?}");
    assert!(upstream.stderr.contains("near: weather"), "{upstream:?}");
}

#[test]
fn an_http_route_leads_to_its_service_through_the_proxy_that_gloo_makes() {
    let world = World::new("gateway-api");
    world.plane.api().delete("gateway.solo.io/v1/VirtualService", &world.gloo, "httpbin").unwrap();
    world.apply(
        "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: APPS}
spec: {gatewayClassName: gloo-gateway, listeners: [{name: http, port: 8080, protocol: HTTP}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: shop, namespace: APPS}
spec:
  parentRefs: [{name: edge}]
  hostnames: [api.GLOO.example]
  rules:
  - matches: [{path: {type: PathPrefix, value: /v1}}]
    backendRefs: [{name: httpbin, port: 8000}]
  - matches: [{path: {type: Exact, value: /v1/weather}}]
    backendRefs: [{name: weather, namespace: GLOO, kind: Upstream, group: gloo.solo.io}]
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: gloo-proxy-edge
  namespace: APPS
  labels: {gateway.networking.k8s.io/gateway-name: edge, gloo: kube-gateway}
spec:
  selector: {matchLabels: {gateway.networking.k8s.io/gateway-name: edge}}
  template:
    metadata: {labels: {gateway.networking.k8s.io/gateway-name: edge}}
    spec: {containers: [{name: gloo-gateway, image: envoy}]}
",
    );
    let host = format!("--host api.{}.example --path /v1/x --port 8080", world.gloo);
    let document = world.document(&host);
    let target = &document["targets"][0];
    assert_eq!(target["target"], json!({"kind": "Service", "namespace": world.apps, "name": "httpbin", "port": 8000}));
    assert_eq!(target["verdict"], "plaintext");
    assert_eq!(target["gateways"][0]["name"], format!("{}/gloo-proxy-edge", world.apps));
    let listeners = document["request"]["listeners"].as_array().unwrap();
    let of_api = listeners.iter().find(|it| it["listener"].as_str().unwrap().starts_with("Gateway API gateway"));
    assert_eq!(of_api.unwrap()["routes"][0]["source"], json!([format!("httproute {}/shop rule 1", world.apps)]));
    let auto = json!({"spec": {"gloo": {"istioOptions": {"enableAutoMtls": true, "enableIntegration": true}}}});
    world.plane.api().merge(super::SETTINGS, &world.gloo, "default", &auto).unwrap();
    let broken = world.document(&host);
    assert_eq!(broken["targets"][0]["verdict"], "broken");
    assert!(broken["targets"][0]["why"].as_str().unwrap().contains("gloo-proxy-edge cannot present"), "{broken:#}");
}
