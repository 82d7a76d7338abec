//! `proxy url` and `proxy address` against an API server that counts, fails and waits.

use serde_json::{Value, json};

use crate::support::stub::{Stub, kubeconfig};
use crate::support::{Output, Sandbox};

const SERVICE: &str = "/api/v1/namespaces/gloo-system/services/gateway-proxy";
const SERVICES: &str = "/api/v1/namespaces/gloo-system/services";
const NAMESPACE: &str = "/api/v1/namespaces/gloo-system";
const EVENTS: &str = "/api/v1/namespaces/gloo-system/events?fieldSelector=involvedObject.kind%3DService%2CinvolvedObject.name%3Dgateway-proxy%2Ctype%3DWarning&limit=500";
const PODS: &str = "/api/v1/namespaces/gloo-system/pods?labelSelector=gateway-proxy-id%3Dgateway-proxy&limit=500";

fn service(kind: &str, ingress: &Value) -> Value {
    let ports = [("http", 80, 31080), ("https", 443, 31443)].map(|(name, port, node_port)| {
        let mut port = json!({"name": name, "port": port, "protocol": "TCP"});
        if kind != "ClusterIP" {
            port["nodePort"] = node_port.into();
        }
        port
    });
    json!({
        "apiVersion": "v1", "kind": "Service",
        "metadata": {
            "namespace": "gloo-system", "name": "gateway-proxy", "creationTimestamp": "2020-01-01T00:00:00Z",
        },
        "spec": {
            "type": kind, "clusterIP": "10.96.0.7", "selector": {"gateway-proxy-id": "gateway-proxy"}, "ports": ports,
        },
        "status": {"loadBalancer": {"ingress": ingress}},
    })
}

fn list(items: &[Value]) -> Value {
    json!({"kind": "List", "apiVersion": "v1", "metadata": {"resourceVersion": "7"}, "items": items})
}

fn pod(name: &str, node: &str, ready: &str) -> Value {
    json!({
        "metadata": {"name": name, "namespace": "gloo-system"},
        "spec": {"nodeName": node},
        "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": ready}]},
    })
}

fn node(name: &str, kind: &str, address: &str) -> Value {
    json!({"metadata": {"name": name}, "status": {"addresses": [
        {"type": "Hostname", "address": name}, {"type": kind, "address": address},
    ]}})
}

fn sandbox(stub: &Stub) -> Sandbox {
    let sandbox = Sandbox::new().port(stub.port());
    sandbox.kubeconfig(stub.kubeconfig());
    sandbox
}

fn run(stub: &Stub, line: &str) -> Output {
    sandbox(stub).run(&line.split(' ').collect::<Vec<_>>())
}

fn printed(text: &str) -> Output {
    Output { code: Some(0), stdout: text.to_owned(), stderr: String::new() }
}

#[test]
fn a_load_balancer_takes_one_request() {
    let stub = Stub::new();
    let both = json!([{"hostname": "lb.example", "ip": "34.162.22.180"}, {"ip": "2001:db8::7"}]);
    stub.on("GET", SERVICE).json(200, &service("LoadBalancer", &both)).always();
    for (line, text) in [
        ("proxy url", "http://lb.example:80\n"),
        ("proxy address", "lb.example:80\n"),
        ("proxy url --name=gateway-proxy --port https --prefer ip", "https://34.162.22.180:443\n"),
        ("proxy address --port 443", "lb.example:443\n"),
        ("proxies url --name deployment/gateway-proxy", "http://lb.example:80\n"),
        ("p address --all", "lb.example:80\n34.162.22.180:80\n[2001:db8::7]:80\n"),
        (
            "proxy url --all --prefer ip --port https -p other",
            "https://34.162.22.180:443\nhttps://[2001:db8::7]:443\nhttps://lb.example:443\n",
        ),
    ] {
        let before = stub.requests().len();
        assert_eq!(run(&stub, line), printed(text), "{line}");
        assert_eq!(stub.requests().len() - before, 1, "{line}");
    }
}

#[test]
fn a_cluster_ip_takes_one_request_and_says_where_it_can_be_reached() {
    let stub = Stub::new();
    stub.on("GET", SERVICE).json(200, &service("ClusterIP", &Value::Null));
    let output = run(&stub, "proxy url");
    assert_eq!(output.stdout, "http://10.96.0.7:80\n");
    assert!(output.stderr.starts_with("warning: service gloo-system/gateway-proxy is of type ClusterIP"));
    assert_eq!(output.code, Some(0));
}

