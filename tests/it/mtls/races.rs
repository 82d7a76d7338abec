//! Others who write the same object at the same time.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use super::{Gloo, HTTPBIN, kept, with_istio};
use crate::stage::StageApi;

const UPSTREAM: &str = super::UPSTREAM;

#[test]
fn several_at_once_make_one_change_and_all_succeed() {
    let gloo = Gloo::new("racing");
    let before = gloo.upstream(HTTPBIN);
    let outputs: Vec<_> = std::thread::scope(|scope| {
        let runs: Vec<_> = (0..6).map(|_| scope.spawn(|| gloo.run(&["enable-mtls", "-u", HTTPBIN]))).collect();
        runs.into_iter().map(|run| run.join().unwrap()).collect()
    });
    assert!(outputs.iter().all(|output| output.code == Some(0)), "{outputs:?}");
    let changed = outputs.iter().filter(|output| output.stdout.contains(" mTLS enabled\n")).count();
    let already = outputs.iter().filter(|output| output.stdout.contains(" mTLS already enabled\n")).count();
    assert_eq!((changed, already), (1, 5), "{outputs:?}");
    let after = gloo.upstream(HTTPBIN);
    assert_eq!(kept(&after), kept(&with_istio(&before)));
}

#[test]
fn a_controller_that_writes_all_the_time_loses_nothing_and_neither_do_we() {
    let gloo = Gloo::new("controller");
    let (stop, writes) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (mut done, mut gave_up) = (0, 0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let api = StageApi::connect(&gloo.plane.kubeconfig()).unwrap();
            while !stop.load(Ordering::Relaxed) {
                let number = writes.fetch_add(1, Ordering::Relaxed) + 1;
                let patch = json!({"metadata": {"labels": {"beat": number.to_string()}}, "status": {"statuses": {"x": {"beat": number}}}});
                api.merge(UPSTREAM, &gloo.namespace, HTTPBIN, &patch).unwrap();
            }
        });
        for round in 0..6 {
            let command = if round % 2 == 0 { "enable-mtls" } else { "disable-mtls" };
            let output = gloo.run(&[command, "-u", HTTPBIN]);
            match output.code {
                Some(0) => done += 1,
                Some(1) => {
                    gave_up += 1;
                    assert!(
                        output.stderr.contains(" changed by others 5 times (last: stage), gave up\n"),
                        "{output:?}"
                    );
                }
                _ => panic!("{output:?}"),
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    assert_eq!(done + gave_up, 6);
    let after = gloo.upstream(HTTPBIN);
    let beats = writes.load(Ordering::Relaxed);
    assert_eq!(after["status"]["statuses"]["x"]["beat"], json!(beats), "no write of the controller is lost");
    assert_eq!(after["metadata"]["labels"]["beat"], json!(beats.to_string()));
    assert_eq!(gloo.run(&["enable-mtls", "-u", HTTPBIN]).code, Some(0));
}

#[test]
fn an_object_that_is_deleted_in_between_is_not_found() {
    let gloo = Gloo::new("deleted");
    gloo.add(&json!({"metadata": {"name": "x"}, "spec": {"kube": {}}}));
    gloo.plane.api().delete(UPSTREAM, &gloo.namespace, "x").unwrap();
    let output = gloo.run(&["disable-mtls", "-u", "x"]);
    assert_eq!(output.code, Some(4), "{output:?}");
}
