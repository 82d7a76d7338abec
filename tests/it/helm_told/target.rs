//! The cluster, the user and the chart that Helm is told.

use serde_json::json;

use super::{APPLY, NOTING, gloo, noted, reaches_helm, refused, release, with_helm, with_release, words};
use crate::stage;
use crate::support::Sandbox;
use crate::support::stub::{Stub, kubeconfig};

#[test]
fn a_context_named_in_cluster_reaches_helm_and_the_current_one_does_not() {
    let (wrong, stub) = (Stub::new(), gloo());
    let sandbox = with_helm(NOTING);
    let file = sandbox.kubeconfig(kubeconfig(&[("current", &wrong), ("in-cluster", &stub)]));
    let output = sandbox.run(&[&APPLY[..], &["--kube-context", "in-cluster"]].concat());
    reaches_helm(&output);
    assert!(output.stderr.contains(&format!("context in-cluster ({})\n", stub.url())), "{}", output.stderr);
    let flags = [
        "upgrade".to_owned(),
        "--namespace=gloo-system".to_owned(),
        format!("--kubeconfig={}", file.display()),
        "--kube-context=in-cluster".to_owned(),
    ];
    assert_eq!(words(&sandbox)[..4], flags);
    assert_eq!(wrong.finish().len(), 0);
}

#[test]
fn helm_gets_each_value_in_one_word_and_names_behind_the_flags() {
    let stub = gloo();
    let sandbox = with_helm(NOTING);
    let file = sandbox.kubeconfig(stub.kubeconfig());
    reaches_helm(&sandbox.run(&[&APPLY[..], &["--as=-bob", "--as-group=--debug"]].concat()));
    let wanted = [
        "upgrade",
        "--namespace=gloo-system",
        &format!("--kubeconfig={}", file.display()),
        "--kube-context=stub",
        "--kube-as-user=-bob",
        "--kube-as-group=--debug",
        "--values=-",
        "--description=Istio's values merged by gloo-rs",
        "--repo=https://storage.googleapis.com/solo-public-helm",
        "--version=1.18.2",
        "--reset-values",
        "--",
        "gloo",
        "gloo",
    ];
    assert_eq!(words(&sandbox), wanted);
    assert!(noted(&sandbox, "values").contains("a.b.svc:15012"));
}

#[test]
fn a_directory_of_the_charts_name_does_not_stand_in_for_the_published_chart() {
    let stub = gloo();
    let sandbox = with_helm(NOTING);
    sandbox.kubeconfig(stub.kubeconfig());
    sandbox.write("gloo/Chart.yaml", "apiVersion: v2\nname: gloo\nversion: 9.9.9\n");
    reaches_helm(&sandbox.run(&APPLY));
    let directory = noted(&sandbox, "directory");
    assert!(!std::path::Path::new(directory.trim()).join("gloo").exists(), "{directory}");

    // One that was typed is found from where it was typed, also where it looks like a flag.
    sandbox.write("-x/Chart.yaml", "apiVersion: v2\nname: gloo\nversion: 1.18.2\n");
    let keys = "{{ .Values.global.istioIntegration.enabled }} {{ .Values.global.istioIntegration.enableAutoMtls }}\n\
        {{ .Values.global.glooMtls.istioProxy.image.tag }}\n\
        {{ range $name, $spec := .Values.gatewayProxies }}{{ $spec.istioDiscoveryAddress }}{{ end }}\n";
    sandbox.write("-x/templates/keys.yaml", keys);
    reaches_helm(&sandbox.run(&[&APPLY[..], &["--chart=-x"]].concat()));
    assert_eq!(noted(&sandbox, "directory").trim(), sandbox.dir().canonicalize().unwrap().to_str().unwrap());
    assert_eq!(words(&sandbox)[words(&sandbox).len() - 3..], ["--", "gloo", "-x"]);
}