#[test]
fn a_node_port_reads_pods_and_the_nodes_of_ready_ones() {
    let stub = Stub::new();
    stub.on("GET", SERVICE).json(200, &service("NodePort", &Value::Null));
    let pods = [pod("a", "n1", "False"), pod("b", "n2", "True"), pod("c", "gone", "True"), pod("d", "n3", "True")];
    stub.on("GET", PODS).json(200, &list(&pods));
    stub.on("GET", "/api/v1/nodes/n2").json(200, &node("n2", "InternalIP", "10.0.0.2"));
    stub.on("GET", "/api/v1/nodes/n3").json(200, &node("n3", "ExternalIP", "203.0.113.3"));
    stub.on("GET", "/api/v1/nodes/gone").not_found("nodes", "", "gone");
    assert_eq!(run(&stub, "proxy url"), printed("http://203.0.113.3:31080\n"));
    assert_eq!(stub.requests().len(), 5);
}

#[test]
fn local_cluster_takes_the_node_port_of_a_pending_load_balancer() {
    let stub = Stub::new();
    stub.on("GET", SERVICE).json(200, &service("LoadBalancer", &Value::Null));
    stub.on("GET", PODS).json(200, &list(&[pod("a", "n1", "True")]));
    stub.on("GET", "/api/v1/nodes/n1").json(200, &node("n1", "InternalIP", "fd00::2"));
    assert_eq!(run(&stub, "proxy address -l -p minikube"), printed("[fd00::2]:31080\n"));
}

