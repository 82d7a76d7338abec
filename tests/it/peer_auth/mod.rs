//! `istio peer-auth` on a cluster: a real API server where it can be one, a stub where it has to misbehave.

mod faults;
mod live;
mod rights;

use serde_json::{Value, json};

use crate::stage::{self, Plane};
use crate::support::{Output, Sandbox};

const POLICY: &str = "security.istio.io/v1/PeerAuthentication";
const OLD_POLICY: &str = "security.istio.io/v1beta1/PeerAuthentication";

/// Apps in a namespace of their own, a Gloo with Upstreams for them in another, and a route to httpbin.
struct Shop {
    plane: &'static Plane,
    gloo: String,
    apps: String,
    sandbox: Sandbox,
}

impl Shop {
    fn new(prefix: &str) -> Self {
        let plane = stage::shared();
        let gloo = plane.install_gloo(prefix).unwrap();
        let apps = plane.install_apps(&format!("{prefix}-apps"), &gloo).unwrap();
        let sandbox = Sandbox::new().env("KUBECONFIG", plane.kubeconfig().to_str().unwrap());
        let shop = Self { plane, gloo, apps, sandbox };
        shop.route("to-httpbin", &json!({"upstream": {"name": shop.httpbin(), "namespace": shop.gloo}}));
        shop
    }

    fn httpbin(&self) -> String {
        format!("{}-httpbin-8000", self.apps)
    }

    /// `istio peer-auth ARGS --gloo-namespace GLOO`.
    fn run(&self, args: &[&str]) -> Output {
        self.sandbox.run(&[&["istio", "peer-auth"], args, &["--gloo-namespace", &self.gloo]].concat())
    }

    /// The same, with `-n APPS --yes`.
    fn run_here(&self, args: &[&str]) -> Output {
        self.run(&[args, &["-n", &self.apps, "--yes"]].concat())
    }

    fn enable_mtls(&self) {
        let words = ["istio", "enable-mtls", "-u", &self.httpbin(), "-n", &self.gloo, "--force", "--yes"];
        let output = self.sandbox.run(&words);
        assert_eq!(output.code, Some(0), "{output:?}");
    }

    fn route(&self, name: &str, destination: &Value) {
        self.apply(&json!({
            "apiVersion": "gateway.solo.io/v1", "kind": "RouteTable",
            "metadata": {"name": name, "namespace": self.gloo},
            "spec": {"routes": [{"matchers": [{"prefix": "/"}], "routeAction": {"single": destination}}]},
        }));
    }

    fn apply(&self, object: &Value) {
        self.plane.api().apply(&object.to_string()).unwrap();
    }

    /// Somebody else's policy.
    fn given(&self, name: &str, spec: &Value) {
        self.apply(&policy(&self.apps, name, spec));
    }

    fn policy(&self, name: &str) -> Option<Value> {
        self.plane.api().get(POLICY, &self.apps, name).unwrap()
    }

    fn mode(&self, name: &str) -> Option<String> {
        Some(self.policy(name)?["spec"]["mtls"]["mode"].as_str()?.to_owned())
    }
}

fn policy(namespace: &str, name: &str, spec: &Value) -> Value {
    json!({
        "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": {"name": name, "namespace": namespace}, "spec": spec,
    })
}

#[track_caller]
fn ends(output: &Output, code: i32, stdout: &str) {
    assert_eq!((output.code, output.stdout.as_str()), (Some(code), stdout), "{output:?}");
}

/// What became of the one policy, and why, in a document: `["refused", "notOurs"]`.
fn became(document: &Value) -> [&Value; 2] {
    assert_eq!(document["results"].as_array().map(Vec::len), Some(1), "{document:#}");
    ["outcome", "reason"].map(|key| &document["results"][0][key])
}

/// The lines below the advice of a code.
fn advised<'d>(document: &'d Value, code: &str) -> Vec<&'d str> {
    let warnings = document["warnings"].as_array().unwrap();
    let warning = warnings.iter().find(|warning| warning["code"] == code);
    let warning = warning.unwrap_or_else(|| panic!("{code}: {document:#}"));
    warning["details"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect()
}

fn document(output: &Output) -> Value {
    let document: Value = serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(document["exitCode"], json!(output.code), "{output:?}");
    document
}
