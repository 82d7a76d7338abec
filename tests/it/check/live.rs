//! A Gloo of the test's own on a real API server: one thing is broken, it and nothing else is found, it is mended.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{document, found};
use crate::stage::{self, Plane, wait_for};
use crate::support::Sandbox;
use crate::support::pod_server::{PodServer, reply};

const PATIENCE: std::time::Duration = std::time::Duration::from_mins(3);
const UPSTREAM: &str = "gloo.solo.io/v1/Upstream";
const SETTINGS: &str = "gloo.solo.io/v1/Settings";
const DEPLOYMENT: &str = "apps/v1/Deployment";
const CONFIG_MAP: &str = "v1/ConfigMap";
const POLICY: &str = "security.istio.io/v1/PeerAuthentication";

pub struct Bench {
    pub plane: &'static Plane,
    pub gloo: String,
    pub apps: String,
    sandbox: Sandbox,
}

impl Bench {
    /// Injected, with a `NetworkPolicy`, and with Upstreams of its own apps alone.
    pub fn new() -> Self {
        let plane = stage::shared();
        let gloo = plane.install_gloo("check").unwrap();
        let apps = plane.install_apps("check-apps", &gloo).unwrap();
        let sandbox = Sandbox::new().env("KUBECONFIG", plane.kubeconfig_of("admin").to_str().unwrap());
        let bench = Self { plane, gloo, apps, sandbox };
        for upstream in ["default-httpbin-8000", "default-plain-8080"] {
            bench.plane.api().delete(UPSTREAM, &bench.gloo, upstream).unwrap();
        }
        let route = json!([{"matchers": [{"prefix": "/"}], "routeAction": {"single": {"upstream": {"name": bench.httpbin(), "namespace": bench.gloo}}}}]);
        bench.merge(
            "gateway.solo.io/v1/VirtualService",
            "httpbin",
            &json!({"spec": {"virtualHost": {"routes": route}}}),
        );
        bench.apply(&format!(
            "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {{name: gateway, namespace: {}}}\n\
             spec: {{podSelector: {{matchLabels: {{gloo: gateway-proxy}}}}, policyTypes: [Ingress], ingress: [{{ports: [{{port: 8080}}]}}]}}",
            bench.gloo
        ));
        bench.apply("apiVersion: v1\nkind: Secret\nmetadata: {name: payments-client, namespace: GLOO}");
        // Policies of the whole mesh belong to other tests.
        bench.apply("apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: apps, namespace: APPS}\nspec: {mtls: {mode: PERMISSIVE}}");
        let injected = bench.sandbox.run(&["istio", "inject", "-n", &bench.gloo, "--revision", "1-28", "--no-wait"]);
        assert_eq!(injected.code, Some(0), "{injected:?}");
        bench.settled();
        bench
    }

    fn httpbin(&self) -> String {
        format!("{}-httpbin-8000", self.apps)
    }

    fn plain(&self) -> String {
        format!("{}-plain-8080", self.apps)
    }

    fn settled(&self) {
        self.plane.api().wait_available(&self.gloo).unwrap();
    }

    pub fn apply(&self, text: &str) {
        self.plane.api().apply(&text.replace("GLOO", &self.gloo).replace("APPS", &self.apps)).unwrap();
    }

    fn merge(&self, kind: &str, name: &str, patch: &Value) {
        let namespace = if kind == POLICY { &self.apps } else { &self.gloo };
        self.plane.api().merge(kind, namespace, name, patch).unwrap();
    }

    fn label(&self, labels: &Value) {
        let patch = json!({"metadata": {"labels": labels}});
        self.plane.api().merge("v1/Namespace", "", &self.apps, &patch).unwrap();
    }

    /// What is found of this bench's own; other tests break things of the same cluster.
    fn found(&self) -> Vec<String> {
        self.found_with(&["--read-only"])
    }

    /// The lines for people.
    pub fn found_text(&self) -> String {
        self.sandbox.run(&["check", "-n", &self.gloo, "-r", &self.gloo, "-x", "helm"]).stdout
    }

