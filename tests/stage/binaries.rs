//! The programs of the control plane: from `KUBEBUILDER_ASSETS`, or built once from the Go module in `tests/cluster`
//! and kept in the user's cache directory.

use std::{
    collections::BTreeMap,
    env,
    fs::{self, File, TryLockError},
    hash::{DefaultHasher, Hash, Hasher},
    io::{IsTerminal, Write},
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context, Result};

use super::go::Module;

const GO_MOD: &str = include_str!("../cluster/go.mod");
const GO_SUM: &str = include_str!("../cluster/go.sum");
const MODULE: Module = Module {
    directory: concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cluster"),
    builds: "the control plane (kube-apiserver, etcd, kube-controller-manager, kube-scheduler, kwok)",
    otherwise: "name a directory with the programs in KUBEBUILDER_ASSETS",
};

/// Each program, its package, and the name that `go build` gives it.
const PROGRAMS: [(&str, &str, &str); 5] = [
    ("etcd", "go.etcd.io/etcd/server/v3", "server"),
    ("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", "kube-apiserver"),
    ("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager", "kube-controller-manager"),
    ("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler", "kube-scheduler"),
    ("kwok", "sigs.k8s.io/kwok/cmd/kwok", "kwok"),
];

/// The YAML files of the kwok module that kwok needs: the local name, and the files in the module.
const KWOK_FILES: [(&str, &[&str]); 2] = [
    (
        "kwok-stages.yaml",
        &[
            "kustomize/stage/node/fast/node-initialize.yaml",
            "kustomize/stage/node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
            "kustomize/stage/pod/fast/pod-ready.yaml",
            "kustomize/stage/pod/fast/pod-complete.yaml",
            "kustomize/stage/pod/fast/pod-delete.yaml",
        ],
    ),
    (
        "kwok-crds.yaml",
        &[
            "kustomize/crd/bases/kwok.x-k8s.io_clusterlogs.yaml",
            "kustomize/crd/bases/kwok.x-k8s.io_clusterportforwards.yaml",
        ],
    ),
];

/// The paths of the programs and of kwok's files.
pub struct Binaries {
    paths: BTreeMap<&'static str, PathBuf>,
}

impl Binaries {
    /// Finds everything, and first builds what is missing.
    pub fn find_or_build() -> Result<Self> {
        let assets = env::var_os("KUBEBUILDER_ASSETS").map(PathBuf::from);
        let cache = cache_directory()?;
        let paths = PROGRAMS
            .iter()
            .map(|&(name, ..)| (name, in_assets(assets.as_deref(), name).unwrap_or_else(|| cache.join(name))))
            .chain(KWOK_FILES.iter().map(|&(name, _)| (name, cache.join(name))))
            .collect();
        let binaries = Self { paths };
        if binaries.missing().next().is_some() {
            binaries.build(&cache)?;
        }
        Ok(binaries)
    }

    /// The path of a program or of one of kwok's files.
    pub fn path(&self, name: &str) -> &Path {
        &self.paths[name]
    }

    fn missing(&self) -> impl Iterator<Item = &'static str> + '_ {
        self.paths.iter().filter(|(_, path)| !path.exists()).map(|(name, _)| *name)
    }

    fn build(&self, cache: &Path) -> Result<()> {
        fs::create_dir_all(cache).with_context(|| format!("cannot create {}", cache.display()))?;
        let lock = File::create(cache.join("lock"))?;
        if let Err(TryLockError::WouldBlock) = lock.try_lock() {
            announce("another test run is building the control plane; waiting for it");
            lock.lock()?;
        }
        if self.missing().next().is_none() {
            return Ok(());
        }
        let scratch = empty_scratch(cache)?;
        self.build_programs(cache, &scratch)?;
        for (name, files) in KWOK_FILES {
            fs::write(scratch.join(name), concatenated(files)?)?;
            fs::rename(scratch.join(name), self.path(name))?;
        }
        Ok(fs::remove_dir_all(scratch)?)
    }

