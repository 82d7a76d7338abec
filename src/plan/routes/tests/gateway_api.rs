//! Listeners of the Gateway API and the `HTTPRoutes` attached to them.

use super::*;

const KUBE: &str = "KubeGateway shop/edge
spec:
  gatewayClassName: gloo-gateway
  listeners:
  - {name: http, port: 8080, protocol: HTTP}
  - {name: inner, port: 9090, protocol: HTTP, hostname: '*.inner.example', allowedRoutes: {namespaces: {from: All}}}
---
";

#[test]
fn http_routes_are_tried_by_how_specific_they_are() {
    let world = World::new(&format!(
        "{KUBE}HTTPRoute shop/old
metadata: {{creationTimestamp: '2026-01-01T00:00:00Z'}}
spec:
  parentRefs: [{{name: edge}}]
  hostnames: [shop.example]
  rules:
  - {{matches: [{{path: {{type: PathPrefix, value: /}}}}], backendRefs: [{{name: a, port: 80}}]}}
  - {{matches: [{{path: {{type: PathPrefix, value: /cart}}}}], backendRefs: [{{name: b, port: 80}}]}}
  - {{matches: [{{path: {{type: PathPrefix, value: /cart}}, method: POST}}], backendRefs: [{{name: c, port: 80}}]}}
---
HTTPRoute shop/new
metadata: {{creationTimestamp: '2026-02-01T00:00:00Z'}}
spec:
  parentRefs: [{{name: edge, sectionName: http}}]
  hostnames: [shop.example]
  rules:
  - {{matches: [{{path: {{type: PathPrefix, value: /cart}}}}], backendRefs: [{{name: d, port: 80}}]}}
  - {{matches: [{{path: {{type: Exact, value: /cart/1}}}}], backendRefs: [{{group: gloo.solo.io, kind: Upstream, name: u, namespace: gloo-system}}]}}
---
HTTPRoute shop/wide
spec:
  parentRefs: [{{name: edge}}]
  hostnames: ['*.example']
  rules: [{{backendRefs: [{{name: e, port: 80}}]}}]
"
    ));
    assert_eq!(
        world.tried("shop.example:8080", "/cart/1"),
        [
            "httproute shop/new rule 2 [exact /cart/1] Wins -> upstream gloo-system/u",
            "httproute shop/old rule 3 [prefix /cart] Behind -> service shop/c:80",
            "httproute shop/old rule 2 [prefix /cart] Behind -> service shop/b:80",
            "httproute shop/new rule 1 [prefix /cart] Behind -> service shop/d:80",
            "httproute shop/old rule 1 [prefix /] Behind -> service shop/a:80",
        ]
    );
    assert_eq!(world.tried("a.example", "/"), ["httproute shop/wide rule 1 [prefix /] Wins -> service shop/e:80"]);
}

#[test]
fn a_listener_takes_the_hosts_and_namespaces_it_says() {
    let world = World::new(&format!(
        "{KUBE}HTTPRoute away/all
spec:
  parentRefs: [{{name: edge, namespace: shop}}]
  rules: [{{backendRefs: [{{name: a, port: 80}}]}}]
"
    ));
    let answer = world.answer("x.inner.example", "/", None);
    let heard: Vec<_> = answer.heard.iter().map(|heard| (heard.host.as_str(), heard.candidates.len())).collect();
    assert_eq!(heard, [("no accepted route by HTTPRoutes", 0), ("*.inner.example by HTTPRoutes", 1)]);
    assert_eq!(answer.heard[0].left_out[0].why.to_string(), "the listener takes no routes from away");
    assert_eq!(
        answer.heard[1].proxies,
        [resolve::RouteProxy { namespace: "shop".into(), name: "gloo-proxy-edge".into() }]
    );
}

#[test]
fn gateways_of_another_class_are_somebody_elses() {
    let world = World::new(&KUBE.replace("gloo-gateway", "istio"));
    assert!(world.answer("x", "/", None).deaf.is_empty());
}

#[test]
fn an_http_route_that_was_not_accepted_is_left_out_with_its_reason() {
    let world = World::new(&format!(
        "{KUBE}HTTPRoute shop/r
spec:
  parentRefs: [{{name: edge}}]
  rules: [{{backendRefs: [{{name: a, port: 80}}]}}]
status:
  parents:
  - parentRef: {{name: edge}}
    controllerName: solo.io/gloo-gateway
    conditions: [{{type: Accepted, status: 'False', reason: NotAllowed, message: by policy}}]
"
    ));
    let answer = world.answer("x", "/", Some(8080));
    assert_eq!(answer.heard[0].left_out[0].why.to_string(), "not accepted: NotAllowed by policy");
}

