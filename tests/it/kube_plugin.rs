//! Exec plugins, as small scripts.
#![cfg(unix)]

use std::time::Duration;

use gloo_rs::exports::error::{Exit, Failure, Reason};
use gloo_rs::exports::kube::{Session, Target, Withheld};
use serde_json::{Value, json};

use crate::support::stub::Stub;
use crate::support::{Certificate, Sandbox};

const VERSION: &str = "/version";

fn with_exec(stub: &Stub, exec: &Value) -> String {
    let config = stub.kubeconfig();
    config.replace("{token: secret-token}", &json!({ "exec": exec }).to_string())
}

fn exec(command: impl Into<String>) -> Value {
    json!({"apiVersion": "client.authentication.k8s.io/v1", "command": command.into(), "interactiveMode": "IfAvailable"})
}

fn gives(status: &str) -> String {
    format!(
        r#"echo '{{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1","status":{{{status}}}}}'"#
    )
}

/// A sandbox whose kubeconfig runs this script.
fn plugin(stub: &Stub, script: &str) -> Sandbox {
    let sandbox = Sandbox::new();
    let path = sandbox.script("login", script);
    sandbox.kubeconfig(with_exec(stub, &exec(path.to_str().unwrap())));
    sandbox
}

async fn refused(target: &Target) -> Failure {
    let failure = Session::open(target, None).await.err().expect("the plugin gives no credentials");
    assert_eq!((failure.exit, failure.reason), (Exit::NoAnswer, Reason::ExecPlugin));
    failure
}

