//! What is asked of the API server: lists alone, as many with a thousand namespaces as with one.

use std::collections::BTreeSet;

use gloo_rs::exports::check::{CHECKS, Check};
use serde_json::{Value, json};

use super::{document, found};
use crate::stage::{release_metadata, release_of_real_size};
use crate::support::stub::{Request, Stub};
use crate::support::{Output, Sandbox};

fn list(items: &[Value]) -> Value {
    json!({"kind": "List", "metadata": {}, "items": items})
}

fn run(stub: &Stub, args: &[&str]) -> Output {
    let sandbox = Sandbox::new().port(stub.port());
    sandbox.kubeconfig(stub.kubeconfig());
    sandbox.run(&[&["check"], args].concat())
}

/// A cluster with so many namespaces, in each of which an Upstream, its Service and a pod.
fn cluster(namespaces: usize) -> Stub {
    let stub = Stub::new();
    let each = |make: &dyn Fn(&str) -> Value| -> Value {
        list(&(0..namespaces).map(|number| make(&format!("ns-{number:04}"))).collect::<Vec<_>>())
    };
    let accepted = json!({"statuses": {"gloo-system": {"state": "Accepted"}}});
    stub.on("GET", "/api/v1/namespaces").json(200, &each(&|ns| json!({"metadata": {"name": ns}})));
    stub.on("GET", "/api/v1/services").json(200, &each(&|ns| {
        json!({"metadata": {"name": "app", "namespace": ns}, "spec": {"selector": {"app": "a"}, "ports": [{"port": 80}]}})
    }));
    stub.on("GET", "/api/v1/pods").json(200, &each(&|ns| {
        json!({"metadata": {"name": "app-1", "namespace": ns, "labels": {"app": "a", "security.istio.io/tlsMode": "istio"}}})
    }));
    stub.on("GET", "/apis/discovery.k8s.io/v1/endpointslices")
        .json(
            200,
            &each(&|ns| {
                json!({
                    "metadata": {"name": "app-1", "namespace": ns, "labels": {"kubernetes.io/service-name": "app"}},
                    "ports": [{"name": "", "port": 80}],
                    "endpoints": [{"targetRef": {"name": "app-1"}, "conditions": {"ready": true}}],
                })
            }),
        )
        .always();
    stub.on("GET", "/apis/gloo.solo.io/v1/upstreams").json(
        200,
        &each(&|ns| {
            json!({"metadata": {"name": format!("{ns}-app-80"), "namespace": "gloo-system", "uid": ns},
            "spec": {"kube": {"serviceName": "app", "serviceNamespace": ns, "servicePort": 80}}, "status": accepted})
        }),
    );
    let strict = json!({"metadata": {"name": "strict", "namespace": "ns-0000"}, "spec": {"mtls": {"mode": "STRICT"}}});
    stub.on("GET", "/apis/security.istio.io/v1/peerauthentications").json(200, &list(&[strict]));
    let settings = json!({"metadata": {"name": "default", "namespace": "gloo-system"}, "spec": {}});
    stub.on("GET", "/apis/gloo.solo.io/v1/namespaces/gloo-system/settings").json(200, &list(&[settings]));
    stub.on_anything().json(200, &list(&[])).always();
    stub
}

#[test]
fn a_namespace_that_is_mistyped_is_no_all_clear() {
    let stub = Stub::new();
    let namespaces = ["ns-0001", "ns-0002"].map(|name| json!({"metadata": {"name": name}}));
    stub.on("GET", "/api/v1/namespaces").json(200, &list(&namespaces));
    stub.on_anything().json(200, &list(&[])).always();
    let output = run(&stub, &["-r", "ns-0001,ns-002", "-o", "json"]);
    let document = document(&output);
    assert_eq!((output.code, &document["error"]["reason"]), (Some(4), &json!("notFound")), "{output:?}");
    assert!(output.stderr.contains("no namespace ns-002\n  near: ns-0002"), "{output:?}");
}

