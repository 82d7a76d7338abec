//! An API server whose lists have items of the wrong type.

use std::io::Write as _;

use crate::support::pod_server::PodServer;
use crate::support::{Sandbox, commands};

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

/// The codes of `docs/output.md` that a failed read may have.
const CODES: [i32; 5] = [1, 2, 4, 7, 9];

/// What each command says of it.
fn said_by_each(sandbox: &Sandbox) -> Vec<(String, String)> {
    let commands = commands::every().into_iter().map(|command| {
        let output = sandbox.run(&[&command[..], &["--timeout", "10s", "--wait-timeout", "10s"]].concat());
        let command = command.join(" ");
        assert!(!output.stderr.contains("panicked"), "{command}: {output:#?}");
        // These report what they could not read.
        let reports = ["check", "report", "version", "istio auto-mtls status"].contains(&command.as_str());
        let is_known = output.code.is_some_and(|code| CODES.contains(&code) || (reports && [0, 3].contains(&code)));
        assert!(is_known, "{command}: {output:#?}");
        (command, output.stderr)
    });
    commands.collect()
}

#[test]
fn an_item_that_is_not_an_object_is_an_error_of_every_command() {
    let sandbox = sandbox(r#"{"kind": "List", "apiVersion": "v1", "metadata": {}, "items": ["x"]}"#);
    let all = said_by_each(&sandbox);
    let (_, said) = all.iter().find(|(command, _)| command == "istio describe upstreams -A").unwrap();
    assert!(said.contains("a list whose item 0 is not an object"), "{said}");
}

#[test]
fn metadata_of_a_wrong_type_is_an_error_of_every_command() {
    let sandbox = sandbox(r#"{"kind": "List", "metadata": "x", "items": [{"metadata": "x", "spec": "x"}], "spec": 7}"#);
    assert!(!said_by_each(&sandbox).is_empty());
}

#[test]
fn a_pod_that_is_named_as_a_path_makes_no_file() {
    let sandbox = sandbox(
        r#"{"kind": "List", "metadata": {"name": "gateway-proxy"}, "items": [{"metadata": {"name": "../../../../x", "namespace": "gloo-system"},
            "spec": {"containers": [{"name": "gateway-proxy"}]}, "status": {"phase": "Running"}}]}"#,
    );
    let output = sandbox.run(&["proxy", "snapshot", "--all-pods"]);
    assert!(output.code.is_some_and(|code| CODES.contains(&code)), "{output:#?}");
    assert!(output.stderr.contains("has a name that no object can have"), "{output:#?}");
    let files = std::fs::read_dir(sandbox.dir()).unwrap().map(|it| it.unwrap().file_name());
    assert_eq!(files.collect::<Vec<_>>(), [".kube"]);
}
