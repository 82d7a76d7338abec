//! How a watched change ends otherwise: a signal, a kill, missing rights, a gateway pod that is replaced, or an API server
//! that stops.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};
use serde_json::json;

use super::{MARK, Many, UPSTREAM, document, failed, outcomes, strings};
use crate::stage::many::Backend::{Healthy, NoSidecar};
use crate::stage::{Options, Plane};

const WATCH: [&str; 6] = ["enable-mtls", "--observe", "3s", "--min-requests", "5", "-o"];

fn words<'w>(more: &[&'w str]) -> Vec<&'w str> {
    [&WATCH[..], more].concat()
}

#[test]
fn a_signal_within_the_window_rolls_the_batch_back() -> Result<()> {
    let many = Many::start("signal", &[("u0", Healthy), ("u1", Healthy)])?;
    let _load = many.gateways.load(&[])?;
    let running = many.sandbox.start(&many.words(&["enable-mtls", "--observe", "60s", "--batch", "2", "-o", "json"]));
    // Nothing is changed while the requests before the change are watched.
    sleep(Duration::from_secs(1));
    running.terminate();
    let before = many.sandbox.end_of(running);
    assert_eq!((before.code, many.state()?), (Some(130), (Vec::new(), Vec::new())), "{before:?}");

    let running = many.sandbox.start(&many.words(&["enable-mtls", "--observe", "3s", "--batch", "2", "-o", "json"]));
    running.interrupt_once(|| many.state().is_ok_and(|(_, marked)| marked.len() == 2));
    let output = many.sandbox.end_of(running);
    assert_eq!((output.code, many.state()?), (Some(130), (Vec::new(), Vec::new())), "{output:?}");
    assert_eq!(outcomes(&document(&output)), ["rolledBack"], "{output:?}");
    Ok(())
}

#[test]
fn what_a_killed_run_left_is_watched_first_and_can_be_rolled_back() -> Result<()> {
    let many = Many::start("killed", &[("u0", Healthy), ("u1", NoSidecar)])?;
    let load = many.gateways.load(&[])?;
    let own = json!({"spec": {"sslConfig": {"secretRef": {"name": "own", "namespace": "default"}}}});
    many.plane.api().merge(UPSTREAM, &many.gloo, "u1", &own)?;
    let before = |name| many.plane.api().get(UPSTREAM, &many.gloo, name);
    let spec = before("u1")?.context("u1")?["spec"].clone();
    let all = ["enable-mtls", "--observe", "3s", "--min-requests", "5", "--overwrite", "-o", "json"];
    let running = many.sandbox.start(&many.words(&all));
    running.wait_until(|| many.state().is_ok_and(|(_, marked)| marked.len() == 2));
    running.kill();
    drop(many.sandbox.end_of(running));
    assert_eq!(many.state()?, (strings(&["u0", "u1"]), strings(&["u0", "u1"])));

    // A preview names them. Both are one batch. The faulty one failed before this run too, so its rate is allowed; the
    // request without an error is the one that shows it.
    let preview = document(&many.run(&[&all[..], &["--dry-run"]].concat()));
    assert_eq!((outcomes(&preview), &preview["batches"][0]["changedByEarlierRun"]), (vec!["planned"], &json!(true)));
    let output = many.run(&[&all[..], &["--max-5xx", "1%"]].concat());
    assert_eq!((output.code, outcomes(&document(&output))), (Some(5), vec!["rolledBack"]), "{output:?}");
    assert_eq!(many.state()?, (strings(&["u1"]), Vec::new()), "u1 has its own TLS again");
    assert_eq!(before("u1")?.context("u1")?["spec"], spec);
    assert!(!load.end().is_empty());
    Ok(())
}

#[test]
fn without_the_right_to_ask_envoy_nothing_is_changed() -> Result<()> {
    let many = Many::start("blind", &[("u0", Healthy)])?;
    let rules = "[{apiGroups: [gloo.solo.io], resources: [upstreams, settings], verbs: [get, list, patch]}, \
                 {apiGroups: ['', apps], resources: [pods, configmaps, services, namespaces, deployments, daemonsets], verbs: [get, list]}]";
    let name = format!("{}-blind", many.gloo);
    let group = "rbac.authorization.k8s.io";
    many.plane.api().apply(&format!(
        "{{apiVersion: {group}/v1, kind: ClusterRole, metadata: {{name: {name}}}, rules: {rules}}}\n---\n\
         {{apiVersion: {group}/v1, kind: ClusterRoleBinding, metadata: {{name: {name}}}, roleRef: {{apiGroup: {group}, \
         kind: ClusterRole, name: {name}}}, subjects: [{{kind: User, name: {name}, apiGroup: {group}}}]}}"
    ))?;
    let refused = || many.run(&[&words(&["text"])[..], &["--as", &name]].concat());
    let mut last = None;
    let output = crate::stage::wait_for("the rule holds", Duration::from_mins(1), || {
        let output = refused();
        last = Some(output.stderr.clone());
        Ok(output.stderr.contains("pods/portforward").then_some(output))
    });
    let output = output.with_context(|| format!("{last:?}"))?;
    assert_eq!((output.code, many.state()?), (Some(4), (Vec::new(), Vec::new())), "{output:?}");
    assert!(output.stderr.contains("nothing was changed"), "{output:?}");
    Ok(())
}

