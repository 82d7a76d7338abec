//! `version` with a server, with half of one and without.

use serde_json::{Value, json};

use crate::support::Sandbox;
use crate::support::stub::Stub;

const DEPLOYMENTS: &str = "/apis/apps/v1/namespaces/gloo-system/deployments?labelSelector=app%3Dgloo&limit=500";

fn deployments() -> Value {
    json!({"metadata": {}, "items": [{"metadata": {"name": "gloo"}, "spec": {"template": {
        "metadata": {"annotations": {"gloo.solo.io/oss-image-tag": "1.17.7"}},
        "spec": {"containers": [{"name": "gloo", "image": "quay.io/solo-io/gloo-ee:1.17.2"}]},
    }}}]})
}

/// What the build script told this build.
fn client() -> Value {
    json!({
        "version": env!("CARGO_PKG_VERSION"), "commit": option_env!("GLOO_RS_BUILD_COMMIT"),
        "date": option_env!("GLOO_RS_BUILD_DATE"), "target": env!("GLOO_RS_BUILD_TARGET"),
    })
}

fn kubernetes() -> Value {
    json!({"major": "1", "minor": "36", "gitVersion": "v1.36.3", "gitCommit": "abc", "buildDate": "2026-01-01T00:00:00Z",
        "platform": "linux/amd64"})
}

fn sandbox(stub: &Stub) -> Sandbox {
    let sandbox = Sandbox::new().port(stub.port());
    sandbox.kubeconfig(stub.kubeconfig());
    sandbox
}

fn document(text: &str) -> Value {
    assert!(text.ends_with("}\n"), "{text}");
    serde_json::from_str(text).unwrap()
}

#[test]
fn both_sides_are_one_document_in_glooctls_shape() {
    let stub = Stub::new();
    stub.on("GET", DEPLOYMENTS).json(200, &deployments()).always();
    stub.on("GET", "/version").json(200, &kubernetes()).always();
    let output = sandbox(&stub).run(&["version"]);
    assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
    let json = document(&output.stdout);
    assert_eq!(
        json,
        json!({
            "apiVersion": "gloo-rs/v1", "kind": "Version", "client": client(),
            "server": [{"type": "Gateway", "enterprise": true, "kubernetes": {
                "containers": [{"Tag": "1.17.2", "Name": "gloo-ee", "Registry": "quay.io/solo-io", "OssTag": "1.17.7"}],
                "namespace": "gloo-system",
            }}],
            "kubernetesCluster": {"major": "1", "minor": "36", "gitVersion": "v1.36.3",
                "buildDate": "2026-01-01T00:00:00Z", "platform": "linux/amd64"},
        })
    );
    let yaml = sandbox(&stub).run(&["v", "-o", "yaml"]);
    assert_eq!(gloo_rs::exports::yaml::parse(&yaml.stdout).unwrap(), json);
    let table = sandbox(&stub).run(&["version", "-o", "table"]);
    assert!(table.stdout.contains("gloo-ee:1.17.2\n") && table.stdout.ends_with("Kubernetes version: v1.36.3\n"));
}

#[test]
fn gloo_is_looked_for_where_it_is_said_to_be() {
    let stub = Stub::new();
    let path = "/apis/apps/v1/namespaces/edge/deployments";
    stub.on("GET", path).json(200, &deployments()).always();
    stub.on("GET", "/version").json(200, &kubernetes()).always();
    for args in [&["version", "-n", "edge"][..], &["version", "-n", "other", "--gloo-namespace", "edge"]] {
        let output = sandbox(&stub).run(args);
        assert_eq!(document(&output.stdout)["server"][0]["kubernetes"]["namespace"], "edge");
    }
}

