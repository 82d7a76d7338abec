//! What a plan is shown as, and how it is asked about.

use anyhow::Result;
use serde_json::{Value, json};

use super::{SETUP, SHOP, document, ends, plane, run, same, sandbox, state};
use crate::stage::Injector;

#[test]
fn a_plan_is_previewed_in_every_form_and_asked_about_once() -> Result<()> {
    let plane = plane()?;
    let _injector = Injector::of_the_guide(&plane)?;
    let before = state(&plane)?;
    let setup = |more: &[&str]| run(&plane, &[&SETUP[..], more].concat());

    let dry = document(&setup(&["--dry-run=server", "-o", "json"]))?;
    assert_eq!((&dry["dryRun"], &dry["plan"][1]["what"]), (&json!("server"), &json!("namespace shop")), "{dry:#}");
    assert_eq!(dry["results"].as_array().map(Vec::len), Some(6), "{dry:#}");
    let yaml = setup(&["--dry-run", "-o", "yaml"]);
    ends(&yaml, 0, &["kind: Result\n", "- step: 1\n", "outages: []\n"], &[]);
    let diff = setup(&["--diff"]);
    ends(
        &diff,
        0,
        &["+++ ", "+        - name: gateway_proxy_sds\n", "+    istio.io/rev: 1-28\n"][..1],
        &["  1 inject"],
    );
    assert!(diff.stdout.lines().all(|line| " +-@".contains(&line[..1])), "{diff:#?}");
    assert_eq!(setup(&["--check"]).code, Some(3));

    let refused = document(&setup(&["-o", "json"]))?;
    assert_eq!((&refused["exitCode"], &refused["error"]["reason"]), (&json!(2), &json!("notConfirmed")), "{refused:#}");
    ends(&setup(&[]), 2, &["  4 strict    namespace shop\n"], &["--yes is required when no prompt is possible"]);
    same(&plane, &before)?;

    // On a terminal it asks once, and says once which cluster it is about.
    let sandbox = sandbox(&plane);
    let words = [&["istio"], &SETUP[..]].concat();
    let mut no = sandbox.start_on_terminal(&words);
    no.wait_for("Continue?");
    no.give("n\n");
    ends(&sandbox.end_of(no), 2, &[], &["not confirmed; nothing changed"]);
    same(&plane, &before)?;
    let mut stopped = sandbox.start_on_terminal(&words);
    stopped.wait_for("Continue?");
    stopped.interrupt();
    ends(&sandbox.end_of(stopped), 130, &[], &["interrupted\r\n  nothing was changed\r\n"]);
    same(&plane, &before)?;
    let mut ended = sandbox.start_on_terminal(&words);
    ended.wait_for("Continue?");
    ended.give("\x04");
    ends(&sandbox.end_of(ended), 2, &[], &["Continue? [y/N] \r\n"]);
    let mut yes = sandbox.start_on_terminal(&words);
    yes.wait_for("Continue?");
    yes.give("y\n");
    let done = sandbox.end_of(yes);
    ends(&done, 0, &["setup done: 4 steps\n"], &["step 4 of 4: done ("]);
    assert_eq!(done.stderr.matches("Continue?").count(), 1, "{done:#?}");
    assert_eq!(done.stderr.lines().filter(|line| line.starts_with("context plane ")).count(), 1, "{done:#?}");

    assert_eq!(setup(&["--check"]).code, Some(0));
    let quiet = document(&setup(&["-o", "json"]))?;
    assert!(quiet["plan"].as_array().is_some_and(|plan| plan.iter().all(|step| step["already"] == true)), "{quiet:#}");
    let back = document(&run(&plane, &["teardown", "--dry-run", "-o", "json"]))?;
    assert_eq!(back["plan"].as_array().map(Vec::len), Some(4), "{back:#}");
    assert_eq!(run(&plane, &["teardown", "--check"]).code, Some(3));
    Ok(())
}

#[test]
fn with_auto_mtls_no_upstream_is_changed_and_settings_come_back() -> Result<()> {
    let plane = plane()?;
    let _injector = Injector::of_the_guide(&plane)?;
    let before = state(&plane)?;
    let words = [&SETUP[..], &["--auto-mtls", "--yes"]].concat();
    let planned = [
        "  3 auto-mtls Settings\n",
        "undo: gloo-rs istio auto-mtls disable\n",
        "  4 upstream  shop-cart-80: already: auto-mTLS (step 3)\n",
    ];
    ends(&run(&plane, &words), 0, &planned, &[]);
    assert_eq!(super::ssl_config(&plane)?, Value::Null);
    assert_eq!(super::mode(&plane, SHOP)?.as_deref(), Some("STRICT"));
    ends(&run(&plane, &words), 0, &["already: auto-mTLS (Settings)\n", "nothing to change\n"], &[]);
    let back = run(&plane, &["teardown", "--yes"]);
    ends(&back, 0, &["  2 auto-mtls Settings\n", "teardown done: 4 steps\n"], &[]);
    same(&plane, &before)
}

#[test]
fn settings_without_the_two_switches_are_without_them_again() -> Result<()> {
    let plane = plane()?;
    let _injector = Injector::of_the_guide(&plane)?;
    let words = [&SETUP[..], &["--auto-mtls", "--yes"]].concat();
    for gloo in [json!({"istioOptions": null}), json!(null)] {
        let patch = json!({"spec": {"gloo": gloo}});
        plane.api().merge("gloo.solo.io/v1/Settings", "gloo-system", "default", &patch)?;
        let before = state(&plane)?;
        ends(&run(&plane, &words), 0, &["setup done: 5 steps\n"], &[]);
        let back = run(&plane, &["teardown", "--yes"]);
        ends(&back, 0, &["  2 auto-mtls Settings\n", "teardown done: 4 steps\n"], &[]);
        same(&plane, &before)?;
    }
    Ok(())
}
