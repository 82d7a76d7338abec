//! What does not come about is put back: workloads by themselves, and the label where none of them stands for it.

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Bench, PATIENCE, assert_said, meshed, plain, row};
use crate::stage::wait_for;
use crate::support::gate::Gate;
use crate::support::{Output, Sandbox};

const BACK: &str = "everything is rolled back";

/// Runs in another thread while something happens to what it does.
fn meanwhile(bench: &Bench, line: &str, happens: impl FnOnce() -> Result<()>) -> Result<Output> {
    std::thread::scope(|scope| {
        let running = scope.spawn(|| bench.run(line));
        let happened = happens();
        let output = running.join().expect("no panic");
        happened.with_context(|| format!("{output:#?}"))?;
        Ok(output)
    })
}

#[test]
fn an_injector_that_is_down_is_met_before_any_pod_is_replaced() -> Result<()> {
    let bench = Bench::with_own_istiods("down")?;
    bench.deploy("web", &json!({}))?;
    bench.injector().go_down();
    let output = bench.run("enroll NS --revision OLD");
    let why = format!("new pods of {} would not get the sidecar of {}", bench.apps, bench.old.name);
    let said = [why.as_str(), "failed calling webhook \"rev.namespace.sidecar-injector.istio.io\"", BACK];
    assert_said(&output, 5, &said);
    let lines = format!(
        "namespace/{ns} enrolled (istio.io/rev={})\nnamespace/{ns} rolled back\n",
        bench.old.name,
        ns = bench.apps
    );
    assert_eq!(output.stdout, lines);
    assert_eq!((bench.labels()?, bench.restarted("web")?), (json!({}), Value::Null));
    assert_eq!(bench.shape("web")?, [plain()]);

    bench.injector().come_up();
    assert_eq!(bench.run("enroll NS --revision OLD").code, Some(0));
    // Out of the mesh a dead injector is in nobody's way.
    bench.injector().go_down();
    let output = bench.run("unenroll NS --yes");
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert_eq!(bench.shape("web")?, [plain()]);
    Ok(())
}

#[test]
fn check_finds_pods_that_the_webhook_prevents_until_it_answers_again() -> Result<()> {
    let bench = Bench::with_own_istiods("prevented")?;
    bench.deploy("web", &json!({}))?;
    assert_eq!(bench.run("enroll NS --revision OLD").code, Some(0));
    let found = || -> Result<Option<Value>> {
        // The shared Gloo watches its own namespace alone.
        let output = bench.sandbox().run(&["check", "--gloo-namespace", &bench.apps, "-o", "json"]);
        let document: Value = serde_json::from_str(&output.stdout).with_context(|| format!("{output:#?}"))?;
        let mut findings = document["findings"].as_array().context("findings")?.iter();
        Ok(findings.find(|it| it["code"] == "GRS410" && it["name"] == *bench.apps).cloned())
    };
    assert_eq!(found()?, None);
    bench.injector().go_down();
    let restart = json!({"spec": {"template": {"metadata": {"annotations": {"again": "1"}}}}});
    bench.plane().api().merge("apps/v1/Deployment", &bench.apps, "web", &restart)?;
    let finding = wait_for("the finding", PATIENCE, &found)?;
    let said = finding.to_string();
    for part in ["failed calling webhook", "has 0 of 1 pods"] {
        assert!(said.contains(part), "{part}: {finding:#}");
    }
    bench.injector().come_up();
    wait_for("the end of the finding", PATIENCE, || Ok(found()?.is_none().then_some(())))
}