#[test]
fn a_backend_that_the_controller_does_not_send_to_is_said() {
    let world = World::new(&format!(
        "{KUBE}HTTPRoute shop/r
spec:
  parentRefs: [{{name: edge}}]
  hostnames: [a]
  rules: [{{backendRefs: [{{name: a, namespace: other, port: 80}}]}}]
status:
  parents:
  - parentRef: {{name: edge}}
    conditions: [{{type: ResolvedRefs, status: 'False', reason: RefNotPermitted}}]
"
    ));
    assert_eq!(
        world.answer("a", "/", None).heard[0].trouble.as_deref(),
        Some("httproute shop/r has a backend that gets no requests: RefNotPermitted")
    );
}

#[test]
fn a_route_at_a_listener_set_is_not_passed_over_in_silence() {
    let world = World::new(&format!(
        "{KUBE}HTTPRoute shop/apart
spec:
  hostnames: [api.shop.example]
  parentRefs: [{{group: gateway.networking.x-k8s.io, kind: XListenerSet, name: team}}]
  rules: [{{backendRefs: [{{name: cart, port: 80}}]}}]
"
    ));
    let notes = |host: &str| world.answer(host, "/", None).notes;
    assert_eq!(
        notes("api.shop.example"),
        ["httproute shop/apart is attached to listener set shop/team, which is not read here"]
    );
    assert_eq!(notes("other.example"), [""; 0], "it is not for this host");
}

#[test]
fn on_one_port_the_narrowest_hostname_takes_the_request_whichever_listener_has_it() {
    let world = World::new(
        "KubeGateway shop/edge
spec:
  gatewayClassName: gloo-gateway
  listeners:
  - {name: http, port: 8080, protocol: HTTP}
  - {name: shop, port: 8080, protocol: HTTP, hostname: shop.example}
---
HTTPRoute shop/a
spec:
  parentRefs: [{name: edge, sectionName: http}]
  rules: [{backendRefs: [{name: old, port: 80}]}]
---
HTTPRoute shop/b
spec:
  parentRefs: [{name: edge, sectionName: shop}]
  rules: [{backendRefs: [{name: new, port: 80}]}]
---
HTTPRoute shop/c
spec:
  parentRefs: [{name: edge}]
  hostnames: [api.example, shop.example]
  rules: [{matches: [{path: {type: PathPrefix, value: /c}}], backendRefs: [{name: c, port: 80}]}]
---
HTTPRoute shop/everywhere
spec:
  parentRefs: [{name: edge}]
  rules: [{matches: [{path: {type: Exact, value: /e}}], backendRefs: [{name: e, port: 80}]}]
",
    );
    let answer = world.answer("shop.example", "/", Some(8080));
    let heard: Vec<_> = answer.heard.iter().map(|heard| (heard.listener.as_str(), heard.host.as_str())).collect();
    let both = "Gateway API gateway shop/edge, listeners http, shop port 8080";
    assert_eq!(heard, [(both, "shop.example by HTTPRoutes")]);
    assert_eq!(answer.heard[0].others, ["* in httproute shop/a"]);
    assert_eq!(world.tried("shop.example", "/"), ["httproute shop/b rule 1 [prefix /] Wins -> service shop/new:80"]);
    assert_eq!(
        world.tried("shop.example", "/c"),
        [
            "httproute shop/c rule 1 [prefix /c] Wins -> service shop/c:80",
            "httproute shop/b rule 1 [prefix /] Behind -> service shop/new:80",
        ],
        "Gloo makes one virtual host of what both listeners have for it"
    );
    let answer = world.answer("api.example", "/c", Some(8080));
    assert_eq!(answer.heard[0].listener, "Gateway API gateway shop/edge, listener http port 8080");
}

#[test]
fn with_tls_the_server_name_chooses_the_listener_first() {
    let world = World::new(
        "KubeGateway shop/edge
spec:
  gatewayClassName: gloo-gateway
  listeners:
  - {name: any, port: 443, protocol: HTTPS}
  - {name: shop, port: 443, protocol: HTTPS, hostname: '*.shop.example'}
---
HTTPRoute shop/a
spec:
  parentRefs: [{name: edge, sectionName: any}]
  hostnames: [a.shop.example, other.example]
  rules: [{backendRefs: [{name: old, port: 80}]}]
---
HTTPRoute shop/b
spec:
  parentRefs: [{name: edge, sectionName: shop}]
  rules: [{backendRefs: [{name: new, port: 80}]}]
",
    );
    assert_eq!(world.tried("a.shop.example", "/"), ["httproute shop/b rule 1 [prefix /] Wins -> service shop/new:80"]);
    assert_eq!(world.tried("other.example", "/"), ["httproute shop/a rule 1 [prefix /] Wins -> service shop/old:80"]);
}
