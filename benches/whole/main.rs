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
mod cluster;
mod forwarded;
mod guide;
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

use cluster::Cluster;
use report::Report;
use sizes::Sizes;
use stage::{Options, Plane, announce};
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
    let is_chosen = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(*word));
    for case in cases::all(&world, &sizes)?.iter().filter(|case| is_chosen(&case.name)) {
        announce(&case.name);
        case.fill(&world)?;
        report.add(&case.measure(world.cluster())?)?;
    }
    if guide::NAMES.into_iter().any(is_chosen) {
        announce("starting a control plane with the guide");
        let plane = Plane::start(&Options { audit: true, ..Options::default() })?;
        let _tour = plane.install_tour()?;
        let cluster = Cluster { plane: &plane, home: world.cluster().home };
        for case in guide::cases(&plane, &sizes)?.iter().filter(|case| is_chosen(&case.name)) {
            announce(&case.name);
            report.add(&case.measure(cluster)?)?;
        }
    }
    report.finish()
}

fn json_file() -> PathBuf {
    env::var_os("GLOO_RS_BENCH_JSON")
        .map_or_else(|| Path::new(env!("CARGO_TARGET_TMPDIR")).join("bench.json"), PathBuf::from)
}
