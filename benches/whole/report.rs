//! The figures as JSON. They are written after each row, so that an interrupted run keeps its results.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};

use crate::budget::Verdict;
use crate::measure::{Cost, Program, Servers};
use crate::stage::kubernetes_version;
use crate::world::World;
use crate::{page, picture};

const BINARY_LIMIT_MB: f64 = 10.0;

/// The report and its file: JSON, with the picture next to it, and the page if there is one.
pub struct Report {
    document: Value,
    file: PathBuf,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Row {
    pub name: String,
    pub runs: usize,
    /// The average number of processes that ran or waited for a CPU in one minute, before the row was measured.
    pub load: Option<f64>,
    pub cost: Cost,
    pub requests: u32,
    pub floor: Option<Other>,
    /// The wall time divided by the floor's.
    pub ratio: Option<f64>,
    pub others: Vec<Other>,
    /// The CPU milliseconds of the control plane's processes during one run.
    #[serde(skip_serializing_if = "Servers::is_empty")]
    pub servers: Servers,
    pub verdicts: Vec<Verdict>,
    pub work: Option<Work>,
}

/// Another program that was measured for comparison.
#[derive(Serialize)]
pub struct Other {
    pub name: String,
    pub cost: Cost,
    #[serde(skip_serializing_if = "Servers::is_empty")]
    pub servers: Servers,
}

/// The position of a row in a series of growing work.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Work {
    pub series: &'static str,
    pub amount: usize,
}

impl Report {
    /// A report without rows, or with the rows that an earlier run left in the file.
    pub fn new(world: &World, file: PathBuf, keep: bool) -> Result<Self> {
        let kept = fs::read(&file).ok().filter(|_| keep);
        let kept = kept.and_then(|text| serde_json::from_slice::<Value>(&text).ok());
        let binary_mb = megabytes(fs::metadata(env!("CARGO_BIN_EXE_gloo-rs"))?.len());
        let size = Verdict::of(format!("under {BINARY_LIMIT_MB} MB"), binary_mb, BINARY_LIMIT_MB);
        let document = json!({
            "gloo-rs": env!("CARGO_PKG_VERSION"),
            "kubernetes": kubernetes_version(),
            "measured": jiff::Timestamp::now().strftime("%Y-%m-%d").to_string(),
            "machine": machine(),
            "tools": tools(),
            // The cost of the measurement itself, included in each figure.
            "nothing": world.cluster().run(&Program::new("true", "true", &[]))?,
            "binary": {"mb": binary_mb, "verdicts": [size]},
            "rows": kept.map_or_else(|| json!([]), |mut kept| kept["rows"].take()),
        });
        Ok(Self { document, file })
    }

    /// Adds a row to the report and writes the file.
    pub fn add(&mut self, row: &Row) -> Result<()> {
        let row = serde_json::to_value(row)?;
        writeln!(std::io::stdout(), "{row}")?;
        let rows = self.document["rows"].as_array_mut().expect("the rows are a list");
        match rows.iter_mut().find(|old| old["name"] == row["name"]) {
            Some(old) => *old = row,
            None => rows.push(row),
        }
        self.write()
    }

    fn write(&self) -> Result<()> {
        fs::write(&self.file, format!("{:#}\n", self.document))?;
        fs::write(self.file.with_extension("svg"), picture::draw(&self.document))?;
        let page = self.file.with_extension("md");
        if let Some(renewed) = fs::read_to_string(&page).ok().and_then(|text| page::renewed(&text, &self.document)) {
            fs::write(page, renewed)?;
        }
        Ok(())
    }

    /// Prints the table, and the paths of the other files.
    pub fn finish(self) -> Result<()> {
        let tables = [page::table(&self.document), page::budgets(&self.document)];
        std::io::stdout().write_all(tables.join("\n").as_bytes())?;
        let (json, svg) = (self.file.display(), self.file.with_extension("svg"));
        crate::stage::announce(&format!("figures in {json}, drawn in {}", svg.display()));
        Ok(())
    }
}

fn machine() -> Value {
    let line = |file: &str, key: &str| {
        let text = fs::read_to_string(file).ok()?;
        Some(text.lines().find(|line| line.starts_with(key))?.split_once(':')?.1.trim().to_owned())
    };
    json!({
        "cores": std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
        "processor": line("/proc/cpuinfo", "model name"),
        "memory": line("/proc/meminfo", "MemTotal"),
    })
}

/// The first line of each tool's version.
fn tools() -> Value {
    let says = |name: &str, arguments: &[&str]| {
        let program = Program::on_path(name, arguments)?;
        let output = Command::new(program.path).args(program.arguments).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).lines().next()?.to_owned())
    };
    let all = [
        ("curl", says("curl", &["--version"])),
        ("kubectl", says("kubectl", &["version", "--client"])),
        ("helm", says("helm", &["version", "--short"])),
        ("istioctl", says("istioctl", &["version", "--remote=false", "--short"])),
        ("glooctl", says("glooctl", &["--version"])),
    ];
    all.into_iter().filter_map(|(name, said)| Some((name.to_owned(), Value::from(said?)))).collect()
}

/// The load of the last minute, if the kernel reports it.
pub fn load() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split(' ').next()?.parse().ok()
}

#[expect(clippy::cast_precision_loss, reason = "a program has less than petabytes")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
