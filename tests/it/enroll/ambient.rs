//! `istio enroll --ambient` and its way back, on planes of their own: a ztunnel is there for a whole cluster. A follower
//! plays istio-cni, which sets the annotation on running pods.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{PATIENCE, RESTARTED, workload};
use crate::stage::{Options, Plane, StageApi, wait_for};
use crate::support::{Output, Sandbox};

const REDIRECTION: &str = "ambient.istio.io/redirection";
const MODE: &str = "istio.io/dataplane-mode";
const ZTUNNEL: &str = "apps/v1/DaemonSet";

/// The guide, and a namespace with an application to which a route leads.
struct Bench {
    plane: Plane,
    shop: String,
}

impl Bench {
    fn new() -> Result<Self> {
        let plane = Plane::start(&Options::default())?;
        plane.install_guide()?;
        let shop = plane.namespace("shop")?;
        let bench = Self { plane, shop };
        bench.apply(workload("Deployment", "web", &json!({"spec": {"replicas": 2}})))?;
        bench.apply(json!({
            "apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
            "spec": {"selector": {"app": "web"}, "ports": [{"port": 80, "targetPort": 8080}]},
        }))?;
        let api = bench.plane.api();
        let kube = json!({"serviceName": "web", "serviceNamespace": bench.shop, "servicePort": 80});
        let metadata = |name: &str| json!({"name": name, "namespace": "gloo-system"});
        for object in [
            json!({"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "metadata": metadata("web"),
                "spec": {"kube": kube}}),
            json!({"apiVersion": "gateway.solo.io/v1", "kind": "RouteTable", "metadata": metadata("to-web"),
                "spec": {"routes": [{"matchers": [{"prefix": "/web"}], "routeAction": {"single": {
                    "upstream": {"name": "web", "namespace": "gloo-system"}}}}]}}),
        ] {
            api.apply(&object.to_string())?;
        }
        api.wait_available(&bench.shop)?;
        Ok(bench)
    }

    fn apply(&self, mut object: Value) -> Result<()> {
        object["metadata"]["namespace"] = json!(self.shop);
        self.plane.api().apply(&object.to_string())
    }

    fn install_ztunnel(&self) -> Result<()> {
        let mut ztunnel = workload("DaemonSet", "ztunnel", &json!({}));
        ztunnel["metadata"] = json!({"name": "ztunnel", "namespace": "istio-system", "labels": {"app": "ztunnel"}});
        self.plane.api().apply(&ztunnel.to_string())?;
        let is_ready = |it: &Value| it["status"]["numberReady"].as_u64().is_some_and(|ready| ready > 0);
        self.plane.api().wait(ZTUNNEL, "istio-system", "ztunnel", is_ready)?;
        Ok(())
    }

    /// Runs `istio LINE`, with the application's namespace for `SHOP`.
    fn run(&self, line: &str) -> Output {
        let line = line.replace("SHOP", &self.shop);
        let words: Vec<_> = ["istio"].into_iter().chain(line.split(' ')).collect();
        Sandbox::new().env("KUBECONFIG", self.plane.kubeconfig().to_str().expect("UTF-8")).run(&words)
    }

    /// The exit code, and the outcome and reason of the first row.
    fn ends(&self, line: &str) -> Result<(i64, String, Option<String>, String)> {
        let output = self.run(&format!("{line} -o json"));
        let document: Value = serde_json::from_str(&output.stdout).with_context(|| format!("{output:#?}"))?;
        let rows = document["results"].as_array().context("rows")?;
        let row = rows.iter().find(|row| row["kind"] != "Deployment").with_context(|| format!("{document:#}"))?;
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let outcome = text(&row["outcome"]).with_context(|| format!("{output:#?}"))?;
        let code = document["exitCode"].as_i64().context("a code")?;
        Ok((code, outcome, text(&row["reason"]), text(&row["hint"]).unwrap_or_default()))
    }

    #[track_caller]
    fn changes(&self, line: &str) -> Result<()> {
        let (code, outcome, reason, hint) = self.ends(line)?;
        assert_eq!((code, outcome.as_str(), reason), (0, "changed", None), "{line}: {hint}");
        Ok(())
    }

    #[track_caller]
    fn is_refused(&self, line: &str, reason: &str) -> Result<String> {
        let (code, outcome, found, hint) = self.ends(line)?;
        assert_eq!((code, outcome.as_str(), found.as_deref()), (1, "refused", Some(reason)), "{line}");
        Ok(hint)
    }

    fn mode(&self, namespace: &str) -> Result<Value> {
        let namespace = self.plane.api().get("v1/Namespace", "", namespace)?.context("the namespace is there")?;
        Ok(namespace["metadata"]["labels"][MODE].clone())
    }

    /// The annotation of each pod of the application, and whether a pod was restarted.
    fn annotations(&self) -> Result<Vec<Value>> {
        let pods = self.plane.api().list("v1/Pod", &self.shop)?;
        Ok(pods.iter().map(|pod| pod["metadata"]["annotations"][REDIRECTION].clone()).collect())
    }

