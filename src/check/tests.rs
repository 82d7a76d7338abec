//! Every finding, where it is and where it must not be: one thing broken in a world that is in order.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use serde_json::{Value, json};

use super::control_plane::EnvoySaid;
use super::look::Release;
use super::*;
use crate::edit::manifest;
use crate::gloo::metrics::{self, Metrics};
use crate::model::{Answer, Object, Part, Selector, Snapshot};
use crate::plan::posture::Certificate;

const IN_ORDER: &str = include_str!("../../tests/fixtures/check/in-order.yaml");

mod agreement;

/// Every kind that a check reads, each once.
fn kinds() -> Vec<&'static Kind> {
    let mut kinds: Vec<&'static Kind> = Vec::new();
    for kind in CHECKS.iter().flat_map(|check| check.kinds) {
        if !kinds.contains(kind) {
            kinds.push(kind);
        }
    }
    kinds
}

/// What is changed: `Kind namespace/name`, and a merge patch; `null` deletes, an object that is not there is made.
type Break = (&'static str, &'static str);

struct Stage {
    objects: Vec<Object>,
    release: Value,
    certificate: Certificate,
    envoy: EnvoySaid,
    metrics: Metrics,
    /// Kinds that may not be listed.
    forbidden: Vec<&'static Kind>,
}

impl Stage {
    fn in_order() -> Self {
        static OBJECTS: OnceLock<Vec<Object>> = OnceLock::new();
        let objects = OBJECTS.get_or_init(|| {
            let objects = manifest::objects(IN_ORDER, &kinds());
            assert_eq!((objects.unread.len(), objects.others), (0, 0), "{objects:?}");
            objects.found.into_iter().map(|(object, _)| object).collect()
        });
        Self {
            objects: objects.clone(),
            release: json!({"global": {"istioIntegration": {"enabled": true}}}),
            certificate: Certificate {
                namespace: "gloo-system".into(),
                pod: "gateway-proxy-7f8".into(),
                id: "spiffe://cluster.local/ns/gloo-system/sa/gateway-proxy".into(),
                ends: "2026-12-01T00:00:00Z".into(),
                left: 80_000,
                is_of_the_mesh: Some(true),
            },
            envoy: EnvoySaid {
                namespace: "gloo-system".into(),
                pod: "gateway-proxy-7f8".into(),
                connected: Some(true),
                grown: Vec::new(),
                refused: Vec::new(),
            },
            metrics: Metrics::default(),
            forbidden: Vec::new(),
        }
    }

    fn with(mut self, breaks: &[Break]) -> Self {
        for (which, patch) in breaks {
            let patch = crate::yaml::parse(patch).unwrap();
            match *which {
                "release" => merge(&mut self.release, &patch),
                "certificate" => {
                    self.certificate.left = patch["left"].as_i64().unwrap_or(self.certificate.left);
                    self.certificate.is_of_the_mesh = patch["mesh"].as_bool().or(self.certificate.is_of_the_mesh);
                }
                "envoy" => {
                    self.envoy.connected = patch["connected"].as_bool();
                    self.envoy.refused = patch["refused"].as_str().map(str::to_owned).into_iter().collect();
                }
                "metrics" => self.metrics = metrics::parse(patch.as_str().unwrap()),
                which => self.change(which, &patch),
            }
        }
        self
    }

    fn change(&mut self, which: &str, patch: &Value) {
        let (kind, name) = which.split_once(' ').unwrap();
        let (namespace, name) = name.split_once('/').unwrap_or(("", name));
        let kind = kinds().into_iter().find(|it| it.kind == kind || it.to_string() == kind).unwrap();
        let reference = ObjectRef::new(kind, namespace, name);
        let at = self.objects.iter().position(|object| object.reference == reference);
        match (at, patch) {
            (Some(at), Value::Null) => drop(self.objects.remove(at)),
            (Some(at), patch) => merge(&mut self.objects[at].value, patch),
            (None, Value::Null) => panic!("{which} is not there"),
            (None, patch) => {
                let mut value = json!({"metadata": {"name": name, "namespace": namespace}});
                merge(&mut value, patch);
                self.objects.push(Object { reference, value });
            }
        }
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::new(Unknown::because("not asked for"));
        for kind in kinds() {
            let of_kind = |object: &&Object| object.reference.kind == kind;
            let answer = match self.forbidden.contains(&kind) {
                true => Answer::Unknown(Unknown { why: format!("may not list {}", kind.plural), rule: None }),
                false => Answer::Read(self.objects.iter().filter(of_kind).cloned().collect()),
            };
            snapshot.put(kind, Part::All, answer);
        }
        snapshot
    }

