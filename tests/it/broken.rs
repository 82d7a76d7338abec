//! One thing broken at a time in a whole installation: `check` and `istio describe` name it, and nothing else; with
//! everything in order both are quiet.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::{Value, json};

use crate::check::{document, envoy_says, found};
use crate::stage::{Options, Plane, wait_for};
use crate::support::Sandbox;
use crate::support::pod_server::{PodServer, reply};

const PATIENCE: std::time::Duration = std::time::Duration::from_mins(3);
const GLOO: &str = "gloo-system";
const UPSTREAM: &str = "gloo.solo.io/v1/Upstream";
const SETTINGS: &str = "gloo.solo.io/v1/Settings";
const DEPLOYMENT: &str = "apps/v1/Deployment";
const CONFIG_MAP: &str = "v1/ConfigMap";
const ROUTES: &str = "gateway.solo.io/v1/VirtualService";
const POLICY: &str = "security.istio.io/v1/PeerAuthentication";
const HTTPBIN: &str = "default-httpbin-8000";
const QUIET: &str = "mtls: Istio's mutual TLS to the one pod by sslConfig";

/// What is broken, every finding of `check`, the path that is described and what is said there, and the way back.
struct Case {
    name: &'static str,
    breaks: fn(&World),
    findings: &'static [&'static str],
    path: &'static str,
    says: &'static str,
    mends: fn(&World),
}

struct World {
    plane: Plane,
    sandbox: Sandbox,
    /// The gateway as it is in order.
    gateway: Value,
    bootstrap: String,
    /// Whether the Envoys have the cluster of the sidecars.
    has_cluster: Arc<AtomicBool>,
}