#[test]
fn what_may_not_be_read_is_a_field_and_one_note() {
    let stub = Stub::new();
    stub.on("GET", DEPLOYMENTS).status(403, "Forbidden", r#"deployments.apps is forbidden: User "me" cannot list resource "deployments" in API group "apps" in the namespace "gloo-system""#);
    stub.on("GET", "/version").json(200, &kubernetes());
    let output = sandbox(&stub).run(&["version"]);
    let json = document(&output.stdout);
    assert_eq!(output.code, Some(0));
    assert_eq!(json["serverError"], "deployments.apps: not allowed to list deployments.apps in gloo-system");
    assert_eq!((&json["server"], &json["kubernetesCluster"]["minor"]), (&json!([]), &json!("36")));
    assert_eq!(
        output.stderr,
        "note: server version unknown: deployments.apps: not allowed to list deployments.apps in gloo-system\n"
    );
}

#[test]
fn a_cluster_without_gloo_says_so() {
    let stub = Stub::new();
    stub.on("GET", DEPLOYMENTS).json(200, &json!({"metadata": {}, "items": []}));
    stub.on("GET", "/version").json(200, &kubernetes());
    let json = document(&sandbox(&stub).run(&["version"]).stdout);
    assert_eq!(json["serverError"], "no Gloo in namespace gloo-system");
}

#[test]
fn a_server_that_is_not_there_is_a_field_and_one_note() {
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(Stub::new().kubeconfig());
    let output = sandbox.run(&["version"]);
    let json = document(&output.stdout);
    let error = json["serverError"].as_str().unwrap();
    assert!(error.starts_with("no connection to http://127.0.0.1:"), "{error}");
    assert_eq!(
        (output.code, &json["kubernetesError"], &json["kubernetesCluster"]),
        (Some(0), &json["serverError"], &Value::Null,)
    );
    assert_eq!(output.stderr, format!("note: server version unknown: {error}\n"));
}

#[test]
fn no_kubeconfig_is_a_field_and_one_note() {
    for text in [None, Some("{")] {
        let sandbox = Sandbox::new();
        if let Some(text) = text {
            sandbox.kubeconfig(text);
        }
        let output = sandbox.run(&["version"]);
        assert_eq!(output.code, Some(0));
        assert!(document(&output.stdout)["serverError"].is_string());
        assert!(output.stderr.starts_with("note: ") && output.stderr.lines().count() == 1, "{}", output.stderr);
    }
}

#[test]
fn the_client_alone_reads_no_kubeconfig_and_opens_no_socket() {
    let trap = Stub::new();
    for text in [trap.kubeconfig(), "{".to_owned()] {
        let sandbox = Sandbox::new();
        sandbox.kubeconfig(text);
        let output = sandbox.run(&["version", "--client"]);
        assert_eq!((output.code, output.stderr.as_str()), (Some(0), ""));
        assert_eq!(
            document(&output.stdout),
            json!({"apiVersion": "gloo-rs/v1", "kind": "Version", "client": client()})
        );
        let table = sandbox.run(&["version", "--client", "-o", "table"]).stdout;
        let build = env!("GLOO_RS_BUILD_SUMMARY");
        assert_eq!(table, format!("Client version: {}\nClient build: {build}\n", env!("CARGO_PKG_VERSION")));
    }
    assert_eq!(trap.connections(), 0);
}

#[test]
fn the_flag_prints_one_line() {
    for flag in ["--version", "-V"] {
        let output = Sandbox::new().run(&[flag]);
        assert_eq!(output.code, Some(0));
        assert_eq!(
            output.stdout,
            concat!("gloo-rs ", env!("CARGO_PKG_VERSION"), " (", env!("GLOO_RS_BUILD_SUMMARY"), ")\n")
        );
        assert_eq!(output.stderr, "");
    }
}

#[test]
fn a_terminal_gets_a_table_and_a_pipe_json_unless_a_format_is_asked_for() {
    const CLIENT: &[&str] = &["version", "--client"];
    let on_terminal = |args: &[&str], variable: &str| {
        let output = Sandbox::new().env("GLOO_RS_OUTPUT", variable).run_on_terminal(80, args);
        assert_eq!(output.code, Some(0), "{output:?}");
        (output.stdout + &output.stderr).replace('\r', "")
    };
    let json = Sandbox::new().run(CLIENT).stdout;
    let table = Sandbox::new().run(&["version", "--client", "-o", "table"]).stdout;
    assert!(document(&json).is_object() && !table.starts_with('{'), "{table}");
    assert_eq!(on_terminal(CLIENT, "table"), table);
    assert_eq!(on_terminal(CLIENT, "json"), json);
    assert_eq!(on_terminal(&["version", "--client", "-o", "json"], "table"), json);
    let output = Sandbox::new().run_on_terminal(80, CLIENT);
    assert_eq!((output.stdout + &output.stderr).replace('\r', ""), table);
    assert_eq!(Sandbox::new().env("GLOO_RS_OUTPUT", "table").run(CLIENT).stdout, table);
}
