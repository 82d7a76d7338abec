//! `upgrade-values` with the real Helm 3 and 4, on a real API server.

mod apply;
mod findings;
mod guide;
mod helm_4;
mod no_address;
mod owners;
mod proof;
mod records;
mod releases;
mod remove;
mod rights;
mod same_as_set;
mod secrets;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use crate::stage::{self, Plane};
use crate::support::{Output, Sandbox};

const CHARTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/charts");
const ADDRESS: &str = "istiod-1-28.istio-system.svc:15012";
const REVISION: [&str; 2] = ["--revision", "1-28"];

/// Values of a user, in spellings that a reader may take for something else.
const MINE: &str = "# ours\nzone: b\nreplicas: 1000000\nversion: \"1.10\"\nword: \"yes\"\nratio: 0.25\ngone: null\nempty: {}\n\
    gatewayProxies:\n  gatewayProxy:\n    podTemplate:\n      httpPort: 8081\n  publicGw:\n    kind:\n      deployment:\n        replicas: 2\n";

/// Helm and the program in one namespace.
struct Shop<'p> {
    plane: &'p Plane,
    namespace: String,
    sandbox: Sandbox,
    helm: &'static Path,
}

impl<'p> Shop<'p> {
    /// With Helm 3.
    fn new(prefix: &str) -> Result<Self> {
        Self::with(stage::helm(), prefix)
    }

    fn with(helm: &'static Path, prefix: &str) -> Result<Self> {
        Self::on(stage::shared(), helm, prefix)
    }

    fn on(plane: &'p Plane, helm: &'static Path, prefix: &str) -> Result<Self> {
        let namespace = plane.namespace(prefix)?;
        let kubeconfig = plane.kubeconfig();
        let sandbox = Sandbox::new().env("KUBECONFIG", kubeconfig.to_str().context("UTF-8")?).env("PATH", path(helm)?);
        Ok(Self { plane, namespace, sandbox, helm })
    }

    fn helm(&self, args: &[&str]) -> Result<String> {
        self.helm_with(args, &[])
    }

