use super::*;
use crate::model::{Kind, kinds};

mod gateway_api;
mod sni;

const ALL: [&Kind; 7] = [
    &kinds::GATEWAY,
    &kinds::VIRTUAL_SERVICE,
    &kinds::ROUTE_TABLE,
    &kinds::UPSTREAM_GROUP,
    &kinds::KUBE_GATEWAY,
    &kinds::HTTP_ROUTE,
    &kinds::SERVICE,
];

/// Manifests by kind, in the order of [`ALL`].
struct World([Vec<Object>; 7]);

impl World {
    /// Parses `KIND NAMESPACE/NAME`, followed by its spec, indented.
    fn new(manifests: &str) -> Self {
        let mut lists: [Vec<Object>; 7] = Default::default();
        for manifest in manifests.split("---\n").filter(|manifest| !manifest.trim().is_empty()) {
            let (head, body) = manifest.trim_start().split_once('\n').unwrap();
            let (kind, full) = head.split_once(' ').unwrap();
            let (namespace, name) = full.split_once('/').unwrap();
            let at = ALL.iter().position(|known| **known == *named(kind)).unwrap();
            let mut value = crate::yaml::parse(body).unwrap();
            value["metadata"]["namespace"] = namespace.into();
            value["metadata"]["name"] = name.into();
            lists[at].push(Object::new(ALL[at], value));
        }
        Self(lists)
    }

    fn routing(&self) -> Routing<'_> {
        let [gateways, virtual_services, route_tables, upstream_groups, kube_gateways, http_routes, services] = &self.0;
        Routing {
            gateways,
            virtual_services,
            route_tables,
            upstream_groups,
            kube_gateways,
            http_routes,
            services,
            namespaces: &[],
            settings: None,
            gloo_namespace: "gloo-system",
        }
    }

    fn answer(&self, host: &str, path: &str, port: Option<u16>) -> Resolution {
        let request = Request { host: host.into(), path: path.into(), query: None, port };
        resolve(&request, &self.routing())
    }

    /// Returns `trail [matcher] (standing) -> where` for the only listener.
    fn tried(&self, host: &str, path: &str) -> Vec<String> {
        let answer = self.answer(host, path, None);
        let [heard] = answer.heard.as_slice() else { panic!("{answer:?}") };
        heard.candidates.iter().map(line).collect()
    }

    fn left_out(&self, host: &str, path: &str) -> Vec<String> {
        let answer = self.answer(host, path, None);
        let of = |heard: &Heard| {
            heard.left_out.iter().map(|it| format!("{}: {}", it.trail.join(" > "), it.why)).collect::<Vec<_>>()
        };
        answer.heard.iter().flat_map(of).collect()
    }
}

fn named(kind: &str) -> &'static Kind {
    match kind {
        "Gateway" => &kinds::GATEWAY,
        "VirtualService" => &kinds::VIRTUAL_SERVICE,
        "RouteTable" => &kinds::ROUTE_TABLE,
        "UpstreamGroup" => &kinds::UPSTREAM_GROUP,
        "KubeGateway" => &kinds::KUBE_GATEWAY,
        "HTTPRoute" => &kinds::HTTP_ROUTE,
        _ => &kinds::SERVICE,
    }
}

fn line(candidate: &Candidate) -> String {
    let action = match &candidate.action {
        RouteAction::To { shares, .. } => {
            shares.iter().map(|share| share.target.to_string()).collect::<Vec<_>>().join(" + ")
        }
        other => format!("{other:?}"),
    };
    let trail: Vec<_> = candidate.trail.iter().map(|step| step.replace("gloo-system/", "")).collect();
    format!("{} [{}] {:?} -> {action}", trail.join(" > "), candidate.matcher, candidate.standing)
}

const EDGE: &str = "Gateway gloo-system/gateway-proxy
spec: {bindPort: 8080, httpGateway: {}}
---
";