    pub fn found_with(&self, flags: &[&str]) -> Vec<String> {
        let scope = format!("{},{}", self.gloo, self.apps);
        let args = ["check", "-n", &self.gloo, "-r", &scope, "-o", "json", "-x", "helm"];
        let output = self.sandbox.run(&[&args, flags].concat());
        let all = found(&document(&output));
        let is_own = |line: &String| line.contains(&self.gloo) || line.contains(&self.apps);
        all.into_iter()
            .filter(is_own)
            .map(|line| line.replace(&self.apps, "APPS").replace(&self.gloo, "GLOO"))
            .collect()
    }

    /// Pods come and go a moment after their workload changes.
    #[track_caller]
    fn finds(&self, wanted: &[&str]) {
        let mut last = Vec::new();
        let done = wait_for("what is to be found", PATIENCE, || {
            last = self.found();
            Ok((last == wanted).then_some(()))
        });
        assert!(done.is_ok(), "wanted {wanted:?}, found {last:?}");
    }
}

#[test]
fn one_thing_broken_at_a_time_is_named_and_nothing_else() {
    let bench = Bench::new();
    bench.finds(&[]);
    let spec = |value: Value| json!({"spec": value});

    bench.merge(POLICY, "apps", &spec(json!({"mtls": {"mode": "STRICT"}})));
    bench.finds(&["GRS101 Upstream GLOO/APPS-httpbin-8000"]);
    let enabled = bench.sandbox.run(&["istio", "enable-mtls", "-n", &bench.gloo, "-u", &bench.httpbin()]);
    assert_eq!(enabled.code, Some(0), "{enabled:?}");
    bench.finds(&[]);
    bench.merge(POLICY, "apps", &spec(json!({"mtls": {"mode": "DISABLE"}})));
    bench.finds(&["GRS105 Upstream GLOO/APPS-httpbin-8000"]);
    bench.merge(POLICY, "apps", &spec(json!({"mtls": {"mode": "PERMISSIVE"}})));
    bench.finds(&[]);

    bench.sandbox.run(&["istio", "enable-mtls", "-n", &bench.gloo, "-u", &bench.plain()]);
    bench.finds(&["GRS102 Upstream GLOO/APPS-plain-8080"]);
    bench.sandbox.run(&["istio", "disable-mtls", "-n", &bench.gloo, "-u", &bench.plain()]);
    bench.finds(&[]);

    let api = bench.plane.api();
    let map = api.get(CONFIG_MAP, &bench.gloo, "gateway-proxy-envoy-config").unwrap().unwrap();
    let whole = map["data"]["envoy.yaml"].as_str().unwrap();
    let without = whole.replace("gateway_proxy_sds", "another");
    bench.merge(CONFIG_MAP, "gateway-proxy-envoy-config", &json!({"data": {"envoy.yaml": without}}));
    bench.finds(&["GRS202 Deployment GLOO/gateway-proxy"]);
    bench.merge(CONFIG_MAP, "gateway-proxy-envoy-config", &json!({"data": {"envoy.yaml": whole}}));
    bench.finds(&["GRS205 Deployment GLOO/gateway-proxy"]);
    bench.merge(DEPLOYMENT, "gateway-proxy", &spec(json!({"template": {"metadata": {"annotations": {"again": "1"}}}})));
    bench.finds(&[]);

    let gateway = api.get(DEPLOYMENT, &bench.gloo, "gateway-proxy").unwrap().unwrap();
    let containers = gateway["spec"]["template"]["spec"]["containers"].as_array().unwrap();
    let with = |change: &dyn Fn(&Value) -> Option<Value>| {
        let containers: Vec<_> = containers.iter().filter_map(change).collect();
        spec(json!({"template": {"spec": {"containers": containers}}}))
    };
    let replaced = |old: &'static str, new: &'static str| {
        with(&|it| Some(serde_json::from_str(&it.to_string().replace(old, new)).unwrap()))
    };
    bench.merge(DEPLOYMENT, "gateway-proxy", &with(&|it| (it["name"] != "sds").then(|| it.clone())));
    bench.finds(&["GRS203 Deployment GLOO/gateway-proxy"]);
    bench.merge(DEPLOYMENT, "gateway-proxy", &replaced("proxyv2:1.28.3", "proxyv2:1.22.0"));
    bench.finds(&["GRS206 Deployment GLOO/gateway-proxy"]);
    bench.merge(DEPLOYMENT, "gateway-proxy", &replaced("istiod-1-28.istio-system", "istiod-1-20.istio-system"));
    bench.finds(&["GRS207 Deployment GLOO/gateway-proxy"]);
    bench.merge(DEPLOYMENT, "gateway-proxy", &with(&|it| Some(it.clone())));
    bench.finds(&[]);

    api.delete("networking.k8s.io/v1/NetworkPolicy", &bench.gloo, "gateway").unwrap();
    bench.finds(&["GRS209 Deployment GLOO/gateway-proxy"]);
    bench.apply("apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata: {name: gateway, namespace: GLOO}\nspec: {podSelector: {}, policyTypes: [Ingress]}");

    let auto = |on: bool| spec(json!({"gloo": {"istioOptions": {"enableAutoMtls": on}}}));
    bench.merge(SETTINGS, "default", &auto(true));
    bench.finds(&["GRS301 Settings GLOO/default"]);
    bench.merge(SETTINGS, "default", &auto(false));

    bench.label(&json!({"istio.io/rev": "no-such"}));
    bench.finds(&["GRS402 Namespace /APPS"]);
    bench.label(&json!({"istio-injection": "disabled"}));
    bench.finds(&["GRS401 Namespace /APPS"]);
    bench.label(&json!({"istio-injection": null, "istio.io/rev": null}));

    bench.apply("apiVersion: security.istio.io/v1\nkind: PeerAuthentication\nmetadata: {name: zz, namespace: APPS}\nspec: {mtls: {mode: STRICT}}");
    bench.finds(&["GRS404 PeerAuthentication APPS/zz"]);
    api.delete(POLICY, &bench.apps, "zz").unwrap();

    let state = |state: &str| json!({"status": {"statuses": {&bench.gloo: {"reportedBy": "gloo", "state": state, "reason": "no"}}}});
    bench.merge(UPSTREAM, &bench.httpbin(), &state("Rejected"));
    bench.finds(&["GRS501 Upstream GLOO/APPS-httpbin-8000"]);
    bench.merge(UPSTREAM, &bench.httpbin(), &state("Accepted"));

    let route = |name: &str| json!({"virtualHost": {"routes": [{"routeAction": {"single": {"upstream": {"name": name, "namespace": bench.gloo}}}}]}});
    bench.merge("gateway.solo.io/v1/VirtualService", "httpbin", &spec(route("gone")));
    bench.finds(&["GRS504 VirtualService GLOO/httpbin"]);
    bench.merge("gateway.solo.io/v1/VirtualService", "httpbin", &spec(route(&bench.httpbin())));

    bench.merge(DEPLOYMENT, "gateway-proxy", &spec(json!({"replicas": 0})));
    bench.finds(&[&format!("GRS606 Namespace /{}", "GLOO")]);
    bench.merge(DEPLOYMENT, "gateway-proxy", &spec(json!({"replicas": 1})));
    bench.finds(&[]);
}

