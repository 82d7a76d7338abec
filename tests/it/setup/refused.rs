//! What is refused in the plan, before anything changes.

use anyhow::Result;
use serde_json::{Value, json};

use super::{PATIENCE, ends};
use crate::stage::{self, wait_for};
use crate::support::{Output, Sandbox};

/// A Gloo and backends of this test's own on the shared plane.
struct Bench {
    gloo: String,
    apps: String,
}

impl Bench {
    fn new(prefix: &str) -> Result<Self> {
        let plane = stage::shared();
        let gloo = plane.install_gloo(prefix)?;
        let apps = plane.install_apps(&format!("{prefix}-apps"), &gloo)?;
        Ok(Self { gloo, apps })
    }

    /// `APPS` is the backends' namespace.
    fn run(&self, line: &str) -> Output {
        let kubeconfig = stage::shared().kubeconfig();
        let line = line.replace("APPS", &self.apps);
        let words = ["istio"].into_iter().chain(line.split(' ')).chain(["-n", &self.gloo]);
        let sandbox = Sandbox::new().env("KUBECONFIG", kubeconfig.to_str().expect("UTF-8"));
        sandbox.run(&words.collect::<Vec<_>>())
    }

    /// A route to the Upstream of this backend.
    fn route(&self, of: &str) -> Result<()> {
        let upstream = json!({"name": format!("{}-{of}", self.apps), "namespace": self.gloo});
        let service = json!({
            "apiVersion": "gateway.solo.io/v1", "kind": "VirtualService",
            "metadata": {"name": of, "namespace": self.gloo},
            "spec": {"virtualHost": {"domains": [of], "routes": [{
                "matchers": [{"prefix": "/"}], "routeAction": {"single": {"upstream": upstream}},
            }]}},
        });
        stage::shared().api().apply(&service.to_string())
    }

    /// What the group may do that is called like this Gloo.
    fn allows(&self, rules: &Value) -> Result<()> {
        let kind = "rbac.authorization.k8s.io";
        let version = format!("{kind}/v1");
        let metadata = json!({"name": self.gloo});
        let role = json!({"apiVersion": version, "kind": "ClusterRole", "metadata": metadata, "rules": rules});
        stage::shared().api().apply(&role.to_string())?;
        let binding = json!({
            "apiVersion": version, "kind": "ClusterRoleBinding", "metadata": metadata,
            "roleRef": {"apiGroup": kind, "kind": "ClusterRole", "name": self.gloo},
            "subjects": [{"apiGroup": kind, "kind": "Group", "name": self.gloo}],
        });
        stage::shared().api().apply(&binding.to_string())
    }

    fn proxy(&self) -> Result<Value> {
        let proxy = stage::shared().api().get("apps/v1/Deployment", &self.gloo, "gateway-proxy")?;
        Ok(proxy.unwrap_or_default()["spec"].clone())
    }
}