    fn ran(&self) -> Vec<Ran> {
        let words: Vec<_> = CHECKS.iter().map(|check| check.word).collect();
        self.ran_only(&words)
    }

    fn ran_only(&self, words: &[&str]) -> Vec<Ran> {
        let snapshot = self.snapshot();
        let mut world = World::new(&snapshot, "gloo-system", Selector::parse("gloo").unwrap(), "a test");
        world.release =
            Beyond::Read(Release { name: "gloo-system/gloo".into(), revision: 7, values: self.release.clone() });
        world.certificates = Beyond::Read(vec![self.certificate.clone()]);
        world.envoys = Beyond::Read(vec![self.envoy.clone()]);
        world.metrics = Beyond::Read(self.metrics.clone());
        run(&world, CHECKS.iter().filter(|check| words.contains(&check.word)))
    }

    fn codes(&self) -> BTreeSet<&'static str> {
        self.ran().iter().flat_map(|ran| &ran.findings).map(|finding| finding.code.id).collect()
    }
}

fn merge(value: &mut Value, patch: &Value) {
    let Some(fields) = patch.as_object() else {
        *value = patch.clone();
        return;
    };
    if !value.is_object() {
        *value = json!({});
    }
    for (key, patch) in fields {
        match patch {
            Value::Null => drop(value.as_object_mut().unwrap().remove(key)),
            patch => merge(&mut value[key], patch),
        }
    }
}

const ISTIO_TLS: &str =
    "{spec: {sslConfig: {alpnProtocols: [istio], sds: {certificatesSecretName: istio_server_cert}}}}";
const PERMISSIVE: Break = ("PeerAuthentication istio-system/mesh", "{spec: {mtls: {mode: PERMISSIVE}}}");
const OUT_OF_SYNC: &str =
    "\"glooe_solo_io_xds_total_entities{resource='cluster'} 2\\nglooe_solo_io_xds_insync{resource='cluster'} 1\"";
const IN_SYNC: &str =
    "\"glooe_solo_io_xds_total_entities{resource='cluster'} 2\\nglooe_solo_io_xds_insync{resource='cluster'} 2\"";
const PLAIN: &str = "{spec: {sslConfig: null}}";
const AUTO: &str = "{spec: {gloo: {istioOptions: {enableAutoMtls: true}}}}";
const VALUES_WITH_AUTO: Break = ("release", "{global: {istioIntegration: {enableAutoMtls: true}}}");
const CART: &str = "Upstream gloo-system/shop-cart-8080";
const OLD: &str = "Upstream gloo-system/legacy-old-80";
const GATEWAY: &str = "Deployment gloo-system/gateway-proxy";
const BOOTSTRAP: &str = "ConfigMap gloo-system/gateway-proxy-envoy-config";
const NO_CLUSTER: &str = "{data: {envoy.yaml: 'static_resources: {clusters: [{name: other}]}'}}";
const BARE: &str = "{spec: {template: {spec: {containers: [{name: gateway-proxy, image: e}], volumes: []}}}}";
const SETTINGS: &str = "Settings gloo-system/default";
const NO_ISTIO: Break = ("release", "{global: null}");
const OFF: Break = (SETTINGS, "{spec: {gloo: {istioOptions: {enableIntegration: false}}}}");

/// The word of the table, what is broken, and every code that is found then.
type Row = (&'static str, Vec<Break>, Vec<&'static str>);

fn table() -> Vec<Row> {
    [destinations(), elsewhere()].concat()
}

