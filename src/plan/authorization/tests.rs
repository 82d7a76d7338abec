use serde_json::{Value, json};

use super::*;

const GATEWAY: Caller<'_> = Caller::Account { namespace: "gloo-system", name: "gateway-proxy" };
const PORT: Option<u64> = Some(8080);

fn policy(name: &str, action: &str, rules: &Value) -> Arc<AuthorizationPolicy> {
    let mut spec = json!({"action": action});
    if !rules.is_null() {
        spec["rules"] = rules.clone();
    }
    let value = json!({"metadata": {"namespace": "shop", "name": name}, "spec": spec});
    Arc::new(AuthorizationPolicy::read(&value).unwrap())
}

/// `allowed`, `denied by NAME`, `NAME depends on PARTS`
fn shown(admission: &Admission) -> String {
    match admission {
        Admission::Allowed => "allowed".to_owned(),
        Admission::Denied { by, .. } => format!("denied by {}", by.policy.name),
        Admission::Depends { by, on } => format!("{} depends on {}", by.policy.name, on.join(", ")),
    }
}

fn both(policies: &[Arc<AuthorizationPolicy>]) -> (String, String) {
    let of = |caller| shown(&admission(policies, caller, PORT, Enforcer::Sidecar));
    (of(GATEWAY), of(Caller::Anonymous))
}

#[test]
fn one_policy_admits_by_who_sends_the_request() {
    let from = |source: Value| json!([{"from": [{"source": source}]}]);
    let to = |operation: Value| json!([{"to": [{"operation": operation}]}]);
    let when = |key: &str, values: &[&str]| json!([{"when": [{"key": key, "values": values}]}]);
    let principal = "cluster.local/ns/gloo-system/sa/gateway-proxy";
    // Rules of an ALLOW policy; the gateway over mutual TLS; a request in plaintext.
    let table = [
        (Value::Null, "denied by p", "denied by p"),
        (json!([{}]), "allowed", "allowed"),
        (from(json!({"principals": [principal]})), "allowed", "denied by p"),
        (from(json!({"principals": ["*"]})), "allowed", "denied by p"),
        (from(json!({"principals": ["*/sa/gateway-proxy"]})), "allowed", "denied by p"),
        (from(json!({"principals": ["cluster.local/ns/gloo-system/*"]})), "allowed", "denied by p"),
        (from(json!({"principals": ["cluster.local/ns/other/sa/gateway-proxy"]})), "denied by p", "denied by p"),
        (
            from(json!({"principals": ["east.example/ns/gloo-system/sa/gateway-proxy"]})),
            "p depends on trust domain east.example",
            "denied by p",
        ),
        (from(json!({"principals": ["east.example/ns/shop/sa/cart"]})), "denied by p", "denied by p"),
        (from(json!({"notPrincipals": [principal]})), "denied by p", "allowed"),
        (from(json!({"namespaces": ["gloo-*"]})), "allowed", "denied by p"),
        (from(json!({"namespaces": ["shop"]})), "denied by p", "denied by p"),
        (from(json!({"notNamespaces": ["shop"]})), "allowed", "allowed"),
        (from(json!({"serviceAccounts": ["gloo-system/gateway-proxy"]})), "allowed", "denied by p"),
        (from(json!({"serviceAccounts": ["gateway-proxy"]})), "denied by p", "denied by p"),
        (from(json!({"principals": [principal], "namespaces": ["shop"]})), "denied by p", "denied by p"),
        (from(json!({"ipBlocks": ["10.0.0.0/8"]})), "p depends on ipBlocks", "p depends on ipBlocks"),
        (
            from(json!({"principals": [principal], "requestPrincipals": ["*"]})),
            "p depends on requestPrincipals",
            "denied by p",
        ),
        (from(json!({"principals": []})), "allowed", "allowed"),
        (to(json!({"ports": ["8080"]})), "allowed", "allowed"),
        (to(json!({"ports": ["80"]})), "denied by p", "denied by p"),
        (to(json!({"notPorts": ["80"]})), "allowed", "allowed"),
        (
            to(json!({"methods": ["GET"], "paths": ["/a"]})),
            "p depends on methods, paths",
            "p depends on methods, paths",
        ),
        (to(json!({"methods": ["GET"], "ports": ["80"]})), "denied by p", "denied by p"),
        (when("source.namespace", &["gloo-system"]), "allowed", "denied by p"),
        (when("source.principal", &["*"]), "allowed", "denied by p"),
        (when("destination.port", &["8080"]), "allowed", "allowed"),
        (when("request.headers[x]", &["a"]), "p depends on request.headers[x]", "p depends on request.headers[x]"),
        (json!([{"when": [{"key": "source.namespace", "notValues": ["gloo-system"]}]}]), "denied by p", "allowed"),
        (json!([{"to": [{"operation": {"methods": ["GET"]}}]}, {}]), "allowed", "allowed"),
    ];
    for (rules, gateway, anonymous) in table {
        let said = both(&[policy("p", "ALLOW", &rules)]);
        assert_eq!(said, (gateway.to_owned(), anonymous.to_owned()), "{rules}");
    }
}