#[test]
fn a_name_that_is_not_there_is_refused_before_anything_changes() -> Result<()> {
    let bench = Bench::new("setup-names")?;
    let before = bench.proxy()?;
    for (line, code, said) in [
        ("--upstream APPS-httpbim-8000 --revision 1-28", 4, "APPS-httpbin-8000"),
        ("--upstream APPS-httpbim-8000 --revision 1-28", 4, "APPS-httpbim-8000: not found in "),
        (
            "--upstream APPS-plain-8080 --revision 1-28",
            1,
            "hint: --host and --path of a request that is routed there\n",
        ),
        ("--upstream APPS-plain-8080 --revision 1-28", 1, "hint: --no-verify skips the requests\n"),
        ("--upstream APPS-httpbim-8000,APPS-y --revision 1-28", 1, "\n  upstream.gloo.solo.io/"),
        ("--upstream APPS-httpbim-8000,APPS-y --revision 1-28", 1, "APPS-y: not found in "),
        ("--namespace-to-enroll APPS-x --revision 1-28", 4, "APPS-x: there is no such namespace"),
        ("--revision 1-82", 4, "1-28"),
        ("", 1, "--revision"),
    ] {
        let line = format!("setup --via inject --yes {line}");
        let output = bench.run(line.trim_end());
        let said = said.replace("APPS", &bench.apps);
        assert!(output.code == Some(code) && output.stderr.contains(&said), "{line}: {output:#?}");
        assert!(output.stderr.contains("nothing was changed"), "{line}: {output:#?}");
    }
    let kubeconfig = stage::shared().kubeconfig();
    let sandbox = Sandbox::new().env("KUBECONFIG", kubeconfig.to_str().expect("UTF-8"));
    for word in ["setup", "teardown"] {
        let nowhere = sandbox.run(&["istio", word, "-n", &bench.apps, "--dry-run"]);
        let said = [format!("error: no gateway proxy in {}\n", bench.apps), "hint: it is in namespace ".to_owned()];
        ends(&nowhere, 4, &[], &said.iter().map(String::as_str).collect::<Vec<_>>());
        assert!(!nowhere.stderr.contains("--name"), "{nowhere:#?}");
    }
    // Where no release owns the proxy, Helm is not the way.
    ends(&bench.run("setup --revision 1-28 --dry-run"), 0, &["  1 inject    sidecars for the gateway\n"], &[]);
    assert_eq!(bench.proxy()?, before);
    Ok(())
}

#[test]
fn a_hint_is_about_a_flag_that_can_be_typed() -> Result<()> {
    let bench = Bench::new("setup-hints")?;
    let (upstream, theirs) =
        (format!("{}-plain-8080", bench.apps), json!({"spec": {"sslConfig": {"secretRef": {"name": "x"}}}}));
    stage::shared().api().merge("gloo.solo.io/v1/Upstream", &bench.gloo, &upstream, &theirs)?;
    let refused = bench.run("setup --via inject --upstream APPS-plain-8080 --revision 1-28 --no-verify --yes");
    let hint = format!("hint: first: gloo-rs istio enable-mtls -u {upstream} -n {} --overwrite\n", bench.gloo);
    ends(&refused, 1, &[], &["error: step 2 (upstream ", &hint]);
    let no_release = bench.run("setup --via helm --revision 1-28 --yes");
    ends(&no_release, 4, &[], &["hint: -n NAMESPACE searches another namespace\n"]);
    Ok(())
}

#[test]
fn a_right_that_is_missing_is_named_before_anything_changes() -> Result<()> {
    let bench = Bench::new("setup-rights")?;
    let kubeconfig = stage::shared().kubeconfig_of("limited");
    let sandbox = Sandbox::new().env("KUBECONFIG", kubeconfig.to_str().expect("UTF-8"));
    for (word, rule) in [("setup", "list deployments.apps"), ("teardown", "list peerauthentications")] {
        let output = sandbox.run(&["istio", word, "--yes", "-n", &bench.gloo]);
        assert_eq!(output.code, Some(4), "{output:#?}");
        assert!(output.stderr.contains(rule) && output.stderr.contains("allows it"), "{output:#?}");
    }
    Ok(())
}

#[test]
fn a_right_that_only_a_later_step_lacks_is_named_before_the_first_changes_anything() -> Result<()> {
    let bench = Bench::new("setup-later")?;
    let all = json!({"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list", "watch"]});
    let groups = ["", "apps", "security.istio.io"];
    bench.allows(&json!([all, {"apiGroups": groups, "resources": ["*"], "verbs": ["create", "patch", "delete"]}]))?;
    let before = bench.proxy()?;
    let line = "setup --via inject --namespace-to-enroll APPS --upstream APPS-plain-8080 --revision 1-28 --no-verify";
    let output = bench.run(&format!("{line} --yes --as operator --as-group {}", bench.gloo));
    let said = [
        format!("error: step 3 (upstream {}-plain-8080) is refused: ", bench.apps),
        "not allowed to patch upstreams".to_owned(),
        "verbs: [patch]}\n".to_owned(),
    ];
    ends(&output, 4, &[], &said.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(output.stderr.matches("nothing was changed").count(), 1, "{output:#?}");
    assert_eq!(bench.proxy()?, before);
    // Nobody is asked for what somebody may not do; what only looks may look.
    ends(&bench.run(&format!("{line} --dry-run --as operator --as-group {}", bench.gloo)), 0, &["  3 upstream"], &[]);
    Ok(())
}

