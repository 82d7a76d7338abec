//! `istio setup` and `istio teardown`. What looks at all of a cluster has a control plane of its own.

mod both;
mod formats;
mod gateway;
mod guard;
mod helm;
mod killed;
mod left;
mod no_address;
mod observed;
mod refused;
mod verified;
mod whole;

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::stage::{Options, Plane, wait_for};
use crate::support::{Output, Sandbox};

const PATIENCE: Duration = Duration::from_mins(5);
const SHOP: &str = "shop";
const UPSTREAM: &str = "shop-cart-80";
/// The guide without Helm, and without requests.
const SETUP: [&str; 11] = [
    "setup",
    "--via",
    "inject",
    "--namespace-to-enroll",
    SHOP,
    "--upstream",
    UPSTREAM,
    "--revision",
    "1-28",
    "--strict",
    "--no-verify",
];
const RESTARTED: &str = "kubectl.kubernetes.io/restartedAt";
/// All that setup may touch.
const KINDS: [&str; 8] = [
    "gloo.solo.io/v1/Upstream",
    "gloo.solo.io/v1/Settings",
    "v1/ConfigMap",
    "v1/Service",
    "v1/Namespace",
    "security.istio.io/v1/PeerAuthentication",
    "apps/v1/Deployment",
    "apps/v1/DaemonSet",
];

/// The guide's installation, and a shop that is not in the mesh.
fn plane() -> Result<Plane> {
    let plane = Plane::start(&Options::default())?;
    plane.install_guide()?;
    shop(&plane, "gloo-system")?;
    Ok(plane)
}

/// A namespace with one Deployment, and with this Gloo the Upstream and the route to it.
///
/// The namespace has a label from the start: of an object that was applied without any field of its own the API server
/// never notes who writes it.
fn shop(plane: &Plane, gloo: &str) -> Result<()> {
    for object in [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": SHOP, "labels": {"team": "shop"}}}),
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "cart", "namespace": SHOP},
            "spec": {
                "replicas": 1, "selector": {"matchLabels": {"app": "cart"}},
                "template": {
                    "metadata": {"labels": {"app": "cart"}},
                    "spec": {"containers": [{"name": "app", "image": "app:1"}]},
                },
            },
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "cart", "namespace": SHOP},
            "spec": {"selector": {"app": "cart"}, "ports": [{"name": "http", "port": 80, "targetPort": 8080}]},
        }),
        json!({
            "apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "metadata": {"name": UPSTREAM, "namespace": gloo},
            "spec": {"kube": {"serviceName": "cart", "serviceNamespace": SHOP, "servicePort": 80, "selector": {"app": "cart"}}},
        }),
        json!({
            "apiVersion": "gateway.solo.io/v1", "kind": "VirtualService", "metadata": {"name": "shop", "namespace": gloo},
            "spec": {"virtualHost": {"domains": ["shop.example"], "routes": [{
                "matchers": [{"prefix": "/"}],
                "routeAction": {"single": {"upstream": {"name": UPSTREAM, "namespace": gloo}}},
            }]}},
        }),
    ] {
        plane.api().apply(&object.to_string())?;
    }
    plane.api().wait_available(SHOP)
}

fn policy(plane: &Plane, namespace: &str, mode: &str) -> Result<()> {
    let policy = json!({
        "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": {"name": "default", "namespace": namespace}, "spec": {"mtls": {"mode": mode}},
    });
    plane.api().apply(&policy.to_string())
}

fn mode(plane: &Plane, namespace: &str) -> Result<Option<String>> {
    let policy = plane.api().get("security.istio.io/v1/PeerAuthentication", namespace, "default")?;
    Ok(policy.and_then(|policy| policy["spec"]["mtls"]["mode"].as_str().map(str::to_owned)))
}

fn ssl_config(plane: &Plane) -> Result<Value> {
    let upstream = plane.api().get("gloo.solo.io/v1/Upstream", "gloo-system", UPSTREAM)?.context("the Upstream")?;
    Ok(upstream["spec"]["sslConfig"].clone())
}

fn sandbox(plane: &Plane) -> Sandbox {
    Sandbox::new().env("KUBECONFIG", plane.kubeconfig().to_str().expect("UTF-8"))
}

