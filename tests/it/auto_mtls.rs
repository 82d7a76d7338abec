//! `istio auto-mtls`, `istio revisions`, and what uninject finds still pointing at the sidecars.

use serde_json::{Value, json};

use crate::stage::{self, Plane};
use crate::support::{Output, Sandbox};

const UPSTREAM: &str = "gloo.solo.io/v1/Upstream";
const SETTINGS: &str = "gloo.solo.io/v1/Settings";

/// A Gloo of a test's own on the shared plane, which watches its own namespace alone.
struct Gloo {
    plane: &'static Plane,
    namespace: String,
    sandbox: Sandbox,
}

impl Gloo {
    fn new(prefix: &str) -> Self {
        let plane = stage::shared();
        let namespace = plane.install_gloo(prefix).unwrap();
        let watches = json!({"spec": {"watchNamespaces": [namespace], "discoveryNamespace": namespace}});
        plane.api().merge(SETTINGS, &namespace, "default", &watches).unwrap();
        let sandbox = Sandbox::new().env("KUBECONFIG", plane.kubeconfig().to_str().unwrap());
        Self { plane, namespace, sandbox }
    }

    fn run(&self, line: &str) -> Output {
        let words: Vec<_> = ["istio"].into_iter().chain(line.split(' ')).chain(["-n", &self.namespace]).collect();
        self.sandbox.run(&words)
    }

    fn done(&self, line: &str) -> Output {
        let output = self.run(line);
        assert_eq!(output.code, Some(0), "{line}: {output:?}");
        output
    }

    fn settings(&self) -> Value {
        self.plane.api().get(SETTINGS, &self.namespace, "default").unwrap().unwrap()
    }

    fn switches(&self) -> (Value, Value) {
        let options = &self.settings()["spec"]["gloo"]["istioOptions"];
        (options["enableIntegration"].clone(), options["enableAutoMtls"].clone())
    }

    fn upstream(&self, name: &str) -> Value {
        self.plane.api().get(UPSTREAM, &self.namespace, name).unwrap().unwrap()
    }

    fn status(&self) -> Value {
        let output = self.done("auto-mtls status -o json");
        serde_json::from_str::<Value>(&output.stdout).unwrap()["autoMtls"].clone()
    }
}

#[test]
fn the_switches_are_refused_while_a_gateway_lacks_the_sidecars_and_turned_by_one_change() {
    let gloo = Gloo::new("switches");
    let before = gloo.settings();
    let refused = gloo.run("auto-mtls enable --yes");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("without: gateway-proxy"), "{refused:?}");
    let inject = format!("gloo-rs istio inject -n {} --name gateway-proxy", gloo.namespace);
    assert!(refused.stderr.contains(&inject), "{refused:?}");
    assert_eq!(gloo.settings(), before);
    gloo.done("inject --revision 1-28");
    let unasked = gloo.run("auto-mtls enable");
    assert_eq!(unasked.code, Some(2), "{unasked:?}");
    assert_eq!(gloo.settings(), before);
    let enabled = gloo.done("auto-mtls enable --yes");
    assert_eq!(enabled.stdout, "settings.gloo.solo.io/default auto-mTLS enabled\n");
    assert_eq!(gloo.switches(), (json!(true), json!(true)));
    assert_eq!(gloo.status()["enabled"], true);
    let version = gloo.settings()["metadata"]["resourceVersion"].clone();
    assert_eq!(gloo.done("auto-mtls enable --yes").stdout, "settings.gloo.solo.io/default auto-mTLS already enabled\n");
    assert_eq!(gloo.settings()["metadata"]["resourceVersion"], version);
    gloo.done("auto-mtls disable --yes");
    assert_eq!(gloo.switches(), (json!(false), json!(false)));
    let mut after = gloo.settings();
    after["spec"]["gloo"]["istioOptions"] = before["spec"]["gloo"]["istioOptions"].clone();
    assert_eq!(after["spec"], before["spec"], "nothing but the switches");
}

#[test]
fn inject_turns_the_switches_on_in_the_same_transaction_and_says_whom_that_may_harm() {
    let gloo = Gloo::new("inject-auto");
    let lambda = json!({"apiVersion": "gloo.solo.io/v1", "kind": "Upstream",
        "metadata": {"name": "lambda", "namespace": gloo.namespace}, "spec": {"aws": {"region": "eu-1"}}});
    gloo.plane.api().apply(&lambda.to_string()).unwrap();
    let unasked = gloo.run("inject --revision 1-28 --auto-mtls");
    assert_eq!(unasked.code, Some(2), "{unasked:?}");
    let injected = gloo.done("inject --revision 1-28 --auto-mtls --yes");
    assert!(injected.stdout.contains("settings.gloo.solo.io/default auto-mTLS enabled\n"), "{injected:?}");
    assert!(injected.stdout.ends_with("Istio injection was successful!\n"), "{injected:?}");
    assert!(injected.stderr.contains(&format!("{}/lambda: aws", gloo.namespace)), "{injected:?}");
    assert_eq!(gloo.switches(), (json!(true), json!(true)));
}

#[test]
fn single_upstreams_opt_out_and_in_again() {
    let gloo = Gloo::new("opt-out");
    let before = gloo.upstream("default-httpbin-8000");
    let out = gloo.done("auto-mtls disable -u default-httpbin-8000");
    let word = format!("upstream.gloo.solo.io/{}/default-httpbin-8000", gloo.namespace);
    assert!(out.stdout.contains("auto-mTLS opted out"), "{out:?} {word}");
    let after = gloo.upstream("default-httpbin-8000");
    assert_eq!(after["spec"]["disableIstioAutoMtls"], true);
    let back = gloo.done("auto-mtls enable -u default-httpbin-8000");
    assert_eq!(gloo.upstream("default-httpbin-8000")["spec"], before["spec"]);
    assert!(back.stderr.contains("auto-mTLS is off in Settings"), "{back:?}");
    assert!(!back.stderr.contains("sidecars"), "nothing asks the gateway for certificates: {back:?}");
    let foreign = gloo.run("auto-mtls disable -u nobody");
    assert_eq!(foreign.code, Some(4), "{foreign:?}");
}

