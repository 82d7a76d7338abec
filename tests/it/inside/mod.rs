//! The commands that look into Envoy, on the real Envoy behind a pod's ports on a real API server.

mod certs;
mod dump;
mod faults;
mod gateway;
mod hostile;
mod logs;
mod pods;
mod served;
mod snapshot;
mod stats;

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::stage::envoy::{dynamic_resources, put};
use crate::stage::{self, Envoy, Plane};
use crate::support::{Output, Sandbox};

/// A Gloo of this test's own on the shared plane, with an Envoy behind the gateway's ports, and the binary.
struct Bench<E = Envoy> {
    plane: &'static Plane,
    gloo: String,
    kubeconfig: PathBuf,
    envoy: E,
}

impl Bench<()> {
    /// With something else in Envoy's place.
    fn without_envoy(prefix: &str) -> Result<Self> {
        let plane = stage::shared();
        Ok(Self { plane, gloo: plane.install_gloo(prefix)?, kubeconfig: plane.kubeconfig(), envoy: () })
    }
}

impl Bench {
    /// With an Envoy that has one cluster.
    fn new(prefix: &str) -> Result<Self> {
        Self::with(prefix, bootstrap)
    }

    /// With an Envoy that has something of everything.
    fn busy(prefix: &str) -> Result<Self> {
        Self::with(prefix, gateway::bootstrap)
    }

    fn with(prefix: &str, bootstrap: fn(&std::path::Path, &str) -> Value) -> Result<Self> {
        let plane = stage::shared();
        let gloo = plane.install_gloo(prefix)?;
        let envoy = Envoy::start(|files| bootstrap(files, &gloo))?;
        plane.forward(&gloo, &[(19000, envoy.admin())])?;
        Ok(Self { plane, gloo, kubeconfig: plane.kubeconfig(), envoy })
    }
}

impl<E> Bench<E> {
    fn sandbox(&self) -> Sandbox {
        Sandbox::new().env("KUBECONFIG", self.kubeconfig.to_str().expect("UTF-8"))
    }

    /// The words of a command line, in this test's namespace.
    fn words<'l>(&'l self, line: &'l str) -> Vec<&'l str> {
        ["proxy"].into_iter().chain(line.split(' ')).chain(["-n", &self.gloo]).collect()
    }

    fn run(&self, line: &str) -> Output {
        self.sandbox().run(&self.words(line))
    }

    /// From here on as somebody who may do just this in this test's namespace.
    fn limit(&mut self, rules: &Value) -> Result<()> {
        let of = |kind: &str| {
            let metadata = json!({"name": "limited", "namespace": self.gloo});
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind, "metadata": metadata})
        };
        let (mut role, mut binding) = (of("Role"), of("RoleBinding"));
        role["rules"] = rules.clone();
        binding["roleRef"] = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "limited"});
        binding["subjects"] = json!([{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "limited"}]);
        self.plane.api().apply(&role.to_string())?;
        self.plane.api().apply(&binding.to_string())?;
        self.kubeconfig = self.plane.kubeconfig_of("limited");
        Ok(())
    }

    /// Runs it until stderr has these words: rights follow their objects a moment later.
    fn until(&self, line: &str, words: &str) -> Result<Output> {
        stage::wait_for(words, std::time::Duration::from_mins(2), || {
            let output = self.run(line);
            Ok(output.stderr.contains(words).then_some(output))
        })
    }

    /// With `-o json`: the document, which has to agree with the exit code.
    fn json(&self, line: &str) -> Result<(Value, Output)> {
        let output = self.run(&format!("{line} -o json"));
        let document: Value = serde_json::from_str(&output.stdout).with_context(|| format!("{output:#?}"))?;
        assert_eq!(document["exitCode"].as_i64().map(i32::try_from), output.code.map(Ok), "{document:#}");
        Ok((document, output))
    }

    /// The gateway's only pod.
    fn pod(&self) -> Result<String> {
        gateway_pods(self.plane, &self.gloo)?.pop().context("a pod")
    }
}

/// The names of the gateway's pods.
fn gateway_pods(plane: &Plane, namespace: &str) -> Result<Vec<String>> {
    let pods = plane.api().list("v1/Pod", namespace)?;
    let names = pods.iter().filter_map(|pod| pod["metadata"]["name"].as_str().map(str::to_owned));
    Ok(names.filter(|name| name.starts_with("gateway-proxy")).collect())
}

/// One cluster, by file, as Gloo would serve it.
fn bootstrap(files: &std::path::Path, gloo: &str) -> Value {
    put(files, "cds", "7", &[cluster("default-httpbin-8000_gloo-system")]).expect("the directory is ours");
    json!({
        "node": {
            "id": format!("gateway-proxy-1.{gloo}"), "cluster": "gateway",
            "metadata": {"role": format!("{gloo}~gateway-proxy")},
        },
        "dynamic_resources": dynamic_resources(files),
    })
}

fn cluster(name: &str) -> Value {
    json!({
        "@type": "type.googleapis.com/envoy.config.cluster.v3.Cluster", "name": name, "type": "STATIC",
        "load_assignment": {"cluster_name": name, "endpoints": [{"lb_endpoints": [
            {"endpoint": {"address": {"socket_address": {"address": "10.0.0.7", "port_value": 8080}}}},
        ]}]},
    })
}

/// The exit code, and what stderr says.
#[track_caller]
fn assert_said(output: &Output, code: i32, said: &[&str]) {
    assert_eq!(output.code, Some(code), "{output:#?}");
    for text in said {
        assert!(output.stderr.contains(text), "{text:?} is not in {output:#?}");
    }
}
