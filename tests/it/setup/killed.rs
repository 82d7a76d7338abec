//! Runs that end in the middle, and the same command again.

use anyhow::Result;
use serde_json::{Value, json};

use super::{PATIENCE, SETUP, SHOP, UPSTREAM, containers, ends, mode, plane, run, same, sandbox, ssl_config, state};
use crate::stage::{Injector, Plane};
use crate::support::Sandbox;
use crate::support::gate::Gate;

/// Starts it and kills it as it begins this step. The last may be over before that.
fn killed_at(plane: &Plane, words: &[&str], step: usize) {
    let sandbox = sandbox(plane);
    let mut running = sandbox.start(&[&["istio"], words].concat());
    running.wait_for(&format!("step {step} of 4: "));
    running.kill();
    let ended = sandbox.end_of(running);
    assert!(ended.code.is_none() || step == 4, "{ended:#?}");
}

#[test]
fn killed_after_each_step_in_turn_the_same_command_ends_in_the_same_state() -> Result<()> {
    let plane = plane()?;
    let _injector = Injector::of_the_guide(&plane)?;
    let (setup, teardown) = ([&SETUP[..], &["--yes"]].concat(), ["teardown", "--yes"]);
    let (before, pods_before) = (state(&plane)?, containers(&plane)?);
    ends(&run(&plane, &setup), 0, &["setup done: 4 steps\n"], &[]);
    let (whole, pods_whole) = (state(&plane)?, containers(&plane)?);
    ends(&run(&plane, &teardown), 0, &["teardown done: 4 steps\n"], &[]);
    same(&plane, &before)?;
    for step in 1..=4 {
        killed_at(&plane, &setup, step);
        let said: &[_] = if step < 4 { &["setup done: 4 steps\n"] } else { &[] };
        ends(&run(&plane, &setup), 0, said, &[]);
        // The policy is another object each time.
        same(&plane, &whole)?;
        assert_eq!(containers(&plane)?, pods_whole, "{step}");

        killed_at(&plane, &teardown, step);
        assert_eq!(run(&plane, &teardown).code, Some(0), "{step}");
        same(&plane, &before)?;
        assert_eq!(containers(&plane)?, pods_before, "{step}");
    }
    Ok(())
}

#[test]
fn ctrl_c_while_the_plan_is_made_changes_nothing_and_is_no_refusal() -> Result<()> {
    let plane = plane()?;
    let before = state(&plane)?;
    let upstream = format!("/apis/gloo.solo.io/v1/namespaces/gloo-system/upstreams/{UPSTREAM}");
    let gate = Gate::start(&plane, &format!("GET {upstream}"), &format!("PATCH {upstream}"));
    let sandbox = Sandbox::new().patient(PATIENCE);
    sandbox.kubeconfig(gate.kubeconfig());
    let running = sandbox.start(&[&["istio"], &SETUP[..], &["--yes"]].concat());
    gate.wait();
    running.interrupt();
    let ended = sandbox.end_of(running);
    ends(&ended, 130, &["  2 enroll    namespace shop\n"], &["error: interrupted\n  nothing was changed\n"]);
    assert!(!ended.stderr.contains("refused"), "{ended:#?}");
    same(&plane, &before)
}

#[test]
fn ctrl_c_once_a_step_is_done_says_what_stands_and_a_rerun_goes_on() -> Result<()> {
    let plane = plane()?;
    let _injector = Injector::of_the_guide(&plane)?;
    // The step is over when the next one is planned, which reads the policies.
    let upstream = format!("/apis/gloo.solo.io/v1/namespaces/gloo-system/upstreams/{UPSTREAM}");
    let gate =
        Gate::start(&plane, &format!("PATCH {upstream}?fieldManager=gloo-rs HTTP"), "GET /apis/security.istio.io/v1");
    let sandbox = Sandbox::new().patient(PATIENCE);
    sandbox.kubeconfig(gate.kubeconfig());
    let words = [&SETUP[..], &["--yes"]].concat();
    let running = sandbox.start(&[&["istio"], &words[..]].concat());
    gate.wait();
    running.interrupt();
    gate.open();
    let ended = sandbox.end_of(running);
    let said = [
        "step 3 of 4: done (",
        "error: step 4 (strict) failed: interrupted\n  step 4 changed nothing; steps 1, 2, 3 remain in place\n",
        "hint: run the same command again to continue; undo with gloo-rs istio teardown\n",
    ];
    ends(&ended, 130, &[], &said);
    assert_eq!(mode(&plane, SHOP)?, None);
    assert_ne!(ssl_config(&plane)?, Value::Null);

    let done = ["  3 upstream  shop-cart-80: already\n", "setup done: 4 steps\n"];
    ends(&run(&plane, &words), 0, &done, &[]);
    assert_eq!(mode(&plane, SHOP)?.as_deref(), Some("STRICT"));
    Ok(())
}

#[test]
fn ctrl_c_takes_back_the_step_that_is_under_way_and_says_what_stands() -> Result<()> {
    let plane = plane()?;
    let _injector = Injector::of_the_guide(&plane)?;
    // New pods find no node: the step waits.
    let pinned = json!({"spec": {"template": {"spec": {"nodeSelector": {"shop": "here"}}}}});
    let node = plane.api().list("v1/Node", "")?.remove(0)["metadata"]["name"].as_str().unwrap_or_default().to_owned();
    let label =
        |value: Value| plane.api().merge("v1/Node", "", &node, &json!({"metadata": {"labels": {"shop": value}}}));
    label(json!("here"))?;
    plane.api().merge("apps/v1/Deployment", SHOP, "cart", &pinned)?;
    plane.api().wait_available(SHOP)?;
    label(Value::Null)?;
    let sandbox = sandbox(&plane);
    let words = [&["istio"], &SETUP[..], &["--yes"]].concat();
    let mut running = sandbox.start(&words);
    running.wait_for("waiting for deployment/cart");
    running.interrupt();
    let said = ["error: step 2 (enroll) failed: interrupted", "step 2 is rolled back; step 1 remains in place"];
    let ended = sandbox.end_of(running);
    assert!(!ended.stderr.contains("everything is rolled back"), "step 1 remains in place: {ended:?}");
    ends(&ended, 130, &[], &said);
    let shop = plane.api().get("v1/Namespace", "", SHOP)?.unwrap_or_default();
    assert_eq!(shop["metadata"]["labels"]["istio.io/rev"], Value::Null);

    // Beside one that comes into the mesh the step stands for that one.
    let other = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "other", "namespace": SHOP},
        "spec": {"replicas": 1, "selector": {"matchLabels": {"app": "other"}}, "template": {
            "metadata": {"labels": {"app": "other"}}, "spec": {"containers": [{"name": "app", "image": "app:1"}]},
        }},
    });
    plane.api().apply(&other.to_string())?;
    plane.api().wait_available(SHOP)?;
    let in_part = sandbox.run(&[&words[..], &["--wait-timeout", "20s"]].concat());
    ends(&in_part, 1, &[], &["error: step 2 (enroll) failed: ", "  step 2 is partly applied\n"]);
    label(json!("here"))?;
    let done = ["  1 inject    sidecars for the gateway: already\n", "setup done: 4 steps\n"];
    ends(&sandbox.run(&words), 0, &done, &[]);
    Ok(())
}