fn to(upstream: &str) -> String {
    format!("routeAction: {{single: {{upstream: {{name: {upstream}, namespace: gloo-system}}}}}}")
}

fn edge(manifests: &str) -> World {
    World::new(&format!("{EDGE}{manifests}"))
}

#[test]
fn the_first_route_that_fits_wins_and_conditions_are_said() {
    let world = edge(&format!(
        "VirtualService gloo-system/shop
spec:
  virtualHost:
    domains: [shop.example]
    routes:
    - {{matchers: [{{prefix: /admin}}], {a}}}
    - {{matchers: [{{prefix: /, headers: [{{name: x-canary}}]}}], {b}}}
    - {{matchers: [{{exact: /x}}, {{prefix: /cart}}], {c}}}
    - {{matchers: [{{prefix: /}}], {a}}}
",
        a = to("a"),
        b = to("b"),
        c = to("c")
    ));
    assert_eq!(
        world.tried("shop.example", "/cart/1"),
        [
            "virtualservice shop route 2 [prefix /] Before -> upstream gloo-system/b",
            "virtualservice shop route 3 [prefix /cart] Wins -> upstream gloo-system/c",
            "virtualservice shop route 4 [prefix /] Behind -> upstream gloo-system/a",
        ]
    );
}

#[test]
fn the_narrowest_domain_takes_the_request_whatever_its_routes_are() {
    let world = edge(
        "VirtualService gloo-system/any
spec: {virtualHost: {domains: ['*'], routes: [{directResponseAction: {status: 200}}]}}
---
VirtualService shop/wild
spec: {virtualHost: {domains: ['*.example'], routes: [{matchers: [{prefix: /only}], directResponseAction: {status: 201}}]}}
",
    );
    let answer = world.answer("shop.example", "/else", None);
    assert_eq!(answer.heard[0].host, "*.example in virtualservice shop/wild");
    assert_eq!(answer.heard[0].others, ["* in virtualservice gloo-system/any"]);
    assert!(answer.heard[0].candidates.is_empty(), "a virtual host without a route is 404, not the next one");
    assert_eq!(world.answer("other", "/", None).heard[0].host, "* in virtualservice gloo-system/any");
}

#[test]
fn delegation_by_name_and_by_selector_is_followed_in_gloos_order() {
    let world = edge(&format!(
        "VirtualService gloo-system/shop
spec:
  virtualHost:
    domains: [shop.example]
    routes:
    - {{matchers: [{{prefix: /a}}], delegateAction: {{ref: {{name: one, namespace: gloo-system}}}}}}
    - {{matchers: [{{prefix: /b}}], delegateAction: {{selector: {{labels: {{team: b}}, namespaces: ['*']}}}}}}
---
RouteTable gloo-system/one
spec: {{routes: [{{matchers: [{{prefix: /a/1}}], {a}}}, {{matchers: [{{prefix: /z}}], {a}}}]}}
---
RouteTable x/heavy
metadata: {{labels: {{team: b}}}}
spec: {{weight: 10, routes: [{{matchers: [{{exact: /b/1/2}}], {c}}}]}}
---
RouteTable x/short
metadata: {{labels: {{team: b}}}}
spec: {{routes: [{{matchers: [{{prefix: /b/1}}], {a}}}]}}
---
RouteTable y/long
metadata: {{labels: {{team: b}}}}
spec: {{routes: [{{matchers: [{{prefix: /b/1/2}}], {b}}}]}}
",
        a = to("a"),
        b = to("b"),
        c = to("c")
    ));
    assert_eq!(
        world.tried("shop.example", "/a/1"),
        ["virtualservice shop route 1 > routetable one route 1 [prefix /a/1] Wins -> upstream gloo-system/a"]
    );
    assert_eq!(
        world.left_out("shop.example", "/z"),
        [
            "virtualservice gloo-system/shop route 1 > routetable gloo-system/one route 2: its path /z does not begin with /a, its parent's prefix"
        ]
    );
    assert_eq!(
        world.tried("shop.example", "/b/1/2"),
        [
            "virtualservice shop route 2 > routetable y/long route 1 [prefix /b/1/2] Wins -> upstream gloo-system/b",
            "virtualservice shop route 2 > routetable x/short route 1 [prefix /b/1] Behind -> upstream gloo-system/a",
            "virtualservice shop route 2 > routetable x/heavy route 1 [exact /b/1/2] Behind -> upstream gloo-system/c",
        ]
    );
}