impl World {
    /// The guide, done: injected, mutual TLS to httpbin, a network policy, and Envoys that say that all is well.
    fn new() -> Self {
        let plane = Plane::start(&Options::default()).unwrap();
        plane.install_guide().unwrap();
        let sandbox = Sandbox::new().env("KUBECONFIG", plane.kubeconfig().to_str().unwrap());
        let has_cluster = Arc::new(AtomicBool::new(true));
        let of_envoy = Arc::clone(&has_cluster);
        let server = PodServer::start(move |asked, stream| {
            let cluster = if of_envoy.load(Ordering::SeqCst) { "gateway_proxy_sds" } else { "another" };
            let page = match asked.path.as_str() {
                "/clusters" => format!("{cluster}::default_priority::max_connections::1024\n"),
                path => envoy_says(path, &json!({"certificates": []})),
            };
            reply(stream, "200 OK", page.as_bytes());
        });
        plane.forward(GLOO, &[(19000, server.address), (9091, server.address)]).unwrap();
        let mut world = Self { plane, sandbox, gateway: Value::Null, bootstrap: String::new(), has_cluster };
        world.apply(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: gateway, namespace: gloo-system}\n\
             spec: {podSelector: {matchLabels: {gloo: gateway-proxy}}, policyTypes: [Ingress], ingress: [{ports: [{port: 8080}]}]}\n\
             ---\napiVersion: v1\nkind: Namespace\nmetadata: {name: empty}",
        );
        world.routes(&json!([
            {"matchers": [{"prefix": "/plain"}], "routeAction": {"single": {"upstream": {"name": "default-plain-8080", "namespace": GLOO}}}},
            {"matchers": [{"prefix": "/"}], "routeAction": {"single": {"upstream": {"name": HTTPBIN, "namespace": GLOO}}}},
        ]));
        for line in ["istio inject --revision 1-28 --no-wait", "istio enable-mtls -u default-httpbin-8000"] {
            world.run(line);
        }
        world.plane.api().wait_available(GLOO).unwrap();
        // Nothing else is on this plane: Gloo reads every namespace.
        world.spec(SETTINGS, "default", &json!({"watchNamespaces": null}));
        world.gateway = world.plane.api().get(DEPLOYMENT, GLOO, "gateway-proxy").unwrap().unwrap();
        let map = world.plane.api().get(CONFIG_MAP, GLOO, "gateway-proxy-envoy-config").unwrap().unwrap();
        map["data"]["envoy.yaml"].as_str().unwrap().clone_into(&mut world.bootstrap);
        world
    }

    fn run(&self, line: &str) {
        let output = self.sandbox.run(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(output.code, Some(0), "{line}: {output:?}");
    }

    fn apply(&self, text: &str) {
        self.plane.api().apply(text).unwrap();
    }

    fn merge(&self, kind: &str, name: &str, patch: &Value) {
        self.plane.api().merge(kind, GLOO, name, patch).unwrap();
    }

    fn spec(&self, kind: &str, name: &str, spec: &Value) {
        self.merge(kind, name, &json!({"spec": spec}));
    }

    fn routes(&self, routes: &Value) {
        self.spec(ROUTES, "httpbin", &json!({"virtualHost": {"routes": routes}}));
    }

    /// One more route, before the two that are there.
    fn route(&self, route: &Value) {
        let service = self.plane.api().get(ROUTES, GLOO, "httpbin").unwrap().unwrap();
        let mut routes = service["spec"]["virtualHost"]["routes"].as_array().unwrap().clone();
        routes.insert(0, route.clone());
        self.routes(&routes.into());
    }

    fn without_first_route(&self) {
        let service = self.plane.api().get(ROUTES, GLOO, "httpbin").unwrap().unwrap();
        self.routes(&service["spec"]["virtualHost"]["routes"].as_array().unwrap()[1..].into());
    }

    fn policy(&self, spec: &str) {
        self.apply(&format!("apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {{name: rule, namespace: default}}\nspec: {spec}"));
    }

    fn no_policy(&self) {
        self.plane.api().delete(POLICY, "default", "rule").unwrap();
    }

    fn label(&self, namespace: &str, labels: &Value) {
        self.plane.api().merge("v1/Namespace", "", namespace, &json!({"metadata": {"labels": labels}})).unwrap();
    }

    fn auto_mtls(&self, auto: bool, integration: bool) {
        let options = json!({"enableAutoMtls": auto, "enableIntegration": integration});
        self.spec(SETTINGS, "default", &json!({"gloo": {"istioOptions": options}}));
    }

    fn bootstrap(&self, text: &str) {
        self.merge(CONFIG_MAP, "gateway-proxy-envoy-config", &json!({"data": {"envoy.yaml": text}}));
    }

    /// The gateway's containers, each as it is in order or changed; whoever comes to none is left out.
    fn containers(&self, change: impl Fn(&Value) -> Option<Value>) {
        let all = self.gateway["spec"]["template"]["spec"]["containers"].as_array().unwrap();
        let containers: Vec<_> = all.iter().filter_map(change).collect();
        self.spec(DEPLOYMENT, "gateway-proxy", &json!({"template": {"spec": {"containers": containers}}}));
    }

    fn replaced(&self, old: &str, new: &str) {
        self.containers(|it| Some(serde_json::from_str(&it.to_string().replace(old, new)).unwrap()));
    }

    fn gateway_in_order(&self) {
        self.containers(|it| Some(it.clone()));
    }

    fn scale(&self, namespace: &str, name: &str, replicas: u64) {
        self.plane.api().merge(DEPLOYMENT, namespace, name, &json!({"spec": {"replicas": replicas}})).unwrap();
    }

    fn accepted(&self, name: &str, state: &str, reason: &Value) {
        self.merge(
            UPSTREAM,
            name,
            &json!({"status": {"statuses": {GLOO: {"reportedBy": "gloo", "state": state, "reason": reason}}}}),
        );
    }

    fn upstream_tls(&self, config: &Value) {
        self.spec(UPSTREAM, HTTPBIN, &json!({"sslConfig": config}));
    }

    /// Every finding, of the whole cluster, and whether anything was unknown.
    fn check(&self) -> Vec<String> {
        let output = self.sandbox.run(&["check", "-o", "json"]);
        let document = document(&output);
        let unknown = document["unknown"].as_array().unwrap().iter().map(|it| format!("unknown: {}", it["why"]));
        found(&document).into_iter().chain(unknown).collect()
    }

    /// `verdict: why` of the one target, or what is said instead of one.
    fn describe(&self, path: &str) -> String {
        let output = self.sandbox.run(&["istio", "describe", "--host", "any.example", "--path", path, "-o", "json"]);
        let document = document(&output);
        if let Some([target]) = document["targets"].as_array().map(Vec::as_slice) {
            return format!("{}: {}", target["verdict"].as_str().unwrap(), target["why"].as_str().unwrap());
        }
        let left_out = document["request"]["listeners"][0]["leftOut"][0]["why"].as_str().unwrap_or_default();
        format!("{}: {left_out}", document["error"]["message"].as_str().unwrap_or_default())
    }

    /// Pods come and go a moment after their workload changes.
    fn is(&self, what: &str, findings: &[&str], path: &str, says: &str) {
        let mut last = (Vec::new(), String::new());
        let done = wait_for(what, PATIENCE, || {
            last = (self.check(), self.describe(path));
            Ok((last.0 == findings && last.1 == says).then_some(()))
        });
        assert!(done.is_ok(), "{what}: wanted {findings:?} and {says:?}, found {last:#?}");
    }
}

