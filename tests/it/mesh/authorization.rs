//! What `describe` says of an `AuthorizationPolicy` is what a real sidecar does with the gateway's requests.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::bench::{
    AUTHORIZATION_POLICY, Bench, PATIENCE, PORTS, Policy, UPSTREAM, bench, of_apps, of_httpbin, of_mesh,
};
use crate::stage::{pair::Sends, wait_for};

/// What is said of the gateway's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    Admitted,
    Denied,
    /// It depends on the request, by the policy of this name.
    Depends(&'static str),
}
use Said::{Admitted, Denied, Depends};

/// What is said, and the status of a request.
type Expected = (Said, u16);

/// What the gateway presents to the sidecar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Presents {
    Identity,
    Nothing,
}

impl Bench {
    /// What `describe` says of the Upstream.
    fn described(&self) -> Result<Said> {
        let document = self.json(&format!("istio describe upstream {UPSTREAM}"))?;
        let target = &document["targets"][0];
        let why = target["why"].as_str().with_context(|| format!("{document:#}"))?;
        if let Some((_, policy)) = why.split_once("; policy default/") {
            let name = ["by-path", "by-method", "domain"].into_iter().find(|name| policy.starts_with(name));
            return Ok(Depends(name.with_context(|| why.to_owned())?));
        }
        let is_denied = target["verdict"] == "broken";
        ensure!(!is_denied || why.starts_with("policy "), "{target:#}");
        Ok(if is_denied { Denied } else { Admitted })
    }

    /// Waits until requests of the gateway get this status.
    fn wait_for_status(&self, status: u16) -> Result<()> {
        let waited = wait_for(&format!("status {status}"), PATIENCE, || Ok((self.status()? == status).then_some(())));
        waited.with_context(|| format!("{:?}", self.status()))
    }
}

fn from(source: &Value) -> Value {
    json!([{"from": [{"source": source}]}])
}

fn allow(rules: &Value) -> Value {
    json!({"action": "ALLOW", "rules": rules})
}

fn deny(rules: &Value) -> Value {
    json!({"action": "DENY", "rules": rules})
}

/// Policies; what is said of a gateway that presents its identity and how its `GET /headers` ends; the same of one that
/// presents nothing.
#[rustfmt::skip]
fn table() -> Vec<(Vec<Policy>, Expected, Expected)> {
    let gateway = "cluster.local/ns/gloo-system/sa/gateway-proxy";
    let p = |spec| vec![of_apps("p", spec)];
    let (yes, no) = ((Admitted, 200), (Denied, 403));
    let principals = |pattern: &str| from(&json!({"principals": [pattern]}));
    let namespaces = |of: &str| from(&json!({"namespaces": [of]}));
    let ports = |port: &str| json!([{"to": [{"operation": {"ports": [port]}}]}]);
    let by_path = json!([{"to": [{"operation": {"paths": ["/headers"]}}]}]);
    let by_method = json!([{"to": [{"operation": {"methods": ["POST"]}}]}]);
    let when = |key: &str, value: &str| json!([{"when": [{"key": key, "values": [value]}]}]);
    let other = json!({"selector": {"matchLabels": {"app": "other"}}});
    let other_port = json!([{"from": [{"source": {"namespaces": ["gloo-system"]}}], "to": [{"operation": {"ports": ["9090"]}}]}]);
    let attached = json!({"targetRefs": [{"group": "gateway.networking.k8s.io", "kind": "Gateway", "name": "waypoint"}]});
    vec![
        (vec![], yes, yes),
        (p(json!({})), no, no),
        (p(deny(&json!([{}]))), no, no),
        (p(allow(&json!([{}]))), yes, yes),
        (p(allow(&principals(gateway))), yes, no),
        (p(allow(&principals("*"))), yes, no),
        (p(allow(&principals("*/sa/gateway-proxy"))), yes, no),
        (p(allow(&principals("cluster.local/ns/gloo-system/*"))), yes, no),
        (p(allow(&principals("cluster.local/ns/gloo-system/sa/other"))), no, no),
        (p(deny(&principals("*"))), no, yes),
        (p(deny(&from(&json!({"notPrincipals": ["*"]})))), yes, no),
        (p(deny(&from(&json!({"notPrincipals": [gateway]})))), yes, no),
        (p(allow(&namespaces("gloo-system"))), yes, no),
        (p(allow(&namespaces("gloo-*"))), yes, no),
        (p(deny(&namespaces("gloo-system"))), no, yes),
        (p(deny(&from(&json!({"notNamespaces": ["gloo-system"]})))), yes, no),
        (p(allow(&from(&json!({"serviceAccounts": ["gloo-system/gateway-proxy"]})))), yes, no),
        (p(allow(&from(&json!({"serviceAccounts": ["gateway-proxy"]})))), no, no),
        (p(deny(&ports("8080"))), no, no),
        // A port of the Service, which no container has.
        (p(deny(&ports("8000"))), yes, yes),
        (p(deny(&other_port)), yes, yes),
        (p(allow(&when("source.namespace", "gloo-system"))), yes, no),
        (p(deny(&when("destination.port", "8080"))), no, no),
        (p(deny(&when("source.principal", gateway))), no, yes),
        (vec![of_httpbin("p", deny(&namespaces("gloo-system")))], no, yes),
        (p(other), yes, yes),
        (p(attached), yes, yes),
        // Of several ALLOW policies one is enough, also one of the mesh. A selector of the root namespace does select.
        (vec![of_mesh("nothing", json!({})), of_apps("p", allow(&principals(gateway)))], yes, no),
        (vec![Policy { namespace: of_mesh("p", json!({})).namespace, ..of_httpbin("p", deny(&json!([{}]))) }], no, no),
        (vec![of_apps("a", allow(&principals(gateway))), of_apps("b", deny(&principals(gateway)))], no, no),
        (p(json!({"action": "AUDIT", "rules": [{}]})), yes, yes),
        (vec![of_apps("by-path", allow(&by_path))], (Depends("by-path"), 200), (Depends("by-path"), 200)),
        (vec![of_apps("by-method", allow(&by_method))], (Depends("by-method"), 403), (Depends("by-method"), 403)),
        (vec![of_apps("domain", allow(&principals("other.domain/ns/gloo-system/sa/gateway-proxy")))], (Depends("domain"), 403), no),
    ]
}

