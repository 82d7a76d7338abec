//! The process that ends a plane when the test process ends, in whatever way.

use std::{
    io::{BufRead, BufReader},
    os::unix::process::CommandExt,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use anyhow::{Context, Result};

/// Owns a plane's directory and process group. Dropping it removes both.
pub struct Supervisor {
    shell: Child,
    directory: PathBuf,
}

impl Supervisor {
    pub fn start() -> Result<Self> {
        let mut shell = Command::new("sh")
            .args(["-c", include_str!("supervisor.sh"), "gloo-rs-plane"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .context("cannot start sh")?;
        let mut line = String::new();
        BufReader::new(shell.stdout.take().context("a pipe was asked for")?).read_line(&mut line)?;
        anyhow::ensure!(!line.is_empty(), "cannot make a directory in {}", std::env::temp_dir().display());
        Ok(Self { shell, directory: line.trim_end().into() })
    }

    pub fn directory(&self) -> &PathBuf {
        &self.directory
    }

    /// The process group of the plane, for its parts to join.
    pub fn group(&self) -> i32 {
        i32::try_from(self.shell.id()).expect("process ids are positive")
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}
