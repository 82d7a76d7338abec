//! There and back with the user's own Helm.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{PATIENCE, SHOP, UPSTREAM, containers, document, ends, same, sandbox, shop, state};
use crate::stage::pair::{Pair, Sends};
use crate::stage::{self, Follower, Injector, Options, Plane, wait_for};
use crate::support::{Output, Sandbox};

pub(super) const CHART: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/charts/gloo");

/// A plane on which Helm has installed Gloo in `edge`, and a PATH with that Helm.
pub(super) struct Bench {
    pub plane: Plane,
    helm: &'static Path,
    pub sandbox: Sandbox,
}

impl Bench {
    pub fn new(helm: &'static Path) -> Result<Self> {
        let plane = Plane::start(&Options::default())?;
        plane.install_guide()?;
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "edge"}});
        plane.api().apply(&namespace.to_string())?;
        let programs = helm.parent().context("a directory")?;
        let sandbox = sandbox(&plane).env("PATH", format!("{}:/usr/bin:/bin", programs.display())).patient(PATIENCE);
        let bench = Self { plane, helm, sandbox };
        bench.helm(&["install", "gloo", CHART, "--set", "mine=1", "--wait"])?;
        shop(&bench.plane, "edge")?;
        Ok(bench)
    }

    pub fn helm(&self, args: &[&str]) -> Result<String> {
        let mut command = Command::new(self.helm);
        command.args(args).args(["-n", "edge"]).current_dir(self.sandbox.dir()).env_clear();
        let output = command.env("HOME", self.sandbox.dir()).env("KUBECONFIG", self.plane.kubeconfig()).output()?;
        ensure!(output.status.success(), "helm {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    pub fn values(&self) -> Result<Value> {
        Ok(serde_json::from_str(&self.helm(&["get", "values", "gloo", "-o", "json"])?)?)
    }

    pub fn setup(&self, more: &[&str]) -> Output {
        self.with_requests(&[&["--no-verify"], more].concat())
    }

    fn with_requests(&self, more: &[&str]) -> Output {
        let words = ["istio", "setup", "-n", "edge", "--chart", CHART, "--namespace-to-enroll", SHOP];
        let rest = ["--upstream", UPSTREAM, "--revision", "1-28", "--strict"];
        self.sandbox.run(&[&words[..], &rest, more].concat())
    }

    /// The two switches of this Gloo.
    fn switches(&self) -> Result<[Value; 2]> {
        let settings = self.plane.api().get("gloo.solo.io/v1/Settings", "edge", "default")?.context("Settings")?;
        let options = &settings["spec"]["gloo"]["istioOptions"];
        Ok([options["enableIntegration"].clone(), options["enableAutoMtls"].clone()])
    }

    /// How often the gateway's pods were replaced.
    fn revision_of_gateway(&self) -> Result<Value> {
        let gateway = self.plane.api().get("apps/v1/Deployment", "edge", "gateway-proxy")?.context("the gateway")?;
        Ok(gateway["metadata"]["annotations"]["deployment.kubernetes.io/revision"].clone())
    }

    pub fn teardown(&self, more: &[&str]) -> Output {
        self.sandbox.run(&[&["istio", "teardown", "-n", "edge", "--chart", CHART], more].concat())
    }
}

fn there_and_back(helm: &'static Path) -> Result<()> {
    let bench = Bench::new(helm)?;
    let _injector = Injector::of_the_guide(&bench.plane)?;
    let (before, pods, values) = (state(&bench.plane)?, containers(&bench.plane)?, bench.values()?);

    // Nobody said which way: a release owns the proxy, and Helm is there. Its values turn auto-mTLS on.
    let planned = [
        "  1 helm      the values of Gloo's release\n",
        "global.istioIntegration.enabled: false (chart) -> true\n",
        concat!(
            "undo: gloo-rs upgrade-values --remove --apply --chart ",
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/charts/gloo -n edge\n"
        ),
        "undo: gloo-rs istio unenroll shop\n",
        "  3 upstream  shop-cart-80: already: auto-mTLS (step 1)\n",
        "expected downtime: none\n",
    ];
    ends(&bench.setup(&["--dry-run"]), 0, &planned, &[]);
    same(&bench.plane, &before)?;
    ends(&bench.setup(&["--yes"]), 0, &planned, &["step 1 of 4: done ("]);
    assert!(bench.helm(&["history", "gloo"])?.contains("Istio's values merged by gloo-rs"));
    ends(&bench.setup(&[]), 0, &["nothing to change\n"], &[]);

    // Somebody's own upgrade in between takes no mark away.
    bench.helm(&["upgrade", "gloo", CHART, "--reuse-values", "--set", "mine=1", "--wait"])?;
    let back = bench.teardown(&["--yes"]);
    ends(&back, 0, &["  3 helm      the values of Gloo's release\n", "teardown done: 3 steps\n"], &[]);
    assert!(!back.stdout.contains("skipped: "), "{back:#?}");
    assert_eq!(bench.values()?, values);
    same(&bench.plane, &before)?;
    assert_eq!(containers(&bench.plane)?, pods);
    Ok(())
}

