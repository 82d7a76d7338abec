//! `istio enable-mtls` and `istio disable-mtls` on a cluster: a real API server where it can be one, a stub
//! where it has to misbehave.

mod acceptance;
mod advice;
mod denied;
mod faults;
mod live;
mod many;
mod races;
mod requests;
mod rights;
mod sweep;
mod terminal;

use gloo_rs::exports::plan::ssl_config::istio_ssl_config;
use serde_json::{Value, json};

use crate::stage::{self, Plane};
use crate::support::stub::Stub;
use crate::support::{Output, Sandbox};

const UPSTREAM: &str = "gloo.solo.io/v1/Upstream";
const HTTPBIN: &str = "default-httpbin-8000";

/// A Gloo of a test's own on the shared plane, and the command line that is about it.
struct Gloo {
    plane: &'static Plane,
    namespace: String,
    sandbox: Sandbox,
}

impl Gloo {
    fn new(prefix: &str) -> Self {
        let plane = stage::shared();
        let namespace = plane.install_gloo(prefix).unwrap();
        // No request is harmed by what is tried here: the guard has tests of its own.
        plane.api().delete("gateway.solo.io/v1/VirtualService", &namespace, "httpbin").unwrap();
        Self { plane, namespace, sandbox: as_user(plane, "admin") }
    }

    /// The same Gloo, as somebody else.
    fn seen_by(&self, user: &str) -> Sandbox {
        as_user(self.plane, user)
    }

    /// `istio ARGS -n NAMESPACE`.
    fn run(&self, args: &[&str]) -> Output {
        self.run_in(&self.sandbox, args)
    }

    fn run_in(&self, sandbox: &Sandbox, args: &[&str]) -> Output {
        sandbox.run(&[&["istio"], args, &["-n", &self.namespace]].concat())
    }

    fn upstream(&self, name: &str) -> Value {
        self.plane.api().get(UPSTREAM, &self.namespace, name).unwrap().unwrap()
    }

    /// One more Upstream; `object` lacks what all of them have.
    fn add(&self, object: &Value) {
        let mut object = object.clone();
        object["apiVersion"] = json!("gloo.solo.io/v1");
        object["kind"] = json!("Upstream");
        object["metadata"]["namespace"] = json!(self.namespace);
        self.plane.api().apply(&object.to_string()).unwrap();
    }

    fn merge(&self, name: &str, patch: &Value) {
        self.plane.api().merge(UPSTREAM, &self.namespace, name, patch).unwrap();
    }

    fn context_line(&self) -> String {
        format!("context {} ({})\n", self.plane.context(), self.plane.server())
    }
}

fn as_user(plane: &Plane, user: &str) -> Sandbox {
    Sandbox::new().env("KUBECONFIG", plane.kubeconfig_of(user).to_str().unwrap())
}

/// What a person compares: without the bookkeeping that every write moves.
fn kept(object: &Value) -> Value {
    let mut object = object.clone();
    for key in ["resourceVersion", "generation", "managedFields"] {
        object["metadata"].as_object_mut().unwrap().remove(key);
    }
    object
}

fn with_istio(object: &Value) -> Value {
    let mut object = object.clone();
    object["spec"]["sslConfig"] = istio_ssl_config();
    object
}

/// The document on stdout, and that it is one and says the code.
fn document(output: &Output) -> Value {
    let document: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(document["exitCode"], json!(output.code), "{output:?}");
    document
}

/// What a document says of one object.
fn row<'d>(document: &'d Value, name: &str) -> &'d Value {
    let rows = document["results"].as_array().unwrap();
    rows.iter().find(|row| row["name"] == name).unwrap_or_else(|| panic!("{name}: {document:#}"))
}

/// What became of one object, and why: `["skipped", "noPods"]`.
fn became<'d>(document: &'d Value, name: &str) -> [&'d Value; 2] {
    ["outcome", "reason"].map(|key| &row(document, name)[key])
}

/// The advice of a code.
fn advised<'d>(document: &'d Value, code: &str) -> &'d Value {
    let warnings = document["warnings"].as_array().unwrap();
    warnings.iter().find(|warning| warning["code"] == code).unwrap_or_else(|| panic!("{code}: {document:#}"))
}

/// An Upstream as the stub has it.
fn plain(name: &str, version: &str) -> Value {
    json!({
        "apiVersion": "gloo.solo.io/v1", "kind": "Upstream",
        "metadata": {"namespace": "gloo-system", "name": name, "resourceVersion": version},
        "spec": {"kube": {"serviceName": "app", "serviceNamespace": "shop", "servicePort": 80}},
    })
}

fn path_of(name: &str) -> String {
    format!("/apis/gloo.solo.io/v1/namespaces/gloo-system/upstreams/{name}")
}

/// What advice reads, with nothing to say about it.
fn expect_advice(stub: &Stub) {
    let list = |items: Value| json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items});
    let gloo = "/api/v1/namespaces/gloo-system";
    let gateway = json!({"metadata": {"name": "gateway-proxy-1"}, "spec": {"containers": [{"name": "sds"}, {"name": "istio-proxy"}]}});
    let bootstrap = json!({"metadata": {"name": "c"}, "data": {"envoy.yaml": "static_resources: {clusters: [{name: gateway_proxy_sds}]}"}});
    stub.on("GET", "/apis/gloo.solo.io/v1/namespaces/gloo-system/settings/default")
        .json(200, &json!({"metadata": {"name": "default", "namespace": "gloo-system"}, "spec": {}}))
        .always();
    stub.on("GET", &format!("{gloo}/pods")).json(200, &list(json!([gateway]))).always();
    stub.on("GET", &format!("{gloo}/configmaps")).json(200, &list(json!([bootstrap]))).always();
    expect_backend(stub);
    let none = list(json!([]));
    for plural in ["peerauthentications", "authorizationpolicies"] {
        stub.on("GET", &format!("/apis/security.istio.io/v1/{plural}")).json(200, &none).always();
    }
}

/// The Service and pods behind [`plain`].
fn expect_backend(stub: &Stub) {
    let list = |items: Value| json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items});
    let service = json!({"metadata": {"name": "app", "namespace": "shop"}, "spec": {"selector": {"app": "a"}, "ports": [{"port": 80}]}});
    let pod = json!({"metadata": {"name": "app-1", "namespace": "shop", "labels": {"app": "a", "security.istio.io/tlsMode": "istio"}}});
    stub.on("GET", "/api/v1/namespaces/shop/services/app").json(200, &service).always();
    stub.on("GET", "/api/v1/namespaces/shop/services").json(200, &list(json!([service]))).always();
    stub.on("GET", "/api/v1/namespaces/shop/pods").json(200, &list(json!([pod]))).always();
}

fn on_stub(stub: &Stub) -> Sandbox {
    let sandbox = Sandbox::new().port(stub.port());
    sandbox.kubeconfig(stub.kubeconfig());
    sandbox
}