    fn helm_with(&self, args: &[&str], variables: &[(&str, &str)]) -> Result<String> {
        let mut command = Command::new(self.helm);
        command.args(args).args(["-n", &self.namespace]).current_dir(self.sandbox.dir());
        command.env_clear().env("HOME", self.sandbox.dir()).env("KUBECONFIG", self.plane.kubeconfig());
        let output = command.envs(variables.iter().copied()).output()?;
        ensure!(output.status.success(), "helm {}: {}", args.join(" "), String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
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
        self.helm(&["install", release, text(chart)?, "-f", "mine.yaml", "--wait"])?;
        self.watch_own_namespace()
    }

    /// Routes of other tests on the plane are none of this Gloo's.
    fn watch_own_namespace(&self) -> Result<()> {
        let (api, kind) = (self.plane.api(), "gloo.solo.io/v1/Settings");
        let own = json!({"spec": {"watchNamespaces": [self.namespace]}});
        match api.get(kind, &self.namespace, "default")? {
            Some(_) => api.merge(kind, &self.namespace, "default", &own),
            None => Ok(()),
        }
    }

    fn upgrade(&self, release: &str, chart: &Path, values: &str) -> Result<()> {
        self.sandbox.write("new.yaml", values);
        self.helm(&["upgrade", release, text(chart)?, "-f", "new.yaml", "--wait"]).map(drop)
    }

    fn values(&self, release: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.helm(&["get", "values", release, "-o", "json"])?)?)
    }

    /// The state of every revision, the oldest first.
    fn history(&self, release: &str) -> Result<Vec<String>> {
        let history: Value = serde_json::from_str(&self.helm(&["history", release, "-o", "json"])?)?;
        let status = |entry: &Value| entry["status"].as_str().unwrap_or_default().to_owned();
        Ok(history.as_array().context("a list")?.iter().map(status).collect())
    }

    fn settings(&self) -> Result<Value> {
        let settings = self.plane.api().get("gloo.solo.io/v1/Settings", &self.namespace, "default")?;
        Ok(settings.context("Settings")?["spec"]["gloo"]["istioOptions"].clone())
    }

    fn containers(&self, deployment: &str) -> Result<Vec<Value>> {
        let found = self.plane.api().get("apps/v1/Deployment", &self.namespace, deployment)?.context("the proxy")?;
        Ok(found["spec"]["template"]["spec"]["containers"].as_array().cloned().unwrap_or_default())
    }

    /// The record of that revision as it would be if Helm had made it of this release and revision.
    fn record_as(&self, record: &str, release: &str, revision: u64) -> Result<String> {
        let mut record = stage::opened(record)?;
        record["name"] = json!(release);
        record["version"] = json!(revision);
        record["namespace"] = json!(self.namespace);
        stage::stored(&record.to_string())
    }

    fn record(&self, release: &str, revision: u64) -> Result<String> {
        let name = format!("sh.helm.release.v1.{release}.v{revision}");
        let record = self.plane.api().get("v1/Secret", &self.namespace, &name)?.context("the record")?;
        Ok(record["data"]["release"].as_str().context("data")?.to_owned())
    }

    /// A record as Helm keeps it; without a status all its labels are missing.
    fn put_record(&self, release: &str, revision: u64, status: Option<&str>, data: &str) -> Result<()> {
        let mut secret = json!({
            "apiVersion": "v1", "kind": "Secret", "type": "helm.sh/release.v1",
            "metadata": {"namespace": self.namespace, "name": format!("sh.helm.release.v1.{release}.v{revision}")},
            "data": {"release": data},
        });
        if let Some(status) = status {
            secret["metadata"]["labels"] =
                json!({"owner": "helm", "name": release, "status": status, "version": revision.to_string()});
        }
        self.plane.api().apply(&secret.to_string())
    }

    /// A Helm on PATH that notes what it is asked before it is the real one.
    #[cfg(unix)]
    fn noting(mut self) -> Result<Self> {
        let note = format!(
            "case \"$1\" in upgrade) printf '%s\\n' \"$@\" > \"$HOME/asked\"; env > \"$HOME/told\";; esac\nexec {} \"$@\"",
            self.helm.display()
        );
        let script = self.sandbox.script("noting/helm", &note);
        self.sandbox = self.sandbox.env("PATH", path(&script)?);
        Ok(self)
    }

    /// What it noted: a line for each argument.
    fn asked(&self) -> Result<String> {
        Ok(std::fs::read_to_string(self.sandbox.dir().join("asked"))?)
    }
}

/// A PATH on which this Helm is found.
fn path(helm: &Path) -> Result<String> {
    Ok(format!("{}:/usr/bin:/bin", helm.parent().context("a directory")?.display()))
}

fn text(path: &Path) -> Result<&str> {
    path.to_str().context("UTF-8")
}

fn open_source() -> PathBuf {
    Path::new(CHARTS).join("gloo")
}

/// A copy of the open source chart, to be changed.
fn copied(sandbox: &Sandbox, name: &str) -> Result<PathBuf> {
    let chart = sandbox.dir().join(name);
    ensure!(Command::new("cp").arg("-r").arg(open_source()).arg(&chart).status()?.success());
    Ok(chart)
}

/// The umbrella with the open source chart in it, as it is published.
fn enterprise(sandbox: &Sandbox) -> Result<PathBuf> {
    let chart = sandbox.dir().join("gloo-ee");
    ensure!(Command::new("cp").arg("-r").arg(Path::new(CHARTS).join("gloo-ee")).arg(&chart).status()?.success());
    std::fs::create_dir(chart.join("charts"))?;
    copied(sandbox, "gloo-ee/charts/gloo")?;
    Ok(chart)
}