#[test]
fn where_routes_may_not_be_listed_it_is_unknown_whether_requests_are_503() -> Result<()> {
    let bench = Bench::new("setup-unknown")?;
    let groups = ["", "apps", "batch", "policy", "gloo.solo.io", "security.istio.io", "admissionregistration.k8s.io"];
    bench.allows(&json!([{"apiGroups": groups, "resources": ["*"], "verbs": ["*"]}]))?;
    let line = format!(
        "setup --via inject --namespace-to-enroll APPS --revision 1-28 --dry-run --as operator --as-group {}",
        bench.gloo
    );
    let unknown = "note: expected downtime is unknown: not allowed to list virtualservices\n";
    let output = bench.run(&line);
    ends(&output, 0, &[], &[unknown, "allows it"]);
    assert!(!output.stdout.contains("expected downtime: none"), "{output:#?}");
    Ok(())
}

#[test]
fn what_argo_cd_or_flux_renders_is_left_to_it_with_the_commands_for_git() -> Result<()> {
    let marks = [
        (
            json!({"annotations": {"argocd.argoproj.io/tracking-id": "edge:apps/Deployment:x/gloo"}}),
            "Argo CD application edge",
        ),
        (json!({"labels": {"helm.toolkit.fluxcd.io/name": "gateway"}}), "Flux HelmRelease gateway"),
    ];
    for (metadata, owner) in marks {
        let bench = Bench::new("setup-git")?;
        let before = bench.proxy()?;
        stage::shared().api().merge("apps/v1/Deployment", &bench.gloo, "gloo", &json!({"metadata": metadata}))?;
        for via in ["", "--via inject ", "--via helm "] {
            let refused =
                bench.run(&format!("setup {via}--namespace-to-enroll APPS --upstream APPS-plain-8080 --strict --yes"));
            let said = [
                format!("{owner} renders it and would undo the change; nothing changed"),
                "gloo-rs upgrade-values --values FILE --write".to_owned(),
                format!("gloo-rs istio enroll {} -f PATH --write", bench.apps),
                format!("gloo-rs istio enable-mtls -u {}-plain-8080 -f PATH --write", bench.apps),
                format!("gloo-rs istio peer-auth strict -n {} -f PATH --write", bench.apps),
            ];
            ends(&refused, 1, &[], &said.iter().map(String::as_str).collect::<Vec<_>>());
        }
        assert_eq!(bench.proxy()?, before);
    }
    Ok(())
}

