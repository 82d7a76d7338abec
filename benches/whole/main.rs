//! Measures whole processes on a real API server, and compares them with the least that could do the same:
//!
//! ```text
//! cargo bench --locked
//! cargo bench --locked -- sweep
//! ```
//!
//! Words after `--` select rows by a part of their names; the file for the figures keeps its other rows.
//! `GLOO_RS_BENCH=quick` uses small sizes and few runs. `GLOO_RS_BENCH_JSON` is the path of the file for the figures.
//! The picture is written next to it, and a page of the same name gets the tables. `docs/performance.md` explains them.

mod bare;
mod budget;
mod cases;
mod forwarded;
mod measure;
mod page;
mod picture;
mod report;
mod sizes;
mod world;

#[path = "../../tests/stage/mod.rs"]
mod stage;

use std::env;
use std::path::{Path, PathBuf};

use anyhow::Result;

use report::Report;
use sizes::Sizes;
use stage::announce;
use world::World;

fn main() -> Result<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    match arguments.split_first() {
        Some((mode, rest)) if mode == measure::MODE => measure::measurer(rest),
        Some((mode, rest)) if mode == bare::MODE => bare::process(rest),
        _ => bench(&arguments),
    }
}

fn bench(arguments: &[String]) -> Result<()> {
    // Cargo adds `--bench` itself.
    let words: Vec<_> = arguments.iter().filter(|word| !word.starts_with("--")).collect();
    let sizes =
        if env::var("GLOO_RS_BENCH").is_ok_and(|mode| mode == "quick") { Sizes::quick() } else { Sizes::full() };
    announce("starting a control plane and filling it");
    let world = World::start(&sizes)?;
    let mut report = Report::new(&world, json_file(), !words.is_empty())?;
    for case in cases::all(&world, &sizes)? {
        if words.is_empty() || words.iter().any(|word| case.name.contains(*word)) {
            announce(&case.name);
            report.add(&case.measure(&world)?)?;
        }
    }
    report.finish()
}

fn json_file() -> PathBuf {
    env::var_os("GLOO_RS_BENCH_JSON")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench.json"), PathBuf::from)
}