#[test]
fn an_injector_that_goes_down_half_way_costs_the_rest_alone() -> Result<()> {
    let bench = Bench::with_own_istiods("half-way")?;
    bench.deploy("a", &json!({}))?;
    bench.deploy(
        "b",
        &json!({"spec": {"strategy": {"type": "Recreate"}, "template": {"metadata": {"annotations": {"mine": "1"}}}}}),
    )?;
    let template = bench.deployment("b")?["spec"]["template"].clone();
    let restart = |name: &str| {
        format!("PATCH /apis/apps/v1/namespaces/{}/deployments/{name}?fieldManager=gloo-rs HTTP", bench.apps)
    };
    let gate = Gate::start(bench.plane(), &restart("a"), &restart("b"));
    let sandbox = Sandbox::new().patient(super::PATIENCE);
    sandbox.kubeconfig(gate.kubeconfig());
    let words = bench.words("enroll NS --revision OLD --yes --wait-timeout 40s");
    let running = sandbox.start(&words.iter().map(String::as_str).collect::<Vec<_>>());
    gate.wait();
    bench.injector().go_down();
    gate.open();
    let output = sandbox.end_of(running);
    let said = [
        "error: deployment/b did not become ready (0 of 1 new",
        "failed calling webhook",
        "1 of 2 workloads in ",
        "1 template rolled back",
        "1 workload restarted",
        "hint: run the same command again to continue from this state",
    ];
    assert_said(&output, 1, &said);
    let stays = format!("namespace/{} stays enrolled (istio.io/rev={})", bench.apps, bench.old.name);
    assert!(
        output.stderr.contains(&stays) && output.stdout.ends_with("deployment.apps/b rolled back\n"),
        "{output:#?}"
    );
    assert_eq!(bench.deployment("b")?["spec"]["template"], template);
    assert_eq!(bench.labels()?, json!({"istio.io/rev": bench.old.name}));
    bench.injector().come_up();
    wait_for("b is there again", super::PATIENCE, || Ok((bench.shape("b")?.len() == 1).then_some(())))?;
    let output = bench.run("enroll NS --yes");
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert_eq!((bench.shape("a")?, bench.shape("b")?), (vec![meshed(&bench.old)], vec![meshed(&bench.old)]));
    Ok(())
}

#[test]
fn of_several_the_one_that_never_gets_ready_is_put_back_and_the_label_stays() -> Result<()> {
    let bench = Bench::new("some")?;
    bench.deploy_stranded("a")?;
    bench.deploy("b", &json!({}))?;
    let before = bench.deployment("a")?["spec"].clone();
    let (document, output) = bench.json("enroll NS --revision OLD --wait-timeout 30s")?;
    let said = [
        "error: deployment/a did not become ready (0 of 1 new",
        "not scheduled: 0/1 nodes are available",
        "old pods kept serving (1 of 1 ready)",
        "1 of 2 workloads in ",
        " did not come into the mesh: deployment/a\n",
        "1 template rolled back",
        "1 workload restarted",
    ];
    assert_said(&output, 1, &said);
    assert_eq!(row(&document, "a"), Some(("failed", "rolled back")), "{document:#}");
    assert_eq!(row(&document, "b").map(|row| row.0), Some("changed"), "{document:#}");
    assert_eq!(row(&document, &bench.apps).map(|row| row.0), Some("changed"), "{document:#}");
    assert_eq!(bench.deployment("a")?["spec"], before);
    assert_eq!(
        (bench.labels()?, bench.shape("b")?),
        (json!({"istio.io/rev": bench.old.name}), vec![meshed(&bench.old)])
    );

    // The rest comes with the next run, and what is done is not done again.
    bench.node(&json!("here"))?;
    let restarted = bench.restarted("b")?;
    let output = bench.run("enroll NS");
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert_eq!((bench.shape("a")?, bench.restarted("b")?), (vec![meshed(&bench.old)], restarted));
    bench.node(&Value::Null)
}

#[test]
fn where_none_gets_ready_the_label_goes_back_before_the_templates() -> Result<()> {
    let bench = Bench::new("none")?;
    bench.deploy_stranded("a")?;
    bench.deploy_stranded("b")?;
    let before = [bench.deployment("a")?["spec"].clone(), bench.deployment("b")?["spec"].clone()];
    let output = bench.run("enroll NS --revision OLD --wait-timeout 10s --parallel 2");
    assert_said(&output, 5, &["2 of 2 workloads in ", BACK, "deployment/a did not", "deployment/b did not"]);
    let undone: Vec<_> = output.stdout.lines().filter(|line| line.ends_with("rolled back")).collect();
    assert_eq!(undone[0], format!("namespace/{} rolled back", bench.apps), "{output:#?}");
    assert_eq!(undone.len(), 3, "{output:#?}");
    assert_eq!([bench.deployment("a")?["spec"].clone(), bench.deployment("b")?["spec"].clone()], before);
    assert_eq!(bench.labels()?, json!({}));
    wait_for("the new pods are gone", super::PATIENCE, || Ok((bench.shape("a")? == [plain()]).then_some(())))
}

