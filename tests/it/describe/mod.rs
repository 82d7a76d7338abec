//! `istio describe` on a real API server: one thing broken at a time, and what is said.

mod all;
mod certificates;
mod envoy;
mod hostile;
mod older;
mod report;
mod requests;
mod rights;
mod way;

use serde_json::{Value, json};

use crate::stage::{self, Plane};
use crate::support::{Output, Sandbox};

const UPSTREAM: &str = "gloo.solo.io/v1/Upstream";
const SETTINGS: &str = "gloo.solo.io/v1/Settings";

/// A Gloo of a test's own, which watches itself and its backends alone, and the backends.
struct World {
    plane: &'static Plane,
    gloo: String,
    apps: String,
    sandbox: Sandbox,
}

impl World {
    fn new(prefix: &str) -> Self {
        let plane = stage::shared();
        let gloo = plane.install_gloo(prefix).unwrap();
        let apps = plane.install_apps(&format!("{prefix}-apps"), &gloo).unwrap();
        let watches = json!({"spec": {"watchNamespaces": [gloo, apps], "discoveryNamespace": gloo}});
        plane.api().merge(SETTINGS, &gloo, "default", &watches).unwrap();
        let sandbox = Sandbox::new().env("KUBECONFIG", plane.kubeconfig().to_str().unwrap());
        Self { plane, gloo, apps, sandbox }
    }

    /// The Upstream of the meshed backend.
    fn httpbin(&self) -> String {
        format!("{}-httpbin-8000", self.apps)
    }

    fn run(&self, line: &str) -> Output {
        let words: Vec<_> = ["istio"].into_iter().chain(line.split(' ')).chain(["-n", &self.gloo]).collect();
        self.sandbox.run(&words)
    }

    fn done(&self, line: &str) -> Output {
        let output = self.run(line);
        assert_eq!(output.code, Some(0), "{line}: {output:?}");
        output
    }

    /// The document of a describing command, whatever its exit code.
    fn document(&self, line: &str) -> Value {
        let output = self.run(&format!("describe {line} -o json"));
        serde_json::from_str(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    fn apply(&self, manifests: &str) {
        let text = manifests.replace("GLOO", &self.gloo).replace("APPS", &self.apps);
        self.plane.api().apply(&text).unwrap();
    }

    /// The one virtual service, with these routes.
    fn route(&self, domain: &str, routes: &str) {
        self.apply(&format!(
            "apiVersion: gateway.solo.io/v1
kind: VirtualService
metadata: {{name: shop, namespace: GLOO}}
spec:
  virtualHost:
    domains: ['{domain}']
    routes:
{routes}"
        ));
    }

    fn policy(&self, spec: &str) {
        self.apply(&format!(
            "apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: rule, namespace: APPS}}
spec: {spec}
"
        ));
    }
}

/// `verdict`, `why` and `hint` of the only target.
fn judged(document: &Value) -> (String, String, String) {
    let targets = document["targets"].as_array().unwrap();
    let [target] = targets.as_slice() else { panic!("{document:#}") };
    let text = |key: &str| target[key].as_str().unwrap_or_default().to_owned();
    (text("verdict"), text("why"), text("hint"))
}