#[test]
fn setup_and_teardown_with_helm_3_leave_all_as_it_was() -> Result<()> {
    there_and_back(stage::helm())
}

#[test]
fn setup_and_teardown_with_helm_4_leave_all_as_it_was() -> Result<()> {
    there_and_back(stage::helm_4())
}

#[test]
fn auto_mtls_by_helm_is_proven_before_and_after_the_pods_go_strict_and_teardown_leaves_all_as_it_was() -> Result<()> {
    let bench = Bench::new(stage::helm_4())?;
    let _injector = Injector::of_the_guide(&bench.plane)?;
    let (before, pods, values) = (state(&bench.plane)?, containers(&bench.plane)?, bench.values()?);
    let _follower = Follower::start(&bench.plane, "edge", UPSTREAM)?;
    let done = document(&bench.with_requests(&["--auto-mtls", "--via", "helm", "--yes", "-o", "json"]))?;
    assert_eq!(done["exitCode"], 0, "{done:#}");
    let verdicts: Vec<_> = done["verdicts"].as_array().into_iter().flatten().map(|it| &it["verdict"]).collect();
    assert_eq!(verdicts, ["mtls", "mtls"], "{done:#}");
    let of_plan = done["plan"].as_array().into_iter().flatten().filter(|step| step["command"] == "verify");
    assert_eq!(of_plan.map(|step| &step["already"]).collect::<Vec<_>>(), [false, false], "{done:#}");
    assert_eq!(bench.switches()?, [true, true]);
    let again = bench.with_requests(&["--auto-mtls", "--via", "helm", "--yes"]);
    ends(&again, 0, &["  1 helm      the values of Gloo's release: already\n", ": mTLS proven\n"], &[]);
    ends(&bench.teardown(&["--yes"]), 0, &["teardown done: 3 steps\n"], &[]);
    assert_eq!(bench.values()?, values);
    same(&bench.plane, &before)?;
    assert_eq!(containers(&bench.plane)?, pods);
    Ok(())
}

#[test]
fn auto_mtls_that_a_request_proves_wrong_goes_back_and_the_sidecars_stay() -> Result<()> {
    let bench = Bench::new(stage::helm())?;
    let _injector = Injector::of_the_guide(&bench.plane)?;
    let (before, pods, values) = (state(&bench.plane)?, containers(&bench.plane)?, bench.values()?);
    // A gateway that goes on in plaintext, whatever Settings say.
    let pair = Pair::start(&format!("{UPSTREAM}_edge"))?;
    pair.beside(&["gateway_proxy_sds"]);
    pair.sends(&Sends::Plaintext)?;
    pair.stand_in(&bench.plane, "edge")?;
    let words = ["--auto-mtls", "--via", "helm", "--yes"];
    let failed = bench.with_requests(&words);
    let said = [
        "error: step 4 (verify) failed: shop-cart-80: ",
        "  step 4 found auto-mTLS of step 1 not working: it is rolled back; steps 1, 2 remain in place, step 1 without auto-mTLS\n",
        "hint: run the same command again to continue; undo with gloo-rs istio teardown -n edge\n",
    ];
    ends(&failed, 5, &["release edge/gloo: auto-mTLS rolled back\n"], &said);
    assert_eq!(bench.switches()?, [true, false]);
    assert_eq!(bench.values()?["global"]["istioIntegration"], json!({"enabled": true}));
    assert_eq!(bench.revision_of_gateway()?, "2", "no pod starts anew for a switch in Settings");

    // With Envoys that do what the objects mean the same command goes on with the same plan.
    drop(pair);
    let _follower = Follower::start(&bench.plane, "edge", UPSTREAM)?;
    let on = ["  2 enroll    namespace shop: already\n", "already: auto-mTLS (step 1)\n", "setup done: 6 steps\n"];
    ends(&bench.with_requests(&words), 0, &on, &[]);
    assert_eq!(bench.switches()?, [true, true]);
    ends(&bench.teardown(&["--yes"]), 0, &["teardown done: 3 steps\n"], &[]);
    assert_eq!(bench.values()?, values);
    same(&bench.plane, &before)?;
    assert_eq!(containers(&bench.plane)?, pods);
    Ok(())
}

