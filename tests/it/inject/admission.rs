//! What the API server refuses, and the runs that write nothing at all.

use std::fs;

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{Bench, INJECTED, PATIENCE, UNINJECTED, assert_said, document, last_line, raw};
use crate::stage::wait_for;
use crate::support::stub::Stub;

const INJECT: &str = "inject --revision 1-28 --istio-namespace istio-system";
const ANY: &str = "!object.spec.template.spec.containers.exists(it, it.name == 'istio-proxy')";
/// Lets the rehearsal pass and refuses the write.
const WRITTEN: &str = "request.dryRun || !object.spec.template.spec.containers.exists(it, it.name == 'istio-proxy')";

/// A policy of this namespace alone, in force.
fn forbid(bench: &Bench, expression: &str) -> Result<()> {
    let name = format!("no-sidecars-{}", bench.gloo);
    let rule = json!({
        "apiGroups": ["apps"], "apiVersions": ["v1"], "operations": ["UPDATE"], "resources": ["deployments"],
    });
    let policy = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": expression, "message": "sidecars come from the platform team"}],
        },
    });
    let binding = json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {
            "policyName": name, "validationActions": ["Deny"],
            "matchResources": {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": bench.gloo}}},
        },
    });
    bench.plane.api().apply(&policy.to_string())?;
    bench.plane.api().apply(&binding.to_string())?;
    // On an object of its own, so that the test's are as they were.
    let mut probe = bench.deployment()?;
    probe["metadata"] = json!({"name": "probe"});
    probe["spec"]["replicas"] = json!(0);
    probe["spec"]["selector"]["matchLabels"] = json!({"app": "probe"});
    probe["spec"]["template"]["metadata"]["labels"] = json!({"app": "probe"});
    probe["spec"]["template"]["spec"]["containers"][0]["name"] = json!("istio-proxy");
    probe.as_object_mut().context("a map")?.remove("status");
    bench.apply(probe)?;
    let path = format!("/apis/apps/v1/namespaces/{}/deployments/probe", bench.gloo);
    wait_for("the policy is in force", PATIENCE, || {
        let touched = json!({"metadata": {"annotations": {"seen": jiff::Timestamp::now().to_string()}}});
        Ok(raw(bench.plane, "PATCH", &path, &touched).is_err().then_some(()))
    })
}

#[test]
fn a_policy_that_refuses_the_workload_is_met_at_the_rehearsal() -> Result<()> {
    let bench = Bench::new("policy")?;
    forbid(&bench, ANY)?;
    let before = bench.versions()?;
    for line in [INJECT.to_owned(), format!("{INJECT} --dry-run=server")] {
        let (document, output) = bench.json(&line)?;
        assert_said(
            &output,
            1,
            &["deployment.apps/gateway-proxy", "sidecars come from the platform team", "nothing was changed"],
        );
        assert_eq!(document["error"]["reason"], "invalid");
        assert_eq!(bench.versions()?, before, "{line}");
    }
    Ok(())
}

#[test]
fn a_policy_that_refuses_only_the_write_leaves_the_old_state() -> Result<()> {
    let bench = Bench::new("policy-late")?;
    forbid(&bench, WRITTEN)?;
    let before = bench.state()?;
    let (document, output) = bench.json(INJECT)?;
    assert_said(&output, 5, &["sidecars come from the platform team", "everything is rolled back"]);
    assert_eq!(document["error"]["reason"], "invalid");
    assert_eq!(bench.state()?, before);
    Ok(())
}

#[test]
fn previews_write_nothing_and_say_what_would_be() -> Result<()> {
    let bench = Bench::new("preview")?;
    for (line, success) in [(INJECT, INJECTED), ("uninject", UNINJECTED)] {
        let before = bench.versions()?;
        for (preview, code, said) in [
            ("--dry-run", 0, "deployment.apps/gateway-proxy patched (dry run)"),
            ("--dry-run=server", 0, "deployment.apps/gateway-proxy patched (server dry run)"),
            ("--diff", 0, "name: istio-proxy"),
            ("--check", 3, ""),
            ("--dry-run=server --check", 3, ""),
        ] {
            let output = bench.run(&format!("{line} {preview}"));
            assert_eq!(output.code, Some(code), "{preview}: {output:#?}");
            assert!(output.stdout.contains(said), "{preview}: {output:#?}");
            assert!(!output.stdout.contains(success), "{preview}: {output:#?}");
            assert_eq!(bench.versions()?, before, "{preview}");
            let (document, _) = document(bench.run(&format!("{line} {preview} -o json")))?;
            let outcomes: Vec<_> =
                document["results"].as_array().context("rows")?.iter().map(|it| &it["outcome"]).collect();
            assert_eq!(outcomes, ["changed", "changed"], "{preview}");
        }
        let output = bench.run(line);
        assert_eq!((output.code, last_line(&output.stdout)), (Some(0), success), "{output:#?}");
        let output = bench.run(&format!("{line} --check"));
        assert_eq!(output.code, Some(0), "nothing would change any more: {output:#?}");
    }
    Ok(())
}

#[test]
fn names_are_all_that_o_name_prints() -> Result<()> {
    let bench = Bench::new("o-name")?;
    let both = "configmap/gateway-proxy-envoy-config\ndeployment.apps/gateway-proxy\n";
    for line in [&format!("{INJECT} --dry-run"), INJECT, INJECT, "uninject"] {
        let output = bench.run(&format!("{line} -o name"));
        assert_eq!((output.code, output.stdout.as_str()), (Some(0), both), "{line}: {output:#?}");
    }
    Ok(())
}

/// The current context is a trap: `--kube-context` reaches every request.
#[test]
fn the_other_context_gets_no_request() -> Result<()> {
    let bench = Bench::new("context")?;
    let trap = Stub::new();
    let mut kubeconfig: Value = serde_json::from_slice(&fs::read(bench.plane.kubeconfig())?)?;
    let list = |kubeconfig: &mut Value, key: &str, item: Value| {
        kubeconfig[key].as_array_mut().expect("a list").push(item);
    };
    list(&mut kubeconfig, "clusters", json!({"name": "trap", "cluster": {"server": trap.url()}}));
    list(&mut kubeconfig, "contexts", json!({"name": "trap", "context": {"cluster": "trap", "user": "admin"}}));
    kubeconfig["current-context"] = json!("trap");
    let sandbox = crate::support::Sandbox::new();
    sandbox.kubeconfig(kubeconfig.to_string());
    for line in [INJECT, "uninject"] {
        let output = sandbox.run(&[&bench.words(line)[..], &["--kube-context", bench.plane.context()]].concat());
        assert_eq!(output.code, Some(0), "{output:#?}");
    }
    assert_eq!(trap.finish().len(), 0);
    Ok(())
}
