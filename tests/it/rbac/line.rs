//! The command line of `rbac` and its output, without a cluster.

use serde_json::json;

use super::{rbac, roles};
use crate::stage::documents;
use crate::support::Sandbox;

#[test]
fn a_command_line_is_taken_as_it_is_typed_and_no_cluster_is_asked() {
    let sandbox = Sandbox::new();
    let output = rbac(&sandbox, &[], "istio enable-mtls --upstream default-httpbin-8000");
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""), "{output:?}");
    let roles = documents(&output.stdout).unwrap();
    assert_eq!(roles[0]["kind"], "ClusterRole");
    let own = roles.iter().find(|role| role["kind"] == "Role").unwrap();
    assert_eq!(own["metadata"], json!({"name": "gloo-rs-istio-enable-mtls", "namespace": "gloo-system"}));
    let rule = json!({
        "apiGroups": ["gloo.solo.io"], "resources": ["upstreams"], "verbs": ["get", "patch"],
        "resourceNames": ["default-httpbin-8000"],
    });
    assert!(own["rules"].as_array().unwrap().contains(&rule), "{own:#}");
    assert_eq!(super::roles(&sandbox, "istio enable-mtls --upstream default-httpbin-8000"), roles);
}

#[test]
fn a_preview_gets_no_right_to_write_and_a_namespace_narrows_the_role() {
    let sandbox = Sandbox::new();
    let text = |line: &str| json!(roles(&sandbox, line)).to_string();
    assert!(text("istio enable-mtls -u x").contains("patch"));
    for line in
        ["istio enable-mtls -u x --dry-run", "istio enable-mtls -u x --diff", "check", "istio describe upstreams -A"]
    {
        let text = text(line);
        assert!(!["patch", "delete", "update"].iter().any(|verb| text.contains(verb)), "{line}: {text}");
    }
    let [role] = &roles(&sandbox, "proxy stats -n edge")[..] else { panic!("one role") };
    assert_eq!((&role["kind"], &role["metadata"]["namespace"]), (&json!("Role"), &json!("edge")));
    assert_eq!(rbac(&sandbox, &["-n", "edge"], "proxy stats"), rbac(&sandbox, &[], "proxy stats -n edge"));
}

#[test]
fn an_account_gets_a_binding_for_each_role() {
    let sandbox = Sandbox::new();
    let output = rbac(&sandbox, &["--service-account", "ops/runner", "--name", "mine"], "proxy url");
    let all = documents(&output.stdout).unwrap();
    let kinds: Vec<_> = all.iter().map(|it| it["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]);
    for object in &all {
        assert_eq!(object["metadata"]["name"], "mine");
        if let Some(subjects) = object.get("subjects") {
            assert_eq!(*subjects, json!([{"kind": "ServiceAccount", "namespace": "ops", "name": "runner"}]));
            assert_eq!(object["roleRef"]["name"], "mine");
        }
    }
}

#[test]
fn without_a_cluster_there_is_nothing_to_grant_and_that_is_said() {
    let sandbox = Sandbox::new();
    for line in ["completion bash", "options", "version --client", "istio enable-mtls -u x -f a.yaml", "rbac check"] {
        let output = rbac(&sandbox, &["--service-account", "ops/runner"], line);
        assert_eq!((output.code, output.stdout.as_str()), (Some(0), ""), "{line}: {output:?}");
        assert!(output.stderr.contains("nothing to grant"), "{line}: {output:?}");
        assert_eq!(roles(&sandbox, line), [json!(null); 0]);
    }
}

#[test]
fn what_is_no_command_line_is_usage() {
    let sandbox = Sandbox::new();
    for (flags, line) in [
        (&[][..], "istio enable-mtl -u x"),
        (&[], "bogus"),
        (&[], "--bogus check"),
        (&[], "istio enable-mtls"),
        (&[], "istio enable-mtls -u ../x"),
        (&[], "istio enable-mtls -u \u{1b}[31m"),
        (&[], "check --help"),
        (&["--service-account", "runner"], "check"),
        (&["--service-account", "../x/y"], "check"),
        (&["--name", "a/b"], "check"),
        (&["--name", "A B"], "check"),
        (&["-o", "table"], "check"),
    ] {
        let output = rbac(&sandbox, flags, line);
        assert_eq!(output.code, Some(2), "{flags:?} {line}: {output:?}");
        assert!(!output.stderr.contains('\u{1b}'), "{output:?}");
    }
    assert_eq!(sandbox.run(&["rbac"]).code, Some(2));
}
