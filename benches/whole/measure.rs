//! What one process costs.
//!
//! The kernel adds up what the ended children of a process used (`getrusage`, `RUSAGE_CHILDREN`), and the
//! peak memory among them. So each command is the only child of a measurer: this program again, in a mode
//! of its own. A child begins as a copy of its parent: the measurer's own size is the least that the
//! peak can be.

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeVal;
use serde::{Deserialize, Serialize};

pub const MODE: &str = "--measure";

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Cost {
    /// From just before the process was made until it was reaped.
    pub wall_ms: f64,
    /// In user and in kernel mode.
    pub cpu_ms: f64,
    /// The most that was resident at once.
    pub peak_mib: f64,
}

/// What the measurer prints.
#[derive(Serialize, Deserialize)]
struct Ended {
    code: Option<i32>,
    cost: Cost,
}

/// A command line and what it finds around it.
#[derive(Debug, Clone)]
pub struct Program {
    /// What the table calls it.
    pub name: String,
    pub path: PathBuf,
    pub arguments: Vec<String>,
    /// The exit codes that say it did its work.
    pub codes: Vec<i32>,
}

impl Program {
    pub fn new(name: &str, path: impl Into<PathBuf>, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Self { name: name.to_owned(), path: path.into(), arguments, codes: vec![0] }
    }

    /// The program of this name, where it is on PATH.
    pub fn on_path(name: &str, arguments: &[&str]) -> Option<Self> {
        let path =
            env::split_paths(&env::var_os("PATH")?).map(|folder| folder.join(name)).find(|path| path.is_file())?;
        Some(Self::new(name, path, arguments))
    }

    /// Runs it once, at home in a directory, with a kubeconfig and nothing else set.
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

/// The measurer: runs one command, and prints how it ended and what it cost.
pub fn measurer(command: &[String]) -> Result<()> {
    let (program, arguments) = command.split_first().context("a command to measure")?;
    let began = Instant::now();
    let status = Command::new(program).args(arguments).stdout(Stdio::null()).status()?;
    let wall_ms = began.elapsed().as_secs_f64() * 1e3;
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let cost = Cost {
        wall_ms,
        cpu_ms: milliseconds(usage.user_time()) + milliseconds(usage.system_time()),
        peak_mib: mebibytes(usage.max_rss()),
    };
    Ok(std::io::stdout().write_all(&serde_json::to_vec(&Ended { code: status.code(), cost })?)?)
}

#[expect(clippy::cast_precision_loss, reason = "a process takes less than centuries")]
fn milliseconds(time: TimeVal) -> f64 {
    time.tv_sec() as f64 * 1e3 + time.tv_usec() as f64 / 1e3
}

/// The kernel says it in KiB; that of macOS in bytes.
#[expect(clippy::cast_precision_loss, reason = "a process has less than exbibytes")]
fn mebibytes(max_rss: i64) -> f64 {
    let bytes = if cfg!(target_os = "macos") { max_rss } else { max_rss * 1024 };
    bytes as f64 / f64::from(1 << 20)
}

/// Of each figure its median, of memory the most.
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