#[test]
fn uninject_is_refused_while_anything_points_at_the_cluster_and_can_take_the_upstreams_along() {
    let gloo = Gloo::new("dangling");
    gloo.done("enable-mtls -u default-httpbin-8000 --force --yes");
    // Nothing is there to be taken away, so nothing is left behind.
    assert!(gloo.done("uninject").stdout.ends_with("Istio was successfully uninjected\n"));
    gloo.done("disable-mtls -u default-httpbin-8000");
    gloo.done("inject --revision 1-28 --auto-mtls --yes");
    gloo.done("enable-mtls -u default-httpbin-8000");
    let map = |gloo: &Gloo| {
        let map = gloo.plane.api().get("v1/ConfigMap", &gloo.namespace, "gateway-proxy-envoy-config").unwrap().unwrap();
        map["data"]["envoy.yaml"].as_str().unwrap().contains("gateway_proxy_sds")
    };
    let refused = gloo.run("uninject");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    for what in ["upstream.gloo.solo.io/default-httpbin-8000", "settings.gloo.solo.io/default"] {
        assert!(refused.stderr.contains(what), "{refused:?}");
    }
    assert!(map(&gloo));
    gloo.done("auto-mtls disable --yes");
    let refused = gloo.run("uninject");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("--include-upstreams"), "{refused:?}");
    let previewed = gloo.done("uninject --include-upstreams --dry-run");
    assert!(previewed.stdout.contains("default-httpbin-8000 mTLS disabled (dry run)"), "{previewed:?}");
    assert!(map(&gloo));
    assert_eq!(gloo.run("uninject --include-upstreams").code, Some(2));
    let taken = gloo.done("uninject --include-upstreams --yes");
    assert!(taken.stdout.ends_with("Istio was successfully uninjected\n"), "{taken:?}");
    assert!(gloo.upstream("default-httpbin-8000")["spec"]["sslConfig"].is_null());
    assert!(!map(&gloo));
}

#[test]
fn a_virtual_service_that_serves_the_certificates_keeps_the_sidecars() {
    let gloo = Gloo::new("downstream");
    gloo.done("inject --revision 1-28");
    let service = json!({"apiVersion": "gateway.solo.io/v1", "kind": "VirtualService",
        "metadata": {"name": "edge", "namespace": gloo.namespace},
        "spec": {"sslConfig": {"sds": {"clusterName": "gateway_proxy_sds", "certificatesSecretName": "istio_server_cert"}}}});
    gloo.plane.api().apply(&service.to_string()).unwrap();
    let refused = gloo.run("uninject --include-upstreams --yes");
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.stderr.contains("virtualservice.gateway.solo.io/edge"), "{refused:?}");
    gloo.done("uninject --force --yes");
}

#[test]
fn revisions_says_who_uses_which_istiod_and_never_no_where_it_may_not_look() {
    let gloo = Gloo::new("revisions");
    gloo.done("inject --revision 1-28");
    let bound = gloo.plane.namespace("bound").unwrap();
    let label = json!({"metadata": {"labels": {"istio.io/rev": "1-28"}}});
    gloo.plane.api().merge("v1/Namespace", "", &bound, &label).unwrap();
    let output = gloo.done("revisions -o json");
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    let row = |revision: &str| {
        let rows = document["revisions"].as_array().unwrap();
        rows.iter().find(|row| row["revision"] == revision).cloned().unwrap_or_else(|| panic!("{document}"))
    };
    let canary = row("1-28");
    assert_eq!(canary["discoveryAddress"], "istiod-1-28.istio-system.svc:15012");
    assert_eq!(canary["inUse"], "yes");
    let namespaces = canary["namespaces"].as_array().unwrap();
    assert!(namespaces.contains(&json!({"name": bound, "label": "istio.io/rev=1-28"})), "{canary}");
    assert!(canary["gateways"].to_string().contains("gateway-proxy"), "{canary}");
    assert_eq!(row("default")["version"], "1.29.1");
    let table = gloo.done("revisions");
    assert!(table.stdout.starts_with("REVISION  VERSION  READY"), "{table:?}");
    // Whoever may list Deployments alone sees no namespaces and no pods, so nothing is called unused.
    let role = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
        "metadata": {"name": "revisions-deployments"},
        "rules": [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]}]});
    let binding = json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
        "metadata": {"name": "revisions-deployments"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "revisions-deployments"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "somebody"}]});
    gloo.plane.api().apply(&role.to_string()).unwrap();
    gloo.plane.api().apply(&binding.to_string()).unwrap();
    let seen = gloo.done("revisions -o json --as somebody");
    let seen: Value = serde_json::from_str(&seen.stdout).unwrap();
    for row in seen["revisions"].as_array().unwrap() {
        assert_eq!((&row["pods"], &row["namespaces"]), (&Value::Null, &Value::Null), "{row}");
        assert_ne!(row["inUse"], "no", "{row}");
    }
    let nobody = gloo.run("revisions --as nobody");
    assert_eq!(nobody.code, Some(4), "{nobody:?}");
    assert!(nobody.stderr.contains("{apiGroups: [apps], resources: [deployments], verbs: [list]}"), "{nobody:?}");
}
