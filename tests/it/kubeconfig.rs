//! Kubeconfigs as people have them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use gloo_rs::exports::error::{Exit, Failure, Reason};
use gloo_rs::exports::kube::{ClusterContext, KubeconfigFiles, Session, Target};
use serde_json::{Value, json};

use crate::support::stub::Stub;
use crate::support::{Certificate, Sandbox};

const WHOLE: &str = "\
apiVersion: v1
kind: Config
current-context: prod-eu
clusters:
- name: eu
  cluster: {server: 'https://10.20.0.1:6443/'}
contexts:
- name: prod-eu
  context: {cluster: eu, user: me}
- name: no-cluster
  context: {cluster: gone, user: me}
- name: no-user
  context: {cluster: eu, user: gone}
- name: nobody
  context: {cluster: eu, namespace: apps}
users:
- name: me
  user: {token: secret-token}
";

async fn open(target: &Target) -> Result<Session, Failure> {
    Session::open(target, None).await
}

async fn refused(target: &Target) -> Failure {
    let failure = open(target).await.err().expect("this kubeconfig is refused");
    assert_eq!(failure.reason, Reason::Kubeconfig);
    let all = format!("{failure:?}");
    assert!(!all.contains("secret"), "{all}");
    failure
}

async fn refused_text(text: &str) -> (String, Vec<String>) {
    let sandbox = Sandbox::new();
    let path = sandbox.kubeconfig(text);
    let failure = refused(&sandbox.target()).await;
    (failure.message.replace(path.to_str().unwrap(), "FILE"), failure.details)
}

fn named(context: &str) -> String {
    WHOLE.replace("current-context: prod-eu", &format!("current-context: {context}"))
}

#[tokio::test]
async fn the_current_context_is_taken_and_a_flag_takes_another() {
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(WHOLE);
    let session = open(&sandbox.target()).await.unwrap();
    assert_eq!((session.context().to_string().as_str(), session.server()), ("prod-eu", "https://10.20.0.1:6443"));
    assert_eq!((session.namespace(), session.user()), ("default", None));
    let target = Target { context: Some("nobody".to_owned()), ..sandbox.target() };
    assert_eq!(open(&target).await.unwrap().namespace(), "apps");
}

#[tokio::test]
async fn what_is_wrong_with_it_is_said_by_name() {
    let table = [
        ("", "kubeconfig FILE: empty: no context, no cluster, no user", None),
        ("{}", "kubeconfig FILE: empty: no context, no cluster, no user", None),
        ("a: b: c\n", "kubeconfig FILE, line 1: not a kubeconfig, or not YAML", None),
        (
            "users:\n- name: me\n  user: {token: [secret]}\n",
            "kubeconfig FILE: users[0]: a value has the wrong type; a text that looks like a number or a boolean needs quotes",
            None,
        ),
        (
            &WHOLE.replace("current-context: prod-eu\n", ""),
            "kubeconfig FILE: no current-context is set",
            Some("contexts: prod-eu, no-cluster, no-user, nobody"),
        ),
        (&named("prod-ue"), "kubeconfig FILE: no context prod-ue, which current-context names", Some("near: prod-eu")),
        (
            &named("zzz"),
            "kubeconfig FILE: no context zzz, which current-context names",
            Some("contexts: prod-eu, no-cluster, no-user, nobody"),
        ),
        (
            &named("no-cluster"),
            "kubeconfig FILE: no cluster gone, which context no-cluster names",
            Some("clusters: eu"),
        ),
        (&named("no-user"), "kubeconfig FILE: no user gone, which context no-user names", Some("users: me")),
        (&WHOLE.replace("server: 'https://10.20.0.1:6443/'", ""), "kubeconfig FILE: cluster eu has no server", None),
        (
            &WHOLE.replace("https://10", "ftp://10"),
            "context prod-eu: server ftp://10.20.0.1:6443/ is not an http or https URL",
            None,
        ),
    ];
    for (text, message, detail) in table {
        let (said, details) = refused_text(text).await;
        assert_eq!(said, message, "{text}");
        assert_eq!(details.first().map(String::as_str), detail, "{text}");
    }
}

