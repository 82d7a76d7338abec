//! `istio inject` and `istio uninject`: from every state to the full or the clean one, or back to where it was.

mod admission;
mod faults;
mod gateway;
mod names;
mod outage;
mod panics;
mod partial;
mod proof;
mod restart;
mod revisions;
mod rollouts;
mod several;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result};
use kube::Client;
use serde_json::{Value, json};

use crate::stage::{self, Plane, wait_for};
use crate::support::{Output, Sandbox};

const GLOO: &str = include_str!("../../fixtures/gloo.yaml");
/// A Deployment and its bootstrap as the chart renders them with Istio on.
const CHART_ISTIO: &str = include_str!("../../fixtures/sidecars/chart-istio.yaml");
const INJECTED: &str = "Istio injection was successful!";
const UNINJECTED: &str = "Istio was successfully uninjected";
const PATIENCE: Duration = Duration::from_mins(3);
/// What `inject` puts beside `envoy-config`.
const VOLUMES: [&str; 7] = [
    "istio-certs",
    "istiod-ca-cert",
    "istio-envoy",
    "istio-token",
    "credential-socket",
    "workload-socket",
    "workload-certs",
];

/// What moves with each write of ours: a workload's `resourceVersion` moves with its controller's status as well.
fn version(object: &Value) -> &Value {
    let metadata = &object["metadata"];
    if metadata["generation"].is_null() { &metadata["resourceVersion"] } else { &metadata["generation"] }
}

/// A Gloo of this test's own on the shared plane, and the binary.
struct Bench {
    plane: &'static Plane,
    gloo: String,
    kubeconfig: PathBuf,
}

impl Bench {
    fn new(prefix: &str) -> Result<Self> {
        let plane = stage::shared();
        let bench = Self { plane, gloo: plane.install_gloo(prefix)?, kubeconfig: plane.kubeconfig() };
        // Else `uninject` would find the Upstreams of other tests.
        bench.merge("gloo.solo.io/v1/Settings", "default", &json!({"spec": {"watchNamespaces": [bench.gloo]}}))?;
        Ok(bench)
    }

    fn sandbox(&self) -> Sandbox {
        Sandbox::new().env("KUBECONFIG", self.kubeconfig.to_str().expect("UTF-8"))
    }

    /// The words of a command line, in this test's namespace.
    fn words<'l>(&'l self, line: &'l str) -> Vec<&'l str> {
        ["istio"].into_iter().chain(line.split(' ')).chain(["-n", &self.gloo]).collect()
    }

    fn run(&self, line: &str) -> Output {
        self.sandbox().run(&self.words(line))
    }

    /// With `-o json`: the document, which has to agree with the exit code.
    fn json(&self, line: &str) -> Result<(Value, Output)> {
        document(self.run(&format!("{line} -o json")))
    }

    fn get(&self, kind: &str, name: &str) -> Result<Value> {
        self.plane.api().get(kind, &self.gloo, name)?.with_context(|| format!("{kind} {name} is there"))
    }

    fn deployment(&self) -> Result<Value> {
        self.get("apps/v1/Deployment", "gateway-proxy")
    }

    fn config_map(&self) -> Result<Value> {
        self.get("v1/ConfigMap", "gateway-proxy-envoy-config")
    }

    /// Everything that a person would call the state of the usual proxy.
    fn state(&self) -> Result<(Value, Value)> {
        Ok((self.deployment()?["spec"].clone(), self.config_map()?["data"].clone()))
    }

    /// The versions of both objects: equal versions mean that nobody wrote.
    fn versions(&self) -> Result<[Value; 2]> {
        Ok([self.deployment()?, self.config_map()?].map(|it| version(&it).clone()))
    }

    fn merge(&self, kind: &str, name: &str, patch: &Value) -> Result<()> {
        self.plane.api().merge(kind, &self.gloo, name, patch)
    }

