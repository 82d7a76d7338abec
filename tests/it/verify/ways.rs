//! How the request goes out, and what is said where it does not, or where rights are missing.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Bench, facts, istio, run};
use crate::stage::pair::{Sends, Takes};
use crate::support::stub::Stub;
use crate::support::{Certificate, Sandbox};

impl Bench {
    /// Lets the gateway's Service lead to this port of this machine.
    fn serve_at(&self, port: u16) -> Result<()> {
        let ports = json!([{"name": "http", "port": port, "targetPort": 8080}]);
        self.plane.api().merge("v1/Service", &self.gloo, "gateway-proxy", &json!({"spec": {"ports": ports}}))?;
        self.assign(&json!([{"ip": "127.0.0.1"}]))
    }

    /// What a load balancer's controller does.
    fn assign(&self, ingress: &Value) -> Result<()> {
        let stored = self.plane.api().get("v1/Service", &self.gloo, "gateway-proxy")?.context("the Service")?;
        let service = json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"namespace": self.gloo, "name": "gateway-proxy"},
            "spec": stored["spec"], "status": {"loadBalancer": {"ingress": ingress}},
        });
        self.plane.api().apply(&service.to_string())
    }
}

#[test]
fn the_address_that_proxy_url_prints_is_asked() -> Result<()> {
    let bench = Bench::new("verify-address")?;
    bench.demand(Takes::Permissive)?;
    bench.pair.sends(&bench.pair.mtls()?)?;
    let address = bench.pair.http()?;
    bench.serve_at(address.port())?;
    let upstream = bench.upstream("httpbin-8000");
    bench.ssl_config(&upstream, &istio())?;
    let output = bench.run(&format!("-u {upstream}"));
    assert_eq!(output.code, Some(0), "{output:?}");
    let line = format!("GET http://{address}/get (Host: *, route httpbin)\n");
    assert!(output.stderr.contains(&line), "{}", output.stderr);

    // Whichever Upstream it is that answers.
    let (document, _) = bench.json(&format!("--url http://{address}/headers"))?;
    let verdict = &document["verdicts"][0];
    assert_eq!((&verdict["verdict"], &verdict["upstream"]["name"]), (&json!("mtls"), &json!(upstream)), "{verdict:#}");

    let output = bench.run(&format!("-u {upstream} -X POST --path /page"));
    assert!(output.stderr.contains("POST is sent once only: it is not idempotent\n"), "{output:?}");
    Ok(())
}

#[test]
fn an_answer_that_did_not_come_from_the_gateway_is_told_as_that() -> Result<()> {
    let bench = Bench::new("verify-elsewhere")?;
    bench.demand(Takes::Permissive)?;
    let upstream = bench.upstream("httpbin-8000");
    bench.ssl_config(&upstream, &istio())?;
    bench.pair.sends(&bench.pair.mtls()?)?;
    // Another server has the load balancer's address. It even echoes a certificate header that names the gateway.
    let echo = json!({"headers": {"X-Forwarded-Client-Cert":
        format!("By=spiffe://cluster.local/ns/a/sa/b;URI=spiffe://cluster.local/ns/{}/sa/gateway-proxy", bench.gloo)}});
    let other = Stub::new();
    other.on_anything().json(200, &echo).always();
    bench.serve_at(other.port())?;
    let (document, output) = bench.json(&format!("-u {upstream} --path /headers"))?;
    let verdict = &document["verdicts"][0];
    assert_eq!((output.code, &verdict["verdict"]), (Some(7), &json!("elsewhere")), "{document:#}");
    assert_eq!((&verdict["statuses"], &verdict["fix"]), (&json!([200]), &Value::Null), "{document:#}");
    assert_eq!(facts(verdict, "fact").len(), 2, "{document:#}");
    // The hint as printed: the pod itself answers, over mutual TLS.
    assert!(verdict["next"].as_str().is_some_and(|next| next.starts_with("--via forward")), "{document:#}");
    assert_eq!(bench.verdict("--path /headers")?["verdict"], "mtls");

    // The same request to the gateway's own address.
    bench.serve_at(bench.pair.http()?.port())?;
    let (document, _) = bench.json(&format!("-u {upstream} --path /headers"))?;
    assert_eq!(document["verdicts"][0]["verdict"], "mtls", "{document:#}");
    Ok(())
}