#[tokio::test]
async fn a_file_named_by_a_flag_must_be_there() {
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(WHOLE);
    let target = Target { kubeconfig: Some("/nowhere/config".into()), ..sandbox.target() };
    assert_eq!(refused(&target).await.message, "kubeconfig /nowhere/config: no such file");
    let target = Target { kubeconfig: Some(sandbox.dir().to_owned()), ..sandbox.target() };
    assert!(refused(&target).await.message.ends_with(": is a directory"));
}

#[tokio::test]
async fn without_any_the_places_looked_at_are_named() {
    let sandbox = Sandbox::new();
    let path = sandbox.dir().join(".kube/config");
    assert_eq!(refused(&sandbox.target()).await.message, format!("no kubeconfig: no such file: {}", path.display()));
    let sandbox = Sandbox::new().env("KUBECONFIG", "/nowhere/a:/nowhere/b");
    sandbox.kubeconfig(WHOLE);
    assert_eq!(refused(&sandbox.target()).await.message, "no kubeconfig: no such file: /nowhere/a, /nowhere/b");
}

#[tokio::test]
async fn several_files_are_merged_and_the_first_to_name_a_thing_wins() {
    let dir = Sandbox::new();
    let first = "current-context: b\nclusters:\n- name: eu\n  cluster: {server: 'http://first:1'}\n";
    let second =
        "current-context: prod-eu\ncontexts:\n- name: b\n  context: {cluster: eu, user: me, namespace: apps}\n";
    let paths = [dir.write("1", first), "/nowhere".into(), dir.write("2", second), dir.write("3", WHOLE)];
    let sandbox = Sandbox::new().env("KUBECONFIG", std::env::join_paths(paths).unwrap().to_str().unwrap());
    let session = open(&sandbox.target()).await.unwrap();
    assert_eq!(
        (session.context().to_string().as_str(), session.server(), session.namespace()),
        ("b", "http://first:1", "apps")
    );
}

#[tokio::test]
async fn files_it_names_are_found_beside_it() {
    let stub = Stub::tls(Certificate::Good);
    stub.on("GET", "/version").json(200, &json!({}));
    let sandbox = Sandbox::new();
    sandbox.write("etc/ca.pem", stub.ca());
    sandbox.write("etc/token", "from-file\n");
    let config = WHOLE
        .replace(
            "server: 'https://10.20.0.1:6443/'",
            &format!("server: '{}', certificate-authority: ca.pem", stub.url()),
        )
        .replace("token: secret-token", "token: other, tokenFile: token");
    let path = sandbox.write("etc/config", config);
    let target = Target { kubeconfig: Some(path), ..sandbox.target() };
    open(&target).await.unwrap().version().await.unwrap();
    assert_eq!(stub.finish()[0].header("authorization"), Some("Bearer from-file"));
}

#[tokio::test]
async fn a_name_and_a_password_are_sent() {
    let stub = Stub::new();
    stub.on("GET", "/version").json(200, &json!({}));
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(stub.kubeconfig().replace("token: secret-token", "username: me, password: pw"));
    open(&sandbox.target()).await.unwrap().version().await.unwrap();
    assert_eq!(stub.finish()[0].header("authorization"), Some("Basic bWU6cHc="));
}

