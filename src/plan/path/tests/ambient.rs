//! The ambient mesh: gateways and pods that a ztunnel captures, or may.

use super::*;
use crate::model::ObjectRef;
use crate::plan::path::harm::{Harm, harm};

/// A gateway, and how much shows that a ztunnel carries its requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gateway {
    Captured,
    Outside,
    /// Only its namespace's label.
    Labelled,
    /// It is captured, and ztunnel is not ready.
    NoZtunnel,
}

const GATEWAY_POD: &str = "gateway-proxy-1";

fn redirected(mut pod: Value) -> Value {
    pod["metadata"]["annotations"] = json!({"ambient.istio.io/redirection": "enabled"});
    pod
}

fn with_hbone(name: &str) -> Value {
    pod(name, &json!({"security.istio.io/tlsMode": "istio", "networking.istio.io/tunnel": "http"}))
}

fn labelled(name: &str) -> Value {
    pod(name, &json!({"istio.io/dataplane-mode": "ambient"}))
}

fn ztunnel(ready: u64) -> Object {
    let status = json!({"desiredNumberScheduled": 2, "numberReady": ready});
    let metadata = json!({"namespace": "istio-system", "name": "ztunnel"});
    Object::new(&kinds::DAEMON_SET, json!({"metadata": metadata, "status": status}))
}

fn gateway_pod(gateway: Gateway) -> Value {
    let labels = json!({"gloo": "gateway-proxy", "gateway-proxy-id": "gateway-proxy", "gateway-proxy": "live"});
    let pod = json!({"metadata": {"name": GATEWAY_POD, "namespace": "gloo-system", "labels": labels}});
    if matches!(gateway, Gateway::Captured | Gateway::NoZtunnel) { redirected(pod) } else { pod }
}

/// Adds a pod of the gateway that a ztunnel captures.
pub(super) fn capture_gateway(snapshot: &mut Snapshot) {
    snapshot.replace(Object::new(&kinds::POD, gateway_pod(Gateway::Captured)));
    snapshot.put_envoy(ObjectRef::new(&kinds::POD, "gloo-system", GATEWAY_POD), Ok(true));
    snapshot.put_ztunnels(Ok(vec![ztunnel(2)]));
}

/// Returns what was read of a cluster with this gateway.
fn read(cluster: &Cluster, gateway: Gateway) -> Snapshot {
    let mut cluster = cluster.clone();
    cluster.pods.push(gateway_pod(gateway));
    let mut snapshot = cluster.snapshot();
    snapshot.put_envoy(ObjectRef::new(&kinds::POD, "gloo-system", GATEWAY_POD), Ok(true));
    let label = if gateway == Gateway::Outside { Value::Null } else { json!("ambient") };
    let home = json!({"metadata": {"name": "gloo-system", "labels": {"istio.io/dataplane-mode": label}}});
    let namespaces = ListAnswer::Read(vec![Object::new(&kinds::NAMESPACE, home)]);
    snapshot.put(&kinds::NAMESPACE, ListPart::All, namespaces);
    snapshot.put_ztunnels(Ok(vec![ztunnel(if gateway == Gateway::NoZtunnel { 1 } else { 2 })]));
    snapshot
}

fn facts(cluster: &Cluster, gateway: Gateway) -> Facts {
    let snapshot = read(cluster, gateway);
    Survey::new(&snapshot, "gloo-system").of_upstream(&Object::new(&kinds::UPSTREAM, cluster.upstream.clone()))
}

type Make = fn(&str) -> Value;

/// The rows are the gateway and the pod. The columns are plaintext, auto-mTLS, Istio's sslConfig and TLS of its own, each
/// with PERMISSIVE, STRICT and DISABLE.
const VERDICTS: [(Gateway, Make, &str); 17] = [
    (Gateway::Outside, meshed, "PBP MMB MMB TUT"),
    (Gateway::Outside, with_hbone, "PBP MMB MMB TUT"),
    (Gateway::Outside, captured, "PBP PBP BBB TBT"),
    (Gateway::Outside, labelled, "PUP PUP BBB TUT"),
    (Gateway::Outside, plain, "PPP PPP BBB TTT"),
    // A ztunnel passes on what a sidecar without HBONE gets, and newer ones send it mutual TLS.
    (Gateway::Captured, meshed, "PUP MMB MMB TUT"),
    (Gateway::Captured, with_hbone, "MMM UUU UUU UUU"),
    (Gateway::Captured, captured, "MMM MMM BBB MMM"),
    (Gateway::Captured, labelled, "UUU UUU BBB UUU"),
    (Gateway::Captured, plain, "PPP PPP BBB TTT"),
    (Gateway::Labelled, meshed, "PUP MMB MMB TUT"),
    (Gateway::Labelled, with_hbone, "UUU UUU UUU UUU"),
    (Gateway::Labelled, captured, "UUU UUU BBB UUU"),
    (Gateway::Labelled, labelled, "UUU UUU BBB UUU"),
    (Gateway::Labelled, plain, "PPP PPP BBB TTT"),
    (Gateway::NoZtunnel, captured, "UUU UUU BBB UUU"),
    (Gateway::NoZtunnel, plain, "PPP PPP BBB TTT"),
];

