//! INT, TERM and HUP.

use std::sync::atomic::{AtomicUsize, Ordering};

use rustix::process::Signal;
use serde_json::Value;

use super::{Moment, ROWS, Row, Server, Worlds, moments, which};
use crate::support::world::State;

const SIGNALS: [(Signal, &str); 3] = [(Signal::INT, "INT"), (Signal::TERM, "TERM"), (Signal::HUP, "HUP")];

/// The signal comes at that moment. Exit 130: everything is as before, or what stands is a whole and is said.
fn interrupted(worlds: &Worlds, row: &Row, states: &[State], at: Moment, (signal, name): (Signal, &str)) {
    let what = format!("{} {at:?} {name}", row.line);
    let server = Server::start(worlds.of(row.begins), Some(at));
    let sandbox = server.sandbox();
    let typed: Vec<_> = row.line.split_whitespace().chain(["-v", "-o", "json"]).collect();
    let mut running = sandbox.start(&typed);
    running.wait_until(|| server.shared.reached.load(Ordering::Relaxed));
    running.signal(signal);
    let go_on = || server.shared.open.store(true, Ordering::Relaxed);
    let output = if at == Moment::Before {
        // It does not wait for the answer.
        let output = sandbox.end_of(running);
        go_on();
        output
    } else {
        running.wait_until_heard(name);
        go_on();
        sandbox.end_of(running)
    };
    assert_eq!(output.code, Some(130), "{what} {output:#?}");
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!(document["error"]["reason"], "interrupted", "{what} {output:#?}");
    let stands = which(states, &server.world().state(), &what);
    assert!(row.stands.contains(&stands), "{what}: {stands} {output:#?}");
    if at == Moment::Before {
        assert_eq!(stands, 0, "{what} {output:#?}");
    }
    let results = document["results"].as_array().unwrap();
    assert_eq!(results.iter().any(|it| it["changed"] == true), stands > 0, "{what}: what stands is said: {output:#?}");
}

fn at_each_step(worlds: &Worlds, row: &Row) {
    let (states, follows) = worlds.undisturbed(row);
    for at in moments(&states, &follows) {
        for signal in SIGNALS {
            interrupted(worlds, row, &states, at, signal);
        }
    }
}

#[test]
fn a_signal_at_each_step_of_each_command_leaves_all_of_it_or_nothing() {
    let worlds = Worlds::new();
    let next = AtomicUsize::new(0);
    // Most of the time the commands wait.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(row) = ROWS.get(next.fetch_add(1, Ordering::Relaxed)) {
                    at_each_step(&worlds, row);
                }
            });
        }
    });
}