const UP: &str = "GRS101 Upstream gloo-system/default-httpbin-8000";

fn cases() -> Vec<Case> {
    [destinations(), gateways(), around()].into_iter().flatten().collect()
}

fn destinations() -> Vec<Case> {
    vec![
        Case {
            name: "STRICT without sslConfig",
            breaks: |world| {
                world.upstream_tls(&Value::Null);
                world.policy("{mtls: {mode: STRICT}}");
            },
            findings: &[UP],
            path: "/",
            says: "broken: the one pod answers plaintext with 503: it accepts only mutual TLS (STRICT, default/rule, namespace)",
            mends: |world| {
                world.no_policy();
                world.run("istio enable-mtls -u default-httpbin-8000");
            },
        },
        Case {
            name: "sslConfig without sidecars behind",
            breaks: |world| world.run("istio enable-mtls -u default-plain-8080 --force --yes"),
            findings: &["GRS102 Upstream gloo-system/default-plain-8080"],
            path: "/plain",
            says: "broken: the one pod answers Istio's TLS with 503: it has no sidecar to take Istio's TLS",
            mends: |world| world.run("istio disable-mtls -u default-plain-8080"),
        },
        Case {
            name: "one pod of two without a sidecar",
            breaks: |world| {
                world.apply("apiVersion: v1\nkind: Pod\nmetadata: {name: stray, namespace: default, labels: {app: httpbin}}\nspec: {containers: [{name: x, image: x}]}");
            },
            findings: &["GRS102 Upstream gloo-system/default-httpbin-8000"],
            path: "/",
            says: "broken: 1 of 2 pods answers Istio's TLS with 503: it has no sidecar to take Istio's TLS",
            mends: |world| world.plane.api().delete("v1/Pod", "default", "stray").unwrap(),
        },
        Case {
            name: "sslConfig without ALPN, PERMISSIVE peer",
            breaks: |world| world.upstream_tls(&json!({"alpnProtocols": null})),
            findings: &["GRS107 Upstream gloo-system/default-httpbin-8000"],
            path: "/",
            says: "broken: the one pod answers Istio's TLS with 503: its sidecar is PERMISSIVE and recognizes the mesh's TLS by alpnProtocols [istio], which the sslConfig lacks",
            mends: |world| world.run("istio enable-mtls -u default-httpbin-8000"),
        },
        Case {
            name: "DISABLE at the port",
            breaks: |world| {
                world.policy("{selector: {matchLabels: {app: httpbin}}, portLevelMtls: {'8080': {mode: DISABLE}}}");
            },
            findings: &["GRS105 Upstream gloo-system/default-httpbin-8000"],
            path: "/",
            says: "broken: the one pod answers Istio's TLS with 503: it does not accept mutual TLS (default/rule, port says DISABLE)",
            mends: World::no_policy,
        },
        Case {
            name: "the app scaled to 0",
            breaks: |world| world.scale("default", "httpbin", 0),
            findings: &["GRS106 Upstream gloo-system/default-httpbin-8000"],
            path: "/",
            says: "broken: no pod runs behind service default/httpbin: 503, no healthy upstream",
            mends: |world| world.scale("default", "httpbin", 1),
        },
        Case {
            name: "rejected by Gloo",
            breaks: |world| world.accepted(HTTPBIN, "Rejected", &json!("no such secret")),
            findings: &["GRS501 Upstream gloo-system/default-httpbin-8000"],
            path: "/",
            says: "broken: Gloo rejects it: no such secret",
            mends: |world| world.accepted(HTTPBIN, "Accepted", &Value::Null),
        },
        Case {
            name: "delegation to nothing",
            breaks: |world| {
                world.route(&json!({"matchers": [{"prefix": "/gone"}], "delegateAction": {"ref": {"name": "gone", "namespace": GLOO}}}));
            },
            findings: &["GRS505 VirtualService gloo-system/httpbin"],
            path: "/",
            says: QUIET,
            mends: World::without_first_route,
        },
        Case {
            name: "delegation loop",
            breaks: |world| {
                world.apply("apiVersion: gateway.solo.io/v1\nkind: RouteTable\nmetadata: {name: round, namespace: gloo-system}\nspec: {routes: [{matchers: [{prefix: /round}], delegateAction: {ref: {name: round, namespace: gloo-system}}}]}");
                world.route(&json!({"matchers": [{"prefix": "/round"}], "delegateAction": {"ref": {"name": "round", "namespace": GLOO}}}));
            },
            findings: &["GRS506 RouteTable gloo-system/round"],
            path: "/",
            says: QUIET,
            mends: |world| {
                world.without_first_route();
                world.plane.api().delete("gateway.solo.io/v1/RouteTable", GLOO, "round").unwrap();
            },
        },
    ]
}