    fn uids(&self) -> Result<Vec<Value>> {
        let mut uids: Vec<_> =
            self.plane.api().list("v1/Pod", &self.shop)?.iter().map(|pod| pod["metadata"]["uid"].clone()).collect();
        uids.sort_by_key(ToString::to_string);
        Ok(uids)
    }

    fn verdict(&self) -> Result<String> {
        let output = self.run("describe upstream web -o json");
        let document: Value = serde_json::from_str(&output.stdout).with_context(|| format!("{output:#?}"))?;
        let verdict = document.pointer("/targets/0/verdict");
        Ok(verdict.and_then(Value::as_str).with_context(|| format!("{document:#}"))?.to_owned())
    }

    /// Runs `work` while a follower sets the annotations by the labels of these namespaces.
    fn with_cni<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let is_over = AtomicBool::new(false);
        let namespaces = ["gloo-system", self.shop.as_str()];
        std::thread::scope(|scope| {
            let cni = scope.spawn(|| -> Result<()> {
                let api = StageApi::connect(&self.plane.kubeconfig())?;
                while !is_over.load(Ordering::Relaxed) {
                    namespaces.iter().try_for_each(|namespace| follow(&api, namespace))?;
                    std::thread::sleep(Duration::from_millis(50));
                }
                Ok(())
            });
            let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            is_over.store(true, Ordering::Relaxed);
            cni.join().expect("the follower")?;
            done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }
}

/// What istio-cni does to the running pods of a namespace.
fn follow(api: &StageApi, namespace: &str) -> Result<()> {
    let home = api.get("v1/Namespace", "", namespace)?.context("the namespace is there")?;
    let is_ambient = home["metadata"]["labels"][MODE] == "ambient";
    for pod in api.list("v1/Pod", namespace)? {
        let is_running = pod["status"]["phase"] == "Running" && pod["metadata"]["deletionTimestamp"].is_null();
        let opts_out = pod["metadata"]["labels"][MODE] == "none" || pod["spec"]["hostNetwork"] == true;
        let wanted = if is_ambient && !opts_out { json!("enabled") } else { Value::Null };
        if is_running && pod["metadata"]["annotations"][REDIRECTION] != wanted {
            let name = pod["metadata"]["name"].as_str().context("a name")?;
            api.merge("v1/Pod", namespace, name, &json!({"metadata": {"annotations": {REDIRECTION: wanted}}}))?;
        }
    }
    Ok(())
}

#[test]
fn the_label_is_set_where_ztunnel_captures_every_pod_and_rolled_back_otherwise() -> Result<()> {
    let bench = Bench::new()?;
    bench.is_refused("enroll SHOP --ambient", "noZtunnel")?;
    bench.install_ztunnel()?;
    bench.plane.api().merge(
        "v1/Namespace",
        "",
        &bench.shop,
        &json!({"metadata": {"labels": {"istio.io/rev": "x"}}}),
    )?;
    let hint = bench.is_refused("enroll SHOP --ambient", "notInjected")?;
    assert!(hint.starts_with(&format!("gloo-rs istio unenroll {}", bench.shop)), "{hint}");
    bench.plane.api().merge(
        "v1/Namespace",
        "",
        &bench.shop,
        &json!({"metadata": {"labels": {"istio.io/rev": null}}}),
    )?;
    bench.is_refused("enroll kube-system --ambient", "systemNamespace")?;

    let uids = bench.uids()?;
    for preview in ["--dry-run", "--dry-run=server", "--diff"] {
        assert_eq!(bench.run(&format!("enroll SHOP --ambient {preview}")).code, Some(0), "{preview}");
    }
    assert_eq!(bench.run("enroll SHOP --ambient --check").code, Some(3));
    assert_eq!(bench.mode(&bench.shop)?, Value::Null);
    // Nothing captures the pods.
    let (code, outcome, reason, _) = bench.ends("enroll SHOP --ambient --wait-timeout 1s")?;
    assert_eq!((code, outcome.as_str(), reason.as_deref()), (5, "failed", Some("rollout")));
    assert_eq!(bench.mode(&bench.shop)?, Value::Null);

    // The label alone is what --no-restart is for.
    bench.changes("enroll SHOP --ambient --no-restart")?;
    bench.changes("unenroll SHOP --no-restart --yes")?;
    assert_eq!(bench.mode(&bench.shop)?, Value::Null);

    bench.with_cni(|| {
        bench.changes("enroll SHOP --ambient")?;
        assert_eq!(bench.annotations()?, vec![json!("enabled"); 2]);
        assert_eq!(bench.ends("enroll SHOP --ambient")?.1, "unchanged");
        bench.is_refused("enroll SHOP", "notInjected")?;
        // Leaving the mesh needs a yes.
        assert_eq!(bench.run("unenroll SHOP").code, Some(2));
        Ok(())
    })?;
    // Without istio-cni, nothing lets go of the pods.
    let (code, outcome, ..) = bench.ends("unenroll SHOP --yes --wait-timeout 1s")?;
    assert_eq!((code, outcome.as_str()), (5, "failed"));
    assert_eq!(bench.mode(&bench.shop)?, json!("ambient"));
    bench.with_cni(|| {
        bench.changes("unenroll SHOP --yes")?;
        assert_eq!((bench.annotations()?, bench.mode(&bench.shop)?), (vec![Value::Null; 2], Value::Null));
        assert_eq!(bench.ends("unenroll SHOP")?.1, "unchanged");
        Ok(())
    })?;
    let web = bench.plane.api().get("apps/v1/Deployment", &bench.shop, "web")?.context("it is there")?;
    assert_eq!((bench.uids()?, &web["spec"]["template"]["metadata"]["annotations"][RESTARTED]), (uids, &Value::Null));
    Ok(())
}

#[test]
fn strict_needs_both_ends_in_the_ambient_mesh_and_keeps_them_there() -> Result<()> {
    let bench = Bench::new()?;
    bench.install_ztunnel()?;
    let strict = "peer-auth strict -n SHOP --yes";
    let permissive = "peer-auth permissive -n SHOP --yes";
    let capture = "gloo-rs istio enroll --ambient gloo-system";
    bench.with_cni(|| {
        assert_eq!(bench.verdict()?, "plaintext");
        bench.changes("enroll SHOP --ambient")?;
        assert_eq!(bench.verdict()?, "plaintext");
        let hint = bench.is_refused(strict, "gatewayPlaintext")?;
        assert!(hint.contains(capture), "{hint}");
        bench.changes("unenroll SHOP --yes")?;
        // No pod obeys the policy yet.
        bench.changes(strict)?;
        let hint = bench.is_refused("enroll SHOP --ambient", "wouldBreak")?;
        assert!(hint.contains(capture), "{hint}");
        bench.changes("enroll gloo-system SHOP --ambient")?;
        assert_eq!(bench.verdict()?, "mtls");
        bench.is_refused("unenroll gloo-system --yes", "wouldBreak")?;
        // The clients of the gateway are outside of the mesh.
        for policy in ["peer-auth strict -n gloo-system --yes", "peer-auth strict --mesh --yes"] {
            let hint = bench.is_refused(policy, "wouldBreak")?;
            assert!(hint.contains("gloo-rs istio peer-auth permissive -n gloo-system"), "{hint}");
        }
        bench.changes(permissive)?;
        bench.changes(strict)?;
        bench.changes(permissive)
    })?;
    // The label alone proves nothing.
    let gateways = bench.plane.api().list("v1/Pod", "gloo-system")?;
    for pod in gateways.iter().filter(|pod| pod["metadata"]["labels"]["gloo"] == "gateway-proxy") {
        let name = pod["metadata"]["name"].as_str().context("a name")?;
        let without = json!({"metadata": {"annotations": {REDIRECTION: null}}});
        bench.plane.api().merge("v1/Pod", "gloo-system", name, &without)?;
    }
    assert_eq!(bench.verdict()?, "unknown");
    bench.is_refused(strict, "unknown")?;
    bench.with_cni(|| {
        wait_for("the gateway is captured", PATIENCE, || Ok((bench.verdict()? == "mtls").then_some(())))?;
        bench.plane.api().delete(ZTUNNEL, "istio-system", "ztunnel")?;
        assert_eq!(bench.verdict()?, "unknown");
        bench.is_refused(strict, "unknown").map(drop)
    })
}

#[test]
fn setup_puts_both_ends_into_the_ambient_mesh_and_teardown_takes_them_out() -> Result<()> {
    let bench = Bench::new()?;
    bench.install_ztunnel()?;
    let setup = "setup --mesh ambient --namespace-to-enroll SHOP -u web --strict --no-verify --yes";
    assert_eq!(bench.run(&format!("{setup} --auto-mtls")).code, Some(2));
    assert_eq!(bench.run(&setup.replace("--yes", "--dry-run")).code, Some(0));
    assert_eq!(bench.mode("gloo-system")?, Value::Null);
    bench.with_cni(|| {
        let output = bench.run(setup);
        assert_eq!(output.code, Some(0), "{output:#?}");
        for namespace in ["gloo-system", bench.shop.as_str()] {
            assert_eq!(bench.mode(namespace)?, json!("ambient"), "{namespace}");
        }
        assert_eq!(bench.verdict()?, "mtls");
        let policies = bench.plane.api().list("security.istio.io/v1/PeerAuthentication", &bench.shop)?;
        assert_eq!(policies.iter().map(|policy| &policy["spec"]["mtls"]["mode"]).collect::<Vec<_>>(), ["STRICT"]);
        assert_eq!(bench.run(setup).code, Some(0));

        // The namespaces of the stage have no recorded writers.
        let output = bench.run("teardown --all --yes");
        assert_eq!(output.code, Some(0), "{output:#?}");
        for namespace in ["gloo-system", bench.shop.as_str()] {
            assert_eq!(bench.mode(namespace)?, Value::Null, "{namespace} {output:#?}");
        }
        assert_eq!(bench.annotations()?, vec![Value::Null; 2]);
        assert!(bench.plane.api().list("security.istio.io/v1/PeerAuthentication", &bench.shop)?.is_empty());
        Ok(())
    })
}