#[test]
fn several_kubeconfigs_reach_helm_as_they_were_merged() {
    let stub = gloo();
    let sandbox = with_helm(NOTING);
    sandbox.write("a", "current-context: stub\ncontexts:\n- name: stub\n  context: {cluster: c, user: u}\n");
    let cluster = json!([{"name": "c", "cluster": {"server": stub.url()}}]);
    sandbox.write("b", json!({"clusters": cluster, "users": [{"name": "u", "user": {"token": "t"}}]}).to_string());
    let sandbox = sandbox.env("KUBECONFIG", "a:gone:b");
    reaches_helm(&sandbox.run(&APPLY));
    assert_eq!(words(&sandbox)[1..3], ["--namespace=gloo-system", "--kube-context=stub"]);
    let dir = sandbox.dir().canonicalize().unwrap();
    let list = ["a", "gone", "b"].map(|name| dir.join(name).display().to_string()).join(":");
    let variables = noted(&sandbox, "variables");
    assert!(variables.lines().any(|line| line == format!("KUBECONFIG={list}")), "{list}: {variables}");
}

#[test]
fn variables_of_this_program_reach_helm_and_those_that_redirect_helm_do_not() {
    let (wrong, stub) = (Stub::new(), gloo());
    let redirecting = [
        "HELM_KUBEAPISERVER",
        "HELM_KUBETOKEN",
        "HELM_KUBECAFILE",
        "HELM_KUBETLS_SERVER_NAME",
        "HELM_KUBEINSECURE_SKIP_TLS_VERIFY",
        "HELM_KUBEASUSER",
        "HELM_KUBEASGROUPS",
        "HELM_KUBECONTEXT",
        "HELM_NAMESPACE",
        "HELM_DRIVER_SQL_CONNECTION_STRING",
        "HELM_MEMORY_DRIVER_DATA",
        "KUBERNETES_MASTER",
    ];
    let mut sandbox = with_helm(NOTING);
    for variable in redirecting {
        sandbox = sandbox.env(variable, "elsewhere");
    }
    sandbox = sandbox.env("HELM_DRIVER", "memory");
    sandbox.kubeconfig(wrong.kubeconfig());
    let file = sandbox.write("other", kubeconfig(&[("wrong", &wrong), ("right", &stub)]));
    let sandbox = sandbox
        .env("GLOO_RS_KUBECONFIG", file.to_str().unwrap())
        .env("GLOO_RS_KUBE_CONTEXT", "right")
        .env("GLOO_RS_AS", "bob");
    reaches_helm(&sandbox.run(&APPLY));
    let flags =
        [format!("--kubeconfig={}", file.display()), "--kube-context=right".into(), "--kube-as-user=bob".into()];
    assert_eq!(words(&sandbox)[2..5], flags);
    let variables = noted(&sandbox, "variables");
    assert!(!variables.contains("elsewhere"), "{variables}");
    assert!(variables.lines().any(|line| line == "HELM_DRIVER=secret"), "{variables}");
}

#[test]
fn a_user_that_helm_cannot_act_as_is_refused() {
    let stub = gloo();
    let sandbox = with_helm(NOTING);
    sandbox.kubeconfig(stub.kubeconfig());
    let uid = sandbox.run(&[&APPLY[..], &["--as", "bob", "--as-uid", "7"]].concat());
    refused(&sandbox, &uid, 2, "--as-uid: helm cannot act with a UID");

    let acts = "{token: secret-token, as: alice, as-groups: ['system:masters']}";
    sandbox.kubeconfig(stub.kubeconfig().replace("{token: secret-token}", acts));
    let kept = sandbox.run(&[&APPLY[..], &["--as", "bob"]].concat());
    refused(&sandbox, &kept, 2, "--as: helm would keep as-groups of the kubeconfig's user");
    // What it says of itself, Helm reads there.
    reaches_helm(&sandbox.run(&APPLY));
    assert!(!words(&sandbox).iter().any(|word| word.starts_with("--kube-as")), "{:?}", words(&sandbox));
}

/// A kubeconfig with this user whose exec plugin edits the file, as another program might during the run.
fn edited_by_its_plugin(sandbox: &Sandbox, contexts: &[(&str, &Stub)], edit: &str) {
    let token = r#"{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{"token":"t"}}"#;
    let plugin = sandbox.script("login", &format!("sed -i '{edit}' \"$HOME/.kube/config\"\necho '{token}'"));
    let exec = json!({"exec": {
        "apiVersion": "client.authentication.k8s.io/v1", "command": plugin, "interactiveMode": "Never",
    }});
    sandbox.kubeconfig(kubeconfig(contexts).replace("{token: secret-token}", &exec.to_string()));
}