#[test]
fn the_gateways_own_envoy_tells_when_its_certificate_ends_and_which_root_it_trusts() {
    let bench = Bench::new();
    let mut params = rcgen::CertificateParams::new(["root".to_owned()]).unwrap();
    params.serial_number = Some(rcgen::SerialNumber::from_slice(&[0x0a, 0xff]));
    let root = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem();
    let map = json!({"apiVersion": "v1", "kind": "ConfigMap", "data": {"root-cert.pem": root},
        "metadata": {"name": "istio-ca-root-cert", "namespace": bench.gloo}});
    bench.plane.api().apply(&map.to_string()).unwrap();
    let certs = Arc::new(Mutex::new(Value::Null));
    let shown = Arc::clone(&certs);
    let server = PodServer::start(move |asked, stream| {
        let page = super::envoy_says(&asked.path, &shown.lock().unwrap());
        reply(stream, "200 OK", page.as_bytes());
    });
    bench.plane.forward(&bench.gloo, &[(19000, server.address)]).unwrap();
    let show = |left: i64, serial: &str| {
        let ends = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(left);
        let leaf = json!({"subject_alt_names": [{"uri": "spiffe://cluster.local/ns/a/sa/gateway-proxy"}], "expiration_time": ends.to_string()});
        *certs.lock().unwrap() =
            json!({"certificates": [{"ca_cert": [{"serial_number": serial}], "cert_chain": [leaf]}]});
    };
    let codes = |flags: &[&str]| {
        let found = bench.found_with(flags);
        found.iter().filter_map(|line| line.split(' ').next().map(str::to_owned)).collect::<Vec<_>>()
    };
    show(80_000, "aff");
    assert_eq!(codes(&[]), [""; 0]);
    show(600, "aff");
    assert_eq!(codes(&[]), ["GRS211"]);
    show(-600, "aff");
    assert_eq!(codes(&[]), ["GRS210"]);
    show(80_000, "1");
    assert_eq!(codes(&[]), ["GRS212"]);
    let asked = server.asked().len();
    assert_eq!(codes(&["--read-only"]), [""; 0]);
    assert_eq!(server.asked().len(), asked, "--read-only opens no port-forward");
    let pages = ["/certs", "/stats?filter=", "/config_dump?resource=dynamic_listeners&mask="];
    assert!(server.asked().iter().all(|asked| pages.iter().any(|page| asked.path.starts_with(page))));
}