fn document(output: &Output) -> Result<Value> {
    let document: Value = serde_json::from_str(&output.stdout).with_context(|| format!("{output:#?}"))?;
    assert_eq!(document["exitCode"].as_i64().map(i32::try_from), output.code.map(Ok), "{document:#}");
    Ok(document)
}

fn run(plane: &Plane, words: &[&str]) -> Output {
    sandbox(plane).run(&[&["istio"], words].concat())
}

/// The objects of a kind, in each namespace that the guide or the shop is in.
fn everywhere(plane: &Plane, kind: &str) -> Result<Vec<Value>> {
    let namespaces: &[&str] =
        if kind == "v1/Namespace" { &[""] } else { &["gloo-system", "istio-system", "default", "edge", SHOP] };
    let mut all = Vec::new();
    for namespace in namespaces {
        // An API server of few seconds answers 429 to the first lists of a kind that was just defined.
        all.extend(wait_for(kind, PATIENCE, || Ok(plane.api().list(kind, namespace).ok()))?);
    }
    Ok(all)
}

/// Everything as it is, less what no write can put back: versions, who wrote what, status, and when pods were replaced.
pub fn state(plane: &Plane) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for kind in KINDS {
        for mut object in everywhere(plane, kind)? {
            let metadata = object["metadata"].as_object_mut().context("metadata")?;
            for own in ["resourceVersion", "managedFields", "generation"] {
                metadata.remove(own);
            }
            // A policy that was taken away and made again is another object.
            if kind.ends_with("PeerAuthentication") {
                metadata.retain(|key, _| key != "uid" && key != "creationTimestamp");
            }
            // The Deployment controller counts revisions of the template here.
            if let Some(notes) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
                notes.remove("deployment.kubernetes.io/revision");
                notes.remove("deprecated.daemonset.template.generation");
                // istiod renews this all the time.
                notes.remove("control-plane.alpha.kubernetes.io/leader");
                if notes.is_empty() {
                    metadata.remove("annotations");
                }
            }
            object.as_object_mut().context("an object")?.remove("status");
            let template = object.pointer_mut("/spec/template/metadata").and_then(Value::as_object_mut);
            if let Some(template) = template
                && let Some(notes) = template.get_mut("annotations").and_then(Value::as_object_mut)
            {
                notes.remove(RESTARTED);
                if notes.is_empty() {
                    template.remove("annotations");
                }
            }
            all.push(json!([kind, object]));
        }
    }
    Ok(all)
}

/// Of each pod that stays: its namespace, its app and its containers.
pub fn containers(plane: &Plane) -> Result<Vec<String>> {
    let pods = everywhere(plane, "v1/Pod")?.into_iter().filter(|pod| pod["metadata"]["deletionTimestamp"].is_null());
    let names = |pod: &Value, list: &str| -> Vec<String> {
        let all = pod["spec"][list].as_array().into_iter().flatten();
        all.filter_map(|one| one["name"].as_str().map(str::to_owned)).collect()
    };
    let mut shapes: Vec<_> = pods
        .map(|pod| {
            let of = &pod["metadata"];
            let (inside, first) = (names(&pod, "containers"), names(&pod, "initContainers"));
            format!("{} {} {inside:?} {first:?}", of["namespace"], of["labels"])
        })
        // The hash of a template goes with its restartedAt.
        .map(|shape| shape.split(',').filter(|part| !part.contains("pod-template-hash")).collect::<Vec<_>>().join(","))
        .collect();
    shapes.sort();
    Ok(shapes)
}

pub fn same(plane: &Plane, before: &[Value]) -> Result<()> {
    let after = state(plane)?;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before, after);
    }
    assert_eq!(before.len(), after.len());
    Ok(())
}

fn ends(output: &Output, code: i32, on_stdout: &[&str], on_stderr: &[&str]) {
    let missing: Vec<_> = on_stdout
        .iter()
        .filter(|line| !output.stdout.contains(**line))
        .chain(on_stderr.iter().filter(|line| !output.stderr.contains(**line)))
        .collect();
    assert!(missing.is_empty() && output.code == Some(code), "{code}, {missing:?}: {output:#?}");
}