#[test]
fn a_kubeconfig_that_changed_since_it_was_read_is_not_given_to_helm() {
    let (other, stub) = (Stub::new(), gloo());
    let sandbox = with_helm(NOTING);
    edited_by_its_plugin(&sandbox, &[("stub", &stub)], &format!("s#{}#{}#", stub.url(), other.url()));
    let changed = sandbox.run(&APPLY);
    refused(&sandbox, &changed, 1, "the kubeconfig changed since it was read: context stub is different now");

    // Another current context is no change of the one that is used.
    edited_by_its_plugin(
        &sandbox,
        &[("stub", &stub), ("other", &other)],
        "s/current-context: stub/current-context: other/",
    );
    reaches_helm(&sandbox.run(&APPLY));
    assert!(words(&sandbox).contains(&"--kube-context=stub".to_owned()), "{:?}", words(&sandbox));
}

/// A gateway proxy is there, for `setup` to plan with.
fn with_gateway(stub: &Stub) {
    let gateway = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "gateway-proxy", "namespace": "gloo-system", "uid": "u", "resourceVersion": "1",
            "labels": {"gloo": "gateway-proxy"}},
        "spec": {"selector": {"matchLabels": {"gloo": "gateway-proxy"}}, "template": {"metadata": {}, "spec": {}}},
    });
    for (plural, items) in [("deployments", vec![gateway]), ("daemonsets", Vec::new())] {
        let list = json!({"kind": "List", "apiVersion": "v1", "metadata": {}, "items": items});
        stub.on("GET", &format!("/apis/apps/v1/namespaces/gloo-system/{plural}")).json(200, &list).always();
    }
    let bootstrap = "gateway-proxy-envoy-config";
    let path = format!("/api/v1/namespaces/gloo-system/configmaps/{bootstrap}");
    stub.on("GET", &path).not_found("configmaps", "", bootstrap).always();
}

#[test]
fn setup_with_helm_refuses_a_user_that_helm_cannot_act_as() {
    let stub = Stub::new();
    with_gateway(&stub);
    // Its values know istiod already, so that there is something to change without one.
    let mut secret = release();
    let mut record = stage::opened(secret["data"]["release"].as_str().unwrap()).unwrap();
    record["config"] = json!({"gatewayProxies": {"gatewayProxy": {"istioDiscoveryAddress": "a.b.svc:15012"}}});
    secret["data"]["release"] = json!(stage::stored(&record.to_string()).unwrap());
    let stub = with_release(stub, "sh.helm.release.v1.gloo.v3", &secret);
    let sandbox = with_helm(NOTING);
    sandbox.kubeconfig(stub.kubeconfig());
    let words = ["istio", "setup", "--via", "helm", "--namespace-to-enroll", "shop", "--yes"];
    let output = sandbox.run(&[&words[..], &["--as", "bob", "--as-uid", "7"]].concat());
    refused(&sandbox, &output, 2, "--as-uid: helm cannot act with a UID");
    assert!(stub.finish().iter().all(|request| request.method == "GET"));
}

/// Every step of a run is asked of the one session that the run began with.
#[test]
fn a_step_of_setup_does_not_go_to_a_cluster_that_became_current_since() {
    let (other, stub) = (Stub::new(), Stub::new());
    with_gateway(&stub);
    stub.on_anything().status(404, "NotFound", "not found").always();
    let sandbox = with_helm(NOTING);
    for via in ["helm", "inject"] {
        let edit = "s/current-context: stub/current-context: other/";
        edited_by_its_plugin(&sandbox, &[("stub", &stub), ("other", &other)], edit);
        let output = sandbox.run(&["istio", "setup", "--via", via, "--namespace-to-enroll", "shop", "--dry-run"]);
        assert_ne!(output.code, Some(0), "{output:?}");
        assert!(output.stderr.starts_with(&format!("context stub ({})\n", stub.url())), "{output:?}");
    }
    assert_eq!(other.finish().len(), 0);
}
