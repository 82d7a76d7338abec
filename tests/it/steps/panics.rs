//! A fault of the program itself. The workflow `release` runs this in the profile of a release too.

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gloo_rs::exports::error::Exit;
use gloo_rs::exports::flow;
use gloo_rs::exports::kube::{Exchange, Trace};

use super::{Moment, ROWS, Row, Server, Worlds, moments, which};
use crate::support::world::State;

/// Runs the command in this process. What traces the requests panics at that moment.
fn panicking(server: &Server, row: &Row, at: Moment) -> (Exit, bool) {
    let sandbox = server.sandbox();
    let kubeconfig = sandbox.dir().join(".kube/config");
    let words = ["gloo-rs"].into_iter().chain(row.line.split_whitespace()).chain(["--kubeconfig"]);
    let words = words.map(OsString::from).chain([kubeconfig.into_os_string()]);
    let shared = Arc::clone(&server.shared);
    let panicked = Arc::new(AtomicBool::new(false));
    let once = Arc::clone(&panicked);
    let trace: Trace = Arc::new(move |exchange: &Exchange<'_>| {
        let writes = shared.writes.load(Ordering::Relaxed);
        let is_then = match at {
            Moment::Before => writes == 0 && exchange.path.contains("/namespaces/"),
            Moment::Write(write) => writes == write + 1,
            Moment::After(write) => writes == write + 1 && exchange.method == "GET",
        };
        assert!(!is_then || once.swap(true, Ordering::Relaxed), "a fault of the test");
    });
    (flow::run_traced(words, trace), panicked.load(Ordering::Relaxed))
}

fn at(worlds: &Worlds, row: &Row, states: &[State], at: Moment) {
    let what = format!("{} {at:?}", row.line);
    let server = Server::start(worlds.of(row.begins), None);
    let (exit, panicked) = panicking(&server, row, at);
    assert!(panicked, "{what}: nothing panicked, {exit:?}");
    let stands = which(states, &server.world().state(), &what);
    match exit {
        Exit::Failed => assert_eq!(stands, 0, "{what}"),
        Exit::RolledBack => assert!(row.stands.contains(&stands), "{what}: {stands}"),
        // Steps before it are transactions that are over. What is independent for each object is not taken back. Both are
        // said.
        Exit::HalfDone => assert!(row.stands.contains(&stands) && row.stands.len() > 1, "{what}: {stands}"),
        other => panic!("{what}: {other:?}, {stands}"),
    }
}

#[test]
fn a_panic_at_each_step_of_each_command_ends_in_a_rollback() {
    let worlds = Worlds::new();
    for row in &ROWS {
        let (states, follows) = worlds.undisturbed(row);
        for moment in moments(&states, &follows) {
            at(&worlds, row, &states, moment);
        }
    }
}
