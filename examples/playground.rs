//! A real Kubernetes API server with Gloo Gateway and Istio objects in it, to try every command on:
//!
//! ```text
//! cargo run --example playground
//! ```
//!
//! It prints the line that points `gloo-rs` and `kubectl` at it, stays until Ctrl-C, and leaves
//! nothing behind.

#[path = "../tests/stage/mod.rs"]
mod stage;

use std::io::Write;

use anyhow::{Context, Result};
use stage::{Injector, Options, Plane, announce};
use tokio::runtime::Builder;

fn main() -> Result<()> {
    announce("starting a control plane");
    let plane = Plane::start(&Options::default())?;
    plane.install_guide()?;
    let _injector = Injector::of_the_guide(&plane)?;
    let mut stdout = std::io::stdout();
    writeln!(stdout, "export KUBECONFIG={}", plane.kubeconfig().display())?;
    stdout.flush()?;
    announce("Kubernetes is up, with Gloo in gloo-system, Istio in istio-system, httpbin in default");
    announce("in another terminal, after the export line above, try:");
    for command in ["proxy url", "istio enable-mtls --upstream default-httpbin-8000"] {
        announce(&format!("  cargo run -- {command}"));
    }
    announce("Ctrl-C ends it");
    Builder::new_current_thread().enable_all().build()?.block_on(tokio::signal::ctrl_c()).context("no signals")
}
