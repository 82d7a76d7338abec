//! `upgrade-values` with the real Helm, on a real API server.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::stage::{self, Plane};
use crate::support::{Output, Sandbox};

const CHARTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/charts");
const ADDRESS: &str = "istiod-1-28.istio-system.svc:15012";

/// Helm and the program in one namespace.
struct Shop<'p> {
    plane: &'p Plane,
    namespace: String,
    sandbox: Sandbox,
}

impl<'p> Shop<'p> {
    fn new(prefix: &str) -> Result<Self> {
        let plane = stage::shared();
        let namespace = plane.namespace(prefix)?;
        let kubeconfig = plane.kubeconfig();
        let sandbox = Sandbox::new().env("KUBECONFIG", kubeconfig.to_str().context("UTF-8")?);
        Ok(Self { plane, namespace, sandbox })
    }

    fn helm(&self, args: &[&str]) -> Result<String> {
        let output = self.helm_output(args)?;
        ensure!(output.status.success(), "helm {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }

    fn helm_output(&self, args: &[&str]) -> Result<std::process::Output> {
        let mut command = Command::new(stage::helm());
        command.args(args).args(["-n", &self.namespace]).current_dir(self.sandbox.dir());
        command.env_clear().env("HOME", self.sandbox.dir()).env("KUBECONFIG", self.plane.kubeconfig());
        Ok(command.output()?)
    }

    fn run(&self, args: &[&str]) -> Output {
        self.sandbox.run(&[&["upgrade-values", "-n", &self.namespace], args].concat())
    }

    fn done(&self, args: &[&str]) -> Result<Output> {
        let output = self.run(args);
        ensure!(output.code == Some(0), "{args:?}: {output:#?}");
        Ok(output)
    }

    fn install(&self, release: &str, chart: &Path, values: &str) -> Result<()> {
        self.sandbox.write("mine.yaml", values);
        self.helm(&["install", release, chart.to_str().context("UTF-8")?, "-f", "mine.yaml", "--wait"]).map(drop)
    }

    fn upgrade(&self, release: &str, chart: &Path, values: &str) -> Result<()> {
        self.sandbox.write("new.yaml", values);
        self.helm(&["upgrade", release, chart.to_str().context("UTF-8")?, "-f", "new.yaml", "--wait"]).map(drop)
    }

    fn values(&self, release: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.helm(&["get", "values", release, "-o", "json"])?)?)
    }

    fn settings(&self) -> Result<Value> {
        let settings = self.plane.api().get("gloo.solo.io/v1/Settings", &self.namespace, "default")?;
        Ok(settings.context("Settings")?["spec"]["gloo"]["istioOptions"].clone())
    }

    fn containers(&self, deployment: &str) -> Result<Vec<Value>> {
        let found = self.plane.api().get("apps/v1/Deployment", &self.namespace, deployment)?.context("the proxy")?;
        Ok(found["spec"]["template"]["spec"]["containers"].as_array().cloned().unwrap_or_default())
    }
}

fn open_source() -> PathBuf {
    Path::new(CHARTS).join("gloo")
}

/// The umbrella with the open source chart in it, as it is published.
fn enterprise(sandbox: &Sandbox) -> Result<PathBuf> {
    let chart = sandbox.dir().join("gloo-ee");
    for (from, to) in [("gloo-ee", chart.clone()), ("gloo", chart.join("charts/gloo"))] {
        for file in ["Chart.yaml", "values.yaml"] {
            std::fs::create_dir_all(to.join("templates"))?;
            std::fs::copy(Path::new(CHARTS).join(from).join(file), to.join(file))?;
        }
        for entry in std::fs::read_dir(Path::new(CHARTS).join(from).join("templates"))? {
            let entry = entry?;
            std::fs::copy(entry.path(), to.join("templates").join(entry.file_name()))?;
        }
    }
    Ok(chart)
}

const MINE: &str = "# ours\nzone: b\nreplicas: 1000000\nversion: \"1.10\"\nword: \"yes\"\nratio: 0.25\ngone: null\nempty: {}\n\
    gatewayProxies:\n  gatewayProxy:\n    podTemplate:\n      httpPort: 8081\n  publicGw:\n    kind:\n      deployment:\n        replicas: 2\n";

#[test]
fn the_printed_values_give_a_gateway_with_sidecars_and_keep_the_others() -> Result<()> {
    let shop = Shop::new("values")?;
    shop.install("gloo", &open_source(), MINE)?;
    let before = shop.values("gloo")?;
    let output = shop.done(&["--revision", "1-28"])?;
    let name = &shop.namespace;
    assert!(
        output.stderr.contains(&format!("release {name}/gloo, revision 1, deployed, chart gloo-1.17.7")),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("1.22.0 (chart) -> 1.28.3 (--revision)"), "{}", output.stderr);
    assert!(output.stderr.contains("--repo https://storage.googleapis.com/solo-public-helm"), "{}", output.stderr);
    assert!(output.stderr.contains("--version 1.17.7 -f gloo-gateway.yaml") && !output.stderr.contains("reuse"));

    shop.upgrade("gloo", &open_source(), &output.stdout)?;
    assert_eq!(
        shop.settings()?,
        json!({"appendXForwardedHost": true, "enableAutoMtls": true, "enableIntegration": true})
    );
    for deployment in ["gateway-proxy", "public-gw"] {
        let containers = shop.containers(deployment)?;
        assert_eq!(containers.len(), 3, "{deployment}");
        assert_eq!(containers[2]["image"], "docker.io/istio/proxyv2:1.28.3");
        assert_eq!(containers[2]["env"][0]["value"], ADDRESS);
    }
    let mut after = shop.values("gloo")?;
    for key in ["zone", "replicas", "version", "word", "ratio", "gone", "empty"] {
        assert_eq!(after[key], before[key], "{key}");
    }
    assert_eq!(after["gatewayProxies"]["publicGw"]["kind"], before["gatewayProxies"]["publicGw"]["kind"]);

    let again = shop.done(&["--check"])?;
    assert!(again.stderr.contains("no change"), "{}", again.stderr);

    let removed = shop.done(&["--remove"])?;
    shop.upgrade("gloo", &open_source(), &removed.stdout)?;
    after = shop.values("gloo")?;
    assert_eq!(after, before);
    assert_eq!(shop.containers("gateway-proxy")?.len(), 1);
    Ok(())
}

#[test]
fn enterprise_values_are_one_level_down() -> Result<()> {
    let shop = Shop::new("enterprise")?;
    let chart = enterprise(&shop.sandbox)?;
    shop.install("edge", &chart, "license_key: sesame-open\ngloo:\n  gatewayProxies:\n    publicGw: {}\n")?;
    let output = shop.done(&["--revision", "1-28"])?;
    assert!(
        output.stdout.contains("license_key: sesame-open") && !output.stderr.contains("sesame"),
        "{}",
        output.stderr
    );
    assert!(output.stderr.contains("1 secret-looking value: license_key"), "{}", output.stderr);
    assert!(output.stderr.contains("helm upgrade edge gloo-ee") && output.stderr.contains("gloo-ee-helm"));
    shop.upgrade("edge", &chart, &output.stdout)?;
    assert_eq!(shop.settings()?["enableIntegration"], true);
    for deployment in ["gateway-proxy", "public-gw"] {
        assert_eq!(shop.containers(deployment)?[2]["env"][0]["value"], ADDRESS, "{deployment}");
    }
    Ok(())
}
