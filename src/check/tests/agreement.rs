//! Tests that `check` and `istio describe` never contradict each other:
//! if `check` has a finding, `describe` calls the target broken.

use super::*;
use crate::model::kinds as known;
use crate::plan::path::survey::Survey;
use crate::plan::path::{Cause, Described, Verdict};

/// An object and a merge patch.
type Break = (&'static str, &'static str);

const PERMISSIVE: Break = ("PeerAuthentication istio-system/mesh", "{spec: {mtls: {mode: PERMISSIVE}}}");
const PLAIN: &str = "{spec: {sslConfig: null}}";
const AUTO: &str = "{spec: {gloo: {istioOptions: {enableAutoMtls: true}}}}";
const CART: &str = "Upstream gloo-system/shop-cart-8080";
const GATEWAY: &str = "Deployment gloo-system/gateway-proxy";
const BOOTSTRAP: &str = "ConfigMap gloo-system/gateway-proxy-envoy-config";
const NO_CLUSTER: &str = "{data: {envoy.yaml: 'static_resources: {clusters: [{name: other}]}'}}";
const BARE: &str = "{spec: {template: {spec: {containers: [{name: gateway-proxy, image: e}], volumes: []}}}}";
const SETTINGS: &str = "Settings gloo-system/default";

const SENT: [(&str, &[Break]); 9] = [
    ("nothing", &[(CART, PLAIN)]),
    ("auto-mTLS", &[(CART, PLAIN), (SETTINGS, AUTO)]),
    (
        "auto-mTLS alone",
        &[
            (CART, PLAIN),
            (SETTINGS, "{spec: {gloo: {istioOptions: {enableAutoMtls: true, enableIntegration: false}}}}"),
        ],
    ),
    ("auto-mTLS, opted out", &[(CART, "{spec: {sslConfig: null, disableIstioAutoMtls: true}}"), (SETTINGS, AUTO)]),
    ("Istio's", &[]),
    ("Istio's without ALPN", &[(CART, "{spec: {sslConfig: {alpnProtocols: null}}}")]),
    (
        "a secret",
        &[(
            CART,
            "{spec: {sslConfig: {alpnProtocols: null, sds: null, secretRef: {name: payments-client, namespace: gloo-system}}}}",
        )],
    ),
    ("no certificate", &[(CART, "{spec: {sslConfig: {alpnProtocols: null, sds: null, sni: cart.example}}}")]),
    ("another of SDS", &[(CART, "{spec: {sslConfig: {sds: {certificatesSecretName: mine}}}}")]),
];
const POLICIES: [(&str, &[Break]); 4] = [
    ("no policy", &[("PeerAuthentication istio-system/mesh", "null")]),
    ("PERMISSIVE", &[PERMISSIVE]),
    ("STRICT", &[]),
    ("DISABLE", &[("PeerAuthentication istio-system/mesh", "{spec: {mtls: {mode: DISABLE}}}")]),
];
const PODS: [(&str, &[Break]); 5] = [
    ("meshed", &[]),
    ("some", &[("Pod shop/cart-new", "{metadata: {labels: {app: cart}}}")]),
    ("plain", &[("Pod shop/cart-6b9", "{metadata: {labels: {security.istio.io/tlsMode: null}}}")]),
    (
        "ambient",
        &[(
            "Pod shop/cart-6b9",
            "{metadata: {labels: {security.istio.io/tlsMode: null}, annotations: {ambient.istio.io/redirection: enabled}}}",
        )],
    ),
    ("none", &[("Pod shop/cart-6b9", "null")]),
];
const WITHOUT_SDS: &str =
    "{spec: {template: {spec: {containers: [{name: gateway-proxy, image: e}, {name: istio-proxy, image: i}]}}}}";
const GATEWAYS: [(&str, &[Break]); 4] = [
    ("whole", &[]),
    ("bare", &[(GATEWAY, BARE), (BOOTSTRAP, NO_CLUSTER)]),
    ("half", &[(BOOTSTRAP, NO_CLUSTER)]),
    ("without sds", &[(GATEWAY, WITHOUT_SDS)]),
];
const PORTS: [(&str, &[Break]); 2] = [
    ("any port", &[]),
    ("http", &[("Service shop/cart", "{spec: {ports: [{name: http, port: 8080, targetPort: 8080}]}}")]),
];