#[test]
fn delegation_that_leads_nowhere_or_in_a_circle_is_left_out_and_said() {
    let world = edge(
        "VirtualService gloo-system/shop
spec:
  virtualHost:
    routes:
    - {matchers: [{prefix: /a}], delegateAction: {ref: {name: gone, namespace: gloo-system}}}
    - {matchers: [{prefix: /b}], delegateAction: {selector: {labels: {team: nobody}}}}
    - {matchers: [{prefix: /c}], delegateAction: {name: round, namespace: gloo-system}}
    - {matchers: [{exact: /d}], delegateAction: {ref: {name: round, namespace: gloo-system}}}
    - {matchers: [{prefix: /e}]}
---
RouteTable gloo-system/round
spec: {routes: [{matchers: [{prefix: /c}], delegateAction: {ref: {name: back, namespace: gloo-system}}}]}
---
RouteTable gloo-system/back
spec: {routes: [{matchers: [{prefix: /c}], delegateAction: {ref: {name: round, namespace: gloo-system}}}]}
",
    );
    let why = |path: &str| world.left_out("any", path).join("\n");
    assert!(why("/a").ends_with("route table gloo-system/gone is not there"), "{}", why("/a"));
    assert!(why("/b").ends_with("no route table has the labels it selects"), "{}", why("/b"));
    assert!(
        why("/c").ends_with("route table gloo-system/round is already part of this chain: a cycle"),
        "{}",
        why("/c")
    );
    assert!(why("/d").ends_with("a route that delegates has to have a prefix matcher"), "{}", why("/d"));
    assert!(why("/e").ends_with("it has no action"), "{}", why("/e"));
    assert_eq!(why("/f"), "");
}

#[test]
fn matchers_are_handed_down_where_the_parent_says_so() {
    let world = edge(&format!(
        "VirtualService gloo-system/shop
spec:
  virtualHost:
    routes:
    - matchers: [{{prefix: /a, headers: [{{name: x-a}}], methods: [GET]}}]
      inheritableMatchers: true
      inheritablePathMatchers: true
      delegateAction: {{ref: {{name: t, namespace: gloo-system}}}}
---
RouteTable gloo-system/t
spec: {{routes: [{{matchers: [{{exact: /never}}], {a}}}, {{inheritablePathMatchers: false, matchers: [{{prefix: /a/x}}], {b}}}]}}
",
        a = to("a"),
        b = to("b")
    ));
    let answer = world.answer("any", "/a/x", None);
    let fits: Vec<_> = answer.heard[0].candidates.iter().map(|it| (it.matcher.as_str(), it.fit.clone())).collect();
    let condition = Fit::If(vec!["method GET".into(), "header x-a is there".into()]);
    assert_eq!(fits, [("prefix /a", condition.clone()), ("prefix /a/x", condition)]);
}

#[test]
fn selectors_that_choose_each_other_widely_end() {
    let table = |name: usize| {
        format!(
            "RouteTable gloo-system/t{name}
metadata: {{labels: {{all: 'yes'}}}}
spec: {{routes: [{{matchers: [{{prefix: /}}], delegateAction: {{selector: {{labels: {{all: 'yes'}}}}}}}}]}}
---
"
        )
    };
    let tables: String = (0..12).map(table).collect();
    let world = edge(&format!(
        "VirtualService gloo-system/shop
spec: {{virtualHost: {{routes: [{{delegateAction: {{selector: {{labels: {{all: 'yes'}}}}}}}}]}}}}
---
{tables}"
    ));
    assert!(world.left_out("any", "/").iter().any(|why| why.contains("more than 50000 routes")));
}

