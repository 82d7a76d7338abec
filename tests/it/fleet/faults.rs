//! A cluster that is dead, slow or forbidding, a signal, a fault of the program: the other clusters are told all the same.

use std::ffi::OsString;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use gloo_rs::exports::error::Exit;
use gloo_rs::exports::flow;
use gloo_rs::exports::kube::{Exchange, Trace};
use serde_json::json;

use super::{DEAD, DEPLOYMENTS, addressed, document, entries, sandbox, versioned};
use crate::support::pod_server::{PodServer, reply};
use crate::support::stub::Stub;

#[test]
fn a_dead_cluster_is_unknown_with_its_cause_and_hides_no_other() {
    let (a, c) = (addressed("192.0.2.1"), addressed("192.0.2.3"));
    let sandbox = sandbox(&[("a", &a.url()), ("dead", DEAD), ("ccc", &c.url())]);
    let output = sandbox.run(&["proxy", "url", "--all-contexts"]);
    assert_eq!(
        (output.code, output.stdout.as_str()),
        (Some(9), "a    http://192.0.2.1:80\nccc  http://192.0.2.3:80\n")
    );
    assert!(output.stderr.contains("error: context dead: no connection to"), "{}", output.stderr);
    assert!(output.stderr.ends_with("3 contexts: 2 answered, 1 unknown\n"), "{}", output.stderr);
    let output = sandbox.run(&["proxy", "url", "--all-contexts", "-o", "json"]);
    let document = document(&output);
    assert_eq!(entries(&document), [("a", "answered", 0), ("dead", "unknown", 9), ("ccc", "answered", 0)]);
    assert_eq!(document["results"][1]["error"]["reason"], "unreachable");
    assert_eq!(document["results"][1].get("addresses"), None, "what was not read has no value");
    assert_eq!(document["exitCode"], 9);
}

#[test]
fn a_context_that_the_kubeconfig_does_not_complete_is_unknown_alone() {
    let a = versioned();
    let sandbox = sandbox(&[("a", &a.url())]);
    let path = sandbox.dir().join(".kube/config");
    let config = std::fs::read_to_string(&path).unwrap();
    let broken = "contexts:\n- {name: broken, context: {cluster: nowhere, user: me}}";
    sandbox.kubeconfig(config.replace("contexts:", broken));
    let output = sandbox.run(&["version", "--all-contexts", "-o", "json"]);
    assert_eq!(output.code, Some(1), "{output:#?}");
    let document = document(&output);
    assert_eq!(entries(&document), [("broken", "unknown", 1), ("a", "answered", 0)]);
    assert_eq!(document["results"][0]["error"]["reason"], "kubeconfig");
}

#[test]
fn a_cluster_that_always_has_one_more_page_ends_at_its_own_deadline() {
    let pages = AtomicUsize::new(0);
    let endless = PodServer::start(move |_, stream| {
        std::thread::sleep(Duration::from_millis(100));
        let next = pages.fetch_add(1, Ordering::Relaxed).to_string();
        let page = json!({"kind": "List", "apiVersion": "v1", "metadata": {"continue": next}, "items": []});
        reply(stream, "200 OK\r\nConnection: close\r\nContent-Type: application/json", page.to_string().as_bytes());
    });
    let other = super::empty();
    let endless = format!("http://{}", endless.address);
    let sandbox = sandbox(&[("endless", &endless), ("other", &other.url())]);
    let limits = ["--timeout", "2s", "--wait-timeout", "1s"];
    let output = sandbox.run(&[&["istio", "revisions", "--all-contexts", "-o", "json"], &limits[..]].concat());
    assert_eq!(output.code, Some(9), "{output:#?}");
    let document = document(&output);
    assert_eq!(entries(&document), [("endless", "unknown", 9), ("other", "answered", 4)]);
    assert_eq!(document["results"][0]["error"]["reason"], "timeout");
    assert_eq!(document["results"][0]["error"]["message"], "the cluster was not read within 3s");
}

#[test]
fn a_cluster_that_forbids_is_unknown_and_names_the_right() {
    let (open, shut) = (super::empty(), Stub::new());
    let message = r#"deployments.apps is forbidden: User "me" cannot list resource "deployments" in API group "apps" at the cluster scope"#;
    shut.on_anything().status(403, "Forbidden", message).always();
    let sandbox = sandbox(&[("shut", &shut.url()), ("open", &open.url())]);
    let output = sandbox.run(&["istio", "revisions", "--all-contexts", "-o", "json"]);
    assert_eq!(output.code, Some(4), "{output:#?}");
    let document = document(&output);
    assert_eq!(entries(&document), [("shut", "unknown", 4), ("open", "answered", 4)]);
    assert_eq!(document["results"][0]["error"]["reason"], "forbidden");
    assert_eq!(document["results"][1]["error"]["reason"], "noIstiod");
    let hint = document["results"][1]["error"]["hints"][0].as_str().unwrap();
    assert!(hint.contains("--kube-context open"), "{hint}");
    assert!(output.stderr.contains("--kube-context open"), "{}", output.stderr);
}

#[test]
fn ctrl_c_ends_with_130_and_says_which_clusters_were_not_read() {
    let (quick, held) = (versioned(), Stub::new());
    let release = Arc::new(AtomicBool::new(false));
    held.on("GET", DEPLOYMENTS).json(200, &json!({"metadata": {}, "items": []})).held(&release).always();
    held.on("GET", "/version").json(200, &json!({})).held(&release).always();
    let sandbox = sandbox(&[("held", &held.url()), ("quick", &quick.url())]);
    let mut running = sandbox.start(&["version", "--all-contexts", "-o", "json", "-v"]);
    running.wait_for("quick: GET /version 200");
    running.wait_for("quick: GET /apis");
    held.wait_for("GET", "/version");
    running.interrupt();
    let output = sandbox.end_of(running);
    release.store(true, Ordering::Relaxed);
    assert_eq!(output.code, Some(130), "{output:#?}");
    let document = document(&output);
    assert_eq!(entries(&document), [("held", "unknown", 130), ("quick", "answered", 0)]);
    assert_eq!(document["results"][0]["error"]["reason"], "interrupted");
    assert!(output.stderr.contains("error: interrupted\n  not read: held\n"), "{}", output.stderr);
}

#[test]
fn a_fault_of_the_program_in_one_context_leaves_the_others() {
    let (a, b) = (versioned(), versioned());
    let sandbox = sandbox(&[("a", &a.url()), ("b", &b.url())]);
    let config = sandbox.dir().join(".kube/config");
    let words = ["gloo-rs", "version", "--all-contexts", "-o", "json", "--kubeconfig"];
    let words = words.map(OsString::from).into_iter().chain([config.into_os_string()]);
    let answered = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&answered);
    let trace: Trace = Arc::new(move |_: &Exchange<'_>| {
        assert!(count.fetch_add(1, Ordering::Relaxed) > 0, "a fault of the test");
    });
    assert_eq!(flow::run_traced(words, trace), Exit::Failed);
    // The context of the fault may have sent its second request already; the other one has read both.
    assert!(answered.load(Ordering::Relaxed) >= 3, "{answered:?}");
}
