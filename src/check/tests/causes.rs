//! Tests which object decides each finding: that one is what groups of findings are named by.

use super::*;

/// The kinds of the objects that decide the findings of a code.
const DECIDING: &[(&str, &[&str])] = &[
    ("GRS101", &["PeerAuthentication"]),
    ("GRS102", &["Namespace"]),
    ("GRS103", &["Deployment"]),
    ("GRS104", &["Namespace"]),
    ("GRS105", &["PeerAuthentication"]),
    ("GRS106", &["Namespace"]),
    ("GRS107", &["Namespace"]),
    ("GRS108", &["PeerAuthentication"]),
    ("GRS109", &["PeerAuthentication"]),
    ("GRS110", &["Namespace"]),
    ("GRS111", &["AuthorizationPolicy"]),
    ("GRS201", &["Deployment"]),
    ("GRS202", &["Deployment"]),
    ("GRS203", &["Deployment"]),
    ("GRS204", &["Deployment"]),
    ("GRS205", &["Deployment"]),
    ("GRS206", &["Deployment"]),
    ("GRS207", &["Service"]),
    ("GRS208", &["Deployment"]),
    ("GRS209", &["Deployment"]),
    ("GRS210", &["Deployment"]),
    ("GRS211", &["Deployment"]),
    ("GRS212", &["Deployment"]),
    ("GRS213", &["Deployment"]),
    ("GRS214", &["Deployment"]),
    ("GRS215", &["Deployment"]),
    ("GRS301", &["Namespace"]),
    ("GRS302", &["Settings"]),
    ("GRS303", &["Namespace"]),
    ("GRS304", &["Deployment"]),
    ("GRS305", &["Namespace"]),
    ("GRS401", &["Namespace"]),
    ("GRS402", &["Deployment"]),
    ("GRS403", &["Deployment"]),
    ("GRS404", &["PeerAuthentication"]),
    ("GRS405", &["Deployment"]),
    ("GRS410", &["Deployment"]),
    ("GRS406", &["Namespace"]),
    ("GRS407", &["PeerAuthentication"]),
    ("GRS408", &["PeerAuthentication"]),
    ("GRS409", &["PeerAuthentication"]),
    ("GRS501", &["Namespace"]),
    ("GRS502", &["Namespace"]),
    ("GRS503", &["Deployment"]),
    ("GRS504", &["Upstream", "Service"]),
    (
        "GRS505",
        &[
            "UpstreamGroup",
            "RouteTable",
            "AuthConfig",
            "RateLimitConfig",
            "VirtualHostOption",
            "RouteOption",
            "Secret",
            "Namespace",
        ],
    ),
    ("GRS506", &["Namespace"]),
    ("GRS507", &["CustomResourceDefinition"]),
    ("GRS508", &["Namespace"]),
    ("GRS509", &["Namespace"]),
    ("GRS510", &["Gateway"]),
    ("GRS601", &["Namespace"]),
    ("GRS602", &["Deployment"]),
    ("GRS603", &["Deployment", "Namespace"]),
    ("GRS604", &["Namespace"]),
    ("GRS605", &["Namespace"]),
    ("GRS606", &["Namespace"]),
    ("GRS607", &["Deployment"]),
    ("GRS608", &["Deployment"]),
    ("GRS701", &["GatewayClass"]),
    ("GRS702", &["Namespace"]),
    ("GRS703", &["Gateway", "Namespace"]),
];

#[test]
fn the_object_that_decides_is_one_of_the_kinds_of_its_code() {
    let known: BTreeSet<_> = DECIDING.iter().map(|(code, _)| *code).collect();
    assert_eq!(known, codes::ALL.iter().map(|code| code.id).collect());
    let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for finding in world::rows().iter().flat_map(|row| Stage::of_row(row).ran()).flat_map(|ran| ran.findings) {
        seen.entry(finding.code.id).or_default().insert(finding.decided_by.kind.kind);
    }
    for (code, kinds) in DECIDING {
        let allowed: BTreeSet<_> = kinds.iter().copied().collect();
        assert!(seen[code].is_subset(&allowed), "{code} is decided by {:?}", seen[code]);
    }
}

/// The deciding objects of a code after these changes, with the number of findings of each.
fn groups(code: &codes::FindingCode, breaks: &[(&str, Value)]) -> Vec<(String, usize)> {
    let mut stage = Stage::in_order();
    for (which, patch) in breaks {
        stage.change(which, patch);
    }
    let mut groups: BTreeMap<String, usize> = BTreeMap::new();
    for finding in stage.ran().into_iter().flat_map(|ran| ran.findings).filter(|finding| finding.code == code) {
        let ObjectRef { kind, namespace, name } = &finding.decided_by;
        *groups.entry(format!("{} {namespace}/{name}", kind.kind)).or_default() += 1;
    }
    groups.into_iter().collect()
}

#[test]
fn objects_of_two_namespaces_with_one_cause_are_one_group() {
    let snake = || json!({"spec": {"ssl_config": {"sni": "a.example"}}});
    let bound = || json!({"metadata": {"labels": {"istio.io/rev": "1-27"}}});
    let no_status = || json!({"metadata": {"uid": "1"}, "spec": {}, "status": null});
    let files = || {
        json!({"spec": {"sslConfig": {"sds": null, "sslFiles": {"tlsCert": "/etc/istio-certs/cert-chain.pem",
            "tlsKey": "/etc/istio-certs/key.pem", "rootCa": "/etc/istio-certs/root-cert.pem"}}}})
    };
    let legacy = "Upstream gloo-system/legacy-old-80";
    for (code, breaks, wanted) in [
        (
            &codes::UNKNOWN_FIELD,
            vec![(legacy, snake()), ("Upstream shop/more", snake())],
            vec![("CustomResourceDefinition /upstreams.gloo.solo.io", 2)],
        ),
        (
            &codes::DEAD_LABEL,
            vec![("Namespace shop", bound()), ("Namespace legacy", bound())],
            vec![("Deployment istio-system/istiod-1-27", 2)],
        ),
        (
            &codes::UNSEEN,
            vec![("Upstream gloo-system/payments", no_status()), ("VirtualService shop/again", no_status())],
            vec![("Deployment gloo-system/gloo", 2)],
        ),
        (
            &codes::CERTIFICATE_FILES,
            vec![(CART, files()), (legacy, files())],
            vec![("Namespace /legacy", 1), ("Namespace /shop", 1)],
        ),
    ] {
        let found = groups(code, &breaks);
        let found: Vec<_> = found.iter().map(|(object, number)| (object.as_str(), *number)).collect();
        assert_eq!(found, wanted, "{}", code.id);
    }
}

const CART: &str = "Upstream gloo-system/shop-cart-8080";