/// Asserts that both agree on one combination.
fn agree(name: &str, breaks: &[Break]) {
    let mut stage = Stage::in_order();
    for (which, patch) in breaks {
        stage.change(which, &crate::yaml::parse(patch).unwrap());
    }
    let snapshot = stage.snapshot();
    let upstream = snapshot.find(&known::UPSTREAM, "gloo-system", "shop-cart-8080").object().unwrap();
    let judged = Described::from(Survey::new(&snapshot, "gloo-system").of_upstream(upstream)).judged;
    let findings: Vec<_> = stage.ran_only(&["mtls", "sidecars"]).into_iter().flat_map(|ran| ran.findings).collect();
    let about = |object: &ObjectRef| {
        let of_it = findings.iter().filter(|finding| finding.object == *object);
        of_it.map(|finding| finding.code.id).collect::<BTreeSet<_>>()
    };
    let own = about(&upstream.reference);
    let of_gateway = about(&ObjectRef::new(&known::DEPLOYMENT, "gloo-system", "gateway-proxy"));
    let code = judged.cause.map(|cause| cause.row().code).filter(|code| code.starts_with("GRS1"));
    let wanted: BTreeSet<_> = code.into_iter().collect();
    let said = || format!("{name}: described {judged:?}, found {own:?}, of the gateway {of_gateway:?}");
    match judged.cause {
        Some(Cause::NoSecret) => assert_eq!(own, wanted, "{}", said()),
        // The finding about a gateway that lacks the cluster may come in addition to the first cause.
        _ => assert!(own.iter().filter(|id| **id != "GRS103").eq(wanted.iter()), "{}", said()),
    }
    let errors = findings.iter().any(|it| it.object == upstream.reference && it.severity == Severity::Error);
    assert!(!errors || judged.verdict == Verdict::Broken, "{}", said());
}

#[test]
fn a_finding_about_an_upstream_and_its_verdict_are_one_in_every_combination() {
    let mut seen = 0;
    for (sent, of_upstream) in SENT {
        for (pods, of_pods) in PODS {
            for (mode, of_policies) in POLICIES {
                for (gateway, of_gateway) in GATEWAYS {
                    for (port, of_port) in PORTS {
                        let name = format!("{sent}; {pods}; {mode}; gateway {gateway}; {port}");
                        agree(&name, &[of_upstream, of_pods, of_policies, of_gateway, of_port].concat());
                        seen += 1;
                    }
                }
            }
        }
    }
    assert_eq!(seen, SENT.len() * PODS.len() * POLICIES.len() * GATEWAYS.len() * PORTS.len());
}

#[test]
fn of_a_named_port_both_say_the_mode_of_the_port_of_the_pods() {
    const NAMED: Break = ("Service shop/cart", "{spec: {ports: [{name: a, port: 8080, targetPort: web}]}}");
    const POD: Break = (
        "Pod shop/cart-6b9",
        "{spec: {containers: [{name: cart, image: c, ports: [{name: web, containerPort: 8080}]}]}}",
    );
    const OTHER: Break = (
        "PeerAuthentication shop/cart",
        "{spec: {selector: {matchLabels: {app: cart}}, mtls: {mode: STRICT}, portLevelMtls: {'9090': {mode: PERMISSIVE}}}}",
    );
    const OPEN: Break = (
        "PeerAuthentication shop/cart",
        "{spec: {selector: {matchLabels: {app: cart}}, mtls: {mode: STRICT}, portLevelMtls: {'8080': {mode: DISABLE}}}}",
    );
    for (sent, of_upstream) in SENT {
        for (mode, of_policy) in [("another port left open", OTHER), ("mutual TLS off at the port", OPEN)] {
            agree(&format!("{sent}; {mode}"), &[of_upstream, &[NAMED, POD, of_policy]].concat());
        }
    }
}