#[test]
fn what_is_said_of_policies_is_what_a_sidecar_does() -> Result<()> {
    let bench = bench()?;
    bench.done("istio inject --revision default --yes")?;
    let mut wrong = Vec::new();
    for presents in [Presents::Identity, Presents::Nothing] {
        let (switch, sends) = match presents {
            Presents::Identity => ("enable-mtls", &bench.mtls),
            Presents::Nothing => ("disable-mtls", &Sends::Plaintext),
        };
        bench.done(&format!("istio {switch} -u {UPSTREAM} --force --yes"))?;
        bench.sends(sends, PORTS[0])?;
        for (policies, identity, nothing) in table() {
            let (said, status) = if presents == Presents::Identity { identity } else { nothing };
            // The status before is the other one, so the one that is read below cannot be from then.
            let before = of_apps("before", deny(&json!([{}])));
            if status == 200 {
                bench.apply(AUTHORIZATION_POLICY, &before)?;
            }
            bench.wait_for_status(if status == 200 { 403 } else { 200 })?;
            policies.iter().try_for_each(|policy| bench.apply(AUTHORIZATION_POLICY, policy))?;
            if status == 200 {
                bench.plane.api().delete(AUTHORIZATION_POLICY, before.namespace, before.name)?;
            }
            let described = bench.described()?;
            let met = bench.wait_for_status(status);
            if described != said || met.is_err() {
                wrong.push(format!("{presents:?} {policies:?}: said {described:?}, not {said:?}; {met:?}"));
            }
            for Policy { namespace, name, .. } in &policies {
                bench.plane.api().delete(AUTHORIZATION_POLICY, namespace, name)?;
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

/// What a dry run says of policies that start or stop to match.
fn switched(bench: &Bench, line: &str) -> Result<Vec<String>> {
    let document = bench.json(&format!("{line} --dry-run"))?;
    let warnings = document["warnings"].as_array().with_context(|| format!("{document:#}"))?;
    let told = warnings.iter().filter(|warning| warning["code"] == "authorizationMatch");
    Ok(told.filter_map(|warning| warning["message"].as_str().map(str::to_owned)).collect())
}

#[test]
fn a_switch_of_mtls_names_the_policies_that_start_or_stop_to_match() -> Result<()> {
    let bench = bench()?;
    bench.done("istio inject --revision default --yes")?;
    bench.done(&format!("istio disable-mtls -u {UPSTREAM} --force --yes"))?;
    bench.apply(AUTHORIZATION_POLICY, &of_apps("open", allow(&json!([{}]))))?;
    bench.apply(AUTHORIZATION_POLICY, &of_apps("gateway", allow(&from(&json!({"namespaces": ["gloo-system"]})))))?;
    let matches =
        |does: &str| format!("policy default/gateway, ALLOW {does} to match gateway gloo-system/gateway-proxy");
    let enable = format!("istio enable-mtls -u {UPSTREAM}");
    assert_eq!(switched(&bench, &enable)?, [matches("starts")]);
    assert_eq!(switched(&bench, "istio auto-mtls enable")?, [matches("starts")]);
    bench.done(&format!("{enable} --force --yes"))?;
    assert_eq!(switched(&bench, &format!("istio disable-mtls -u {UPSTREAM}"))?, [matches("stops")]);
    Ok(())
}