    /// Puts an object into this test's namespace.
    fn apply(&self, mut object: Value) -> Result<()> {
        object["metadata"]["namespace"] = json!(self.gloo);
        self.plane.api().apply(&object.to_string())
    }

    fn pods(&self, proxy: &str) -> Result<Vec<Value>> {
        let pods = self.plane.api().list("v1/Pod", &self.gloo)?;
        Ok(pods.into_iter().filter(|pod| pod["metadata"]["labels"]["gateway-proxy-id"] == *proxy).collect())
    }

    /// Removes the label that pods of the usual proxy need of their node, once they stand there: new ones
    /// find no node, old ones serve on.
    fn strand_new_pods(&self) -> Result<()> {
        let node = |value: Value| {
            let labels = json!({"metadata": {"labels": {self.gloo.as_str(): value}}});
            self.plane.api().merge("v1/Node", "", "node1", &labels)
        };
        node(json!("here"))?;
        let selector = json!({"spec": {"template": {"spec": {"nodeSelector": {self.gloo.as_str(): "here"}}}}});
        self.merge("apps/v1/Deployment", "gateway-proxy", &selector)?;
        self.plane.api().wait_available(&self.gloo)?;
        wait_for("the pods without node selector are gone", PATIENCE, || {
            Ok((self.pods("gateway-proxy")?.len() == 1).then_some(()))
        })?;
        node(Value::Null)
    }

    /// The first pod of the usual proxy with three containers.
    fn new_pod(&self) -> Result<Value> {
        wait_for("a pod with sidecars", PATIENCE, || {
            let pods = self.pods("gateway-proxy")?.into_iter();
            Ok(pods.into_iter().find(|pod| names(&pod["spec"]["containers"]).len() == 3))
        })
    }
}

/// The document of `-o json`, which has to agree with the exit code.
fn document(output: Output) -> Result<(Value, Output)> {
    let document: Value = serde_json::from_str(&output.stdout).with_context(|| format!("{output:#?}"))?;
    assert_eq!(document["exitCode"], json!(output.code), "{output:#?}");
    let changed = document["results"].as_array().context("results")?.iter().any(|row| row["changed"] == true);
    assert!(!changed || matches!(output.code, Some(0 | 3 | 7)), "{output:#?}");
    Ok((document, output))
}

/// A request that the small client of the stage has no word for.
fn raw(plane: &Plane, method: &str, path: &str, body: &Value) -> Result<Value> {
    let content = if method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
    let request = http::Request::builder().method(method).uri(path).header("Content-Type", content);
    let request = request.body(body.to_string().into_bytes())?;
    Ok(plane.api().run(|client: Client| async move { client.request(request).await })?)
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or_default()
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().into_iter().flatten().filter_map(|item| item["name"].as_str()).collect()
}

fn named<'v>(list: &'v Value, name: &str) -> &'v Value {
    list.as_array().into_iter().flatten().find(|item| item["name"] == name).unwrap_or(&Value::Null)
}

fn containers(workload: &Value) -> &Value {
    &workload["spec"]["template"]["spec"]["containers"]
}

fn env<'v>(workload: &'v Value, container: &str, name: &str) -> &'v Value {
    &named(&named(containers(workload), container)["env"], name)["value"]
}

/// The usual proxy's Deployment or `ConfigMap` as the guide installs them.
fn fixture(kind: &str, name: &str) -> Value {
    let documents = stage::documents(GLOO).expect("the fixture is YAML");
    let found = documents.into_iter().find(|it| it["kind"] == *kind && it["metadata"]["name"] == *name);
    found.expect("the fixture has it")
}

/// Lines that a failure has to have; all of them are looked for at once.
fn assert_said(output: &Output, code: i32, lines: &[&str]) {
    let missing: Vec<_> = lines.iter().filter(|line| !output.stderr.contains(**line)).collect();
    assert!(missing.is_empty() && output.code == Some(code), "{code}, {missing:?}: {output:#?}");
}