#[test]
fn a_gateway_that_is_not_there_is_no_verdict() -> Result<()> {
    let bench = Bench::new("verify-dead")?;
    let upstream = bench.upstream("httpbin-8000");
    let line = format!("-u {upstream}");
    bench.serve_at(1)?;
    let output = bench.run(&line);
    assert_eq!((output.code, output.stdout.as_str()), (Some(9), ""), "{output:?}");
    assert!(output.stderr.contains("no answer from http://127.0.0.1:1/get: "), "{output:?}");
    assert!(output.stderr.contains("hint: --via forward"), "{output:?}");

    bench.assign(&json!([]))?;
    let (document, output) = bench.json(&line)?;
    assert_eq!((output.code, &document["error"]["reason"]), (Some(8), &json!("pending")), "{output:?}");
    assert!(output.stderr.contains("hint: --via forward"), "{output:?}");

    let output = bench.run("-u httpbin --via forward");
    assert_eq!(output.code, Some(4), "{output:?}");
    assert!(output.stderr.contains("not found in"), "{output:?}");
    let output = bench.run(&format!("-u {} --via forward", bench.upstream("plain-8080")));
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("no VirtualService has a plain route to it"), "{output:?}");
    assert!(output.stderr.contains("hint: --host and --path"), "{output:?}");

    let routes = json!([{
        "matchers": [{"prefix": "/", "methods": ["POST", "PUT"]}],
        "routeAction": {"single": {"upstream": {"name": upstream, "namespace": bench.gloo}}},
    }]);
    let patch = json!({"spec": {"virtualHost": {"routes": routes}}});
    bench.plane.api().merge("gateway.solo.io/v1/VirtualService", &bench.gloo, "httpbin", &patch)?;
    let output = bench.run(&format!("{line} --via forward"));
    assert_eq!(output.code, Some(1), "{output:?}");
    let said = format!("upstream.gloo.solo.io/{upstream}: its plain routes take POST, PUT, not GET\n");
    assert!(output.stderr.contains(&said) && output.stderr.contains("hint: -X POST\n"), "{output:?}");
    Ok(())
}

#[test]
fn each_pod_of_the_gateway_has_its_verdict() -> Result<()> {
    let bench = Bench::new("verify-pods")?;
    bench.demand(Takes::Permissive)?;
    bench.pair.sends(&bench.pair.mtls()?)?;
    let scale = json!({"spec": {"replicas": 2}});
    bench.plane.api().merge("apps/v1/Deployment", &bench.gloo, "gateway-proxy", &scale)?;
    bench.plane.api().wait_available(&bench.gloo)?;
    let upstream = bench.upstream("httpbin-8000");
    let (document, output) = bench.json(&format!("-u {upstream} --all-pods --path /headers"))?;
    assert_eq!(output.code, Some(0), "{document:#}");
    let pods: Vec<_> = document["verdicts"].as_array().context("verdicts")?.iter().collect();
    assert_eq!(pods.len(), 2, "{document:#}");
    assert!(pods.iter().all(|verdict| verdict["verdict"] == "mtls" && verdict["request"]["pod"].is_string()));
    assert_ne!(pods[0]["request"]["pod"], pods[1]["request"]["pod"]);
    Ok(())
}

#[test]
fn what_may_not_be_read_is_unknown_with_the_rule_and_proves_nothing() -> Result<()> {
    let bench = Bench::new("verify-rights")?;
    bench.demand(Takes::Strict)?;
    bench.pair.sends(&Sends::Plaintext)?;
    let address = bench.pair.http()?;
    bench.serve_at(address.port())?;
    let upstream = bench.upstream("httpbin-8000");
    let role = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role",
        "metadata": {"namespace": bench.gloo, "name": "reader"},
        "rules": [
            {"apiGroups": ["gloo.solo.io"], "resources": ["upstreams", "settings"], "verbs": ["get"]},
            {"apiGroups": [""], "resources": ["services"], "verbs": ["get"]},
        ],
    });
    let binding = json!({
        "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding",
        "metadata": {"namespace": bench.gloo, "name": "reader"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "User", "name": "limited", "apiGroup": "rbac.authorization.k8s.io"}],
    });
    bench.plane.api().apply(&role.to_string())?;
    bench.plane.api().apply(&binding.to_string())?;
    let kubeconfig = bench.plane.kubeconfig_of("limited");
    let line = format!("-u {upstream} --path /headers -o json");
    let output = run(&kubeconfig, &bench.words(&line));
    let document: Value = serde_json::from_str(&output.stdout).with_context(|| format!("{output:#?}"))?;
    let verdict = &document["verdicts"][0];
    assert_eq!((output.code, &verdict["verdict"]), (Some(7), &json!("notProven")), "{output:#?}");
    let unknown = facts(verdict, "unknown").join("\n");
    assert!(unknown.contains("strict peer: peer mode (not allowed to get services in"), "{verdict:#}");
    assert!(output.stderr.contains("a rule of a Role that allows it: {apiGroups: "), "{output:#?}");

    let output = run(&kubeconfig, &bench.words(&format!("-u {upstream}")));
    assert_eq!(output.code, Some(4), "{output:?}");
    assert!(output.stderr.contains("--host and --path say what to request"), "{output:?}");
    Ok(())
}