#[test]
fn a_gateway_pod_that_is_replaced_within_the_window_is_watched_again() -> Result<()> {
    let many = Many::start("replaced", &[("u0", Healthy)])?;
    let load = many.gateways.load(&[])?;
    let running = many.sandbox.start(&many.words(&words(&["json"])));
    running.wait_until(|| many.state().is_ok_and(|(_, marked)| marked.len() == 1));
    let proxies = || {
        let pods = many.plane.api().list("v1/Pod", &many.gloo)?;
        let of_gateway = pods.into_iter().filter(|pod| pod["metadata"]["labels"]["gloo"] == "gateway-proxy");
        anyhow::Ok(of_gateway.filter_map(|pod| Some(pod["metadata"]["name"].as_str()?.to_owned())).collect::<Vec<_>>())
    };
    let before = proxies()?;
    many.plane.api().delete("v1/Pod", &many.gloo, &before[0])?;
    many.plane.api().wait_available(&many.gloo)?;
    let new = proxies()?.into_iter().find(|name| !before.contains(name)).context("a new pod")?;
    many.plane.forward_pod(&many.gloo, &new, &[(19000, many.gateways.gateway(0).admin())])?;
    let output = many.sandbox.end_of(running);
    assert_eq!((output.code, many.state()?), (Some(0), (strings(&["u0"]), Vec::new())), "{output:?}");
    assert!(failed(&load.end(), "u0").0.is_empty());
    Ok(())
}

#[test]
fn an_api_server_that_stops_within_the_window_leaves_no_silent_success() -> Result<()> {
    let plane = Plane::start(&Options::default())?;
    plane.install_guide()?;
    let many = Many::on(&plane, "stops", &[("u0", Healthy)])?;
    let load = many.gateways.load(&[])?;
    let short = words(&["json", "--timeout", "2s"]);
    let running = many.sandbox.start(&many.words(&short));
    running.wait_until(|| many.state().is_ok_and(|(_, marked)| marked.len() == 1));
    plane.kill_apiserver()?;
    let output = many.sandbox.end_of(running);
    assert_eq!((output.code, outcomes(&document(&output))), (Some(6), vec!["rollbackIncomplete"]), "{output:?}");
    plane.start_apiserver()?;
    assert_eq!(many.state()?, (strings(&["u0"]), strings(&["u0"])), "its mark stays");

    let output = many.run(&words(&["json"]));
    assert_eq!((output.code, outcomes(&document(&output))), (Some(0), vec!["passed"]), "{output:?}");
    assert_eq!(many.state()?, (strings(&["u0"]), Vec::new()));
    assert!(failed(&load.end(), "u0").0.is_empty());
    Ok(())
}

#[test]
fn a_quiet_upstream_that_does_not_answer_a_request_is_rolled_back() -> Result<()> {
    let many = Many::start("silent", &[("u0", Healthy)])?;
    let quiet = words(&["json", "--on-silence", "verify"]);
    let output = many.run(&quiet);
    // No route leads to it, so no request can be sent.
    assert_eq!((output.code, outcomes(&document(&output))), (Some(5), vec!["rolledBack"]), "{output:?}");
    assert_eq!(document(&output)["results"][0]["reason"], "errorsRose", "{output:?}");
    assert_eq!(many.state()?, (Vec::new(), Vec::new()));
    Ok(())
}

#[test]
fn the_switches_of_auto_mtls_are_watched_through_all_upstreams() -> Result<()> {
    let many = Many::start("switches", &[("u0", Healthy), ("u1", Healthy)])?;
    let load = many.gateways.load(&[])?;
    let words = ["istio", "auto-mtls", "enable", "-n", &many.gloo, "--force", "--yes", "--observe", "3s", "-o", "json"];
    let output = many.sandbox.run(&words);
    let document = document(&output);
    assert_eq!((output.code, outcomes(&document)), (Some(0), vec!["passed"]), "{output:?}");
    let counters = document["batches"][0]["counters"].as_array().context("counters")?;
    let names: Vec<_> = counters.iter().filter_map(|it| it["upstream"]["name"].as_str()).collect();
    assert!(names.contains(&"u0") && names.contains(&"u1"), "{document:#}");
    let settings = many.plane.api().get("gloo.solo.io/v1/Settings", &many.gloo, "default")?.context("Settings")?;
    assert_eq!(settings["spec"]["gloo"]["istioOptions"]["enableAutoMtls"], true);
    assert!(settings["metadata"]["annotations"][MARK].is_null());
    assert!(!load.end().is_empty());
    Ok(())
}

#[test]
fn two_runs_on_one_selection_end_with_every_change_observed() -> Result<()> {
    let many = Many::start("two-runs", &[("u0", Healthy), ("u1", Healthy)])?;
    let _load = many.gateways.load(&[])?;
    let start = || many.sandbox.start(&many.words(&words(&["json"])));
    let (one, other) = (start(), start());
    let (one, other) = (many.sandbox.end_of(one), many.sandbox.end_of(other));
    assert_eq!((one.code, other.code), (Some(0), Some(0)), "{one:?}\n{other:?}");
    assert_eq!(many.state()?, (strings(&["u0", "u1"]), Vec::new()));
    Ok(())
}
