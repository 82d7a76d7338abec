//! Measures the cost of one process.
//!
//! The kernel reports the resources of a child that has ended (`wait4`). A child begins as a copy of its parent, so its
//! peak memory is never below the size of the parent. Therefore each command is the child of a small measurer: this
//! program again, in a separate mode.

use std::collections::BTreeMap;
use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};
use wait4::Wait4;

pub const MODE: &str = "--measure";

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// From just before the process was created until it was reaped.
    pub wall_ms: f64,
    /// CPU time in user and kernel mode.
    pub cpu_ms: f64,
    /// The highest resident memory.
    pub peak_mib: f64,
}

/// CPU milliseconds by process name.
pub type Servers = BTreeMap<String, f64>;

/// The result that the measurer prints.
#[derive(Serialize, Deserialize)]
struct Ended {
    code: Option<i32>,
    cost: Cost,
}

/// A command line and its accepted exit codes.
#[derive(Debug, Clone)]
pub struct Program {
    /// The name in the table.
    pub name: String,
    pub path: PathBuf,
    pub arguments: Vec<String>,
    /// The exit codes that mean success.
    pub codes: Vec<i32>,
}

impl Program {
    pub fn new(name: &str, path: impl Into<PathBuf>, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self { name: name.to_owned(), path: path.into(), arguments, codes: vec![0] }
    }

    /// The program of this name, if it is on PATH.
    pub fn on_path(name: &str, arguments: &[&str]) -> Option<Self> {
        let path =
            env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())?;
        Some(Self::new(name, path, arguments))
    }

    /// Runs it once in a home directory, with a kubeconfig and no other variables.
    pub fn run(&self, home: &Path, kubeconfig: &Path) -> Result<Cost> {
        let output = Command::new(env::current_exe()?)
            .arg(MODE)
            .arg(&self.path)
            .args(&self.arguments)
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .env("HOME", home)
            .env("KUBECONFIG", kubeconfig)
            .current_dir(home)
            .stdin(Stdio::null())
            .output()?;
        let said = || String::from_utf8_lossy(&output.stderr);
        let Ended { code, cost } = serde_json::from_slice(&output.stdout).with_context(|| said().into_owned())?;
        ensure!(
            code.is_some_and(|code| self.codes.contains(&code)),
            "{} {:?} ended with {code:?}:\n{}",
            self.path.display(),
            self.arguments,
            said()
        );
        Ok(cost)
    }
}

/// The measurer: runs one command, and prints how it ended and its cost.
pub fn measurer(command: &[String]) -> Result<()> {
    let (program, arguments) = command.split_first().context("a command to measure")?;
    let began = Instant::now();
    let child = Command::new(program).args(arguments).stdout(Stdio::null()).spawn()?;
    let ended = child.wait4()?;
    let wall_ms = began.elapsed().as_secs_f64() * 1e3;
    let cost = Cost {
        wall_ms,
        cpu_ms: (ended.rusage.utime + ended.rusage.stime).as_secs_f64() * 1e3,
        peak_mib: mebibytes(ended.rusage.maxrss),
    };
    Ok(std::io::stdout().write_all(&serde_json::to_vec(&Ended { code: ended.status.code(), cost })?)?)
}

#[expect(clippy::cast_precision_loss, reason = "a process has less than exbibytes")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The median of each figure, and the maximum of memory.
pub fn typical(costs: &[Cost]) -> Cost {
    let median = |figure: fn(&Cost) -> f64| {
        let mut figures: Vec<_> = costs.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        figures[figures.len() / 2]
    };
    Cost {
        wall_ms: median(|cost| cost.wall_ms),
        cpu_ms: median(|cost| cost.cpu_ms),
        peak_mib: costs.iter().map(|cost| cost.peak_mib).fold(0.0, f64::max),
    }
}
