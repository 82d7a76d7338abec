//! A real Kubernetes API server with Gloo Gateway and Istio on it, to walk the whole guide on:
//!
//! ```text
//! cargo build && cargo run --example playground
//! ```
//!
//! It prints the lines that point `gloo-rs`, `helm` and `kubectl` at it, stays until Ctrl-C, and leaves nothing behind.
//! Requests through the gateway are answered by real Envoys as the objects in the cluster mean.

#[path = "../tests/stage/mod.rs"]
mod stage;

use std::env;
use std::io::Write;
use std::path::PathBuf;

use anyhow::{Context, Result};
use stage::{Options, Plane, announce};
use tokio::runtime::Builder;

fn main() -> Result<()> {
    announce("starting a control plane");
    let plane = Plane::start(&Options::default())?;
    let _tour = plane.install_tour()?;
    let gloo_rs = gloo_rs()?;
    let tools = plane.tools(&gloo_rs)?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "export KUBECONFIG={}", plane.kubeconfig().display())?;
    writeln!(stdout, "export PATH={}:$PATH", tools.display())?;
    stdout.flush()?;
    announce("Kubernetes is up: Gloo in gloo-system (a Helm release), Istio in istio-system, httpbin in default");
    announce("in another terminal, after the export lines above, walk the tour of README.md");
    if !gloo_rs.is_file() {
        announce("gloo-rs is not built yet: cargo build");
    }
    announce("Ctrl-C ends it");
    Builder::new_current_thread().enable_all().build()?.block_on(tokio::signal::ctrl_c()).context("no signals")
}

/// The program, beside the folder that this one is in.
fn gloo_rs() -> Result<PathBuf> {
    let examples = env::current_exe()?.parent().context("a program is in a folder")?.to_owned();
    Ok(examples.parent().context("a target folder")?.join("gloo-rs"))
}
