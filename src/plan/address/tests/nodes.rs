use std::slice::from_ref;

use super::*;

#[test]
fn a_node_port_that_is_not_allocated_is_refused() {
    for (kind, hint) in [
        ("ClusterIP", "without --local-cluster its cluster IP is printed"),
        ("LoadBalancer", "without --local-cluster the load balancer's address is printed"),
    ] {
        let spec =
            json!({"type": kind, "clusterIP": "10.96.0.9", "ports": [{"name": "http", "port": 80, "nodePort": 0}]});
        let failure = refused(&service(&spec, &json!([{"ip": "1.2.3.4"}])), &local());
        assert_eq!(failure.message, "service gloo-system/gateway-proxy has no node port for port http 80");
        assert_eq!((failure.reason, failure.hints), (Reason::NoAddress, vec![hint.into()]));
    }
    let headless = service(&json!({"type": "ClusterIP", "clusterIP": "None", "ports": [{"port": 80}]}), &json!([]));
    assert_eq!(refused(&headless, &local()).hints, ["name the gateway's own Service: --name NAME"]);
    let bare = service(&json!({"type": "NodePort", "ports": [{"port": 80}]}), &json!([]));
    assert_eq!(refused(&bare, &AddressWish::default()).reason, Reason::NoAddress);
}

#[test]
fn a_node_port_without_a_selector_is_refused() {
    let mut service = node_port();
    for selector in [json!({}), json!(null)] {
        service.value["spec"]["selector"] = selector;
        assert!(refused(&service, &AddressWish::default()).message.contains("has no selector"));
    }
}

#[test]
fn a_node_port_asks_for_pods_and_then_for_the_nodes_of_ready_ones() {
    let service = node_port();
    let first = answer(&service, AddressSources::default(), &AddressWish::default());
    let selector = "gateway-proxy=live,gateway-proxy-id=gateway-proxy".to_owned();
    assert_eq!(first, AddressAnswer::Needs(AddressNeed::Pods { namespace: "gloo-system".into(), selector }));

    let mut deleted = pod("d", "n0", "True");
    deleted["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    let pods =
        [pod("a", "n3", "True"), pod("b", "n1", "False"), deleted, pod("c", "n2", "True"), pod("e", "n2", "True")];
    let seen = AddressSources { pods: Some(&pods), nodes: None };
    let names = vec!["n2".to_owned(), "n3".to_owned()];
    assert_eq!(answer(&service, seen, &AddressWish::default()), AddressAnswer::Needs(AddressNeed::Nodes(names)));
}

#[test]
fn one_address_does_not_read_a_thousand_nodes() {
    let pods: Vec<Value> = (0..20).map(|n| pod("p", &format!("n{n:02}"), "True")).collect();
    let seen = AddressSources { pods: Some(&pods), nodes: None };
    let asked = |wish: &AddressWish| match answer(&node_port(), seen, wish) {
        AddressAnswer::Needs(AddressNeed::Nodes(names)) => names.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!((asked(&AddressWish::default()), asked(&all())), (8, 20));
}

#[test]
fn a_nodes_outer_address_comes_before_its_inner_one() {
    let pods = [pod("a", "n1", "True"), pod("b", "n2", "True")];
    let inner = node("n1", &[("Hostname", "n1"), ("InternalIP", "10.0.0.1"), ("InternalIP", "fd00::1")]);
    let outer = node("n2", &[("InternalIP", "10.0.0.2"), ("ExternalDNS", "n2.example"), ("ExternalIP", "2001:db8::2")]);
    let name_only = node("n1", &[("Hostname", "n1")]);
    let cases: [(&[Value], AddressWish, &[&str]); 7] = [
        (&[inner.clone(), outer.clone()], AddressWish::default(), &["http://[2001:db8::2]:31500"]),
        (from_ref(&inner), AddressWish::default(), &["http://10.0.0.1:31500"]),
        (from_ref(&inner), all(), &["http://10.0.0.1:31500", "http://[fd00::1]:31500"]),
        (from_ref(&outer), prefer(Prefer::Hostname), &["http://n2.example:31500"]),
        (&[name_only], AddressWish::default(), &["http://n1:31500"]),
        (
            &[inner.clone(), outer.clone()],
            all(),
            &["http://[2001:db8::2]:31500", "http://10.0.0.1:31500", "http://[fd00::1]:31500"],
        ),
        (from_ref(&outer), port("https"), &["https://[2001:db8::2]:31443"]),
    ];
    for (nodes, wish, expected) in cases {
        let found = found_in(answer(&node_port(), AddressSources { pods: Some(&pods), nodes: Some(nodes) }, &wish));
        let urls: Vec<String> = found.addresses.iter().map(Address::url).collect();
        assert_eq!(urls, expected, "{wish:?}");
    }
}

#[test]
fn an_inner_address_is_warned_of_unless_a_local_cluster_was_named() {
    let pods = [pod("a", "n1", "True")];
    let nodes = [node("n1", &[("InternalIP", "172.18.0.2")])];
    let seen = AddressSources { pods: Some(&pods), nodes: Some(&nodes) };
    let found = found_in(answer(&node_port(), seen, &AddressWish::default()));
    assert_eq!(found.addresses[0].source, "node n1 InternalIP");
    assert_eq!(found.advice[0].code, Code::NodesOnly);
    let mut pending = balancer(&json!([]));
    pending.value["spec"]["selector"] = json!({"app": "x"});
    let found = found_in(answer(&pending, seen, &local()));
    assert_eq!((found.addresses[0].url().as_str(), found.advice.len()), ("http://172.18.0.2:31500", 0));
}

#[test]
fn nodes_that_are_gone_or_without_address_are_named() {
    let pods = [pod("a", "n1", "True"), pod("b", "n2", "True")];
    let seen = AddressSources { pods: Some(&pods), nodes: Some(&[node("n2", &[])]) };
    let failure = refusal(answer(&node_port(), seen, &AddressWish::default()));
    assert_eq!(failure.reason, Reason::NoAddress);
    assert_eq!(failure.details, ["node n1: not found", "node n2: has no address"]);
}

#[test]
fn pods_that_are_not_ready_leave_it_pending_and_say_why() {
    let mut crashing = pod("b", "n1", "False");
    crashing["status"]["containerStatuses"] = json!([
        {"name": "sds", "ready": true, "state": {"running": {}}},
        {"name": "gateway-proxy", "ready": false, "state": {"waiting": {"reason": "CrashLoopBackOff"}}},
    ]);
    let mut deleted = pod("c", "n1", "True");
    deleted["metadata"]["deletionTimestamp"] = "2026-01-01T00:00:00Z".into();
    let unscheduled = json!({
        "metadata": {"name": "d"},
        "spec": {},
        "status": {
            "phase": "Pending",
            "conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}],
        },
    });
    let pods = [pod("a", "n1", "False"), crashing, deleted, unscheduled];
    let cause = |pods: &[Value]| match answer(
        &node_port(),
        AddressSources { pods: Some(pods), nodes: None },
        &AddressWish::default(),
    ) {
        AddressAnswer::Pending(pending) => pending.cause,
        other => panic!("{other:?}"),
    };
    let why = [
        "pod a: Running, not ready",
        "pod b: CrashLoopBackOff (container gateway-proxy)",
        "pod c: being deleted",
        "pod d: not scheduled: 0/1 nodes are available",
    ];
    assert_eq!(cause(&pods), PendingCause::NoReadyPod(why.map(str::to_owned).to_vec()));
    assert_eq!(cause(&[]), PendingCause::NoReadyPod(Vec::new()));
}