#[test]
fn a_thousand_namespaces_take_no_more_requests_than_one() {
    let requests = |namespaces: usize| {
        let stub = cluster(namespaces);
        let output = run(&stub, &["-o", "json", "-x", "deployments,pods,proxies,secrets"]);
        assert_eq!(found(&document(&output)), ["GRS101 Upstream gloo-system/ns-0000-app-80"], "{output:?}");
        let most = stub.most_under_way("GET");
        assert!(most <= 8, "{most} at once");
        stub.finish().len()
    };
    let one = requests(1);
    assert_eq!(requests(1000), one);
    assert!(one < 40, "{one} requests");
}

/// The verbs and the resource of a request, as RBAC names them. Since Kubernetes 1.35 a WebSocket into a pod is a create
/// beside its get.
fn rights(request: &Request) -> Vec<(&'static str, String)> {
    let path = request.path.split('?').next().unwrap_or_default();
    let words: Vec<_> = path.split('/').collect();
    let (group, words) = if words[1] == "api" { ("", &words[3..]) } else { (words[2], &words[4..]) };
    let words = if words[0] == "namespaces" && words.len() > 2 { &words[2..] } else { words };
    let resource = |name: &str| if group.is_empty() { name.to_owned() } else { format!("{name}.{group}") };
    match (request.method.as_str(), words) {
        ("GET", [plural]) => vec![("list", resource(plural))],
        ("GET", [plural, _]) => vec![("get", resource(plural))],
        ("GET", [plural, _, sub]) => {
            ["get", "create"].map(|verb| (verb, resource(&format!("{plural}/{sub}")))).to_vec()
        }
        ("POST", [plural]) => vec![("create", resource(plural))],
        _ => panic!("{request:?}"),
    }
}

/// What asks the API server about oneself: everybody may.
const QUESTION: (&str, &str) = ("create", "selfsubjectaccessreviews.authorization.k8s.io");