#[test]
fn nodes_that_may_not_be_read_name_the_right_that_is_missing() {
    let stub = Stub::new();
    stub.on("GET", SERVICE).json(200, &service("NodePort", &Value::Null));
    stub.on("GET", PODS).json(200, &list(&[pod("a", "n1", "True")]));
    stub.on("GET", "/api/v1/nodes/n1").status(
        403,
        "Forbidden",
        r#"nodes "n1" is forbidden: User "me" cannot get resource "nodes" in API group "" at the cluster scope"#,
    );
    let output = run(&stub, "proxy url");
    assert_eq!((output.code, output.stdout.as_str()), (Some(4), ""));
    assert!(output.stderr.starts_with("error: node/n1: not allowed to get nodes in the whole cluster\n"));
    assert!(output.stderr.contains(r#"{apiGroups: [""], resources: [nodes], verbs: [get]}"#));
}

#[test]
fn a_pending_address_is_exit_8_with_its_age_and_its_events() {
    let stub = Stub::new();
    stub.on("GET", SERVICE).json(200, &service("LoadBalancer", &Value::Null));
    let event = json!({
        "metadata": {"name": "gateway-proxy.1", "namespace": "gloo-system"},
        "type": "Warning", "reason": "SyncLoadBalancerFailed", "message": "quota exceeded", "count": 4,
        "involvedObject": {"kind": "Service", "namespace": "gloo-system", "name": "gateway-proxy"},
    });
    stub.on("GET", EVENTS).json(200, &list(&[event]));
    let output = run(&stub, "proxy url --name=gateway-proxy");
    let lines: Vec<_> = output.stderr.lines().collect();
    assert_eq!((output.code, output.stdout.as_str()), (Some(8), ""));
    assert_eq!(lines[0], "error: service gloo-system/gateway-proxy has no external address yet");
    assert!(lines[1].starts_with("  LoadBalancer, pending for ") && lines[1].ends_with('d'), "{}", lines[1]);
    assert_eq!(
        lines[2..],
        [
            "  event (x4): SyncLoadBalancerFailed: quota exceeded",
            "  hint: --wait waits; --local-cluster uses a node port",
        ]
    );
}

#[test]
fn events_that_may_not_be_read_are_unknown() {
    let stub = Stub::new();
    stub.on("GET", SERVICE).json(200, &service("LoadBalancer", &Value::Null));
    stub.on("GET", EVENTS).status(403, "Forbidden", "events is forbidden");
    let output = run(&stub, "proxy url");
    assert_eq!(output.code, Some(8));
    assert!(output.stderr.contains("\n  events: unknown (not allowed to list events)\n"), "{}", output.stderr);
}

#[test]
fn a_wait_ends_with_the_address() {
    let stub = Stub::new();
    let assigned = service("LoadBalancer", &json!([{"ip": "34.162.22.180"}]));
    stub.on("GET", SERVICE)
        .json(200, &service("LoadBalancer", &Value::Null))
        .json(200, &service("LoadBalancer", &Value::Null))
        .json(200, &assigned);
    let output = run(&stub, "proxy url --wait");
    assert_eq!(
        output,
        Output {
            code: Some(0),
            stdout: "http://34.162.22.180:80\n".to_owned(),
            stderr: "waiting for an external address of service gloo-system/gateway-proxy, at most 5m00s\n".to_owned(),
        }
    );
}

#[test]
fn a_wait_for_what_is_there_says_nothing_and_asks_once() {
    let stub = Stub::new();
    stub.on("GET", SERVICE).json(200, &service("LoadBalancer", &json!([{"ip": "34.162.22.180"}])));
    assert_eq!(run(&stub, "proxy url --wait"), printed("http://34.162.22.180:80\n"));
}

#[test]
fn a_wait_that_runs_out_is_pending_still() {
    let stub = Stub::new();
    stub.on("GET", SERVICE).json(200, &service("LoadBalancer", &Value::Null)).always();
    stub.on("GET", EVENTS).json(200, &list(&[]));
    let output = run(&stub, "proxy url --wait --wait-timeout 4s");
    assert_eq!((output.code, output.stdout.as_str()), (Some(8), ""));
    let lines: Vec<_> = output.stderr.lines().collect();
    assert_eq!(lines[1], "error: service gloo-system/gateway-proxy has no external address yet");
    assert_eq!(
        lines[3..],
        [
            "  no warning events about it",
            "  waited for 4s",
            "  hint: --wait-timeout waits longer; --local-cluster uses a node port",
        ]
    );
    assert!(stub.requests().len() > 2);
}

#[test]
fn a_wait_outlives_an_api_server_that_restarts_and_not_a_service_that_goes() {
    let stub = Stub::new();
    stub.on("GET", SERVICE).json(200, &service("LoadBalancer", &Value::Null)).cut().cut().cut().not_found(
        "services",
        "",
        "gateway-proxy",
    );
    stub.on("GET", SERVICES).json(200, &list(&[]));
    stub.on("GET", "/api/v1/services").json(200, &list(&[]));
    stub.on("GET", NAMESPACE).json(200, &json!({"metadata": {"name": "gloo-system"}}));
    let output = run(&stub, "proxy url --wait");
    assert_eq!((output.code, output.stdout.as_str()), (Some(4), ""));
    assert!(output.stderr.contains("error: service/gateway-proxy: not found in gloo-system\n"), "{}", output.stderr);
}

#[test]
fn ctrl_c_ends_a_wait_with_130_and_one_document() {
    let stub = Stub::new();
    stub.on("GET", SERVICE).json(200, &service("LoadBalancer", &Value::Null)).always();
    let output = sandbox(&stub).interrupted(&["proxy", "url", "--wait", "-o", "json"], || stub.requests().len() > 1);
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((output.code, &document["exitCode"]), (Some(130), &json!(130)));
    assert_eq!(document["error"]["reason"], "interrupted");
    assert!(output.stderr.ends_with("error: interrupted\n"), "{}", output.stderr);
}

#[test]
fn a_service_that_is_not_there_has_near_names() {
    let stub = Stub::new();
    stub.on("GET", "/api/v1/namespaces/gloo-system/services/gatway-proxy").not_found("services", "", "gatway-proxy");
    let services =
        ["gloo", "gateway-proxy"].map(|name| json!({"metadata": {"name": name, "namespace": "gloo-system"}}));
    stub.on("GET", SERVICES).json(200, &list(&services));
    stub.on("GET", "/api/v1/services?fieldSelector=metadata.name%3Dgatway-proxy&limit=500").json(200, &list(&[]));
    let output = run(&stub, "proxy url --name gatway-proxy");
    assert_eq!(output, Output {
        code: Some(4),
        stdout: String::new(),
        stderr: "error: service/gatway-proxy: not found in gloo-system\n  near: gateway-proxy\n  looked in context stub (http://127.0.0.1:[PORT])\n".to_owned(),
    });
    let accept = stub.requests()[1].header("accept").unwrap().to_owned();
    assert!(accept.contains("as=PartialObjectMetadataList"), "{accept}");
}

#[test]
fn a_service_in_another_namespace_is_pointed_at() {
    let stub = Stub::new();
    stub.on("GET", SERVICE).not_found("services", "", "gateway-proxy");
    stub.on("GET", SERVICES).json(200, &list(&[]));
    let elsewhere = json!({"metadata": {"name": "gateway-proxy", "namespace": "edge"}});
    stub.on("GET", "/api/v1/services?fieldSelector=metadata.name%3Dgateway-proxy&limit=500")
        .json(200, &list(&[elsewhere]));
    stub.on("GET", NAMESPACE).json(200, &json!({"metadata": {"name": "gloo-system"}}));
    let output = run(&stub, "proxy address");
    assert_eq!(output.code, Some(4));
    assert!(output.stderr.ends_with("  hint: it is in namespace edge: -n edge\n"), "{}", output.stderr);
}

#[test]
fn what_a_service_cannot_answer_is_named() {
    let headless = {
        let mut service = service("ClusterIP", &Value::Null);
        service["spec"]["clusterIP"] = "None".into();
        service
    };
    let alias = json!({
        "metadata": {"namespace": "gloo-system", "name": "gateway-proxy"},
        "spec": {"type": "ExternalName", "externalName": "a.example"},
    });
    for (service, line, code, says) in [
        (service("LoadBalancer", &Value::Null), "proxy url --port grpc", 4, "grpc"),
        (headless, "proxy url", 1, "is headless"),
        (alias, "proxy url", 1, "ExternalName"),
        (service("ClusterIP", &Value::Null), "proxy url -l", 1, "has no node port for port http 80"),
    ] {
        let stub = Stub::new();
        stub.on("GET", SERVICE).json(200, &service);
        let output = run(&stub, line);
        assert_eq!((output.code, output.stdout.as_str()), (Some(code), ""), "{line}: {}", output.stderr);
        assert!(output.stderr.lines().next().unwrap().contains(says), "{}", output.stderr);
    }
}

#[test]
fn the_document_has_the_addresses() {
    let stub = Stub::new();
    stub.on("GET", SERVICE).json(200, &service("LoadBalancer", &json!([{"ip": "2001:db8::7"}]))).always();
    let output = run(&stub, "proxy url -o json --port https");
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
    assert_eq!(document["kind"], "Result");
    assert_eq!(document["command"], json!(["proxy", "url"]));
    assert_eq!(document["context"], "stub");
    assert_eq!(document["exitCode"], 0);
    assert_eq!(
        document["addresses"],
        json!([{
            "url": "https://[2001:db8::7]:443", "address": "[2001:db8::7]:443", "host": "2001:db8::7", "port": 443,
            "scheme": "https", "portName": "https", "source": "loadBalancer ingress ip",
        }])
    );
    let yaml = run(&stub, "proxy address -o yaml --port https").stdout;
    assert_eq!(gloo_rs::exports::yaml::parse(&yaml).unwrap()["addresses"], document["addresses"]);
}

#[test]
fn a_failure_is_one_document_too() {
    let stub = Stub::new();
    stub.on("GET", SERVICE).json(200, &service("LoadBalancer", &Value::Null)).always();
    stub.on("GET", EVENTS).json(200, &list(&[])).always();
    for format in ["json", "yaml"] {
        let output = run(&stub, &format!("proxy url -o {format}"));
        let document = gloo_rs::exports::yaml::parse(&output.stdout).unwrap();
        assert_eq!((output.code, &document["exitCode"]), (Some(8), &json!(8)), "{format}");
        assert_eq!(document["error"]["reason"], "pending");
        assert_eq!(document["addresses"], json!([]));
        assert!(output.stderr.starts_with("error: service gloo-system/gateway-proxy has no external address yet\n"));
    }
}

#[test]
fn an_api_server_that_is_not_there_is_exit_9_with_a_document() {
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(Stub::new().kubeconfig());
    let output = sandbox.run(&["proxy", "url", "-o", "json"]);
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((output.code, &document["error"]["reason"]), (Some(9), &json!("unreachable")));
    assert_eq!(document["addresses"], json!([]));
}

#[test]
fn only_the_named_context_is_asked() {
    let (trap, stub) = (Stub::new(), Stub::new());
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(kubeconfig(&[("trap", &trap), ("b", &stub)]));
    stub.on("GET", SERVICE).json(200, &service("NodePort", &Value::Null));
    stub.on("GET", PODS).json(200, &list(&[pod("a", "n1", "True")]));
    stub.on("GET", "/api/v1/nodes/n1").json(200, &node("n1", "ExternalIP", "203.0.113.3"));
    assert_eq!(sandbox.run(&["--kube-context", "b", "proxy", "url"]), printed("http://203.0.113.3:31080\n"));
    stub.on("GET", SERVICE).json(200, &service("LoadBalancer", &Value::Null));
    stub.on("GET", EVENTS).json(200, &list(&[]));
    assert_eq!(sandbox.run(&["proxy", "address", "--context", "b"]).code, Some(8));
    assert_eq!(trap.connections(), 0);
}

#[test]
fn a_name_that_is_none_reaches_no_server() {
    let trap = Stub::new();
    for name in ["../x", "a/b", "pod/x", "A", "a\u{1b}[31m", "a\nb", ""] {
        for flag in ["--name", "--gateway"] {
            let output = sandbox(&trap).run(&["proxy", "url", flag, name]);
            assert_eq!((output.code, output.stdout.as_str()), (Some(2), ""), "{flag} {name:?}: {}", output.stderr);
            assert!(!output.stderr.contains('\u{1b}'));
        }
    }
    assert_eq!(trap.connections(), 0);
}

const ANYWHERE: &str = "/api/v1/services?fieldSelector=metadata.name%3Dgloo-proxy-http&limit=500";

fn of_gateway(namespace: &str) -> Value {
    let mut service = service("LoadBalancer", &json!([{"ip": "34.162.22.181"}]));
    service["metadata"] = json!({"namespace": namespace, "name": "gloo-proxy-http"});
    service
}

#[test]
fn a_gateway_is_found_in_whatever_namespace_it_is_with_one_request() {
    let stub = Stub::new();
    stub.on("GET", ANYWHERE).json(200, &list(&[of_gateway("infra")]));
    assert_eq!(run(&stub, "proxy url --gateway http"), printed("http://34.162.22.181:80\n"));
    stub.on("GET", "/api/v1/namespaces/infra/services/gloo-proxy-http").json(200, &of_gateway("infra")).always();
    assert_eq!(run(&stub, "proxy url --gateway http -n infra"), printed("http://34.162.22.181:80\n"));
    assert_eq!(run(&stub, "proxy url --name gloo-proxy-http -n infra"), printed("http://34.162.22.181:80\n"));
    assert_eq!(stub.requests().len(), 3);
}

#[test]
fn a_gateway_name_that_two_namespaces_have_is_asked_about() {
    let stub = Stub::new();
    stub.on("GET", ANYWHERE).json(200, &list(&[of_gateway("a"), of_gateway("b")]));
    let output = run(&stub, "proxy url --gateway http");
    assert_eq!(output, Output {
        code: Some(1),
        stdout: String::new(),
        stderr: "error: Gateway http: 2 namespaces have a service/gloo-proxy-http\n  in a, b\n  hint: -n NAMESPACE chooses one\n"
            .to_owned(),
    });
}

#[test]
fn a_gateway_that_is_not_there_has_near_names_of_gateways() {
    let stub = Stub::new();
    stub.on("GET", "/api/v1/services?fieldSelector=metadata.name%3Dgloo-proxy-htp&limit=500").json(200, &list(&[]));
    let near = json!({"metadata": {
        "name": "gloo-proxy-http", "labels": {"gateway.networking.k8s.io/gateway-name": "http"},
    }});
    stub.on("GET", "/api/v1/services?labelSelector=gateway.networking.k8s.io%2Fgateway-name&limit=500")
        .json(200, &list(&[near]));
    let output = run(&stub, "proxy url --gateway htp");
    assert_eq!((output.code, output.stdout.as_str()), (Some(4), ""));
    assert!(output.stderr.contains("\n  near: http\n"), "{}", output.stderr);
}

#[test]
fn a_gateway_that_may_not_be_looked_for_everywhere_says_how_it_is_found() {
    let stub = Stub::new();
    stub.on("GET", ANYWHERE).status(
        403,
        "Forbidden",
        r#"services is forbidden: User "me" cannot list resource "services" in API group "" at the cluster scope"#,
    );
    let output = run(&stub, "proxy url --gateway http");
    assert_eq!(output.code, Some(4));
    assert!(output.stderr.ends_with("  hint: -n NAMESPACE searches only one namespace\n"), "{}", output.stderr);
}
