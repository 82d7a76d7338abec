//! A fault of the program itself at each request: what was written is rolled back, or nothing was.

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use gloo_rs::exports::error::Exit;
use gloo_rs::exports::flow;
use gloo_rs::exports::kube::{Exchange, Trace};

use super::Bench;

const INJECT: &str = "inject --istio-discovery-address istiod.elsewhere.svc:15012 --sds-image r/sds:1 \
    --istio-proxy-image r/proxyv2:1";

/// Runs the command in this process. What traces the requests panics once: where it is told to.
fn panicking(bench: &Bench, line: &str, at: impl Fn(&Exchange<'_>) -> bool + Send + Sync + 'static) -> (Exit, usize) {
    let kubeconfig = ["--kubeconfig", bench.kubeconfig.to_str().expect("UTF-8")];
    let words = ["gloo-rs"].into_iter().chain(bench.words(line)).chain(kubeconfig).map(OsString::from);
    let panics = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&panics);
    let trace: Trace = Arc::new(move |exchange| {
        if count.load(Ordering::Relaxed) == 0 && at(exchange) {
            count.fetch_add(1, Ordering::Relaxed);
            panic!("a fault of the test");
        }
    });
    let exit = flow::run_traced(words, trace);
    (exit, panics.load(Ordering::Relaxed))
}

/// A kind of request, by its method and whether it is a rehearsal.
type Kind = fn(&Exchange<'_>) -> bool;

const READ: Kind = |it| it.method == "GET";
const REHEARSAL: Kind = |it| it.method == "PATCH" && it.path.contains("dryRun");
const WRITE: Kind = |it| it.method == "PATCH" && !it.path.contains("dryRun");

#[test]
fn a_panic_at_each_step_leaves_nothing_behind() -> Result<()> {
    let bench = Bench::new("panics")?;
    let before = bench.state()?;
    let line = format!("{INJECT} --no-wait");
    for (step, kind, number, expected) in [
        ("the first read", READ, 0, Exit::Failed),
        ("the first rehearsal", REHEARSAL, 0, Exit::Failed),
        ("the second rehearsal", REHEARSAL, 1, Exit::Failed),
        ("the first write", WRITE, 0, Exit::RolledBack),
        ("the second write", WRITE, 1, Exit::RolledBack),
    ] {
        let seen = AtomicUsize::new(0);
        let at = move |it: &Exchange<'_>| kind(it) && seen.fetch_add(1, Ordering::Relaxed) == number;
        let (exit, panics) = panicking(&bench, &line, at);
        assert_eq!((exit, panics), (expected, 1), "{step}");
        assert_eq!(bench.state()?, before, "{step}: {exit:?}");
    }
    Ok(())
}

#[test]
fn a_panic_during_the_wait_rolls_back() -> Result<()> {
    let bench = Bench::new("panics-waiting")?;
    let before = bench.state()?;
    let written = AtomicUsize::new(0);
    let (exit, panics) = panicking(&bench, INJECT, move |exchange| {
        let is_write = exchange.method == "PATCH" && !exchange.path.contains("dryRun");
        let writes = written.fetch_add(usize::from(is_write), Ordering::Relaxed);
        writes == 2 && exchange.method == "GET"
    });
    assert_eq!((exit, panics), (Exit::RolledBack, 1));
    assert_eq!(bench.state()?, before);
    Ok(())
}