#[test]
fn a_hostile_body_is_inert_and_bounded() -> Result<()> {
    let bench = Bench::new("verify-hostile")?;
    bench.demand(Takes::Permissive)?;
    bench.pair.sends(&Sends::Plaintext)?;
    let upstream = bench.upstream("httpbin-8000");
    let line = format!("-u {upstream} --via forward --path /hostile");
    for more in ["", " -o json", " -o yaml"] {
        let output = bench.run(&format!("{line}{more}"));
        assert_eq!(output.code, Some(7), "{output:?}");
        assert!(output.stdout.len() < 10_000, "{} bytes", output.stdout.len());
        assert!(!output.stdout.contains(['\u{1b}', '\u{202e}', '\u{0}']), "{output:?}");
    }
    Ok(())
}

/// A cluster that says that nothing is there.
fn empty_cluster() -> (Stub, Sandbox) {
    let stub = Stub::new();
    stub.on_anything().status(404, "NotFound", "nothing here").always();
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(stub.kubeconfig());
    (stub, sandbox)
}

#[test]
fn the_gateways_certificate_is_looked_at_unless_nobody_wants_that() {
    let (_cluster, sandbox) = empty_cluster();
    let gateway = Stub::tls(Certificate::Good);
    gateway.on("GET", "/cart").json(200, &json!({"headers": {}})).always();
    let url = format!("{}/cart", gateway.url());
    let ca = sandbox.write("ca.pem", gateway.ca());
    let ca = ca.to_str().unwrap();
    let verify = |more: &[&str]| sandbox.run(&[&["istio", "verify", "--url", &url], more].concat());
    let output = verify(&[]);
    assert_eq!(output.code, Some(9), "{output:?}");
    assert!(output.stderr.contains("no TLS with https://127.0.0.1:"), "{output:?}");
    assert!(output.stderr.contains("signed by an unknown authority"), "{output:?}");
    assert!(output.stderr.contains("-k accepts any certificate, --cacert FILE"), "{output:?}");
    for trust in [vec!["-k"], vec!["--cacert", ca]] {
        let output = verify(&trust);
        assert_eq!(output.code, Some(7), "{output:?}");
        assert!(output.stdout.contains("answered, mTLS not proven\n  status    200\n"), "{output:?}");
    }
    let output = verify(&["--cacert", "nowhere.pem"]);
    assert_eq!(output.code, Some(1), "{output:?}");
    let output = verify(&["--cacert", sandbox.write("empty.pem", "").to_str().unwrap()]);
    assert_eq!(output.code, Some(1), "{output:?}");
    assert!(output.stderr.contains("holds no certificate"), "{output:?}");
}

#[test]
fn a_gateway_that_never_answers_ends_with_the_deadline() {
    let (_cluster, sandbox) = empty_cluster();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", silent.local_addr().unwrap());
    let output = sandbox.run(&["istio", "verify", "--url", &url, "-X", "POST", "--timeout", "3s"]);
    assert_eq!(output.code, Some(9), "{output:?}");
    assert!(output.stderr.contains("within 3s"), "{output:?}");
    assert!(output.stderr.contains("the request may have had an effect"), "{output:?}");
}

#[test]
fn a_command_line_that_means_nothing_asks_nobody() {
    let sandbox = Sandbox::new();
    for (args, said) in [
        (vec![], "--upstream"),
        (vec!["--url", "shop.example"], "begins with neither"),
        (vec!["--url", "http://a", "--host", "b"], "cannot be used with"),
        (vec!["-u", "a", "--path", "get"], "must start with /"),
        (vec!["-u", "a", "-H", "x"], "NAME: VALUE"),
        (vec!["-u", "a", "-H", "Host: b"], "--host HOST"),
        (vec!["-u", "a", "-H", "a: b\u{7}"], "control characters"),
        (vec!["-u", "a", "--all-pods", "--via", "address"], "--via forward"),
        (vec!["-u", "a", "--via", "forward", "-k"], "--via address"),
        (vec!["-u", "a", "--expect", "42"], "42"),
        (vec!["--host", "a b"], "is not a host"),
        (vec!["-u", "a", "-X", "G ET"], "is not an HTTP method"),
    ] {
        let output = sandbox.run(&[&["istio", "verify"][..], &args].concat());
        assert_eq!(output.code, Some(2), "{args:?}: {output:?}");
        assert!(output.stderr.contains(said), "{args:?}: {output:?}");
    }
}
