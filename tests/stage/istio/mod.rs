//! Real Istio: istiod and pilot-agent, built from the Go module in `tests/istio`, and the charts of that module.
//!
//! ```ignore
//! let istiod = Istiod::install(plane, "1-28", "1.28.3", Sidecar::Native)?; // its chart, its process, its webhooks
//! istiod.tag("prod")?;                                                     // pods of istio.io/rev=prod get 1-28's sidecar
//! let httpbin = Workload { namespace: "default", account: "httpbin", labels: &[("app", "httpbin")], lifetime: None };
//! let sidecar = istiod.sidecar(httpbin, &[8080], app)?;
//! ```

mod agent;
mod istiod;
mod shared;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::OnceLock,
};

use anyhow::{Context, Result};

use super::go::Module;

pub use agent::{Certificate, MeshSidecar, Workload};
pub use istiod::{Istiod, NAMESPACE};
pub use shared::{Mesh, shared};

const MODULE: Module = Module {
    directory: concat!(env!("CARGO_MANIFEST_DIR"), "/tests/istio"),
    builds: "Istio (pilot-discovery, pilot-agent)",
    otherwise: "run the tests once where Go modules can be downloaded: what is built is kept in the cache directory",
};
const PACKAGES: [&str; 2] = ["istio.io/istio/pilot/cmd/pilot-discovery", "istio.io/istio/pilot/cmd/pilot-agent"];
/// What is kept of the module's source: its path there, and its name here.
const FILES: [(&str, &str); 3] = [
    ("manifests/charts/base", "base"),
    ("manifests/charts/istio-control/istio-discovery", "istio-discovery"),
    ("tools/packaging/common/envoy_bootstrap.json", "envoy_bootstrap.json"),
];

/// The directory with `pilot-discovery`, `pilot-agent`, the charts `base` and `istio-discovery`, and Envoy's bootstrap
/// template. The first test that uses it builds it.
fn istio() -> &'static Path {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| find_or_build().map_err(|error| format!("{error:#}")));
    found.as_ref().unwrap_or_else(|error| panic!("no Istio: {error}"))
}

fn find_or_build() -> Result<PathBuf> {
    let version = MODULE.pinned("istio.io/istio ")?;
    MODULE.built(&format!("istio-{version}"), "-s -w", &PACKAGES, |into| {
        let module = MODULE.run(&["list", "-m", "-f", "{{.Dir}}", "istio.io/istio"])?;
        FILES.iter().try_for_each(|(from, to)| copy(&Path::new(module.trim_end()).join(from), &into.join(to)))
    })
}

/// Copies a file or a directory. The files of Go's module cache are read-only; the copies are too, their directories
/// are not.
fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        return fs::copy(from, to).map(drop).with_context(|| format!("cannot copy {}", from.display()));
    }
    fs::create_dir(to)?;
    fs::read_dir(from)?.try_for_each(|entry| {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))
    })
}