#[test]
fn the_actions_decide_in_istios_order() {
    type Case<'c> = (&'c [(&'c str, &'c str, Value)], &'c str, &'c str);
    let everyone = || json!([{}]);
    let to_get = || json!([{"to": [{"operation": {"methods": ["GET"]}}]}]);
    let of_gateway = || json!([{"from": [{"source": {"namespaces": ["gloo-system"]}}]}]);
    let (allow, deny, custom) = ("ALLOW", "DENY", "CUSTOM");
    let table: [Case<'_>; 11] = [
        (&[], "allowed", "allowed"),
        (&[("d", deny, everyone())], "denied by d", "denied by d"),
        (&[("d", deny, Value::Null)], "allowed", "allowed"),
        (&[("d", deny, of_gateway())], "denied by d", "allowed"),
        (&[("a", allow, everyone()), ("d", deny, of_gateway())], "denied by d", "allowed"),
        (&[("a", allow, Value::Null), ("b", allow, of_gateway())], "allowed", "denied by a"),
        (&[("d", deny, to_get())], "d depends on methods", "d depends on methods"),
        (&[("d", deny, to_get()), ("a", allow, of_gateway())], "d depends on methods", "denied by a"),
        (&[("a", allow, to_get()), ("b", allow, everyone())], "allowed", "allowed"),
        (
            &[("c", custom, everyone()), ("d", deny, everyone())],
            "c depends on the service that it asks",
            "c depends on the service that it asks",
        ),
        (&[("c", custom, Value::Null)], "allowed", "allowed"),
    ];
    for (policies, gateway, anonymous) in table {
        let all: Vec<_> = policies.iter().map(|(name, action, rules)| policy(name, action, rules)).collect();
        assert_eq!(both(&all), (gateway.to_owned(), anonymous.to_owned()), "{policies:?}");
    }
}

#[test]
fn an_unknown_port_is_a_condition_and_no_match() {
    let to_port = [policy("p", "ALLOW", &json!([{"to": [{"operation": {"ports": ["8080"]}}]}]))];
    assert_eq!(shown(&admission(&to_port, GATEWAY, None, Enforcer::Sidecar)), "p depends on ports");
}

#[test]
fn only_policies_that_a_sidecar_enforces_are_read() {
    let read = |spec: Value, annotations: Value| {
        let metadata = json!({"namespace": "shop", "name": "p", "annotations": annotations});
        AuthorizationPolicy::read(&json!({"metadata": metadata, "spec": spec})).map(|policy| policy.action)
    };
    assert_eq!(read(json!({}), Value::Null), Some(Action::Allow));
    assert_eq!(read(json!({"action": "AUDIT"}), Value::Null), None);
    assert_eq!(read(json!({"action": "DENY"}), json!({"istio.io/dry-run": "true"})), None);
    assert_eq!(read(json!({"targetRefs": [{"kind": "Gateway", "name": "w"}]}), Value::Null), None);
}

#[test]
fn policies_apply_by_namespace_root_and_selector() {
    let at = |namespace: &str, name: &str, selector: Value| {
        let value = json!({"metadata": {"namespace": namespace, "name": name}, "spec": {"selector": {"matchLabels": selector}}});
        Arc::new(AuthorizationPolicy::read(&value).unwrap())
    };
    let all = [
        at("istio-system", "mesh", Value::Null),
        at("istio-system", "carts", json!({"app": "cart"})),
        at("shop", "whole", Value::Null),
        at("shop", "cart", json!({"app": "cart"})),
        at("shop", "till", json!({"app": "till"})),
        at("other", "whole", Value::Null),
    ];
    let policies = AuthorizationPolicies { all: &all, root_namespace: "istio-system" };
    let names: Vec<_> =
        policies.of_workload("shop", &json!({"app": "cart"})).iter().map(|it| it.reference.to_string()).collect();
    assert_eq!(names, ["istio-system/mesh", "istio-system/carts", "shop/whole", "shop/cart"]);
}

#[test]
fn a_ztunnel_sees_no_requests() {
    let paths = json!([{"to": [{"operation": {"paths": ["/cart"]}}]}]);
    let addresses = json!([{"from": [{"source": {"ipBlocks": ["10.0.0.0/8"]}}]}]);
    let by = |enforcer, action: &str, rules: &Value| {
        let policy = policy("p", action, rules);
        shown(&admission(&[policy], GATEWAY, PORT, enforcer))
    };
    for (action, rules, by_sidecar, by_ztunnel) in [
        ("ALLOW", &paths, "p depends on paths", "denied by p"),
        ("DENY", &paths, "p depends on paths", "denied by p"),
        ("ALLOW", &addresses, "p depends on ipBlocks", "p depends on ipBlocks"),
        ("CUSTOM", &paths, "p depends on the service that it asks", "p depends on the service that it asks"),
    ] {
        assert_eq!(by(Enforcer::Sidecar, action, rules), by_sidecar, "{action} {rules}");
        assert_eq!(by(Enforcer::Ztunnel, action, rules), by_ztunnel, "{action} {rules}");
    }
}