#[rustfmt::skip]
fn destinations() -> Vec<Row> {
    vec![
        ("in order", vec![], vec![]),
        ("strict peer, plaintext", vec![(CART, PLAIN)], vec!["GRS101"]),
        ("strict peer, TLS of somebody", vec![(CART, "{spec: {sslConfig: {sds: null, secretRef: {name: payments-client, namespace: gloo-system}}}}")], vec!["GRS109"]),
        ("strict peer, TLS without a certificate", vec![(CART, "{spec: {sslConfig: {sds: null, sni: cart.example}}}")], vec!["GRS108"]),
        ("permissive peer, TLS of somebody to a port of HTTP", vec![(CART, "{spec: {sslConfig: {alpnProtocols: null, sds: null, secretRef: {name: payments-client, namespace: gloo-system}}}}"), PERMISSIVE, ("Service shop/cart", "{spec: {ports: [{name: http, port: 8080, targetPort: 8080}]}}")], vec!["GRS108"]),
        ("permissive peer, TLS of somebody", vec![(CART, "{spec: {sslConfig: {alpnProtocols: null, sds: null, secretRef: {name: payments-client, namespace: gloo-system}}}}"), PERMISSIVE], vec![]),
        ("permissive peer, Istio TLS without ALPN", vec![(CART, "{spec: {sslConfig: {alpnProtocols: null}}}"), PERMISSIVE], vec!["GRS107"]),
        ("strict peer, Istio TLS without ALPN", vec![(CART, "{spec: {sslConfig: {alpnProtocols: null}}}")], vec![]),
        ("nobody behind", vec![("Pod shop/cart-6b9", "null")], vec!["GRS106"]),
        ("a port that the Service has not", vec![(CART, "{spec: {kube: {servicePort: 81}}}")], vec!["GRS104"]),
        ("a disabled peer, auto-mTLS", vec![(CART, PLAIN), (SETTINGS, AUTO), VALUES_WITH_AUTO, ("PeerAuthentication shop/off", "{spec: {mtls: {mode: DISABLE}}}")], vec!["GRS105"]),
        ("Istio TLS, a gateway of the Gateway API without sidecars", vec![("Deployment shop/gloo-proxy-edge", "{metadata: {labels: {gateway.networking.k8s.io/gateway-name: edge}}, spec: {template: {spec: {containers: [{name: gloo-gateway, image: e}]}}}}")], vec!["GRS103"]),
        ("plaintext, a gateway of the Gateway API without sidecars", vec![(CART, PLAIN), PERMISSIVE, ("Deployment shop/gloo-proxy-edge", "{metadata: {labels: {gateway.networking.k8s.io/gateway-name: edge}}, spec: {template: {spec: {containers: [{name: gloo-gateway, image: e}]}}}}")], vec![]),
        ("permissive peer, plaintext", vec![(CART, PLAIN), PERMISSIVE], vec![]),
        ("port left open, plaintext", vec![(CART, PLAIN), ("PeerAuthentication shop/cart", "{spec: {selector: {matchLabels: {app: cart}}, mtls: {mode: STRICT}, portLevelMtls: {'8080': {mode: PERMISSIVE}}}}")], vec![]),
        ("strict peer, auto-mTLS", vec![(CART, PLAIN), (SETTINGS, AUTO), VALUES_WITH_AUTO], vec![]),
        ("strict peer, auto-mTLS, opted out", vec![(CART, "{spec: {sslConfig: null, disableIstioAutoMtls: true}}"), (SETTINGS, AUTO), VALUES_WITH_AUTO], vec!["GRS101"]),
        ("route to a strict Service", vec![("RouteTable shop/more", "{spec: {routes: [{routeAction: {single: {kube: {ref: {name: cart, namespace: shop}, port: 8080}}}}]}}")], vec!["GRS101"]),
        ("HTTPRoute to a strict Service", vec![("HTTPRoute shop/cart", "{spec: {rules: [{backendRefs: [{name: cart, port: 8080}]}]}}")], vec!["GRS101"]),
        ("HTTPRoute of another controller", vec![("HTTPRoute shop/cart", "{spec: {rules: [{backendRefs: [{name: cart, port: 8080}]}]}, status: {parents: [{controllerName: other.example/controller}]}}")], vec![]),
        ("TLS to a pod without sidecar", vec![(OLD, ISTIO_TLS)], vec!["GRS102"]),
        ("TLS, one pod of two without sidecar", vec![("Pod shop/cart-new", "{metadata: {labels: {app: cart}}}")], vec!["GRS102"]),
        ("TLS, a pod that leaves without sidecar", vec![("Pod shop/cart-new", "{metadata: {labels: {app: cart}, deletionTimestamp: '2026-01-01T00:00:00Z'}}")], vec![]),
        ("TLS, no SDS", vec![(GATEWAY, BARE), (BOOTSTRAP, NO_CLUSTER)], vec!["GRS103"]),
        ("no TLS, no SDS", vec![(GATEWAY, BARE), (BOOTSTRAP, NO_CLUSTER), (CART, PLAIN), ("PeerAuthentication istio-system/mesh", "null")], vec![]),
        ("auto-mTLS, no SDS", vec![(GATEWAY, BARE), (BOOTSTRAP, NO_CLUSTER), (CART, PLAIN), (SETTINGS, AUTO), VALUES_WITH_AUTO], vec!["GRS103"]),
        ("Upstream without Service", vec![("Service legacy/old", "null"), ("VirtualService shop/shop", "{spec: {virtualHost: {routes: []}}}")], vec!["GRS104"]),
        ("TLS to a disabled peer", vec![("PeerAuthentication shop/off", "{spec: {mtls: {mode: DISABLE}}}")], vec!["GRS105"]),
    ]
}

