//! Builds Go modules, whose `go.mod` and `go.sum` pin the programs that tests run.

use std::{env, io::ErrorKind, path::Path, process::Command};

use anyhow::{Context, Result, bail, ensure};

use super::binaries::last_lines;

/// The oldest minor version of Go that builds the modules.
const MINOR: u32 = 26;

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
        self.require_go()?;
        let mut command =
            self.go(&["build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", link_flags, "-o"]);
        self.output(command.arg(into.join("")).args(packages)).map(drop)
    }

    /// The output of a go command.
    pub fn run(&self, arguments: &[&str]) -> Result<String> {
        self.require_go()?;
        self.output(&mut self.go(arguments))
    }

    fn go(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("go");
        command.args(arguments).current_dir(self.directory).env("GOWORK", "off").env("CGO_ENABLED", "0");
        command
    }

    fn output(&self, command: &mut Command) -> Result<String> {
        let output = command.output().context("cannot run go")?;
        ensure!(
            output.status.success(),
            "{} could not be built:\n{}\n{}, and let it reach a Go module proxy (GOPROXY); or {}",
            self.builds,
            last_lines(&String::from_utf8_lossy(&output.stderr), 20),
            self.install(),
            self.otherwise,
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    fn require_go(&self) -> Result<()> {
        let output = match Command::new("go")
            .args(["env", "GOVERSION"])
            .current_dir(env::temp_dir())
            .env("GOTOOLCHAIN", "local")
            .output()
        {
            Err(error) if error.kind() == ErrorKind::NotFound => bail!("go is not on PATH: {}", self.install()),
            output => output.context("cannot run go")?,
        };
        let version = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        ensure!(is_new_enough(&version), "go is {version}: {}", self.install());
        Ok(())
    }

    fn install(&self) -> String {
        format!("install Go 1.{MINOR} or newer (https://go.dev/dl/): the tests build {} with it", self.builds)
    }
}

fn is_new_enough(version: &str) -> bool {
    version
        .split_once("go1.")
        .and_then(|(_, rest)| rest.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok())
        .is_some_and(|minor: u32| minor >= MINOR)
}

#[cfg(test)]
mod tests {
    use super::*;

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