fn captured(name: &str) -> Value {
    redirected(plain(name))
}

fn cluster(make: Make, sent: &str, mode: &str) -> Cluster {
    Cluster::new().with(|it| {
        it.pods = vec![make("a")];
        it.policies = Some(vec![policy(mode)]);
        match sent {
            "auto" => it.settings = Some(settings(true, true)),
            "istio" => it.upstream["spec"]["sslConfig"] = istio_ssl_config(),
            "own" => it.upstream["spec"]["sslConfig"] = secret_tls(),
            _ => {}
        }
    })
}

#[test]
fn every_combination_of_gateway_pod_mode_and_what_is_sent_has_its_verdict() {
    for (gateway, make, wanted) in VERDICTS {
        let mut found = Vec::new();
        for sent in ["plaintext", "auto", "istio", "own"] {
            let of_modes = ["PERMISSIVE", "STRICT", "DISABLE"].map(|mode| {
                let judged = judge(&facts(&cluster(make, sent, mode), gateway));
                assert!(!judged.why.is_empty(), "{gateway:?} {sent} {mode}");
                letter(judged.verdict)
            });
            found.push(String::from_iter(of_modes));
        }
        assert_eq!(found.join(" "), wanted, "{gateway:?} to {}", make("a"));
    }
}

#[test]
fn mutual_tls_by_ztunnel_needs_no_certificate_of_the_gateway() {
    let bare = cluster(captured, "plaintext", "STRICT").with(|it| it.bootstrap = BOOTSTRAP.to_owned());
    assert_eq!(judge(&facts(&bare, Gateway::Captured)).verdict, Verdict::Mtls);
    let mixed = bare.with(|it| it.pods.push(plain("b")));
    let judged = judge(&facts(&mixed, Gateway::Captured));
    assert_eq!((judged.verdict, judged.cause), (Verdict::Mixed, None), "{judged:?}");
}

#[test]
fn without_the_label_of_the_namespace_the_annotations_of_the_pods_decide() {
    let cluster = cluster(captured, "plaintext", "STRICT");
    let facts = |pods: &[Gateway]| {
        let mut cluster = cluster.clone();
        cluster.pods.extend(pods.iter().enumerate().map(|(number, gateway)| {
            let mut pod = gateway_pod(*gateway);
            pod["metadata"]["name"] = json!(format!("gateway-proxy-{number}"));
            pod
        }));
        let mut snapshot = cluster.snapshot();
        snapshot.put_ztunnels(Ok(vec![ztunnel(2)]));
        Survey::new(&snapshot, "gloo-system").of_upstream(&Object::new(&kinds::UPSTREAM, cluster.upstream.clone()))
    };
    let verdict = |pods: &[Gateway]| judge(&facts(pods)).verdict;
    let (inside, outside) = (Gateway::Captured, Gateway::Outside);
    assert_eq!(verdict(&[inside, inside]), Verdict::Mtls);
    assert_eq!(verdict(&[inside, outside]), Verdict::Unknown);
    assert_eq!(verdict(&[outside, outside]), Verdict::Broken);
    let judged = judge(&facts(&[outside]));
    assert_eq!(judged.cause, Some(Cause::StrictAmbient));
    let way = "gloo-rs istio enroll --ambient gloo-system, or gloo-rs istio peer-auth permissive -n shop";
    assert_eq!(judged.fix.map(|fix| fix.to_string()).as_deref(), Some(way));
}

#[test]
fn a_ztunnel_that_is_absent_unready_or_unread_proves_nothing() {
    let cluster = cluster(captured, "plaintext", "STRICT");
    let forbidden = Unknown { why: "not allowed to list".into(), rule: Some(Box::new(Rule::listing("daemonsets"))) };
    for (ztunnels, verdict) in [
        (Ok(vec![ztunnel(2)]), Verdict::Mtls),
        (Ok(vec![ztunnel(1)]), Verdict::Unknown),
        (Ok(Vec::new()), Verdict::Unknown),
        (Err(forbidden), Verdict::Unknown),
    ] {
        let mut snapshot = read(&cluster, Gateway::Captured);
        snapshot.put_ztunnels(ztunnels.clone());
        let survey = Survey::new(&snapshot, "gloo-system");
        let judged = judge(&survey.of_upstream(&Object::new(&kinds::UPSTREAM, cluster.upstream.clone())));
        assert_eq!(judged.verdict, verdict, "{ztunnels:?} {judged:?}");
    }
}

#[test]
fn strict_harms_no_proven_path_of_the_ambient_mesh() {
    let harms = |gateway: Gateway, make: Make| {
        let of = |mode: &str| facts(&cluster(make, "plaintext", mode), gateway);
        harm(&of("PERMISSIVE"), &of("STRICT"))
    };
    assert_eq!(harms(Gateway::Captured, captured), Harm::None);
    assert_eq!(harms(Gateway::Captured, with_hbone), Harm::None);
    assert!(matches!(harms(Gateway::Outside, captured), Harm::Broken { cause: Cause::StrictAmbient, .. }));
    for (gateway, make) in
        [(Gateway::Labelled, captured as Make), (Gateway::NoZtunnel, captured), (Gateway::Captured, meshed)]
    {
        assert!(matches!(harms(gateway, make), Harm::Unknown(_)), "{gateway:?}");
    }
}