fn gateways() -> Vec<Case> {
    vec![
        Case {
            name: "bootstrap without the cluster",
            breaks: |world| world.bootstrap(&world.bootstrap.replace("gateway_proxy_sds", "another")),
            findings: &[
                "GRS103 Upstream gloo-system/default-httpbin-8000",
                "GRS202 Deployment gloo-system/gateway-proxy",
            ],
            path: "/",
            says: "broken: gateway gloo-system/gateway-proxy cannot present Istio's certificate: it lacks cluster gateway_proxy_sds",
            mends: |world| {
                world.bootstrap(&world.bootstrap);
                world.has_cluster.store(false, Ordering::SeqCst);
                let restart = json!({"template": {"metadata": {"annotations": {"again": "1"}}}});
                world.is(
                    "pods older than their bootstrap",
                    &["GRS103 Upstream gloo-system/default-httpbin-8000", "GRS205 Deployment gloo-system/gateway-proxy"],
                    "/",
                    "broken: gateway gloo-system/gateway-proxy cannot present Istio's certificate: it lacks cluster gateway_proxy_sds in running pods",
                );
                world.spec(DEPLOYMENT, "gateway-proxy", &restart);
                world.has_cluster.store(true, Ordering::SeqCst);
            },
        },
        Case {
            name: "cluster without sidecars",
            breaks: |world| world.containers(|it| (it["name"] == "gateway-proxy").then(|| it.clone())),
            findings: &[
                "GRS103 Upstream gloo-system/default-httpbin-8000",
                "GRS201 Deployment gloo-system/gateway-proxy",
            ],
            path: "/",
            says: "broken: gateway gloo-system/gateway-proxy cannot present Istio's certificate: it lacks container sds, container istio-proxy",
            mends: World::gateway_in_order,
        },
        Case {
            name: "only one of two sidecars",
            breaks: |world| world.containers(|it| (it["name"] != "sds").then(|| it.clone())),
            findings: &[
                "GRS103 Upstream gloo-system/default-httpbin-8000",
                "GRS203 Deployment gloo-system/gateway-proxy",
            ],
            path: "/",
            says: "broken: gateway gloo-system/gateway-proxy cannot present Istio's certificate: it lacks container sds",
            mends: World::gateway_in_order,
        },
        Case {
            name: "sidecar and istiod with different versions",
            breaks: |world| world.replaced("proxyv2:1.28.3", "proxyv2:1.22.0"),
            findings: &["GRS206 Deployment gloo-system/gateway-proxy"],
            path: "/",
            says: QUIET,
            mends: World::gateway_in_order,
        },
        Case {
            name: "discovery address of a revision that is not there",
            breaks: |world| world.replaced("istiod-1-28.istio-system", "istiod-1-20.istio-system"),
            findings: &["GRS207 Deployment gloo-system/gateway-proxy"],
            path: "/",
            says: QUIET,
            mends: World::gateway_in_order,
        },
        Case {
            name: "the gateway's istiod is not ready",
            breaks: |world| world.scale("istio-system", "istiod-1-28", 0),
            findings: &["GRS208 Deployment gloo-system/gateway-proxy"],
            path: "/",
            says: QUIET,
            mends: |world| world.scale("istio-system", "istiod-1-28", 1),
        },
        Case {
            name: "no NetworkPolicy before SDS",
            breaks: |world| world.plane.api().delete("networking.k8s.io/v1/NetworkPolicy", GLOO, "gateway").unwrap(),
            findings: &["GRS209 Deployment gloo-system/gateway-proxy"],
            path: "/",
            says: QUIET,
            mends: |world| {
                world.apply("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: gateway, namespace: gloo-system}\nspec: {podSelector: {}, policyTypes: [Ingress]}");
            },
        },
        Case {
            name: "the gateway scaled to 0",
            breaks: |world| world.scale(GLOO, "gateway-proxy", 0),
            findings: &["GRS215 Deployment gloo-system/gateway-proxy", "GRS606 Namespace /gloo-system"],
            path: "/",
            says: "broken: no pod takes the request: gateway gloo-system/gateway-proxy is scaled to 0",
            mends: |world| world.scale(GLOO, "gateway-proxy", 1),
        },
    ]
}