#[test]
fn the_playground_of_the_guide_is_in_order() {
    let plane = stage::shared();
    let gloo = plane.install_gloo("check-guide").unwrap();
    let sandbox = Sandbox::new().env("KUBECONFIG", plane.kubeconfig_of("admin").to_str().unwrap());
    let server = PodServer::start(|asked, stream| {
        reply(stream, "200 OK", super::envoy_says(&asked.path, &json!({"certificates": []})).as_bytes());
    });
    plane.forward(&gloo, &[(19000, server.address), (9091, server.address)]).unwrap();
    let args = ["check", "-n", &gloo, "-r", &gloo, "-x", "peer-authentications,mtls,secrets"];
    let output = sandbox.run(&args);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(
        output.stdout.starts_with(
            "Checking Deployments... OK\nChecking Pods... OK\nChecking Settings... OK\nChecking Upstreams... OK\n"
        ),
        "{output:?}"
    );
    assert!(output.stdout.ends_with("No problems detected.\n"), "{output:?}");
}

#[test]
fn somebody_who_may_list_in_one_namespace_learns_what_is_unknown() {
    let plane = stage::shared();
    let gloo = plane.install_gloo("check-rights").unwrap();
    let rule =
        "{apiGroups: ['', apps, gloo.solo.io, gateway.solo.io, networking.k8s.io], resources: ['*'], verbs: [list]}";
    plane
        .api()
        .apply(&format!(
            "{{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {{name: look, namespace: {gloo}}}, rules: [{rule}]}}\n---\n\
             {{apiVersion: rbac.authorization.k8s.io/v1, kind: RoleBinding, metadata: {{name: look, namespace: {gloo}}}, \
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: look}}, \
             subjects: [{{kind: User, name: limited, apiGroup: rbac.authorization.k8s.io}}]}}"
        ))
        .unwrap();
    let sandbox = Sandbox::new().env("KUBECONFIG", plane.kubeconfig_of("limited").to_str().unwrap());
    let args = ["check", "-n", &gloo, "-r", &gloo];
    let output = wait_for("the role holds", PATIENCE, || {
        let output = sandbox.run(&args);
        Ok(output.stdout.contains("Checking Upstreams... OK\n").then_some(output))
    })
    .unwrap();
    assert!(output.stdout.contains("Checking Deployments... OK\n"), "{output:?}");
    assert!(output.stdout.contains("Checking injection labels... unknown\n"), "{output:?}");
    assert!(output.stdout.contains("may not list namespaces\n"), "{output:?}");
    let rule =
        "  a rule of a ClusterRole that allows it: {apiGroups: [\"\"], resources: [namespaces], verbs: [list]}\n";
    assert!(output.stdout.contains(rule), "{output:?}");
    assert!(!output.stdout.contains("No problems detected"), "{output:?}");
}