    fn build_programs(&self, cache: &Path, scratch: &Path) -> Result<()> {
        let missing: Vec<_> = self.missing().collect();
        let wanted: Vec<_> = PROGRAMS.iter().filter(|(name, ..)| missing.contains(name)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        let began = Instant::now();
        announce(&format!(
            "building {} ({}) into {}; about 6 minutes the first time on two cores, 1 minute with a \
             warm Go build cache",
            wanted.iter().map(|(name, ..)| *name).collect::<Vec<_>>().join(", "),
            kubernetes_version(),
            cache.display()
        ));
        MODULE.build(scratch, &link_flags(), wanted.iter().map(|(_, package, _)| *package))?;
        for (name, _, built) in wanted {
            fs::rename(scratch.join(built), self.path(name))?;
        }
        announce(&format!("built in {} s", began.elapsed().as_secs()));
        Ok(())
    }
}

/// Prints a message to the terminal even if cargo captures the output of tests: cargo captures the print macros, not
/// the handle. For runners that capture the descriptor itself, the controlling terminal is used.
pub fn announce(text: &str) {
    let line = format!("test stage: {text}\n");
    let mut stderr = std::io::stderr();
    let _ = stderr.write_all(line.as_bytes());
    if !stderr.is_terminal()
        && let Ok(mut terminal) = File::options().write(true).open("/dev/tty")
    {
        let _ = terminal.write_all(line.as_bytes());
    }
}

/// The Kubernetes release that `go.mod` pins, such as `v1.36.3`.
pub fn kubernetes_version() -> &'static str {
    GO_MOD
        .lines()
        .find_map(|line| line.trim().strip_prefix("k8s.io/kubernetes ")?.split_whitespace().next())
        .expect("tests/cluster/go.mod requires k8s.io/kubernetes")
}

/// The flags with the version numbers, without which clients see `v0.0.0`; without debug symbols.
fn link_flags() -> String {
    let version = kubernetes_version();
    let mut numbers = version.trim_start_matches('v').split('.');
    let (major, minor) = (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default());
    let package = "k8s.io/component-base/version";
    format!("-s -w -X {package}.gitVersion={version} -X {package}.gitMajor={major} -X {package}.gitMinor={minor}")
}

/// A separate directory for each set of sources and build flags.
fn cache_directory() -> Result<PathBuf> {
    let mut hasher = DefaultHasher::new();
    (GO_MOD, GO_SUM, link_flags(), KWOK_FILES).hash(&mut hasher);
    let name = format!("control-plane-{}-{:016x}", kubernetes_version(), hasher.finish());
    Ok(cache_base()?.join(name))
}

/// The directory for everything that tests build or download.
pub fn cache_base() -> Result<PathBuf> {
    let base = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| env::home_dir().map(|home| home.join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME says where to keep what tests build")?;
    Ok(base.join("gloo-rs"))
}

/// The directory for unfinished files, so that a file in the cache directory is always complete. Files of a killed run
/// are removed.
pub fn empty_scratch(cache: &Path) -> Result<PathBuf> {
    let scratch = cache.join("unfinished");
    if scratch.exists() {
        fs::remove_dir_all(&scratch)?;
    }
    fs::create_dir(&scratch)?;
    Ok(scratch)
}

fn in_assets(assets: Option<&Path>, name: &str) -> Option<PathBuf> {
    assets.map(|assets| assets.join(name)).filter(|path| path.is_file())
}

fn concatenated(files: &[&str]) -> Result<String> {
    MODULE.run(&["mod", "download", "sigs.k8s.io/kwok"])?;
    let module = MODULE.run(&["list", "-mod=readonly", "-m", "-f", "{{.Dir}}", "sigs.k8s.io/kwok"])?;
    let texts: Vec<_> = files
        .iter()
        .map(|file| {
            let path = Path::new(module.trim()).join(file);
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        })
        .collect::<Result<_>>()?;
    Ok(texts.join("\n---\n"))
}

/// The last lines of a text, for error messages.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_come_before_the_cache() -> Result<()> {
        let assets = tempfile::tempdir()?;
        fs::write(assets.path().join("etcd"), "")?;
        assert_eq!(in_assets(Some(assets.path()), "etcd"), Some(assets.path().join("etcd")));
        assert_eq!(in_assets(Some(assets.path()), "kwok"), None);
        assert_eq!(in_assets(None, "etcd"), None);
        Ok(())
    }

    #[test]
    fn the_link_flags_carry_the_pinned_version() {
        assert!(link_flags().contains("gitVersion=v1.36.3"), "{}", link_flags());
        assert!(link_flags().ends_with("gitMinor=36"), "{}", link_flags());
    }
}
