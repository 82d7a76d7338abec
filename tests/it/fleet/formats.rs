//! Several contexts in the formats of people and of CI servers.

use serde_json::json;

use super::{DEAD, document, empty, entries, sandbox, versioned};

#[test]
fn a_report_has_a_section_for_each_context_and_the_cause_of_an_unknown_one() {
    let cluster = empty();
    let contexts = [("dev", cluster.url()), ("gone", DEAD.to_owned())];
    let contexts = contexts.each_ref().map(|(name, url)| (*name, url.as_str()));
    let run = |format: &str| sandbox(&contexts).run(&["report", "--all-contexts", "--read-only", "-o", format]);
    let output = run("json");
    assert_eq!(output.code, Some(9), "{output:#?}");
    let document = document(&output);
    let of = |number: usize| &document["posture"][number];
    assert_eq!((&of(0)["origin"]["context"], &of(1)["origin"]["context"]), (&json!("dev"), &json!("gone")));
    assert_eq!(of(1)["unknown"][0]["what"], json!(["the whole cluster"]), "{document:#}");
    assert_eq!(of(1)["paths"], json!([]));
    for format in ["html", "markdown", "text"] {
        let output = run(format);
        assert_eq!(output.code, Some(9), "{output:#?}");
        for said in ["dev", "gone", "the whole cluster"] {
            assert!(output.stdout.contains(said), "{format}: {said}: {output:#?}");
        }
    }
}

#[test]
fn a_table_has_the_context_in_its_first_column() {
    let istio = crate::support::stub::Stub::new();
    let deployment = json!({
        "metadata": {"name": "istiod", "namespace": "istio-system", "labels": {"app": "istiod", "istio.io/rev": "default"}},
        "spec": {"replicas": 1, "template": {"spec": {"containers": [{"name": "discovery", "image": "pilot:1.29.1"}]}}},
        "status": {"readyReplicas": 1},
    });
    let istiods = json!({"metadata": {}, "items": [deployment]});
    istio.on("GET", "/apis/apps/v1/deployments?labelSelector=app%3Distiod&limit=500").json(200, &istiods).always();
    istio.on_anything().json(200, &json!({"metadata": {}, "items": []})).always();
    let sandbox = sandbox(&[("dead", DEAD), ("mesh", &istio.url())]);
    let output = sandbox.run(&["istio", "revisions", "--all-contexts"]);
    assert_eq!(output.code, Some(9), "{output:#?}");
    let rows: Vec<Vec<_>> = output.stdout.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(rows[0][..3], ["CONTEXT", "REVISION", "VERSION"], "{}", output.stdout);
    assert!(rows[1][0] == "dead" && rows[1][1..].iter().all(|cell| *cell == "?"), "{}", output.stdout);
    assert_eq!(rows[2][..3], ["mesh", "default", "1.29.1"], "{}", output.stdout);
}

#[test]
fn what_is_no_table_has_a_heading_for_each_context() {
    let a = versioned();
    let sandbox = sandbox(&[("a", &a.url()), ("dead", DEAD)]);
    let output = sandbox.run(&["version", "--all-contexts", "-o", "table"]);
    let headings: Vec<_> = output.stdout.lines().filter(|line| line.starts_with("context ")).collect();
    assert_eq!(headings, [format!("context a ({})", a.url()), format!("context dead ({DEAD})")]);
    assert!(output.stdout.contains("Kubernetes version: v1.36.3"), "{}", output.stdout);
    assert!(output.stdout.contains("\nunknown: no connection to"), "{}", output.stdout);
}

#[test]
fn ci_servers_get_a_run_or_suites_of_each_context() {
    let a = empty();
    let sandbox = sandbox(&[("a", &a.url()), ("dead", DEAD)]);
    let check = ["check", "--read-only", "--all-contexts", "-o"];
    let json = document(&sandbox.run(&[&check[..], &["json"]].concat()));
    assert_eq!(entries(&json)[1], ("dead", "unknown", 9));

    let output = sandbox.run(&[&check[..], &["sarif"]].concat());
    let log = document(&output);
    let runs = log["runs"].as_array().unwrap();
    let ids: Vec<_> = runs.iter().map(|run| run["automationDetails"]["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["gloo-rs/a/", "gloo-rs/dead/"]);
    let succeeded: Vec<_> = runs.iter().map(|run| run["invocations"][0]["executionSuccessful"].clone()).collect();
    assert_eq!(succeeded, [true, false]);
    assert_eq!(output.code, Some(9));

    let output = sandbox.run(&[&check[..], &["junit"]].concat());
    assert!(output.stdout.contains("<testsuite name=\"a: "), "{}", output.stdout);
    assert!(output.stdout.contains("<testsuite name=\"dead: gloo-rs\" tests=\"1\""), "{}", output.stdout);
    assert_eq!(output.stdout.matches("<testsuites ").count(), 1);
}

#[test]
fn records_have_the_context_as_their_first_field() {
    let a = crate::support::stub::Stub::new();
    let upstream = json!({"metadata": {"name": "x", "namespace": "gloo-system"}, "spec": {"static": {}}});
    let upstreams = "/apis/gloo.solo.io/v1/namespaces/gloo-system/upstreams";
    a.on("GET", upstreams).json(200, &json!({"metadata": {}, "items": [upstream]})).always();
    a.on("GET", "/apis/gloo.solo.io/v1/namespaces/gloo-system/settings/default")
        .json(200, &json!({"metadata": {"name": "default", "namespace": "gloo-system"}}))
        .always();
    a.on_anything().json(200, &json!({"metadata": {}, "items": []})).always();
    let sandbox = sandbox(&[("a", &a.url()), ("b", &a.url())]);
    let output = sandbox.run(&["istio", "describe", "upstreams", "--all-contexts", "-o", "csv"]);
    let lines: Vec<_> = output.stdout.lines().collect();
    assert!(lines.len() == 3 && lines[0].starts_with("context,"), "{output:#?}");
    assert!(lines[1].starts_with("a,") && lines[2].starts_with("b,"), "{output:#?}");
}
