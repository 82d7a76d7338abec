//! INT, TERM and HUP at each request of the transaction.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::process::Signal;

use super::*;

type Named = (Signal, &'static str);
const SIGNALS: [Named; 3] = [(Signal::INT, "INT"), (Signal::TERM, "TERM"), (Signal::HUP, "HUP")];

/// The signal comes while this request is held; the requests before it are answered.
fn signalled(objects: &Objects, line: &str, signal: Named, at: At, rollback: impl FnOnce(&Stub)) -> (Output, Stub) {
    let (stub, open) = (Stub::new(), Arc::new(AtomicBool::new(false)));
    let Objects { map, workload } = objects;
    reads(&stub, &map[0], &workload[0]);
    for (step, path, query, answer) in [
        (At::RehearseMap, MAP, REHEARSE, &map[1]),
        (At::RehearseWorkload, WORKLOAD, REHEARSE, &workload[1]),
        (At::Map, MAP, WRITE, &map[1]),
        (At::Workload, WORKLOAD, WRITE, &workload[1]),
    ] {
        let on = stub.on("PATCH", &format!("{path}{query}")).json(200, answer);
        if step == at {
            on.held(&open);
            break;
        }
    }
    rollback(&stub);
    let path = match at {
        At::RehearseMap => format!("{MAP}{REHEARSE}"),
        At::RehearseWorkload => format!("{WORKLOAD}{REHEARSE}"),
        At::Map => format!("{MAP}{WRITE}"),
        At::Workload => format!("{WORKLOAD}{WRITE}"),
    };
    let sandbox = Sandbox::new().port(stub.port());
    sandbox.kubeconfig(stub.kubeconfig());
    let mut running = sandbox.start(&line.split_whitespace().chain(["-v"]).collect::<Vec<_>>());
    stub.wait_for("PATCH", &path);
    running.signal(signal.0);
    running.wait_until_heard(signal.1);
    open.store(true, Ordering::Relaxed);
    (sandbox.end_of(running), stub)
}

#[test]
fn a_signal_before_the_first_write_changes_nothing() {
    for signal in SIGNALS {
        for at in [At::RehearseMap, At::RehearseWorkload] {
            let (output, stub) = signalled(&Objects::of_an_injection(), INJECT, signal, at, |_| {});
            assert_said(&output, 130, &["error: interrupted"]);
            assert!(stub.requests().iter().all(|it| !it.path.ends_with(WRITE)), "{signal:?} {at:?} {output:#?}");
        }
    }
}

#[test]
fn a_signal_during_a_write_rolls_back_what_was_written() {
    for (line, objects) in [(INJECT, Objects::of_an_injection()), (UNINJECT, Objects::of_a_removal())] {
        for signal in SIGNALS {
            let (output, stub) = signalled(&objects, line, signal, At::Map, |stub| {
                stub.on("GET", MAP).json(200, &objects.map[1]);
                stub.on("PATCH", &format!("{MAP}{WRITE}")).json(200, &objects.map[0]);
            });
            assert_said(&output, 130, &["error: interrupted", BACK]);
            assert_eq!(left(&stub, MAP, &objects.map[1])["data"], objects.map[0]["data"], "{signal:?} {output:#?}");

            let (output, stub) = signalled(&objects, line, signal, At::Workload, |stub| {
                stub.on("GET", WORKLOAD).json(200, &objects.workload[1]);
                stub.on("PATCH", &format!("{WORKLOAD}{WRITE}")).json(200, &objects.workload[0]);
                stub.on("GET", MAP).json(200, &objects.map[1]);
                stub.on("PATCH", &format!("{MAP}{WRITE}")).json(200, &objects.map[0]);
            });
            assert_said(&output, 130, &["error: interrupted", BACK]);
            assert_eq!(left(&stub, WORKLOAD, &objects.workload[1])["spec"], objects.workload[0]["spec"], "{output:#?}");
        }
    }
}

#[test]
fn a_rollback_that_fails_after_a_signal_is_not_an_interrupted_run() {
    let objects = Objects::of_an_injection();
    let (output, _) = signalled(&objects, INJECT, SIGNALS[1], At::Map, |stub| {
        stub.on("GET", MAP).json(200, &objects.map[1]);
        forbidden(stub, &format!("{MAP}{WRITE}"));
    });
    assert_said(&output, 6, &["NOT fully rolled back", "configmap/gateway-proxy-envoy-config  still changed"]);
}