#[tokio::test]
async fn its_token_is_sent_and_it_runs_once() {
    let stub = Stub::new();
    stub.on("GET", VERSION).json(200, &json!({})).always();
    let sandbox = plugin(&stub, &format!("echo run >>$HOME/runs; {}", gives(r#""token":"from-plugin""#)));
    let session = Session::open(&sandbox.target(), None).await.unwrap();
    for _ in 0..3 {
        session.version().await.unwrap();
    }
    assert_eq!(stub.finish()[2].header("authorization"), Some("Bearer from-plugin"));
    assert_eq!(std::fs::read_to_string(sandbox.dir().join("runs")).unwrap(), "run\n");
}

#[tokio::test]
async fn it_is_told_what_client_go_tells_it() {
    let stub = Stub::new();
    let sandbox = Sandbox::new();
    let script =
        format!(r#"printf '%s %s %s' "$1" "$REGION" "$KUBERNETES_EXEC_INFO" >$HOME/told; {}"#, gives(r#""token":"t""#));
    sandbox.script("bin/login", &script);
    let mut exec = exec("../bin/login");
    exec["args"] = json!(["now"]);
    exec["env"] = json!([{"name": "REGION", "value": "eu"}]);
    exec["provideClusterInfo"] = json!(true);
    // Relative to the kubeconfig, as client-go has it.
    sandbox.kubeconfig(with_exec(&stub, &exec));
    Session::open(&sandbox.target(), None).await.unwrap();
    let told = std::fs::read_to_string(sandbox.dir().join("told")).unwrap();
    let info: Value = serde_json::from_str(told.strip_prefix("now eu ").unwrap()).unwrap();
    assert_eq!(info["kind"], "ExecCredential");
    assert_eq!(info["apiVersion"], "client.authentication.k8s.io/v1");
    assert_eq!(info["spec"]["interactive"], false);
    assert_eq!(info["spec"]["cluster"]["server"], stub.url());
}

#[tokio::test]
async fn yaml_from_a_plugin_is_read_too() {
    let stub = Stub::new();
    let sandbox = plugin(&stub, "printf 'kind: ExecCredential\\nstatus:\\n  token: t\\n'");
    Session::open(&sandbox.target(), None).await.unwrap();
}

#[tokio::test]
async fn its_certificate_is_shown() {
    let stub = Stub::tls(Certificate::Mutual);
    stub.on("GET", VERSION).json(200, &json!({}));
    let sandbox = plugin(&stub, "cat $HOME/credential");
    let identity = stub.identity();
    let status = json!({"clientCertificateData": identity.client_certificate, "clientKeyData": identity.client_key});
    sandbox.write("credential", json!({"kind": "ExecCredential", "status": status}).to_string());
    Session::open(&sandbox.target(), None).await.unwrap().version().await.unwrap();
}

#[tokio::test]
async fn a_failing_one_is_named_with_its_status_and_words() {
    let stub = Stub::new();
    let sandbox = plugin(&stub, "echo 'session expired' >&2; exit 3");
    let failure = refused(&sandbox.target()).await;
    let name = sandbox.dir().join("login");
    assert_eq!(failure.message, format!("exec plugin {} exited with 3", name.display()));
    assert_eq!(failure.details, ["session expired"]);
}

#[tokio::test]
async fn one_that_is_not_there_brings_its_install_hint() {
    let stub = Stub::new();
    let sandbox = Sandbox::new();
    let mut exec = exec("no-such-login");
    exec["installHint"] = json!("brew install\nno-such-login");
    sandbox.kubeconfig(with_exec(&stub, &exec));
    let failure = refused(&sandbox.target()).await;
    assert_eq!(failure.message, "exec plugin no-such-login cannot be run: no such file or directory");
    assert_eq!(failure.hints, ["brew install no-such-login"]);
}

#[tokio::test]
async fn one_that_hangs_is_ended_at_the_deadline() {
    let stub = Stub::new();
    let sandbox = plugin(&stub, "echo $$ >$HOME/pid; exec sleep 600");
    let target = Target { timeout: Duration::from_secs(10), ..sandbox.target() };
    let failure = refused(&target).await;
    let name = sandbox.dir().join("login");
    assert_eq!(failure.message, format!("exec plugin {} did not answer within 10s and was stopped", name.display()));
    let pid = std::fs::read_to_string(sandbox.dir().join("pid")).unwrap();
    let process = std::path::PathBuf::from(format!("/proc/{}", pid.trim()));
    while std::fs::read_to_string(process.join("stat")).is_ok_and(|stat| !stat.contains(") Z ")) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn what_is_no_credential_is_refused() {
    let stub = Stub::new();
    let table = [
        ("echo hello".to_owned(), "did not write an ExecCredential with a status"),
        ("true".to_owned(), "did not write an ExecCredential with a status"),
        (
            "echo '{\"kind\":\"Other\",\"status\":{\"token\":\"t\"}}'".to_owned(),
            "did not write an ExecCredential with a status",
        ),
        (gives(""), "gave neither a token nor a certificate"),
        (gives(r#""clientKeyData":"k""#), "gave a certificate without its key, or a key without its certificate"),
    ];
    for (script, why) in table {
        let sandbox = plugin(&stub, &script);
        let failure = refused(&sandbox.target()).await;
        assert!(failure.message.ends_with(why), "{}", failure.message);
    }
}

#[tokio::test]
async fn one_that_must_ask_needs_a_terminal() {
    let stub = Stub::new();
    let sandbox = Sandbox::new();
    let mut exec = exec("login");
    exec["interactiveMode"] = json!("Always");
    sandbox.kubeconfig(with_exec(&stub, &exec));
    let failure = refused(&sandbox.target()).await;
    assert_eq!(failure.message, "exec plugin login needs a terminal (interactiveMode: Always) and there is none");
}

#[tokio::test]
async fn a_token_that_is_no_longer_accepted_is_replaced_once() {
    let stub = Stub::new();
    stub.on("GET", VERSION).status(401, "Unauthorized", "expired").json(200, &json!({}));
    let sandbox = plugin(
        &stub,
        r#"echo x >>$HOME/n; echo "{\"kind\":\"ExecCredential\",\"status\":{\"token\":\"t$(wc -l <$HOME/n | tr -d ' ')\"}}""#,
    );
    let session = Session::open(&sandbox.target(), None).await.unwrap();
    session.version().await.unwrap();
    let requests = stub.finish();
    assert_eq!(requests[0].header("authorization"), Some("Bearer t1"));
    assert_eq!(requests[1].header("authorization"), Some("Bearer t2"));
}

#[tokio::test]
async fn a_token_about_to_expire_is_not_sent() {
    let stub = Stub::new();
    stub.on("GET", VERSION).json(200, &json!({}));
    let script =
        format!("echo run >>$HOME/runs; {}", gives(r#""token":"t","expirationTimestamp":"2020-01-01T00:00:00Z""#));
    let sandbox = plugin(&stub, &script);
    Session::open(&sandbox.target(), None).await.unwrap().version().await.unwrap();
    assert_eq!(std::fs::read_to_string(sandbox.dir().join("runs")).unwrap(), "run\nrun\n");
}

#[tokio::test]
async fn one_is_not_run_for_a_server_without_tls() {
    let stub = Stub::new();
    let sandbox = plugin(&stub, "touch $HOME/ran");
    let config = std::fs::read_to_string(sandbox.dir().join(".kube/config")).unwrap();
    for server in ["http://api.example", "api.example:8080"] {
        sandbox.kubeconfig(config.replace(&stub.url(), server));
        let session = Session::open(&sandbox.target(), None).await.unwrap();
        assert_eq!(session.withheld(), Some(Withheld::NoTls), "{server}");
        assert!(!sandbox.dir().join("ran").exists(), "{server}");
    }
}

#[tokio::test]
async fn one_in_the_working_directory_is_never_run() {
    for path in [".", "", ":/nowhere", "/nowhere:", "/nowhere::/nowhere2", "relative"] {
        let stub = Stub::new();
        let sandbox = Sandbox::new().env("PATH", path);
        let place = if path == "relative" { "relative/cloud-login" } else { "cloud-login" };
        sandbox.script(place, &format!("/bin/touch $HOME/ran; {}", gives(r#""token":"t""#)));
        sandbox.kubeconfig(with_exec(&stub, &exec("cloud-login")));
        let output = sandbox.run(&["check"]);
        assert!(!sandbox.dir().join("ran").exists(), "{path:?}");
        assert_eq!(output.code, Some(9), "{path:?}: {output:?}");
        let empty = path.is_empty();
        let why = if empty { "no such file or directory" } else { "an entry of PATH that is not absolute" };
        assert!(output.stderr.contains(why), "{path:?}: {output:?}");
    }
}

#[tokio::test]
async fn one_on_an_absolute_entry_of_the_path_is_run() {
    let stub = Stub::new();
    stub.on("GET", VERSION).json(200, &json!({}));
    let sandbox = Sandbox::new();
    sandbox.script("bin/cloud-login", &gives(r#""token":"t""#));
    sandbox.kubeconfig(with_exec(&stub, &exec("cloud-login")));
    let bin = sandbox.dir().join("bin").to_str().unwrap().to_owned();
    let sandbox = sandbox.env("PATH", format!(".:{bin}:/usr/bin"));
    Session::open(&sandbox.target(), None).await.unwrap().version().await.unwrap();
    assert_eq!(stub.finish()[0].header("authorization"), Some("Bearer t"));
}

#[tokio::test]
async fn one_that_writes_without_end_is_ended() {
    let stub = Stub::new();
    let sandbox = plugin(&stub, "echo secret-word; exec cat /dev/zero");
    let failure = refused(&sandbox.target()).await;
    assert!(failure.message.ends_with("login wrote more than 1 MiB and was stopped"), "{failure:?}");
    assert!(!format!("{failure:?}").contains("secret-word"));
}

#[tokio::test]
async fn of_what_one_says_on_stderr_only_the_end_is_kept() {
    let stub = Stub::new();
    let sandbox =
        plugin(&stub, "head -c 40000000 /dev/zero | tr '\\0' 'x' >&2; echo >&2; echo 'log in again' >&2; exit 1");
    let failure = refused(&sandbox.target()).await;
    assert_eq!(failure.details.last().map(String::as_str), Some("log in again"));
    assert!(failure.details.iter().map(String::len).sum::<usize>() < 20_000);
}

#[tokio::test]
async fn a_legacy_provider_is_refused_with_its_replacement_and_not_run() {
    for (name, replacement) in [("gcp", "gke-gcloud-auth-plugin"), ("azure", "kubelogin")] {
        let stub = Stub::new();
        let sandbox = Sandbox::new();
        let script = sandbox.script("cloud", "touch $HOME/ran; echo secret-output; exit 1");
        let provider = json!({"auth-provider": {"name": name, "config": {
            "cmd-path": script.to_str().unwrap(), "cmd-args": "--secret-argument", "access-token": "secret-access",
        }}});
        sandbox.kubeconfig(stub.kubeconfig().replace("{token: secret-token}", &provider.to_string()));
        let failure = Session::open(&sandbox.target(), None).await.err().unwrap();
        assert_eq!((failure.exit, failure.reason), (Exit::Failed, Reason::Kubeconfig));
        assert!(failure.hints[0].to_string().contains(replacement), "{failure:?}");
        assert!(!format!("{failure:?}").contains("secret"), "{failure:?}");
        assert!(!sandbox.dir().join("ran").exists());
    }
}

#[test]
fn what_a_failing_one_says_never_commands_the_terminal() {
    let stub = Stub::new();
    let sandbox = plugin(&stub, r"printf 'log in\033]52;c;eA==\007\033[2J\302\233 31m\342\200\256\rnow\n' >&2; exit 1");
    let mut exec = exec(sandbox.dir().join("login").to_str().unwrap());
    // With a terminal one that may ask gets the terminal itself.
    exec["interactiveMode"] = json!("Never");
    sandbox.kubeconfig(with_exec(&stub, &exec));
    let output = sandbox.run_on_terminal(80, &["proxy", "url"]);
    assert_eq!(output.code, Some(9));
    let said = "  log in\\u{1b}]52;c;eA==\\u{7}\\u{1b}[2J\\u{9b} 31m\\u{202e}\\u{d}now\n";
    assert!(output.stderr.contains(said), "{output:#?}");
    assert!(!output.stderr.contains(['\u{7}', '\u{9b}', '\u{202e}', '\r']), "{output:#?}");
}
