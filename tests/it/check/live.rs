//! A Gloo of the test's own on the API server that tests share: what its gateway's Envoy says, its rights, its scope.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{document, found};
use crate::stage::{self, Plane, wait_for};
use crate::support::Sandbox;
use crate::support::pod_server::{PodServer, reply};

const PATIENCE: std::time::Duration = std::time::Duration::from_mins(3);
const UPSTREAM: &str = "gloo.solo.io/v1/Upstream";

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
        let upstream = json!({"name": format!("{}-httpbin-8000", bench.apps), "namespace": bench.gloo});
        let routes = json!([{"matchers": [{"prefix": "/"}], "routeAction": {"single": {"upstream": upstream}}}]);
        let route = json!({"spec": {"virtualHost": {"routes": routes}}});
        plane.api().merge("gateway.solo.io/v1/VirtualService", &bench.gloo, "httpbin", &route).unwrap();
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
        plane.api().wait_available(&bench.gloo).unwrap();
        bench
    }

    pub fn apply(&self, text: &str) {
        self.plane.api().apply(&text.replace("GLOO", &self.gloo).replace("APPS", &self.apps)).unwrap();
    }

    /// The lines for people.
    pub fn found_text(&self) -> String {
        self.sandbox.run(&["check", "-n", &self.gloo, "-r", &self.gloo, "-x", "helm"]).stdout
    }

    /// What is found of this bench's own; other tests break things of the same cluster.
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

/// Envoy is asked; the age of the pods proves nothing.
#[test]
fn a_change_of_the_bootstrap_is_a_finding_only_if_envoy_lacks_the_cluster() {
    let bench = Bench::new();
    let lists = Arc::new(Mutex::new("gateway_proxy_sds"));
    let listed = Arc::clone(&lists);
    let server = PodServer::start(move |asked, stream| {
        let page = match asked.path.as_str() {
            "/clusters" => format!("{}::default_priority::max_connections::1024\n", listed.lock().unwrap()),
            path => super::envoy_says(path, &json!({"certificates": []})),
        };
        reply(stream, "200 OK", page.as_bytes());
    });
    bench.plane.forward(&bench.gloo, &[(19000, server.address)]).unwrap();
    let was_asked = || server.asked().iter().any(|asked| asked.path == "/clusters");
    assert!(bench.found_with(&[]).is_empty() && !was_asked(), "no pod is older than its bootstrap");
    let later = || {
        let map = json!({"data": {"note": jiff::Timestamp::now().to_string()}});
        bench.plane.api().merge("v1/ConfigMap", &bench.gloo, "gateway-proxy-envoy-config", &map).unwrap();
        let (found, asked) = (bench.found_with(&[]), was_asked());
        Ok(asked.then_some(found))
    };
    let found = wait_for("a later second than that of the pods", PATIENCE, later).unwrap();
    assert_eq!(found, [""; 0], "Envoy has the cluster");
    *lists.lock().unwrap() = "another";
    let found = bench.found_with(&[]);
    let codes: Vec<_> = found.iter().filter_map(|line| line.split(' ').next()).collect();
    assert!(codes.contains(&"GRS205"), "{found:?}");
    let asked = server.asked().len();
    assert_eq!(bench.found_with(&["--read-only"]), [""; 0]);
    assert_eq!(server.asked().len(), asked, "--read-only opens no port-forward");
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
    assert!(!output.stdout.contains("No problems detected"), "{output:?}");
    let wide = sandbox.run(&[&args[..], &["-o", "wide"]].concat());
    assert!(wide.stdout.contains("not allowed to list namespaces\n"), "{wide:?}");
    let rule =
        "  a rule of a ClusterRole that allows it: {apiGroups: [\"\"], resources: [namespaces], verbs: [list]}\n";
    assert!(wide.stdout.contains(rule), "{wide:?}");
}

#[test]
fn somebody_without_rights_gets_one_role_that_an_administrator_can_apply() {
    let plane = stage::shared();
    let gloo = plane.install_gloo("check-no-rights").unwrap();
    let sandbox = Sandbox::new().env("KUBECONFIG", plane.kubeconfig().to_str().unwrap());
    let args = ["check", "-n", &gloo, "--read-only", "--as", "stranger"];
    let output = sandbox.run(&args);
    assert_eq!(output.code, Some(4), "{output:?}");
    let terminal = sandbox.run_on_terminal(80, &args);
    assert!(terminal.stderr.lines().count() <= 45, "{}", terminal.stderr);
    let role = output.stdout.lines().skip_while(|line| !line.starts_with("apiVersion: "));
    let role: Vec<_> = role.take_while(|line| !line.starts_with("no problem")).collect();
    assert!(role.contains(&"kind: ClusterRole"), "{output:?}");
    for line in &role {
        assert!(terminal.stderr.lines().any(|shown| shown == *line), "{line}\n{}", terminal.stderr);
    }
    // What it prints is enough, as it is printed.
    let binding = "{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRoleBinding, metadata: {name: gloo-rs-check}, \
         roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: gloo-rs-check}, \
         subjects: [{kind: User, name: stranger, apiGroup: rbac.authorization.k8s.io}]}";
    plane.api().apply(&format!("{}\n---\n{binding}", role.join("\n"))).unwrap();
    let after = wait_for("the role holds", PATIENCE, || {
        let output = sandbox.run(&args);
        Ok((!output.stdout.contains("Checking Upstreams... unknown")).then_some(output))
    })
    .unwrap();
    assert!(!after.stdout.contains("not allowed to") && !after.stdout.contains("... unknown"), "{after:?}");
}
