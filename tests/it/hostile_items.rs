//! An API server whose lists have items of the wrong type.

use std::io::Write as _;

use crate::support::Sandbox;
use crate::support::pod_server::PodServer;

/// Answers every request with this.
fn sandbox(body: &'static str) -> Sandbox {
    let server = PodServer::start(move |_, stream| {
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json";
        let _ = write!(stream, "{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    });
    let sandbox = Sandbox::new();
    let cluster = format!("{{name: c, cluster: {{server: 'http://{}'}}}}", server.address);
    sandbox.kubeconfig(format!(
        "apiVersion: v1\nkind: Config\nclusters: [{cluster}]\nusers: [{{name: u, user: {{}}}}]\n\
         contexts: [{{name: x, context: {{cluster: c, user: u}}}}]\ncurrent-context: x\n"
    ));
    sandbox
}

const COMMANDS: [&str; 18] = [
    "istio enable-mtls --all --yes",
    "istio enable-mtls -u x",
    "istio disable-mtls --all --yes",
    "istio inject",
    "istio uninject",
    "istio revisions",
    "istio auto-mtls status",
    "istio enroll default",
    "istio peer-auth strict -n default --yes",
    "istio peer-auth get -n default",
    "istio describe upstream x",
    "istio describe upstreams -A",
    "istio describe --host a.example.com",
    "istio verify --host a.example.com",
    "istio setup --yes",
    "proxy url",
    "proxy stats",
    "check",
];

/// The codes of `docs/output.md` that a failed read may have.
const CODES: [i32; 5] = [1, 2, 4, 7, 9];

#[track_caller]
fn is_a_failure(sandbox: &Sandbox, command: &str) -> String {
    let mut words: Vec<_> = command.split(' ').collect();
    words.extend(["--timeout", "10s", "--wait-timeout", "10s"]);
    let output = sandbox.run(&words);
    assert!(!output.stderr.contains("panicked"), "{command}: {output:#?}");
    // `check` counts what is unknown and says so.
    let is_known =
        output.code.is_some_and(|code| CODES.contains(&code)) || command == "check" || command.ends_with("status");
    assert!(is_known, "{command}: {output:#?}");
    output.stderr
}

#[test]
fn an_item_that_is_not_an_object_is_an_error_of_every_command() {
    let sandbox = sandbox(r#"{"kind": "List", "apiVersion": "v1", "metadata": {}, "items": ["x"]}"#);
    for command in COMMANDS {
        is_a_failure(&sandbox, command);
    }
    let said = is_a_failure(&sandbox, "istio enable-mtls --all --yes");
    assert!(said.contains("a list whose item 0 is not an object"), "{said}");
}

#[test]
fn metadata_of_a_wrong_type_is_an_error_of_every_command() {
    let sandbox = sandbox(r#"{"kind": "List", "metadata": "x", "items": [{"metadata": "x", "spec": "x"}], "spec": 7}"#);
    for command in COMMANDS {
        is_a_failure(&sandbox, command);
    }
}

#[test]
fn a_pod_that_is_named_as_a_path_makes_no_file() {
    let sandbox = sandbox(
        r#"{"kind": "List", "metadata": {"name": "gateway-proxy"}, "items": [{"metadata": {"name": "../../../../x", "namespace": "gloo-system"},
            "spec": {"containers": [{"name": "gateway-proxy"}]}, "status": {"phase": "Running"}}]}"#,
    );
    let said = is_a_failure(&sandbox, "proxy snapshot --all-pods");
    assert!(said.contains("has a name that no object can have"), "{said}");
    let files = std::fs::read_dir(sandbox.dir()).unwrap().map(|it| it.unwrap().file_name());
    assert_eq!(files.collect::<Vec<_>>(), [".kube"]);
}