#[test]
fn a_label_that_was_there_before_stays_where_none_gets_ready() -> Result<()> {
    let bench = Bench::new("was-there")?;
    bench.deploy_stranded("a")?;
    bench.label(&json!({"istio.io/rev": bench.old.name}))?;
    let before = bench.deployment("a")?["spec"].clone();
    let output = bench.run("enroll NS --wait-timeout 10s");
    assert_said(&output, 5, &["1 of 1 workload in ", BACK]);
    assert_eq!(bench.deployment("a")?["spec"], before);
    assert_eq!(bench.labels()?, json!({"istio.io/rev": bench.old.name}));
    Ok(())
}

#[test]
fn what_somebody_else_changed_meanwhile_is_left_to_them() -> Result<()> {
    let bench = Bench::new("theirs")?;
    bench.deploy_stranded("a")?;
    let output = meanwhile(&bench, "enroll NS --revision OLD --wait-timeout 15s", || {
        wait_for("a is restarted", super::PATIENCE, || Ok((!bench.restarted("a")?.is_null()).then_some(())))?;
        let theirs = json!({"spec": {"template": {"metadata": {"annotations": {super::RESTARTED: "theirs"}}}}});
        bench.plane().api().merge("apps/v1/Deployment", &bench.apps, "a", &theirs)
    })?;
    assert_said(
        &output,
        6,
        &["NOT fully rolled back", "still changed: others changed spec.template.metadata.annotations"],
    );
    assert_eq!((bench.labels()?, bench.restarted("a")?), (json!({}), json!("theirs")));
    Ok(())
}

#[test]
fn ctrl_c_puts_back_what_is_under_way_and_begins_nothing_more() -> Result<()> {
    let bench = Bench::new("ctrl-c")?;
    bench.deploy_stranded("a")?;
    bench.deploy_stranded("b")?;
    bench.deploy("c", &json!({}))?;
    let before = bench.deployment("a")?["spec"].clone();
    let sandbox = bench.sandbox();
    let words = bench.words("enroll NS --revision OLD --parallel 2");
    let mut running = sandbox.start(&words.iter().map(String::as_str).collect::<Vec<_>>());
    // Two at once: both are waited for, and the third is not begun.
    running.wait_for("waiting for deployment/a");
    running.wait_for("waiting for deployment/b");
    running.interrupt();
    let output = sandbox.end_of(running);
    assert_said(&output, 130, &["rolling back", "error: interrupted", BACK]);
    assert_eq!(bench.deployment("a")?["spec"], before);
    assert_eq!((bench.labels()?, bench.restarted("c")?), (json!({}), Value::Null));
    Ok(())
}

#[test]
fn a_run_that_was_killed_is_gone_on_with() -> Result<()> {
    let bench = Bench::with_web("killed")?;
    // After the restart and before its end: the rollout is under way.
    bench.deploy_stranded("slow")?;
    bench.label(&json!({"istio.io/rev": bench.old.name}))?;
    let restarted =
        json!({"spec": {"template": {"metadata": {"annotations": {super::RESTARTED: "2026-01-01T00:00:00Z"}}}}});
    wait_for("the label is in force", super::PATIENCE, || {
        bench.plane().api().merge("apps/v1/Deployment", &bench.apps, "web", &restarted)?;
        bench.plane().api().wait_available(&bench.apps)?;
        if bench.shape("web")? == [meshed(&bench.old)] {
            return Ok(Some(()));
        }
        let again = json!({"spec": {"template": {"metadata": {"annotations": {super::RESTARTED: null}}}}});
        bench.plane().api().merge("apps/v1/Deployment", &bench.apps, "web", &again)?;
        Ok(None)
    })?;
    bench.plane().api().merge("apps/v1/Deployment", &bench.apps, "slow", &restarted)?;
    wait_for("its new pod waits for a node", super::PATIENCE, || {
        Ok((bench.shape("slow")?.iter().any(|(revision, _)| revision.is_some())).then_some(()))
    })?;
    let sandbox = bench.sandbox();
    let words = bench.words("enroll NS");
    let mut running = sandbox.start(&words.iter().map(String::as_str).collect::<Vec<_>>());
    running.wait_for("waiting for deployment/slow");
    bench.node(&json!("here"))?;
    let output = sandbox.end_of(running);
    bench.node(&Value::Null)?;
    assert_eq!(output.code, Some(0), "{output:#?}");
    assert!(output.stdout.contains("deployment.apps/slow already restarted, rollout in progress\n"), "{output:#?}");
    assert_eq!(bench.restarted("slow")?, "2026-01-01T00:00:00Z", "it is not restarted once more");
    assert_eq!(bench.shape("slow")?, [meshed(&bench.old)]);
    Ok(())
}
