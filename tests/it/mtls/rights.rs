//! Rights that are missing, one at a time, on a real API server.

use serde_json::json;

use super::{Gloo, HTTPBIN, document};
use crate::stage::{self, wait_for};

/// Lets `limited` do this, and waits until the API server has understood.
pub(super) fn allow(gloo: &Gloo, namespace: &str, rule: &str) {
    static NUMBER: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let name = format!("{}-{}", gloo.namespace, NUMBER.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
    let (kind, binding, place) = match namespace {
        "" => ("ClusterRole", "ClusterRoleBinding", String::new()),
        _ => ("Role", "RoleBinding", format!(", namespace: {namespace}")),
    };
    gloo.plane
        .api()
        .apply(&format!(
            "{{apiVersion: rbac.authorization.k8s.io/v1, kind: {kind}, metadata: {{name: {name}{place}}}, rules: [{rule}]}}\n---\n\
             {{apiVersion: rbac.authorization.k8s.io/v1, kind: {binding}, metadata: {{name: {name}{place}}}, \
             roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: {kind}, name: {name}}}, \
             subjects: [{{kind: User, name: limited, apiGroup: rbac.authorization.k8s.io}}]}}"
        ))
        .unwrap();
}

/// Runs as `limited` until what it says has these words: authorization follows its objects a moment later.
fn until(gloo: &Gloo, args: &[&str], words: &str) -> crate::support::Output {
    let limited = gloo.seen_by("limited");
    let mut last = None;
    let found = wait_for(words, std::time::Duration::from_mins(2), || {
        let output = gloo.run_in(&limited, args);
        let found = output.stderr.contains(words) || output.stdout.contains(words);
        last = Some(output.stderr.clone());
        Ok(found.then_some(output))
    });
    found.unwrap_or_else(|error| panic!("{error:#}: {last:?}"))
}

#[test]
fn each_right_that_is_missing_is_named_with_the_rule_that_gives_it() {
    let gloo = Gloo::new("rights");
    let here = gloo.namespace.clone();
    let apps = gloo.plane.install_apps("rights-apps", &here).unwrap();
    let name = format!("{apps}-httpbin-8000");
    let enable = ["enable-mtls", "-u", &name];
    let before = gloo.upstream(&name);

    let get = until(
        &gloo,
        &enable,
        &format!("error: upstream.gloo.solo.io/{name}: not allowed to get upstreams.gloo.solo.io in {here}\n"),
    );
    assert_eq!((get.code, get.stdout.as_str()), (Some(4), ""));
    assert!(get.stderr.contains("  as limited\n"), "{get:?}");
    let rule = "{apiGroups: [gloo.solo.io], resources: [upstreams], verbs: [get]}";
    assert!(get.stderr.contains(&format!("  hint: a rule of a Role that allows it: {rule}\n")), "{get:?}");

    allow(&gloo, &here, rule);
    let patch = until(&gloo, &enable, &format!("not allowed to patch upstreams.gloo.solo.io in {here}\n"));
    assert_eq!(patch.code, Some(4));
    assert_eq!(gloo.upstream(&name), before);
    let result = document(&gloo.run_in(&gloo.seen_by("limited"), &[&enable[..], &["-o", "json"]].concat()));
    assert_eq!(
        (&result["results"][0]["outcome"], &result["results"][0]["reason"]),
        (&json!("failed"), &json!("forbidden"))
    );

    allow(&gloo, &here, "{apiGroups: [gloo.solo.io], resources: [upstreams], verbs: [patch]}");
    let settings = until(&gloo, &enable, &format!("upstream.gloo.solo.io/{name} mTLS "));
    assert_eq!(settings.code, Some(0), "what is only advice stops nothing: {settings:?}");
    // Gloo may be here or in gloo-system, and neither can be told.
    assert!(
        settings.stderr.contains("note: whether auto-mTLS is on is unknown: not allowed to get settings in "),
        "{settings:?}"
    );
    assert!(settings.stderr.contains("  hint: a rule of a Role that allows it: {apiGroups: [gloo.solo.io], resources: [settings], verbs: [get]}\n"), "{settings:?}");
    assert!(
        settings
            .stderr
            .contains("note: whether the gateway has Istio's sidecars is unknown: not allowed to list pods in "),
        "{settings:?}"
    );
    assert!(
        settings.stderr.contains(&format!(
            "note: whether its pods have sidecars is unknown: not allowed to get services in {apps}\n"
        )),
        "{settings:?}"
    );

    allow(
        &gloo,
        &here,
        "{apiGroups: [gloo.solo.io], resources: [settings], verbs: [get]}, {apiGroups: [\"\"], resources: [pods, configmaps], verbs: [list]}",
    );
    allow(&gloo, &apps, "{apiGroups: [\"\"], resources: [services], verbs: [get]}");
    let pods = until(
        &gloo,
        &enable,
        &format!("note: whether its pods have sidecars is unknown: not allowed to list pods in {apps}\n"),
    );
    assert!(!pods.stderr.contains("whether auto-mTLS is on is unknown"), "{pods:?}");
    allow(&gloo, &apps, "{apiGroups: [\"\"], resources: [pods], verbs: [list]}");
    let all = until(&gloo, &enable, "no gateway proxy in");
    assert!(!all.stderr.contains("whether its pods"), "{all:?}");
    let unread = "note: whether its peer accepts mTLS is unknown: not allowed to list peerauthentications\n";
    assert!(all.stderr.contains(unread), "{all:?}");

    let disable = ["disable-mtls", "-u", &name];
    let peer = until(
        &gloo,
        &disable,
        "note: whether its peer is STRICT is unknown: not allowed to list peerauthentications\n",
    );
    assert_eq!(peer.code, Some(0), "{peer:?}");
    assert!(
        peer.stderr.contains("{apiGroups: [security.istio.io], resources: [peerauthentications], verbs: [list]}"),
        "{peer:?}"
    );

    let list = until(
        &gloo,
        &["enable-mtls", "--all", "--yes"],
        &format!("error: upstreams.gloo.solo.io: not allowed to list upstreams.gloo.solo.io in {here}\n"),
    );
    assert_eq!(list.code, Some(4));
    allow(&gloo, &here, "{apiGroups: [gloo.solo.io], resources: [upstreams], verbs: [list]}");
    let swept = until(&gloo, &["enable-mtls", "--all", "--yes"], "skipped: ");
    assert_eq!((swept.code, swept.stdout.as_str()), (Some(0), ""), "{swept:?}");
    assert!(
        swept.stderr.contains(&format!("note: sidecars unknown: not allowed to list services in {apps}\n")),
        "{swept:?}"
    );
}

#[test]
fn whoever_is_impersonated_is_said_and_reaches_the_server() {
    let gloo = Gloo::new("impersonate");
    let output = gloo.run(&["enable-mtls", "-u", HTTPBIN, "--as", "limited", "--as-group", "ops"]);
    assert_eq!(output.code, Some(4));
    assert!(output.stderr.starts_with(&gloo.context_line().replace('\n', " as limited\n")), "{output:?}");
    let path = format!("/apis/gloo.solo.io/v1/namespaces/{}/upstreams/{HTTPBIN}", gloo.namespace);
    let refused = wait_for("the audit has it", std::time::Duration::from_mins(2), || {
        Ok(stage::shared()
            .requests()?
            .into_iter()
            .find(|request| request.uri == path && request.response_status["code"] == 403))
    });
    let refused = refused.unwrap();
    assert_eq!(refused.user["username"], "admin");
    assert!(refused.user_agent.starts_with("gloo-rs/"));
    assert!(refused.response_status["message"].as_str().unwrap().contains("User \"limited\" cannot get"));
}

#[test]
fn a_policy_that_denies_is_quoted_and_nothing_is_tried_again() {
    let gloo = Gloo::new("freeze");
    let name = &gloo.namespace;
    gloo.plane.api().apply(&json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicy", "metadata": {"name": name},
        "spec": {
            "matchConstraints": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}},
                "resourceRules": [{"apiGroups": ["gloo.solo.io"], "apiVersions": ["*"], "operations": ["UPDATE"], "resources": ["upstreams"]}],
            },
            "validations": [{"expression": "!has(object.spec.sslConfig)", "message": "change freeze until Monday"}],
        },
    }).to_string()).unwrap();
    gloo.plane.api().apply(&json!({
        "apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingAdmissionPolicyBinding", "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"]},
    }).to_string()).unwrap();
    let denied = wait_for("the policy holds", std::time::Duration::from_mins(2), || {
        let output = gloo.run(&["enable-mtls", "-u", HTTPBIN, "--dry-run=server"]);
        Ok((output.code != Some(0)).then_some(output))
    });
    let denied = denied.unwrap();
    assert_eq!((denied.code, denied.stdout.as_str()), (Some(1), ""));
    assert!(denied.stderr.contains("denied request: change freeze until Monday"), "{denied:?}");
    let result = document(&gloo.run(&["enable-mtls", "-u", HTTPBIN, "-o", "json"]));
    assert_eq!(result["results"][0]["reason"], "invalid");
}