#[test]
fn the_plan_says_between_which_steps_a_strict_mesh_answers_503() -> Result<()> {
    let bench = Bench::new("setup-gap")?;
    let policy = json!({
        "apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication",
        "metadata": {"name": "default", "namespace": bench.apps}, "spec": {"mtls": {"mode": "STRICT"}},
    });
    stage::shared().api().apply(&policy.to_string())?;
    bench.route("plain-8080")?;
    bench.route("httpbin-8000")?;
    let line = "setup --via inject --namespace-to-enroll APPS --revision 1-28 --no-verify --dry-run";
    let strict = format!("plaintext: it accepts only mutual TLS (STRICT, {}/default, namespace)\n", bench.apps);
    let upstream = |name: &str| format!("    upstream {}/{}-{name}\n", bench.gloo, bench.apps);
    let both = bench.run(&format!("{line} --upstream APPS-plain-8080,APPS-httpbin-8000"));
    let said = [
        "expected downtime:\n".to_owned(),
        format!("  from step 2 until step 3: {strict}{}", upstream("plain-8080")),
        format!("  now, until step 3: {strict}{}", upstream("httpbin-8000")),
    ];
    ends(&both, 0, &said.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    // With auto-mTLS each pod is spoken to as it wants to be, from the step on that turns it on.
    let auto = bench.run(&format!("{line} --upstream APPS-plain-8080,APPS-httpbin-8000 --auto-mtls"));
    let said = [
        format!("  now, until step 3: {strict}{}", upstream("httpbin-8000")),
        "already: auto-mTLS (step 3)\n".to_owned(),
    ];
    ends(&auto, 0, &said.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    // An Upstream that nobody named would stay so, which is refused.
    let said = [format!("  from step 2 on, not ended by any step: {strict}{}", upstream("plain-8080"))];
    let said: Vec<_> = said.iter().map(String::as_str).collect();
    let refusal = ["error: step 2 is refused: ", "  nothing was changed\n", "hint: --force proceeds\n"];
    ends(&bench.run(line), 1, &said, &refusal);
    ends(&bench.run(&format!("{line} --force")), 0, &said, &[]);
    Ok(())
}

#[test]
fn a_policy_that_would_break_an_upstream_nobody_named_is_refused_in_the_plan() -> Result<()> {
    let bench = Bench::new("setup-strict")?;
    bench.route("plain-8080")?;
    bench.route("httpbin-8000")?;
    let before = bench.proxy()?;
    let line = "setup --via inject --namespace-to-enroll APPS --revision 1-28 --no-verify --strict --yes";
    let one = bench.run(&format!("{line} --upstream APPS-plain-8080"));
    let said = [
        format!("error: step 4 is refused: a gateway sends plaintext to namespace {} and would get 503s\n", bench.apps),
        format!("  upstream {}/{}-httpbin-8000\n  nothing was changed\n", bench.gloo, bench.apps),
        "hint: --upstream includes them, --auto-mtls all Upstreams\n".to_owned(),
    ];
    ends(&one, 1, &[], &said.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(bench.proxy()?, before);
    let both = bench.run(&format!("{line} --upstream APPS-plain-8080,APPS-httpbin-8000 --dry-run"));
    ends(&both, 0, &["expected downtime: none\n"], &[]);
    Ok(())
}

#[test]
fn the_plan_tells_upstreams_that_auto_mtls_covers_from_those_that_have_opted_out() -> Result<()> {
    let bench = Bench::new("setup-covered")?;
    let out = json!({"spec": {"disableIstioAutoMtls": true}});
    let name = format!("{}-plain-8080", bench.apps);
    stage::shared().api().merge("gloo.solo.io/v1/Upstream", &bench.gloo, &name, &out)?;
    let upstreams = "--upstream APPS-plain-8080,APPS-httpbin-8000";
    let line = format!("setup --via inject --revision 1-28 --auto-mtls {upstreams} --no-verify --dry-run");
    let said = [
        format!("              upstream/{name} mTLS enabled\n"),
        format!("              upstream/{}-httpbin-8000 already: auto-mTLS (step 2)\n", bench.apps),
    ];
    ends(&bench.run(&line), 0, &said.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    Ok(())
}

#[test]
fn each_upstream_is_read_once_for_the_plan() -> Result<()> {
    let bench = Bench::new("setup-reads")?;
    let upstreams = "--upstream APPS-plain-8080,APPS-httpbin-8000";
    let line = format!("setup --via inject --revision 1-28 --auto-mtls {upstreams} --no-verify --dry-run");
    ends(&bench.run(&line), 0, &["already: auto-mTLS (step 2)\n"], &[]);
    let reads = |name: &str| -> Result<usize> {
        let uri = format!("/apis/gloo.solo.io/v1/namespaces/{}/upstreams/{}-{name}", bench.gloo, bench.apps);
        Ok(stage::shared().requests()?.iter().filter(|request| request.uri == uri).count())
    };
    // What came before this request is written down before it.
    stage::shared().api().get("v1/Service", &bench.gloo, "the-last")?;
    wait_for("the run is in the audit log", PATIENCE, || {
        Ok(stage::shared().requests()?.iter().find(|request| request.uri.ends_with("/the-last")).map(drop))
    })?;
    for name in ["plain-8080", "httpbin-8000"] {
        assert_eq!(reads(name)?, 1, "{name}");
    }
    Ok(())
}