#[tokio::test]
async fn a_password_in_a_url_is_in_no_message() {
    let servers = [
        "https://me:secret@",
        "https://me:se/secret@api example",
        "me:secret@api example",
        "ftp://me:secret@api.example",
        "me:secret://x@api example",
    ];
    for server in servers {
        let text = WHOLE.replace("'https://10.20.0.1:6443/'", &format!("'{server}'"));
        let (message, _) = refused_text(&text).await;
        assert!(message.contains(" server "), "{server}: {message}");
    }
    for proxy in ["http://me:secret word@proxy", "ftp://me:secret@proxy", "http://me:secret@"] {
        let text = WHOLE.replace("6443/'", &format!("6443/', proxy-url: '{proxy}'"));
        refused_text(&text).await;
        let sandbox = Sandbox::new().env("HTTPS_PROXY", proxy);
        sandbox.kubeconfig(WHOLE);
        refused(&sandbox.target()).await;
    }
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(WHOLE.replace("https://10.20.0.1:6443/", "https://me:hunter2@127.0.0.1:1"));
    let session = open(&sandbox.target()).await.unwrap();
    assert_eq!(session.server(), "https://127.0.0.1:1");
    let failure = session.version().await.unwrap_err().into_failure(&session);
    assert!(!format!("{failure:?}").contains("hunter2"), "{failure:?}");
    for arguments in [&["version", "-v"][..], &["check", "-v", "-o", "json"]] {
        let output = sandbox.run(arguments);
        assert!(!format!("{output:?}").contains("hunter2"), "{output:?}");
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown() {
    let stub = Stub::tls(Certificate::Mutual);
    stub.on("GET", "/version").json(200, &json!({}));
    let sandbox = Sandbox::new();
    sandbox.write(".kube/me.crt", &stub.identity().client_certificate);
    sandbox.write(".kube/me.key", &stub.identity().client_key);
    let config = stub.kubeconfig();
    sandbox.kubeconfig(config.replace("token: secret-token", "client-certificate: me.crt, client-key: me.key"));
    open(&sandbox.target()).await.unwrap().version().await.unwrap();

    sandbox.kubeconfig(config);
    let session = open(&sandbox.target()).await.unwrap();
    let failure = session.version().await.unwrap_err().into_failure(&session);
    assert_eq!(failure.reason, Reason::Tls);
    assert_eq!(failure.message, format!("no TLS with {}: it ended the handshake: CertificateRequired", stub.url()));
}

#[tokio::test]
async fn certificates_and_tokens_that_cannot_be_used_are_named() {
    let server = "server: 'https://10.20.0.1:6443/'";
    let token = "token: secret-token";
    let cluster = |more: &str| WHOLE.replace(server, &format!("{server}, {more}"));
    let user = |text: &str| WHOLE.replace(token, text);
    let table = [
        (cluster("certificate-authority: /nowhere/ca"), "certificate authority /nowhere/ca: no such file or directory"),
        (cluster("certificate-authority-data: '!'"), "certificate authority data is not base64"),
        (cluster("certificate-authority-data: c2VjcmV0"), "the certificate authority holds no certificate"),
        (cluster("certificate-authority: /dev/null"), "the certificate authority /dev/null is empty"),
        (cluster("certificate-authority-data: Cg=="), "the certificate authority is empty"),
        (
            cluster("certificate-authority: /nowhere/ca, insecure-skip-tls-verify: true"),
            "its cluster has a certificate authority together with insecure-skip-tls-verify",
        ),
        (
            cluster("certificate-authority-data: c2VjcmV0, insecure-skip-tls-verify: true"),
            "its cluster has a certificate authority together with insecure-skip-tls-verify",
        ),
        (
            user("client-certificate: /nowhere/c, client-key: /nowhere/k"),
            "client certificate /nowhere/c: no such file or directory",
        ),
        (user("client-certificate-data: '!', client-key-data: '!'"), "client certificate data is not base64"),
        (user("client-certificate-data: c2VjcmV0"), "no client key, though its other half is there"),
        (user("tokenFile: /nowhere/t"), "token file /nowhere/t: no such file or directory"),
        (user("tokenFile: /dev/null"), "token file /dev/null: empty"),
    ];
    for (text, why) in table {
        assert_eq!(refused_text(&text).await.0, format!("context prod-eu: {why}"));
    }
}

#[tokio::test]
async fn a_pod_uses_what_it_is_given_unless_a_file_says_otherwise() {
    let stub = Stub::tls(Certificate::Good);
    stub.on("GET", "/version").json(200, &json!({}));
    let sandbox = Sandbox::new()
        .env("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        .env("KUBERNETES_SERVICE_PORT", stub.port().to_string());
    sandbox.write("serviceaccount/token", "pod-token\n");
    sandbox.write("serviceaccount/ca.crt", stub.ca());
    sandbox.write("serviceaccount/namespace", "apps");
    let session = open(&sandbox.target()).await.unwrap();
    assert_eq!((session.context(), session.namespace()), (&ClusterContext::InCluster, "apps"));
    assert_eq!(session.place(), format!("in-cluster configuration (https://127.0.0.1:{})", stub.port()));
    session.version().await.unwrap();
    assert_eq!(stub.requests()[0].header("authorization"), Some("Bearer pod-token"));

    sandbox.kubeconfig(WHOLE);
    assert_eq!(open(&sandbox.target()).await.unwrap().context().to_string(), "prod-eu");

    let file = sandbox.kubeconfig(named("in-cluster").replace("name: prod-eu", "name: in-cluster"));
    let session = open(&sandbox.target()).await.unwrap();
    let files = KubeconfigFiles::One(file);
    assert_eq!(session.context(), &ClusterContext::Kubeconfig { name: "in-cluster".to_owned(), files });
    assert_eq!(session.place(), "context in-cluster (https://10.20.0.1:6443)");
}

#[tokio::test]
async fn a_change_of_what_a_session_was_opened_with_is_noticed() {
    let sandbox = Sandbox::new();
    let whole =
        WHOLE.replace("token: secret-token", "token: secret-token, as: x, as-user-extra: {a: [b], c: [d], e: [f]}");
    sandbox.kubeconfig(&whole);
    let target = sandbox.target();
    let session = open(&target).await.unwrap();
    for (from, to) in
        [("", ""), ("current-context: prod-eu", "current-context: nobody"), ("namespace: apps", "namespace: b")]
    {
        sandbox.kubeconfig(whole.replace(from, to));
        assert!(session.check_unchanged(&target).is_ok(), "{from}");
    }
    for (from, to) in [
        ("10.20.0.1", "10.20.0.2"),
        ("secret-token", "secret-other"),
        ("as: x", "as: y"),
        ("name: prod-eu", "name: prod"),
        ("context: {cluster: eu, user: me}", "context: {cluster: eu}"),
    ] {
        sandbox.kubeconfig(whole.replace(from, to));
        let failure = session.check_unchanged(&target).unwrap_err();
        assert_eq!(failure.reason, Reason::Kubeconfig, "{from}");
        assert!(!format!("{failure:?}").contains("secret"), "{failure:?}");
    }
}

#[tokio::test]
async fn an_empty_text_for_a_certificate_authority_is_the_same_as_none() {
    let stub = Stub::tls(Certificate::Good);
    stub.on("GET", "/version").json(200, &json!({}));
    let sandbox = Sandbox::new();
    let ca = sandbox.write("ca.pem", stub.ca());
    let server =
        |more: &str| WHOLE.replace("server: 'https://10.20.0.1:6443/'", &format!("server: '{}', {more}", stub.url()));
    sandbox.kubeconfig(server(&format!("certificate-authority: {}, certificate-authority-data: ''", ca.display())));
    open(&sandbox.target()).await.unwrap().version().await.unwrap();

    sandbox.kubeconfig(server("certificate-authority: '', certificate-authority-data: ''"));
    let session = open(&sandbox.target()).await.unwrap();
    assert!(!session.has_authority());
    let failure = session.version().await.unwrap_err().into_failure(&session);
    assert_eq!(failure.reason, Reason::Tls);
    assert!(failure.hints[0].to_string().contains("no certificate-authority in the kubeconfig"), "{failure:?}");
}

/// `{"exp": 1700000000}`
const EXPIRED: &str = "e30.eyJleHAiOjE3MDAwMDAwMDB9.c2ln";

/// The kubeconfig with this OIDC token, with what a renewal needs.
fn oidc(server: &str, token: &str, issuer: &str, refresh: &str) -> String {
    let config = format!("client-id: kube, client-secret: s, id-token: {token}, idp-issuer-url: '{issuer}', {refresh}");
    WHOLE
        .replace("'https://10.20.0.1:6443/'", &format!("'{server}'"))
        .replace("token: secret-token", &format!("auth-provider: {{name: oidc, config: {{{config}}}}}"))
}

#[tokio::test]
async fn a_token_of_oidc_that_cannot_be_used_is_reported_before_any_request() {
    let stub = Stub::new();
    for (token, exit, reason, why) in [
        (EXPIRED, Exit::SaidNo, Reason::Unauthorized, "has expired and cannot be renewed: no refresh-token"),
        ("casetoken", Exit::Failed, Reason::Kubeconfig, "is not a JWT with an expiry"),
    ] {
        let sandbox = Sandbox::new();
        sandbox.kubeconfig(oidc(&stub.url(), token, "https://idp.example", ""));
        let failure = open(&sandbox.target()).await.err().unwrap();
        assert_eq!((failure.exit, failure.reason), (exit, reason));
        assert_eq!(failure.message, format!("the OIDC token of user me (issuer https://idp.example) {why}"));
        assert_eq!(failure.hints.len(), 1);
    }
    assert_eq!(stub.connections(), 0);
}

#[test]
fn a_token_that_an_identity_provider_does_not_renew_is_reported_as_what_it_is() {
    let server = Stub::new();
    let provider = Stub::tls(Certificate::Good);
    provider
        .on("GET", "/.well-known/openid-configuration")
        .json(200, &json!({"token_endpoint": format!("{}/token", provider.url())}));
    provider.on("POST", "/token").json(400, &json!({"error": "invalid_grant"})).always();
    let of = |issuer: &str, trusted: bool| {
        let sandbox = Sandbox::new();
        let ca = sandbox.write("ca.pem", if trusted { provider.ca() } else { "" });
        let sandbox = sandbox.env("SSL_CERT_FILE", ca.display().to_string());
        sandbox.kubeconfig(oidc(&server.url(), EXPIRED, issuer, "refresh-token: r"));
        let output = sandbox.run(&["proxy", "url", "-v", "-o", "json"]);
        let document: Value = serde_json::from_str(&output.stdout).unwrap();
        let tries = output.stderr.lines().filter(|line| line.contains("GET /api/v1/")).count();
        (output.code, document["error"]["reason"].clone(), document["error"]["message"].to_string(), tries)
    };
    let (code, reason, message, tries) = of("https://127.0.0.1:1", true);
    assert_eq!((code, reason, tries), (Some(9), json!("unreachable"), 1), "{message}");
    assert!(
        message.contains("user me (issuer https://127.0.0.1:1) has expired, and there is no connection"),
        "{message}"
    );
    let (code, reason, message, tries) = of(&provider.url(), true);
    assert_eq!((code, reason, tries), (Some(4), json!("unauthorized"), 1), "{message}");
    assert!(message.contains("the issuer did not renew it"), "{message}");
    assert_eq!(server.connections(), 0, "no request without a token");
}

#[test]
fn an_identity_provider_that_does_not_answer_is_reported_as_such() {
    let (server, provider) = (Stub::new(), Stub::tls(Certificate::Good));
    let answers = Arc::new(AtomicBool::new(false));
    provider.on("GET", "/.well-known/openid-configuration").json(200, &json!({})).held(&answers).always();
    let sandbox = Sandbox::new();
    let ca = sandbox.write("ca.pem", provider.ca());
    let sandbox = sandbox.env("SSL_CERT_FILE", ca.display().to_string());
    sandbox.kubeconfig(oidc(&server.url(), EXPIRED, &provider.url(), "refresh-token: r"));
    let output = sandbox.run(&["proxy", "url", "-v", "-o", "json", "--timeout", "2s"]);
    answers.store(true, Ordering::Release);
    let document: Value = serde_json::from_str(&output.stdout).unwrap();
    assert_eq!((output.code, &document["error"]["reason"]), (Some(9), &json!("timeout")), "{output:?}");
    let message = document["error"]["message"].as_str().unwrap();
    assert!(message.contains(&format!("user me (issuer {}) has expired, and it was not renewed", provider.url())));
    assert!(output.stderr.contains("identity provider can be reached"), "{output:?}");
    assert_eq!(output.stderr.lines().filter(|line| line.contains("GET /api/v1/")).count(), 1, "{output:?}");
    assert_eq!(server.connections(), 0, "no request without a token");
}

#[test]
fn a_connection_that_is_not_secure_is_mentioned_once() {
    let stub = Stub::tls(Certificate::Expired);
    stub.on("GET", "/version").json(200, &json!({"gitVersion": "v1.36.3"})).always();
    stub.on_anything().json(404, &json!({})).always();
    let config = stub.kubeconfig();
    let start = config.find("    certificate-authority-data").unwrap();
    let end = start + config[start..].find('\n').unwrap();
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(format!("{}    insecure-skip-tls-verify: true{}", &config[..start], &config[end..]));
    let output = sandbox.run(&["check"]);
    assert_eq!(output.stderr.matches("certificate is not verified").count(), 1, "{output:?}");
}