#[test]
fn where_a_route_leads_is_read_whatever_form_it_has() {
    let world = edge(
        "VirtualService shop/v
spec:
  virtualHost:
    routes:
    - {matchers: [{exact: /own}], routeAction: {single: {upstream: {name: near}}}}
    - {matchers: [{exact: /kube}], routeAction: {single: {kube: {ref: {name: s, namespace: apps}, port: 80}}}}
    - {matchers: [{exact: /multi}], routeAction: {multi: {destinations: [{weight: 9, destination: {upstream: {name: a}}}, {weight: 1, destination: {kube: {ref: {name: b}}}}]}}}
    - {matchers: [{exact: /group}], routeAction: {upstreamGroup: {name: g, namespace: shop}}}
    - {matchers: [{exact: /gone}], routeAction: {upstreamGroup: {name: gone}}}
    - {matchers: [{exact: /unnamed}], routeAction: {upstreamGroup: {name: g}}}
    - {matchers: [{exact: /away}], redirectAction: {httpsRedirect: true, hostRedirect: x.example}}
    - {matchers: [{exact: /header}], routeAction: {clusterHeader: x-to}}
---
UpstreamGroup shop/g
spec: {destinations: [{weight: 1, destination: {upstream: {name: c}}}]}
",
    );
    let to = |path: &str| world.tried("any", path).join("\n").rsplit_once("-> ").unwrap().1.to_owned();
    assert_eq!(to("/own"), "upstream shop/near");
    assert_eq!(to("/kube"), "service apps/s:80");
    assert_eq!(to("/multi"), "upstream shop/a + service /b", "Gloo fills in the namespace of an Upstream alone");
    assert_eq!(to("/group"), "upstream shop/c");
    assert_eq!(to("/gone"), "Nowhere(\"upstream group /gone is not there\")");
    assert_eq!(to("/unnamed"), "Nowhere(\"upstream group /g is not there\")");
    assert_eq!(to("/away"), "Redirect(\"https x.example\")");
    assert_eq!(to("/header"), "Elsewhere(\"the cluster that header x-to names\")");
}

#[test]
fn a_port_is_the_gateways_own_or_its_services() {
    let world = edge(
        "Gateway gloo-system/gateway-proxy-ssl
spec: {bindPort: 8443, ssl: true, httpGateway: {}}
---
Service gloo-system/gateway-proxy
spec: {ports: [{port: 80, targetPort: 8080}, {port: 443, targetPort: 8443}]}
---
VirtualService gloo-system/plain
spec: {virtualHost: {domains: [a]}}
---
VirtualService gloo-system/tls
spec: {sslConfig: {sniDomains: [a]}, virtualHost: {domains: [a]}}
",
    );
    let heard = |port| {
        let answer = world.answer("a", "/", port);
        answer.heard.into_iter().map(|heard| heard.host).collect::<Vec<_>>()
    };
    let (plain, tls) = ("a in virtualservice gloo-system/plain", "a in virtualservice gloo-system/tls");
    assert_eq!(heard(None), [plain, tls]);
    assert_eq!(heard(Some(80)), [plain]);
    assert_eq!(heard(Some(8080)), [plain]);
    assert_eq!(heard(Some(443)), [tls]);
    assert!(heard(Some(9999)).is_empty());
}

#[test]
fn a_host_that_nobody_takes_has_near_ones() {
    let world = edge("VirtualService gloo-system/v\nspec: {virtualHost: {domains: [shop.example]}}\n");
    let answer = world.answer("shpo.example", "/", None);
    assert_eq!(
        (answer.near, answer.deaf),
        (vec!["shop.example".to_owned()], vec!["gateway gloo-system/gateway-proxy port 8080".to_owned()])
    );
    assert!(world.answer("shop.example:8080", "/", None).heard.is_empty(), "the Host header has its port");
}