#[test]
fn a_gateway_that_leaves_the_ambient_mesh_harms_what_is_strict() {
    let harms = |mode: &str| {
        let cluster = cluster(captured, "plaintext", mode);
        harm(&facts(&cluster, Gateway::Captured), &facts(&cluster, Gateway::Outside))
    };
    assert_eq!(harms("PERMISSIVE"), Harm::None);
    assert!(matches!(harms("STRICT"), Harm::Broken { cause: Cause::StrictAmbient, .. }));
}

#[test]
fn a_captured_gateway_under_strict_refuses_clients_outside_of_the_mesh() {
    let closed = |namespace: &str, mode: &str, gateway: Gateway| {
        let policy = json!({"metadata": {"name": "p", "namespace": namespace}, "spec": {"mtls": {"mode": mode}}});
        let cluster = Cluster::new().with(|it| it.policies = Some(vec![policy]));
        let snapshot = read(&cluster, gateway);
        Survey::new(&snapshot, "gloo-system").proxies()[0].closed.clone().unwrap()
    };
    assert!(closed("gloo-system", "STRICT", Gateway::Captured).unwrap().contains("gloo-system/p"));
    assert!(closed("istio-system", "STRICT", Gateway::Captured).is_some());
    assert_eq!(closed("gloo-system", "PERMISSIVE", Gateway::Captured), None);
    assert_eq!(closed("shop", "STRICT", Gateway::Captured), None);
    assert_eq!(closed("gloo-system", "STRICT", Gateway::Outside), None);
}

/// A captured gateway with these policies in its namespace, and perhaps a Service that leads to one port of its pods.
fn closed(policies: Option<&Value>, ports: &[&[u64]], target: Option<Value>) -> Result<Option<String>, Unread> {
    let cluster = Cluster::new().with(|it| {
        it.policies = policies.map(|policy| vec![policy.clone()]);
        let containers = ports.iter().enumerate().map(|(number, ports)| {
            let ports: Vec<_> =
                ports.iter().map(|port| json!({"containerPort": port, "name": format!("p{port}")})).collect();
            json!({"name": format!("c{number}"), "ports": ports})
        });
        it.proxy["spec"]["template"]["spec"]["containers"] = containers.collect();
        it.service = target.map(|target| {
            json!({"metadata": {"name": "gateway-proxy", "namespace": "gloo-system"}, "spec": {
                "selector": {"gateway-proxy": "live"}, "ports": [{"port": 80, "targetPort": target}]}})
        });
    });
    let snapshot = read(&cluster, Gateway::Captured);
    Survey::new(&snapshot, "gloo-system").proxies()[0].closed.clone()
}

#[test]
fn a_gateway_is_closed_by_the_policy_of_a_port_of_any_container_that_its_service_leads_to() {
    let strict = json!({"metadata": {"name": "p", "namespace": "gloo-system"}, "spec": {
        "selector": {"matchLabels": {"gateway-proxy": "live"}},
        "mtls": {"mode": "PERMISSIVE"}, "portLevelMtls": {"8080": {"mode": "STRICT"}}}});
    let is_closed = |ports: &[&[u64]], target| closed(Some(&strict), ports, target).map(|by| by.is_some());
    assert_eq!(is_closed(&[&[8080]], None), Ok(true));
    assert_eq!(is_closed(&[&[], &[9090, 8080]], None), Ok(true), "a port of the second container");
    assert_eq!(is_closed(&[&[9090]], None), Ok(false));
    assert_eq!(is_closed(&[&[9090]], Some(json!(8080))), Ok(true), "a port that no container declares");
    assert_eq!(is_closed(&[&[9090], &[8080]], Some(json!("p8080"))), Ok(true), "a port by its name");
    assert_eq!(is_closed(&[&[8080], &[9090]], Some(json!(9090))), Ok(false), "no client comes to the strict port");
}

#[test]
fn whether_a_gateway_is_closed_is_unknown_without_its_policies_or_its_ports() {
    let strict = json!({"metadata": {"name": "p", "namespace": "gloo-system"}, "spec": {
        "selector": {"matchLabels": {"gateway-proxy": "live"}}, "portLevelMtls": {"8080": {"mode": "STRICT"}}}});
    assert!(closed(None, &[&[8080]], None).is_err());
    assert!(closed(Some(&strict), &[], None).is_err());
    let read = |gateway: Gateway| {
        let snapshot = read(&Cluster::new(), gateway);
        Survey::new(&snapshot, "gloo-system").proxies()[0].closed.clone()
    };
    assert!(read(Gateway::NoZtunnel).is_err());
    assert_eq!(read(Gateway::Outside), Ok(None));
}
