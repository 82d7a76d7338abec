//! Missing rights: what decides is a failure with the rule, what is only said is unknown.

use anyhow::Result;
use serde_json::{Value, json};

use super::{Bench, assert_said, meshed, plain};
use crate::stage::{injected_by, wait_for};
use crate::support::Output;

/// The same bench through the eyes of somebody who may read namespaces and Deployments, and what else is allowed.
struct Seen {
    bench: Bench,
    user: String,
    roles: std::cell::Cell<u32>,
}

impl Seen {
    fn new(prefix: &str) -> Result<Self> {
        let bench = Bench::with_web(prefix)?;
        let user = format!("user-of-{}", bench.apps);
        let seen = Self { bench, user, roles: std::cell::Cell::new(0) };
        seen.allow(None, &json!([{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "list"]}]))?;
        seen.allow(None, &json!([{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["list"]}]))?;
        Ok(seen)
    }

    fn allow(&self, namespace: Option<&str>, rules: &Value) -> Result<()> {
        self.roles.set(self.roles.get() + 1);
        let name = format!("{}-{}", self.user, self.roles.get());
        let kind = if namespace.is_some() { "Role" } else { "ClusterRole" };
        let mut metadata = json!({"name": name});
        if let Some(namespace) = namespace {
            metadata["namespace"] = json!(namespace);
        }
        let api = "rbac.authorization.k8s.io/v1";
        let role = json!({"apiVersion": api, "kind": kind, "metadata": metadata, "rules": rules});
        let binding = json!({
            "apiVersion": api, "kind": format!("{kind}Binding"), "metadata": metadata,
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": name},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": self.user}],
        });
        self.bench.plane().api().apply(&role.to_string())?;
        self.bench.plane().api().apply(&binding.to_string())
    }

    fn here(&self, rules: &Value) -> Result<()> {
        self.allow(Some(&self.bench.apps), rules)
    }

    fn run(&self, line: &str) -> Output {
        self.bench.run(&format!("{line} --as {}", self.user))
    }

    /// Runs until this is said: a role holds a moment after it was made.
    fn until(&self, line: &str, said: &str) -> Result<Output> {
        wait_for(&format!("{said:?} is said"), super::PATIENCE, || {
            let output = self.run(line);
            Ok(if output.stderr.contains(said) || output.stdout.contains(said) { Some(output) } else { None })
        })
    }
}

#[test]
fn what_may_not_be_read_is_a_failure_where_it_decides_and_unknown_where_it_does_not() -> Result<()> {
    let seen = Seen::new("rights")?;
    let line = "enroll NS --revision OLD --force";
    let output = seen.until(line, "not allowed to list statefulsets.apps in ")?;
    let rule = "{apiGroups: [apps], resources: [statefulsets], verbs: [list]}";
    assert_said(&output, 4, &[rule, "nothing was changed", "hint: --no-restart only sets the label and reads no pods"]);

    seen.here(&json!([
        {"apiGroups": ["apps"], "resources": ["statefulsets", "daemonsets"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    ]))?;
    let output = seen.until(line, "not allowed to patch namespaces")?;
    let unknown = [
        format!("note: the CronJobs of {} are unknown: not allowed to list cronjobs in {0}", seen.bench.apps),
        format!(
            "note: the PodDisruptionBudgets of {} are unknown: not allowed to list poddisruptionbudgets in {0}",
            seen.bench.apps
        ),
        "{apiGroups: [policy], resources: [poddisruptionbudgets], verbs: [list]}".to_owned(),
        "note: whether STRICT applies there is unknown: not allowed to list peerauthentications".to_owned(),
        "{apiGroups: [\"\"], resources: [namespaces], verbs: [patch]}".to_owned(),
        "nothing was changed".to_owned(),
    ];
    assert_said(&output, 4, &unknown.each_ref().map(String::as_str));
    assert_eq!(seen.bench.labels()?, json!({}));

    seen.allow(None, &json!([{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["patch"]}]))?;
    let output = seen.until(line, "not allowed to patch deployments.apps in ")?;
    assert_said(&output, 4, &["nothing was changed"]);
    assert_eq!((seen.bench.labels()?, seen.bench.shape("web")?), (json!({}), vec![plain()]));

    // Whether the injector answers cannot be tried; the pods prove it afterwards.
    seen.here(&json!([{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get", "patch"]}]))?;
    let output = seen.until(line, "deployment.apps/web restarted")?;
    assert_said(&output, 0, &["note: what new pods of ", "is unknown until they exist", "verified: istio-proxy of "]);
    assert_eq!(seen.bench.shape("web")?, [meshed(&seen.bench.old)]);
    Ok(())
}

#[test]
fn a_tag_that_may_not_be_seen_is_unknown() -> Result<()> {
    let seen = Seen::new("unseen-tag")?;
    let tag = seen.bench.tag(&seen.bench.old)?;
    let output = seen.until(&format!("enroll NS --revision {tag}"), "no istiod of revision")?;
    assert_said(
        &output,
        4,
        &["whether a tag has that name is unknown: not allowed to list mutatingwebhookconfigurations"],
    );
    Ok(())
}

#[test]
fn a_label_alone_needs_no_right_to_see_pods() -> Result<()> {
    let seen = Seen::new("label-only")?;
    seen.allow(None, &json!([{"apiGroups": [""], "resources": ["namespaces"], "verbs": ["patch"]}]))?;
    let output = seen.until("enroll NS --revision OLD --no-restart", "enrolled (istio.io/rev=")?;
    assert_said(&output, 0, &["note: what runs in "]);
    assert_eq!(seen.bench.labels()?, json!({"istio.io/rev": seen.bench.old.name}));
    assert!(seen.bench.pods("web")?.iter().all(|pod| injected_by(pod).is_none()));
    Ok(())
}