fn around() -> Vec<Case> {
    vec![
        Case {
            name: "auto-mTLS without the integration",
            breaks: |world| world.auto_mtls(true, false),
            findings: &["GRS301 Settings gloo-system/default"],
            path: "/",
            says: QUIET,
            mends: |world| world.auto_mtls(false, false),
        },
        Case {
            name: "auto-mTLS and an Upstream that it harms",
            breaks: |world| {
                world.apply("apiVersion: gloo.solo.io/v1\nkind: Upstream\nmetadata: {name: harmed, namespace: gloo-system}\nspec: {static: {hosts: [{addr: x.example, port: 443}]}}");
                world.accepted("harmed", "Accepted", &Value::Null);
                world.route(&json!({"matchers": [{"prefix": "/harmed"}], "routeAction": {"single": {"upstream": {"name": "harmed", "namespace": GLOO}}}}));
                world.auto_mtls(true, true);
            },
            findings: &["GRS302 Upstream gloo-system/harmed"],
            path: "/harmed",
            says: "unknown: auto-mTLS may send it plaintext: static, with TLS without an sslConfig",
            mends: |world| {
                world.auto_mtls(false, false);
                world.without_first_route();
                world.plane.api().delete(UPSTREAM, GLOO, "harmed").unwrap();
            },
        },
        Case {
            name: "two injection labels",
            breaks: |world| world.label("empty", &json!({"istio-injection": "enabled", "istio.io/rev": "1-28"})),
            findings: &["GRS401 Namespace /empty"],
            path: "/",
            says: QUIET,
            mends: |world| world.label("empty", &json!({"istio-injection": null, "istio.io/rev": null})),
        },
        Case {
            name: "injection label without an istiod",
            breaks: |world| world.label("empty", &json!({"istio.io/rev": "1-99"})),
            findings: &["GRS402 Namespace /empty"],
            path: "/",
            says: QUIET,
            mends: |world| world.label("empty", &json!({"istio.io/rev": null})),
        },
        Case {
            name: "pods older than their namespace's label",
            breaks: |world| world.label("default", &json!({"istio-injection": "enabled"})),
            findings: &["GRS403 Namespace /default"],
            path: "/",
            says: QUIET,
            mends: |world| world.label("default", &json!({"istio-injection": null})),
        },
        Case {
            name: "PeerAuthentication without effect",
            breaks: |world| {
                world.policy("{mtls: {mode: PERMISSIVE}}");
                // Age is told in seconds.
                std::thread::sleep(std::time::Duration::from_millis(1100));
                world.apply("apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: zz, namespace: default}\nspec: {mtls: {mode: STRICT}}");
            },
            findings: &["GRS404 PeerAuthentication default/zz"],
            path: "/",
            says: QUIET,
            mends: |world| {
                world.no_policy();
                world.plane.api().delete(POLICY, "default", "zz").unwrap();
            },
        },
    ]
}

#[test]
fn what_is_broken_is_named_and_nothing_else_and_in_order_both_are_quiet() {
    let world = World::new();
    world.is("everything in order", &[], "/", QUIET);
    world.is(
        "everything in order",
        &[],
        "/plain",
        "plaintext: plaintext to the one pod: no sslConfig, and auto-mTLS is off",
    );
    for case in cases() {
        (case.breaks)(&world);
        world.is(case.name, case.findings, case.path, case.says);
        (case.mends)(&world);
        world.is(&format!("after {}", case.name), &[], "/", QUIET);
        println!("{} | {} | {}", case.name, case.findings.join(", "), case.says);
    }
    let quiet = world.sandbox.run(&["check", "--fail-on", "warning,unknown"]);
    assert!(quiet.code == Some(0) && quiet.stdout.ends_with("No problems detected.\n"), "{quiet:?}");
}