#[rustfmt::skip]
fn elsewhere() -> Vec<Row> {
    let one_sidecar = "{spec: {template: {spec: {containers: [{name: gateway-proxy, image: e}, {name: istio-proxy, image: 'r/proxyv2:1.28.3'}]}}}}";
    vec![
        ("cluster without sidecars", vec![(GATEWAY, BARE)], vec!["GRS201"]),
        ("cluster of glooMtls", vec![(GATEWAY, "{spec: {template: {spec: {containers: [{name: gateway-proxy, image: e}, {name: sds, image: i, env: [{name: GLOO_MTLS_SDS_ENABLED, value: 'true'}]}], volumes: []}}}}"), (CART, PLAIN), ("PeerAuthentication istio-system/mesh", "null")], vec![]),
        ("sidecars without cluster", vec![(BOOTSTRAP, NO_CLUSTER)], vec!["GRS202"]),
        ("bootstrap gone", vec![(BOOTSTRAP, "null")], vec!["GRS202"]),
        ("one sidecar of two", vec![(GATEWAY, one_sidecar)], vec!["GRS203"]),
        ("a variable missing", vec![(GATEWAY, "{spec: {template: {spec: {volumes: []}}}}")], vec!["GRS204"]),
        ("pods older than the bootstrap", vec![(BOOTSTRAP, "{metadata: {creationTimestamp: '2026-02-01T00:00:00Z'}}")], vec!["GRS205"]),
        ("istiod upgraded alone", vec![("Deployment istio-system/istiod-1-28", "{spec: {template: {spec: {containers: [{name: discovery, image: 'r/pilot:1.28.4'}]}}}}")], vec!["GRS206"]),
        ("istiod by digest", vec![("Deployment istio-system/istiod-1-28", "{spec: {template: {spec: {containers: [{name: discovery, image: 'r/pilot@sha256:2d4f3a1b0c9e8d7f6a5b4c3d2e1f0a9b8c7d6e5f4a3b2c1d0e9f8a7b6c5d4e3f'}]}}}}")], vec![]),
        ("istiod of another revision", vec![("Deployment istio-system/istiod-1-28", "null"), ("Deployment istio-system/istiod-1-29", "{metadata: {labels: {app: istiod, istio.io/rev: 1-29}}, status: {readyReplicas: 1}}"), ("Service istio-system/istiod-1-28", "null")], vec!["GRS207"]),
        ("istiod not ready", vec![("Deployment istio-system/istiod-1-28", "{status: {readyReplicas: 0}}")], vec!["GRS208"]),
        ("no NetworkPolicy", vec![("NetworkPolicy gloo-system/gateway", "null")], vec!["GRS209"]),
        ("NetworkPolicy for others", vec![("NetworkPolicy gloo-system/gateway", "{spec: {podSelector: {matchLabels: {gloo: gloo}}}}")], vec!["GRS209"]),
        ("NetworkPolicy opens the port", vec![("NetworkPolicy gloo-system/gateway", "{spec: {ingress: [{ports: [{port: sds}]}]}}")], vec!["GRS209"]),
        ("NetworkPolicy opens it to some", vec![("NetworkPolicy gloo-system/gateway", "{spec: {ingress: [{from: [{podSelector: {matchLabels: {app: monitor}}}]}]}}")], vec![]),
        ("SDS on the loopback", vec![("NetworkPolicy gloo-system/gateway", "null"), (GATEWAY, "{spec: {template: {spec: {containers: [{name: gateway-proxy, image: e}, {name: sds, image: i, env: [{name: ISTIO_MTLS_SDS_ENABLED, value: 'true'}, {name: SDS_SERVER_ADDRESS, value: '127.0.0.1:8234'}], volumeMounts: [{name: istio-certs}]}, {name: istio-proxy, image: 'r/proxyv2:1.28.3', env: [{name: OUTPUT_CERTS, value: x}, {name: CA_ADDR, value: 'istiod-1-28.istio-system.svc:15012'}, {name: PROXY_CONFIG, value: '{\"discoveryAddress\":\"istiod-1-28.istio-system.svc:15012\"}'}, {name: DISABLE_ENVOY, value: 'true'}], volumeMounts: [{name: istio-certs}]}]}}}}")], vec![]),
        ("certificate over", vec![("certificate", "{left: -5}")], vec!["GRS210"]),
        ("certificate near its end", vec![("certificate", "{left: 600}")], vec!["GRS211"]),
        ("certificate of another root", vec![("certificate", "{mesh: false}")], vec!["GRS212"]),
        ("Envoy without its control plane", vec![("envoy", "{connected: false}")], vec!["GRS213"]),
        ("Envoy with no stream at all", vec![("envoy", "{}")], vec!["GRS213"]),
        ("Envoy that refuses a listener", vec![("envoy", "{connected: true, refused: 'listener http: no route'}")], vec!["GRS214"]),
        ("configuration out of sync", vec![("metrics", OUT_OF_SYNC)], vec!["GRS607"]),
        ("configuration in sync", vec![("metrics", IN_SYNC)], vec![]),
        ("rate limits that nobody hears", vec![("metrics", "'glooe_ratelimit_connected_state 0'"), ("Deployment gloo-system/rate-limit", "{spec: {replicas: 1}}")], vec!["GRS608"]),
        ("no rate limit server", vec![("metrics", "'glooe_ratelimit_connected_state 0'")], vec![]),
        ("auto-mTLS alone", vec![(SETTINGS, "{spec: {gloo: {istioOptions: {enableAutoMtls: true, enableIntegration: false}}}}"), ("release", "{global: {istioIntegration: {enabled: false, enableAutoMtls: true}, istioSDS: {enabled: true}}}")], vec!["GRS301"]),
        ("auto-mTLS and a static host with TLS", vec![(SETTINGS, AUTO), VALUES_WITH_AUTO, ("Upstream gloo-system/payments", PLAIN)], vec!["GRS302"]),
        ("a static host with TLS", vec![("Upstream gloo-system/payments", PLAIN)], vec![]),
        ("Settings differ", vec![("release", "{global: {istioIntegration: {enableAutoMtls: true}}}")], vec!["GRS303"]),
        ("injected beside Helm", vec![NO_ISTIO, OFF], vec!["GRS304"]),
        ("not injected, not in the values", vec![NO_ISTIO, OFF, (GATEWAY, BARE), (BOOTSTRAP, NO_CLUSTER), (CART, PLAIN), ("PeerAuthentication istio-system/mesh", "null")], vec![]),
        ("hook jobs", vec![("Namespace gloo-system", "{metadata: {labels: {istio.io/rev: 1-28}}}")], vec!["GRS305"]),
        ("two labels", vec![("Namespace shop", "{metadata: {labels: {istio-injection: disabled}}}")], vec!["GRS401"]),
        ("dead label", vec![("Namespace legacy", "{metadata: {labels: {istio.io/rev: 1-27}}}")], vec!["GRS402"]),
        ("a tag's label", vec![("Namespace shop", "{metadata: {labels: {istio.io/rev: prod}}}")], vec![]),
        ("pods of another revision", vec![("Pod shop/cart-6b9", "{metadata: {annotations: {sidecar.istio.io/status: '{\"revision\":\"1-27\"}'}}}")], vec!["GRS403"]),
        ("pods older than the label", vec![("Namespace legacy", "{metadata: {labels: {istio.io/rev: 1-28}}}")], vec!["GRS403"]),
        ("pods that opt out", vec![("Namespace legacy", "{metadata: {labels: {istio.io/rev: 1-28}}}"), ("Pod legacy/old-1", "{metadata: {annotations: {sidecar.istio.io/inject: 'false'}}}")], vec![]),
        ("two policies of the mesh", vec![("PeerAuthentication istio-system/late", "{metadata: {creationTimestamp: '2026-03-01T00:00:00Z'}, spec: {mtls: {mode: PERMISSIVE}}}")], vec!["GRS404"]),
        ("two policies for one pod", vec![("PeerAuthentication shop/a", "{spec: {selector: {matchLabels: {app: cart}}, mtls: {mode: STRICT}}}"), ("PeerAuthentication shop/b", "{spec: {selector: {matchLabels: {security.istio.io/tlsMode: istio}}, mtls: {mode: STRICT}}}")], vec!["GRS404"]),
        ("policies at two levels", vec![("PeerAuthentication shop/a", "{spec: {mtls: {mode: STRICT}}}")], vec![]),
        ("rejected", vec![(CART, "{status: {statuses: {gloo-system: {state: Rejected, reason: 'bad: *  x'}}}}")], vec!["GRS501"]),
        ("rejected, by number", vec![("RateLimitConfig shop/calm", "{status: {state: 2, message: m}}")], vec!["GRS501"]),
        ("warned", vec![("VirtualService shop/shop", "{status: {statuses: {gloo-system: {state: Warning, reason: w}}}}")], vec!["GRS502"]),
        ("rejected by another Gloo", vec![(CART, "{status: {statuses: {other: {state: Rejected, reason: r}}}}")], vec![]),
        ("no status", vec![("UpstreamGroup shop/split", "{status: null}")], vec!["GRS503"]),
        ("no status in a manifest", vec![("UpstreamGroup shop/split", "{status: null, metadata: {uid: null}}")], vec![]),
        ("a Gateway elsewhere", vec![("gateway.gateway.solo.io shop/mine", "{metadata: {uid: x}}")], vec![]),
        ("a Gateway here", vec![("gateway.gateway.solo.io gloo-system/mine", "{metadata: {uid: x}}")], vec!["GRS503"]),
        ("route to no Upstream", vec![("RouteTable shop/more", "{spec: {routes: [{routeAction: {single: {upstream: {name: shop-carts-8080, namespace: gloo-system}}}}]}}")], vec!["GRS504"]),
        ("route to no Service", vec![("RouteTable shop/more", "{spec: {routes: [{routeAction: {single: {kube: {ref: {name: x, namespace: shop}, port: 1}}}}]}}")], vec!["GRS504"]),
        ("no AuthConfig", vec![("AuthConfig shop/login", "null")], vec!["GRS505"]),
        ("no RateLimitConfig", vec![("RateLimitConfig shop/calm", "null")], vec!["GRS505"]),
        ("no options", vec![("VirtualHostOption shop/host", "null"), ("RouteOption shop/route", "null")], vec!["GRS505"]),
        ("no group", vec![("UpstreamGroup shop/split", "null")], vec!["GRS505"]),
        ("no RouteTable", vec![("RouteTable shop/more", "null")], vec!["GRS505"]),
        ("a RouteTable that delegates to itself", vec![("RouteTable shop/more", "{spec: {routes: [{delegateAction: {ref: {name: more, namespace: shop}}}]}}")], vec!["GRS506"]),
        ("a circle of two, by labels", vec![("RouteTable shop/more", "{spec: {routes: [{delegateAction: {ref: {name: last, namespace: shop}}}]}}"), ("RouteTable shop/last", "{metadata: {labels: {team: z}}, spec: {routes: [{delegateAction: {selector: {labels: {team: a}}}}]}}")], vec!["GRS506"]),
        ("no RouteTable of that label", vec![("RouteTable shop/more", "{metadata: {labels: {team: b}}}")], vec!["GRS505"]),
        ("no Secret", vec![("Secret gloo-system/payments-client", "null")], vec!["GRS505"]),
        ("not installed", vec![("Deployment gloo-system/gloo", "null"), (GATEWAY, "null"), ("DaemonSet gloo-system/gateway-proxy", "{metadata: {labels: {gloo: gateway-proxy}}}"), (CART, PLAIN), ("PeerAuthentication istio-system/mesh", "null")], vec!["GRS601", "GRS201"]),
        ("a Deployment that is not available", vec![("Deployment gloo-system/gloo", "{status: {conditions: [{type: Available, status: 'False', message: m}]}}")], vec!["GRS602"]),
        ("a pod that is not ready", vec![("Pod gloo-system/gloo-5d6", "{status: {conditions: [{type: Ready, status: 'False'}]}}")], vec!["GRS603"]),
        ("a pod that has ended well", vec![("Pod gloo-system/gloo-5d6", "{status: {conditions: [{type: Ready, status: 'False', reason: PodCompleted}]}}")], vec![]),
        ("no pods", vec![("Pod gloo-system/gloo-5d6", "null"), ("Pod gloo-system/gateway-proxy-7f8", "null")], vec!["GRS604"]),
        ("no Settings", vec![(SETTINGS, "null")], vec!["GRS605"]),
        ("gateway at zero", vec![(GATEWAY, "{spec: {replicas: 0}}")], vec!["GRS606"]),
        ("no GatewayClass", vec![("GatewayClass gloo-gateway", "null")], vec!["GRS701"]),
        ("GatewayClass not accepted", vec![("GatewayClass gloo-gateway", "{status: {conditions: [{type: Accepted, status: 'False'}]}}")], vec!["GRS701"]),
        ("Gateway of an older generation", vec![("gateway.gateway.networking.k8s.io shop/edge", "{metadata: {generation: 3}}")], vec!["GRS702"]),
        ("a listener in conflict", vec![("gateway.gateway.networking.k8s.io shop/edge", "{status: {listeners: [{name: x, conditions: [{type: Conflicted, status: 'True'}]}]}}")], vec!["GRS702"]),
        ("HTTPRoute with a wrong reference", vec![("HTTPRoute shop/cart", "{status: {parents: [{controllerName: solo.io/gloo-gateway, conditions: [{type: ResolvedRefs, status: 'False'}]}]}}")], vec!["GRS703"]),
        ("Gateway API not served", vec![("Deployment gloo-system/gloo", "{spec: {template: {spec: {containers: []}}}}"), ("GatewayClass gloo-gateway", "null")], vec![]),
    ]
}