#[test]
fn two_virtual_services_with_one_domain_are_both_in_trouble() {
    let world = edge(
        "VirtualService gloo-system/a\nspec: {virtualHost: {domains: [x]}}\n---\nVirtualService gloo-system/b\nspec: {virtualHost: {domains: [x]}}\n",
    );
    let answer = world.answer("x", "/", None);
    assert_eq!(
        answer.heard[0].trouble.as_deref(),
        Some("virtualservice gloo-system/b has the domain too: Gloo rejects both")
    );
}

#[test]
fn a_hybrid_gateway_listens_as_each_of_its_parts() {
    let world = World::new(
        "Gateway gloo-system/hybrid
spec:
  bindPort: 8443
  hybridGateway:
    matchedGateways:
    - {matcher: {sslConfig: {}}, httpGateway: {}}
    - {matcher: {}, httpGateway: {virtualServiceNamespaces: [shop]}}
---
VirtualService gloo-system/tls
spec: {sslConfig: {}, virtualHost: {domains: [a]}}
---
VirtualService gloo-system/plain
spec: {virtualHost: {domains: [a]}}
---
VirtualService shop/plain
spec: {virtualHost: {domains: [a]}}
",
    );
    let hosts: Vec<_> = world.answer("a", "/", None).heard.into_iter().map(|heard| heard.host).collect();
    assert_eq!(hosts, ["a in virtualservice gloo-system/tls", "a in virtualservice shop/plain"]);
}

#[test]
fn settings_say_which_namespaces_are_read() {
    let world = World::new(
        "Gateway gloo-system/gateway-proxy
spec: {bindPort: 8080, httpGateway: {}}
---
Gateway shop/own
spec: {bindPort: 9090, httpGateway: {}}
---
VirtualService shop/v
spec: {virtualHost: {domains: [a]}}
",
    );
    let heard = |settings: &str| {
        let spec: Value = crate::yaml::parse(settings).unwrap();
        let settings = Object::new(&kinds::SETTINGS, serde_json::json!({"spec": spec}));
        let request = Request { host: "a".into(), path: "/".into(), query: None, port: None };
        let answer = resolve(&request, &Routing { settings: Some(&settings), ..world.routing() });
        answer.heard.into_iter().map(|heard| heard.listener).collect::<Vec<_>>()
    };
    let (here, there) = ("gateway gloo-system/gateway-proxy port 8080", "gateway shop/own port 9090");
    assert_eq!(heard("{}"), [here]);
    assert_eq!(heard("gateway: {readGatewaysFromAllNamespaces: true}"), [here, there]);
    assert!(heard("watchNamespaces: [gloo-system]").is_empty());
    assert_eq!(heard("watchNamespaces: [gloo-system, shop]"), [here]);
}

#[test]
fn a_gateway_that_strips_the_port_takes_a_host_with_one() {
    let world = World::new(
        "Gateway gloo-system/gateway-proxy
spec: {bindPort: 8080, httpGateway: {options: {httpConnectionManagerSettings: {stripAnyHostPort: true}}}}
---
VirtualService gloo-system/v
spec: {virtualHost: {domains: [shop.example]}}
",
    );
    assert_eq!(world.answer("SHOP.example:8080", "/", None).heard.len(), 1);
}

#[test]
fn what_the_control_plane_says_against_a_route_is_said() {
    let world = edge(
        "VirtualService gloo-system/v
spec: {virtualHost: {domains: [a]}}
status: {statuses: {gloo-system: {state: Rejected, reason: no secret}}}
",
    );
    let trouble = world.answer("a", "/", None).heard[0].trouble.clone().unwrap();
    assert_eq!(trouble, "virtualservice gloo-system/v is rejected by Gloo: no secret");
}