#[test]
fn auto_mtls_that_helm_cannot_take_back_is_said_to_be_on() -> Result<()> {
    let bench = Bench::new(stage::helm())?;
    let _injector = Injector::of_the_guide(&bench.plane)?;
    ends(&bench.setup(&["--yes"]), 0, &["setup done: 4 steps\n"], &[]);
    let off = ["upgrade-values", "--no-auto-mtls", "--apply", "--force", "--yes", "-n", "edge", "--chart", CHART];
    assert_eq!(bench.sandbox.run(&off).code, Some(0));
    let pair = Pair::start(&format!("{UPSTREAM}_edge"))?;
    pair.beside(&["gateway_proxy_sds"]);
    pair.sends(&Sends::Plaintext)?;
    pair.stand_in(&bench.plane, "edge")?;

    // A Helm that upgrades once.
    let sandbox = sandbox(&bench.plane).patient(PATIENCE);
    let once = sandbox.dir().join("once");
    let fails = format!("[ ! -e {0} ] || {{ echo 'Error: no more' >&2; exit 1; }}; : > {0}", once.display());
    let text = format!("[ \"$1\" != upgrade ] || {{ {fails}; }}\nexec {} \"$@\"", bench.helm.display());
    sandbox.script("bin/helm", &text);
    let path = format!("{}:/usr/bin:/bin", sandbox.dir().join("bin").display());
    let sandbox = sandbox.env("PATH", path);
    let words = ["istio", "setup", "-n", "edge", "--chart", CHART, "--upstream", UPSTREAM, "--revision", "1-28"];
    let output = sandbox.run(&[&words[..], &["--auto-mtls", "--yes", "--wait-timeout", "5s"]].concat());
    let said = [
        "error: release edge/gloo: auto-mTLS is still on\n  release edge/gloo: helm upgrade failed (exit status: 1); nothing changed\n",
        "hint: gloo-rs upgrade-values --no-auto-mtls --apply -n edge\n",
        "  step 3 found auto-mTLS of step 1 not working: it is NOT fully rolled back; step 1 remains in place\n",
    ];
    ends(&output, 6, &[], &said);
    assert_eq!(bench.switches()?, [true, true]);
    Ok(())
}

#[test]
fn ctrl_c_while_helm_upgrades_rolls_its_step_back() -> Result<()> {
    let bench = Bench::new(stage::helm())?;
    let _injector = Injector::of_the_guide(&bench.plane)?;
    // A Helm that upgrades once it is let.
    let sandbox = sandbox(&bench.plane).patient(PATIENCE);
    let (waits, goes) = (sandbox.dir().join("waits"), sandbox.dir().join("goes"));
    let wait = format!(": > {}; while [ ! -e {} ]; do sleep 0.05; done", waits.display(), goes.display());
    let text = format!("[ \"$1\" != upgrade ] || {{ {wait}; }}\nexec {} \"$@\"", bench.helm.display());
    sandbox.script("bin/helm", &text);
    let path = format!("{}:/usr/bin:/bin", sandbox.dir().join("bin").display());
    let sandbox = sandbox.env("PATH", path);
    let words = ["istio", "setup", "-n", "edge", "--chart", CHART, "--revision", "1-28", "--yes"];
    let running = sandbox.start(&words);
    wait_for("helm has been started", PATIENCE, || Ok(waits.exists().then_some(())))?;
    running.interrupt();
    std::fs::write(goes, "")?;
    let said = ["error: step 1 (helm) failed: interrupted\n  rolled back to revision 1\n", "  step 1 is rolled back\n"];
    ends(&sandbox.end_of(running), 130, &[], &said);
    assert_eq!(bench.switches()?, [false, false]);
    Ok(())
}

#[test]
fn values_that_somebody_else_merged_are_left_to_them() -> Result<()> {
    let bench = Bench::new(stage::helm())?;
    let address = "gatewayProxies.gatewayProxy.istioDiscoveryAddress=istiod-1-28.istio-system.svc:15012";
    let theirs = ["--set", "global.istioIntegration.enabled=true", "--set", address, "--wait"];
    bench.helm(&[&["upgrade", "gloo", CHART, "--reuse-values"][..], &theirs].concat())?;
    let left = bench.teardown(&["-o", "json", "--dry-run"]);
    let document = document(&left)?;
    assert_eq!(
        document["left"],
        json!([
            "deployment/gateway-proxy: its sidecars were not added by gloo-rs (gloo-rs upgrade-values --remove --apply -n edge)"
        ])
    );
    let all = bench.teardown(&["--all", "--dry-run"]);
    ends(&all, 0, &["  1 helm      the values of Gloo's release\n"], &[]);

    // Without Helm on PATH the other way is taken, and this one is refused before anything changes.
    let blind = sandbox(&bench.plane);
    let setup = blind.run(&["istio", "setup", "-n", "edge", "--dry-run"]);
    ends(&setup, 0, &["  1 inject    sidecars for the gateway: already\n"], &[]);
    let refused = blind.run(&["istio", "teardown", "-n", "edge", "--all", "--yes"]);
    ends(&refused, 1, &[], &["error: step 1 (helm the values of Gloo's release) is refused: helm is not on PATH"]);
    assert!(!refused.stderr.contains("--apply"), "{refused:#?}");
    Ok(())
}