#[test]
fn each_thing_that_is_broken_is_found_and_nothing_else() {
    let mut wrong = Vec::new();
    for (name, breaks, wanted) in table() {
        let stage = Stage::in_order().with(&breaks);
        let found = stage.codes();
        if found != wanted.iter().copied().collect() {
            let findings: Vec<_> = stage.ran().into_iter().flat_map(|ran| ran.findings).collect();
            wrong.push(format!("{name}: wanted {wanted:?}, found {findings:#?}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_code_is_found_somewhere_in_the_table() {
    let found: BTreeSet<_> = table().into_iter().flat_map(|(_, _, codes)| codes).collect();
    let all: BTreeSet<_> = codes::ALL.iter().map(|code| code.id).collect();
    assert_eq!(found, all);
}

#[test]
fn every_code_belongs_to_a_check_that_declares_it() {
    let declared: BTreeSet<_> = CHECKS.iter().flat_map(|check| check.codes).map(|code| code.id).collect();
    assert_eq!(declared, codes::ALL.iter().map(|code| code.id).collect());
    for (_, breaks, _) in table() {
        for ran in Stage::in_order().with(&breaks).ran() {
            for finding in ran.findings {
                assert!(ran.check.codes.contains(&finding.code), "{} of {}", finding.code.id, ran.check.title);
            }
        }
    }
}

#[test]
fn a_check_reads_the_kinds_that_it_declares_and_no_others() {
    let mut read: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    for ran in table().iter().flat_map(|(_, breaks, _)| Stage::in_order().with(breaks).ran()) {
        read.entry(ran.check.title).or_default().extend(ran.read.iter().map(ToString::to_string));
    }
    for check in CHECKS {
        let declared: BTreeSet<_> = check.kinds.iter().map(ToString::to_string).collect();
        assert_eq!(read[check.title], declared, "{}", check.title);
    }
}

#[test]
fn titles_and_words_are_unique() {
    let titles: BTreeSet<_> = CHECKS.iter().map(|check| check.title).collect();
    let words: BTreeSet<_> = CHECKS.iter().map(|check| check.word).collect();
    assert_eq!((titles.len(), words.len()), (CHECKS.len(), CHECKS.len()));
}

#[test]
fn a_kind_that_may_not_be_listed_makes_its_checks_unknown_and_finds_nothing_new() {
    for kind in kinds() {
        let stage = Stage { forbidden: vec![kind], ..Stage::in_order() };
        for ran in stage.ran() {
            let why = format!("may not list {}", kind.plural);
            let is_unknown = ran.unknown.iter().any(|unknown| unknown.why == why);
            assert_eq!(is_unknown, ran.read.contains(&kind), "{kind} and {}", ran.check.title);
            assert_eq!(ran.findings, [], "{kind} and {}", ran.check.title);
        }
    }
}
