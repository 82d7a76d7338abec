//! The figures as one table and as JSON.

use std::fs;

use anyhow::Result;
use serde::Serialize;

use crate::budget::Verdict;
use crate::cases::Sizes;
use crate::measure::{Cost, Program};
use crate::stage::kubernetes_version;
use crate::world::World;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Report {
    pub kubernetes: &'static str,
    pub cores: usize,
    /// How many processes ran or waited to, over one minute, where the kernel says it.
    pub load_before: Option<f64>,
    pub load_after: Option<f64>,
    /// A process that does nothing: what measuring adds to each figure.
    pub nothing: Cost,
    pub binary_mb: f64,
    pub binary_limit_mb: f64,
    pub namespaces: usize,
    pub rows: Vec<Row>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub name: String,
    pub runs: usize,
    pub cost: Cost,
    pub requests: usize,
    pub floor: Option<Other>,
    /// Wall against the floor's.
    pub ratio: Option<f64>,
    pub others: Vec<Other>,
    pub verdicts: Vec<Verdict>,
    pub work: Option<Work>,
}

/// Another program that was measured beside.
#[derive(Serialize)]
pub struct Other {
    name: String,
    pub cost: Cost,
}

/// The place of a row in a series of growing work.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Work {
    pub series: &'static str,
    pub amount: usize,
}

impl Other {
    pub fn new(name: &str, cost: Cost) -> Self {
        Self { name: name.to_owned(), cost }
    }

    fn said(&self) -> String {
        format!("{} {:.1} ms, {:.1} MiB", self.name, self.cost.wall_ms, self.cost.peak_mib)
    }
}

impl Report {
    /// Without rows yet.
    pub fn new(world: &World, sizes: &Sizes) -> Result<Self> {
        Ok(Self {
            kubernetes: kubernetes_version(),
            cores: std::thread::available_parallelism()?.get(),
            load_before: load(),
            load_after: None,
            nothing: Program::new("true", "true", &[]).run(world.home(), &world.plane.kubeconfig())?,
            binary_mb: megabytes(fs::metadata(env!("CARGO_BIN_EXE_gloo-rs"))?.len()),
            binary_limit_mb: 10.0,
            namespaces: sizes.namespaces,
            rows: Vec::new(),
        })
    }

    /// The table in Markdown, aligned for a terminal.
    pub fn table(&self) -> String {
        let head = ["command", "wall ms", "CPU ms", "peak MiB", "requests", "floor", "x floor", "others", "budget"];
        let mut lines = vec![head.map(str::to_owned), head.map(|_| "---".to_owned())];
        lines.extend(self.rows.iter().map(Row::cells));
        let size = verdict(&format!("under {} MB", self.binary_limit_mb), self.binary_mb < self.binary_limit_mb);
        let name = format!("the binary: {:.2} MB", self.binary_mb);
        lines.push([
            name,
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            String::new(),
            size,
        ]);
        aligned(&lines)
    }
}

impl Row {
    fn cells(&self) -> [String; 9] {
        let list = |items: Vec<String>| items.join("; ");
        [
            self.name.clone(),
            format!("{:.1}", self.cost.wall_ms),
            format!("{:.1}", self.cost.cpu_ms),
            format!("{:.1}", self.cost.peak_mib),
            self.requests.to_string(),
            self.floor.as_ref().map(Other::said).unwrap_or_default(),
            self.ratio.map(|ratio| format!("{ratio:.2}")).unwrap_or_default(),
            list(self.others.iter().map(Other::said).collect()),
            list(self.verdicts.iter().map(|one| verdict(&one.promise, one.met)).collect()),
        ]
    }
}

fn verdict(promise: &str, met: bool) -> String {
    format!("{promise}: {}", if met { "met" } else { "MISSED" })
}

fn aligned<const N: usize>(lines: &[[String; N]]) -> String {
    let widths: [usize; N] =
        std::array::from_fn(|column| lines.iter().map(|line| line[column].len()).max().unwrap_or_default());
    let line = |cells: &[String; N]| {
        let cells: Vec<_> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    lines.iter().map(line).collect()
}

/// The load of the last minute.
pub fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

#[expect(clippy::cast_precision_loss, reason = "a program has less than petabytes")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
