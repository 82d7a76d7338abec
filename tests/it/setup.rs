//! `istio setup` and `istio teardown`, on a control plane of their own: they are about all of a cluster.

use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use crate::stage::{Injector, Options, Plane, wait_for};
use crate::support::{Output, Sandbox};

const PATIENCE: Duration = Duration::from_mins(3);
const SHOP: &str = "shop";
const SETUP: [&str; 12] = [
    "setup",
    "--via",
    "inject",
    "--namespace-to-enroll",
    SHOP,
    "--upstream",
    "shop-cart-80",
    "--revision",
    "1-28",
    "--strict",
    "--no-verify",
    "-v",
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

/// Of an object that was applied without any field of its own the API server never notes who writes it: the shop has a
/// label from the start.
///
/// The guide's installation, and a shop of one Deployment that is not in the mesh.
fn plane() -> Result<Plane> {
    let plane = Plane::start(&Options::default())?;
    plane.install_guide()?;
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
            "apiVersion": "gloo.solo.io/v1", "kind": "Upstream",
            "metadata": {"name": "shop-cart-80", "namespace": "gloo-system"},
            "spec": {"kube": {"serviceName": "cart", "serviceNamespace": SHOP, "servicePort": 80, "selector": {"app": "cart"}}},
        }),
    ] {
        plane.api().apply(&object.to_string())?;
    }
    plane.api().wait_available(SHOP)?;
    Ok(plane)
}

fn run(plane: &Plane, words: &[&str]) -> Output {
    let sandbox = Sandbox::new().env("KUBECONFIG", plane.kubeconfig().to_str().expect("UTF-8"));
    sandbox.run(&[&["istio"], words].concat())
}

/// The objects of a kind, in each namespace that the guide or the shop is in.
fn everywhere(plane: &Plane, kind: &str) -> Result<Vec<Value>> {
    let namespaces: &[&str] =
        if kind == "v1/Namespace" { &[""] } else { &["gloo-system", "istio-system", "default", SHOP] };
    let mut all = Vec::new();
    for namespace in namespaces {
        // An API server of few seconds answers 429 to the first lists of a kind that was just defined.
        all.extend(wait_for(kind, PATIENCE, || Ok(plane.api().list(kind, namespace).ok()))?);
    }
    Ok(all)
}

/// Everything as it is, less what no write can put back: versions, who wrote what, status, and when pods were replaced.
fn state(plane: &Plane) -> Result<Vec<Value>> {
    let mut all = Vec::new();
    for kind in KINDS {
        for mut object in everywhere(plane, kind)? {
            let metadata = object["metadata"].as_object_mut().context("metadata")?;
            for own in ["resourceVersion", "managedFields", "generation"] {
                metadata.remove(own);
            }
            // The Deployment controller counts revisions of the template here.
            if let Some(notes) = metadata.get_mut("annotations").and_then(Value::as_object_mut) {
                notes.remove("deployment.kubernetes.io/revision");
                notes.remove("deprecated.daemonset.template.generation");
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
fn containers(plane: &Plane) -> Result<Vec<String>> {
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

fn same(plane: &Plane, before: &[Value]) -> Result<()> {
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

#[test]
fn setup_and_then_teardown_leave_all_as_it_was() -> Result<()> {
    let plane = plane()?;
    let _injector = Injector::of_the_guide(&plane)?;
    let (before, pods) = (state(&plane)?, containers(&plane)?);

    let dry = run(&plane, &[&SETUP[..], &["--dry-run"]].concat());
    let planned = [
        "  1 inject    sidecars beside the gateway\n",
        "  2 enroll    namespace shop\n",
        "deployment/cart restarted (no sidecar -> 1-28)\n",
        "  3 upstream  shop-cart-80\n",
        "  4 strict    namespace shop\n",
        "undo: gloo-rs istio peer-auth remove -n shop\n",
    ];
    ends(&dry, 0, &planned, &[]);
    same(&plane, &before)?;
    ends(&run(&plane, &SETUP), 2, &planned, &["--yes is needed where nobody can be asked"]);
    same(&plane, &before)?;

    let made = run(&plane, &[&SETUP[..], &["--yes", "-o", "json"]].concat());
    let document: Value = serde_json::from_str(&made.stdout).with_context(|| format!("{made:#?}"))?;
    assert_eq!((made.code, &document["exitCode"]), (Some(0), &json!(0)), "{made:#?}");
    assert_eq!(document["plan"].as_array().map(Vec::len), Some(4), "{document:#}");
    let changed = |name: &str| {
        let rows = document["results"].as_array().into_iter().flatten();
        rows.filter(|row| row["name"] == name && row["outcome"] == "changed").count()
    };
    for name in ["gateway-proxy", "shop", "cart", "shop-cart-80", "default"] {
        assert_eq!(changed(name), 1, "{name}: {document:#}");
    }
    let policy = plane.api().get("security.istio.io/v1/PeerAuthentication", SHOP, "default")?.context("a policy")?;
    assert_eq!(policy["spec"]["mtls"]["mode"], "STRICT");

    let again = run(&plane, &SETUP);
    ends(&again, 0, &["  2 enroll    namespace shop: already\n", "nothing to change\n"], &[]);

    ends(&run(&plane, &["teardown"]), 2, &[], &["teardown changes"]);
    let back = run(&plane, &["teardown", "--yes"]);
    ends(&back, 0, &["  1 policy    PeerAuthentication shop/default\n", "teardown done: 4 steps\n"], &[]);
    same(&plane, &before)?;
    assert_eq!(containers(&plane)?, pods);
    Ok(())
}

#[test]
fn a_step_that_fails_is_rolled_back_and_the_same_command_goes_on() -> Result<()> {
    let plane = plane()?;
    let injector = Injector::of_the_guide(&plane)?;
    injector.go_down();
    let words = [&SETUP[..], &["--yes"]].concat();
    let failed = run(&plane, &words);
    ends(
        &failed,
        5,
        &[],
        &["error: step 2 failed: ", "step 2 is rolled back; step 1 stands", "go on with the same command"],
    );
    let shop = plane.api().get("v1/Namespace", "", SHOP)?.context("the namespace")?;
    assert_eq!(shop["metadata"]["labels"]["istio.io/rev"], Value::Null);
    assert_eq!(plane.api().get("security.istio.io/v1/PeerAuthentication", SHOP, "default")?, None);

    injector.come_up();
    let done = run(&plane, &words);
    ends(&done, 0, &["  1 inject    sidecars beside the gateway: already\n", "setup done: 4 steps\n"], &[]);
    Ok(())
}

#[test]
fn what_argo_cd_renders_is_left_to_it_with_the_commands_for_git() -> Result<()> {
    let plane = plane()?;
    let labels = json!({"metadata": {"annotations": {"argocd.argoproj.io/tracking-id": "edge:apps/Deployment:gloo-system/gloo"}}});
    plane.api().merge("apps/v1/Deployment", "gloo-system", "gloo", &labels)?;
    let before = state(&plane)?;
    let refused = run(&plane, &[&SETUP[..], &["--yes"]].concat());
    let said = [
        "Argo CD application edge renders it",
        "gloo-rs upgrade-values --values FILE --write",
        "gloo-rs istio enroll shop -f PATH --write",
    ];
    ends(&refused, 1, &[], &said);
    same(&plane, &before)
}