#[test]
fn nothing_is_written_and_the_rights_that_are_used_are_those_that_the_checks_declare() {
    let lists = CHECKS.iter().flat_map(Check::lists).map(|it| ("list", it));
    let beyond = CHECKS.iter().flat_map(|check| check.beyond).map(|access| (access.verb, access.resource.to_owned()));
    let declared: BTreeSet<_> = lists.chain(beyond).collect();
    let is_forward = |(_, resource): &(&str, String)| resource == "pods/portforward";

    for flags in [&[][..], &["--read-only"]] {
        let stub = Stub::new();
        let release = release_of_real_size().unwrap();
        let secrets = "/api/v1/namespaces/gloo-system/secrets";
        stub.on("GET", &format!("{secrets}/sh.helm.release.v1.gloo.v3")).json(200, &release);
        stub.on("GET", secrets).json(200, &list(&[json!({"metadata": release_metadata()})])).always();
        stub.on("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
            .json(201, &json!({"status": {"allowed": true}}))
            .always();
        let pod = |name: &str, label: &str, containers: Value| json!({"metadata": {"name": name, "namespace": "gloo-system", "labels": {"gloo": label}}, "spec": {"containers": containers}});
        let sidecar = json!([{"name": "istio-proxy"}]);
        let pods = [pod("gateway-proxy-1", "gateway-proxy", sidecar), pod("gloo-1", "gloo", json!([]))];
        stub.on("GET", "/api/v1/namespaces/gloo-system/pods").json(200, &list(&pods)).always();
        for pod in ["gateway-proxy-1", "gloo-1"] {
            let path = format!("/api/v1/namespaces/gloo-system/pods/{pod}/portforward");
            stub.on("GET", &path).status(403, "Forbidden", "no").always();
        }
        let set = json!({"kind": "ReplicaSet", "namespace": "shop", "name": "cart-7d4"});
        stub.on("GET", "/api/v1/events").json(200, &list(&[json!({"metadata": {"name": "e"}, "message": "failed calling webhook \"object.sidecar-injector.istio.io\"", "involvedObject": set})]));
        stub.on("GET", "/apis/apps/v1/namespaces/shop/replicasets/cart-7d4")
            .json(200, &json!({"metadata": {"name": "cart-7d4", "namespace": "shop"}}));
        stub.on_anything().json(200, &list(&[])).always();
        let output = run(&stub, flags);
        assert!(!output.stdout.contains("Checking Helm release... unknown"), "{output:?}");
        let requests = stub.finish();
        let seen: BTreeSet<_> = requests.iter().flat_map(rights).collect();
        let question = (QUESTION.0, QUESTION.1.to_owned());
        match flags {
            [] => {
                let wanted: BTreeSet<_> = declared.iter().cloned().chain([question]).collect();
                assert_eq!(seen, wanted);
            }
            _ => assert_eq!(seen, declared.iter().filter(|right| !is_forward(right)).cloned().collect()),
        }
    }
}

#[test]
fn what_the_api_server_says_is_not_allowed_is_not_tried() {
    let stub = Stub::new();
    stub.on("POST", "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews")
        .json(201, &json!({"status": {"allowed": false}}));
    let labels =
        |label: &str| json!({"metadata": {"name": label, "namespace": "gloo-system", "labels": {"gloo": label}}});
    let pods = [labels("gateway-proxy"), labels("gloo")];
    stub.on("GET", "/api/v1/namespaces/gloo-system/pods").json(200, &list(&pods)).always();
    stub.on_anything().json(200, &list(&[])).always();
    let output = run(&stub, &["-x", "helm"]);
    let unknown =
        "unknown: Envoy statistics, xds metrics: not allowed to get or create pods/portforward in gloo-system\n";
    assert!(output.stdout.contains(unknown), "{output:?}");
    let rule = "{apiGroups: [\"\"], resources: [pods/portforward], verbs: [get, create]}";
    assert!(output.stdout.contains(rule), "{output:?}");
    let asked = stub.finish();
    assert_eq!(asked.iter().filter(|request| request.method == "POST").count(), 1, "asked once for all of them");
    assert!(asked.iter().all(|request| !request.path.contains("portforward")));
}

#[test]
fn what_is_left_out_is_not_asked_for() {
    let stub = Stub::new();
    stub.on("GET", "/apis/gloo.solo.io/v1/upstreams").json(200, &list(&[]));
    stub.on("GET", "/apis/gloo.solo.io/v1/namespaces/gloo-system/settings").json(200, &list(&[])).always();
    let words: Vec<_> = CHECKS.iter().map(|check| check.word).filter(|word| *word != "upstreams").collect();
    let output = run(&stub, &["-x", &words.join(",")]);
    assert_eq!((output.code, output.stdout.as_str()), (Some(0), "Checking Upstreams... OK\nNo problems detected.\n"));
}

#[test]
fn a_right_that_is_missing_is_named_and_never_ok() {
    let stub = Stub::new();
    let message = "upstreams.gloo.solo.io is forbidden: User \"me\" cannot list resource \"upstreams\" in API group \"gloo.solo.io\" at the cluster scope";
    stub.on("GET", "/apis/gloo.solo.io/v1/upstreams").status(403, "Forbidden", message).always();
    stub.on("GET", "/apis/gloo.solo.io/v1/namespaces/gloo-system/upstreams").status(403, "Forbidden", message).always();
    stub.on_anything().json(200, &list(&[])).always();
    let usual = run(&stub, &["-x", "deployments,pods,proxies,settings"]);
    assert_eq!(usual.code, Some(0), "{usual:?}");
    assert!(usual.stdout.contains("Checking Upstreams... unknown\n"), "{usual:?}");
    assert!(usual.stdout.contains("unknown: Upstreams, "), "{usual:?}");
    let rule = "  a rule of a ClusterRole that allows it: {apiGroups: [gloo.solo.io], resources: [upstreams], verbs: [list]}\n";
    assert!(usual.stdout.contains(rule), "{usual:?}");
    assert!(usual.stdout.ends_with("no problem in what could be read\n"), "{usual:?}");
    let strict = run(&stub, &["-x", "deployments,pods,proxies,settings", "--fail-on", "error,unknown"]);
    assert_eq!(strict.code, Some(3));
}

#[test]
fn nothing_that_may_be_read_is_no_success() {
    let stub = Stub::new();
    stub.on_anything().status(403, "Forbidden", "no").always();
    let output = run(&stub, &[]);
    assert_eq!(output.code, Some(4), "{output:?}");
    assert!(!output.stdout.contains("No problems"), "{output:?}");
}

#[test]
fn a_server_that_is_not_there_is_no_answer_in_every_format() {
    let sandbox = Sandbox::new();
    sandbox.kubeconfig("apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{name: a, cluster: {server: 'http://127.0.0.1:1'}}]\ncontexts: [{name: a, context: {cluster: a, user: a}}]\nusers: [{name: a, user: {}}]\n");
    for format in ["text", "json", "yaml", "sarif", "junit"] {
        assert_eq!(sandbox.run(&["check", "-o", format]).code, Some(9), "{format}");
    }
}

#[test]
fn files_over_a_cluster_are_found_where_they_stand() {
    let stub = cluster(1);
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(stub.kubeconfig());
    sandbox.write(
        "vs.yaml",
        "# mine\napiVersion: gateway.solo.io/v1\nkind: VirtualService\nmetadata: {name: a, namespace: gloo-system}\nspec:\n  virtualHost:\n    routes:\n    - routeAction: {single: {upstream: {name: ns-0000-app-81, namespace: gloo-system}}}\n",
    );
    let args = ["check", "--overlay", "vs.yaml", "-o", "json", "-x", "deployments,pods,proxies,mtls"];
    let result = document(&sandbox.run(&args));
    assert_eq!(found(&result), ["GRS504 VirtualService gloo-system/a"]);
    let finding = &result["findings"][0];
    assert_eq!((&finding["file"], &finding["line"]), (&json!("vs.yaml"), &json!(1)));
    assert_eq!(finding["details"][1], "near: ns-0000-app-80");
}

#[test]
fn a_hostile_name_is_quoted_and_the_typed_cluster_is_named_in_hints() {
    let stub = Stub::new();
    let labels = json!({"istio-injection": "enabled", "istio.io/rev": "stable"});
    let hostile = json!({"metadata": {"name": "gloo-system;touch x", "labels": labels}});
    stub.on("GET", "/api/v1/namespaces").json(200, &list(&[hostile]));
    let policy = |name: &str, made: &str| {
        json!({"metadata": {"name": name, "namespace": "gloo-system;touch x", "creationTimestamp": made},
            "spec": {"mtls": {"mode": "STRICT"}}})
    };
    let policies = [policy("$(touch x)", "2024-01-01T00:00:00Z"), policy("-h", "2024-01-02T00:00:00Z")];
    stub.on("GET", "/apis/security.istio.io/v1/peerauthentications").json(200, &list(&policies));
    stub.on_anything().json(200, &list(&[])).always();
    let sandbox = Sandbox::new().port(stub.port());
    sandbox.kubeconfig(crate::support::stub::kubeconfig(&[("a;b", &stub)]));
    let output = sandbox.run(&["check", "--kube-context", "a;b", "-o", "json"]);
    let document = document(&output);
    let hints: Vec<_> =
        document["findings"].as_array().into_iter().flatten().filter_map(|it| it["hint"].as_str()).collect();
    for wanted in [
        "kubectl label namespace 'gloo-system;touch x' istio-injection- --context 'a;b'",
        "kubectl get peerauthentication -n 'gloo-system;touch x' '$(touch x)' -o yaml --context 'a;b' -- -h",
    ] {
        assert!(hints.contains(&wanted), "{hints:#?}");
    }
}
