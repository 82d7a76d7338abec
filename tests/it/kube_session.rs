//! The session against an API server that misbehaves on purpose.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use gloo_rs::exports::error::{Exit, Failure, Reason};
use gloo_rs::exports::kube::{ApiCause, ApiError, DryRun, Query, Scope, Session, Target, Trace, Verb};
use gloo_rs::exports::model::Object;
use gloo_rs::exports::model::kinds::{PEER_AUTHENTICATION, POD, UPSTREAM};
use serde_json::{Value, json};

use crate::support::stub::{Request, Stub, kubeconfig};
use crate::support::{Certificate, Sandbox};

const X: &str = "/apis/gloo.solo.io/v1/namespaces/gloo-system/upstreams/x";
const ALL: &str = "/apis/gloo.solo.io/v1/upstreams";
const VERSION: &str = "/version";

async fn session(stub: &Stub) -> Session {
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(stub.kubeconfig());
    Session::open(&sandbox.target(), None).await.unwrap()
}

async fn get(session: &Session) -> Result<Value, ApiError> {
    session.get(&UPSTREAM, "gloo-system", "x").await
}

async fn patch(session: &Session) -> Result<Value, ApiError> {
    let patch = json!([{"op": "replace", "path": "/metadata/resourceVersion", "value": "7"}]);
    session.patch(&UPSTREAM, "gloo-system", "x", &patch, DryRun::No).await
}

async fn failure(session: &Session) -> Failure {
    get(session).await.unwrap_err().into_failure(session)
}

fn upstream(name: &str) -> Value {
    json!({"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "metadata": {"namespace": "gloo-system", "name": name}})
}

#[tokio::test]
async fn a_get_is_one_request_with_our_name_and_the_token() {
    let stub = Stub::new();
    stub.on("GET", X).json(200, &upstream("x"));
    let session = session(&stub).await;
    assert_eq!(stub.connections(), 0, "opening a session asks nothing");
    assert_eq!(get(&session).await.unwrap(), upstream("x"));
    assert_eq!((session.context().to_string().as_str(), session.namespace()), ("stub", "gloo-system"));
    assert_eq!(session.server(), stub.url());
    let requests = stub.finish();
    assert_eq!(requests[0].header("user-agent"), Some(concat!("gloo-rs/", env!("CARGO_PKG_VERSION"))));
    assert_eq!(requests[0].header("authorization"), Some("Bearer secret-token"));
    assert_eq!(requests[0].header("accept"), Some("application/json"));
}

#[tokio::test]
async fn requests_one_after_the_other_share_a_connection() {
    let stub = Stub::tls(Certificate::Good);
    stub.on("GET", X).json(200, &upstream("x")).always();
    stub.on("PATCH", X).json(200, &upstream("x")).always();
    let session = session(&stub).await;
    for _ in 0..20 {
        get(&session).await.unwrap();
        patch(&session).await.unwrap();
    }
    assert_eq!(stub.connections(), 1);
}

#[tokio::test]
async fn a_patch_names_its_manager_and_its_dry_run() {
    let stub = Stub::new();
    stub.on("PATCH", &format!("{X}?fieldManager=gloo-rs")).json(200, &upstream("x"));
    stub.on("PATCH", &format!("{X}?fieldManager=gloo-rs&dryRun=All")).json(200, &upstream("x"));
    let session = session(&stub).await;
    let patch = json!([{"op": "add", "path": "/spec/a", "value": 1}]);
    for dry_run in [DryRun::No, DryRun::Server] {
        session.patch(&UPSTREAM, "gloo-system", "x", &patch, dry_run).await.unwrap();
    }
    for request in stub.finish() {
        assert_eq!(request.header("content-type"), Some("application/json-patch+json"));
        assert_eq!(request.json(), patch);
    }
}

#[tokio::test]
async fn the_context_asked_for_is_the_only_one_that_is_asked() {
    let (trap, stub) = (Stub::new(), Stub::new());
    stub.on("GET", VERSION).json(200, &json!({"gitVersion": "v1.36.3"}));
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(kubeconfig(&[("trap", &trap), ("b", &stub)]));
    let target = Target { context: Some("b".to_owned()), ..sandbox.target() };
    let session = Session::open(&target, None).await.unwrap();
    assert_eq!(session.version().await.unwrap()["gitVersion"], "v1.36.3");
    assert_eq!(session.context().to_string().as_str(), "b");
    assert_eq!(trap.connections(), 0);
}

#[tokio::test]
async fn impersonation_reaches_every_request() {
    let stub = Stub::new();
    stub.on("GET", X).json(200, &upstream("x"));
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(stub.kubeconfig());
    let target = Target {
        as_user: Some("bob".to_owned()),
        as_groups: vec!["a".to_owned(), "b".to_owned()],
        as_uid: Some("7".to_owned()),
        ..sandbox.target()
    };
    let session = Session::open(&target, None).await.unwrap();
    get(&session).await.unwrap();
    assert_eq!(session.user(), Some("bob"));
    let requests = stub.finish();
    assert_eq!(requests[0].header("impersonate-user"), Some("bob"));
    assert_eq!(requests[0].headers("impersonate-group"), ["a", "b"]);
    assert_eq!(requests[0].header("impersonate-uid"), Some("7"));
}

#[tokio::test]
async fn a_group_without_a_user_is_refused() {
    let stub = Stub::new();
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(stub.kubeconfig());
    let target = Target { as_groups: vec!["a".to_owned()], ..sandbox.target() };
    let failure = Session::open(&target, None).await.err().unwrap();
    assert_eq!(failure.exit, Exit::Usage);
}

#[tokio::test]
async fn an_object_that_is_not_there_says_where_it_was_looked_for() {
    let stub = Stub::new();
    stub.on("GET", X).not_found("upstreams", "gloo.solo.io", "x");
    let session = session(&stub).await;
    let failure = failure(&session).await;
    assert_eq!((failure.exit, failure.reason), (Exit::SaidNo, Reason::NotFound));
    assert_eq!(failure.message, "upstream.gloo.solo.io/x: not found in gloo-system");
    assert_eq!(failure.details, [format!("looked in context stub ({})", stub.url())]);
}

#[tokio::test]
async fn a_kind_that_is_not_there_is_told_from_an_object() {
    let stub = Stub::new();
    stub.on("GET", X).body(404, "text/plain", "404 page not found\n");
    stub.on("GET", ALL).body(404, "text/plain", "404 page not found\n");
    let session = session(&stub).await;
    let failure = failure(&session).await;
    assert_eq!((failure.exit, failure.reason), (Exit::SaidNo, Reason::NoCrd));
    let error = session.list_all(&UPSTREAM, Scope::All, Query::default()).await.unwrap_err();
    assert_eq!(error.cause, ApiCause::NoCrd);
    assert_eq!(error.to_string(), "upstreams.gloo.solo.io: the API server has no such kind: its CRD is not installed");
}

#[tokio::test]
async fn a_missing_right_is_named_with_the_rule_that_gives_it() {
    let stub = Stub::new();
    let message = r#"upstreams.gloo.solo.io "x" is forbidden: User "ann" cannot get resource "upstreams" in API group "gloo.solo.io" in the namespace "gloo-system""#;
    stub.on("GET", X).status(403, "Forbidden", message);
    let session = session(&stub).await;
    let failure = failure(&session).await;
    assert_eq!((failure.exit, failure.reason), (Exit::SaidNo, Reason::Forbidden));
    assert_eq!(failure.message, "upstream.gloo.solo.io/x: not allowed to get upstreams.gloo.solo.io in gloo-system");
    assert_eq!(failure.details[0], "as ann");
    assert_eq!(
        failure.hints,
        ["a rule of a Role that allows it: {apiGroups: [gloo.solo.io], resources: [upstreams], verbs: [get]}"]
    );
}

#[tokio::test]
async fn refusals_have_their_exit_and_reason() {
    let table = [
        (401, "Unauthorized", Exit::SaidNo, Reason::Unauthorized),
        (409, "Conflict", Exit::Failed, Reason::Conflict),
        (422, "Invalid", Exit::Failed, Reason::Invalid),
        (400, "BadRequest", Exit::Failed, Reason::Invalid),
        (500, "InternalError", Exit::Failed, Reason::ServerError),
        (504, "Timeout", Exit::Failed, Reason::ServerError),
    ];
    for (code, reason, exit, expected) in table {
        let stub = Stub::new();
        stub.on("PATCH", X).status(code, reason, "words of the\nserver");
        let session = session(&stub).await;
        let failure = patch(&session).await.unwrap_err().into_failure(&session);
        assert_eq!((failure.exit, failure.reason), (exit, expected), "{code}");
        assert!(!failure.message.contains('\n'), "{code}");
    }
}

#[tokio::test]
async fn a_webhook_that_cannot_dry_run_is_told_apart() {
    let stub = Stub::new();
    stub.on("PATCH", X).status(400, "BadRequest", r#"admission webhook "w" does not support dry run"#);
    let error = patch(&session(&stub).await).await.unwrap_err();
    assert!(error.dry_run_unsupported());
}

#[tokio::test]
async fn a_read_is_tried_three_times_when_cut_or_busy() {
    let stub = Stub::new();
    stub.on("GET", X).cut().status(503, "ServiceUnavailable", "starting").json(200, &upstream("x"));
    get(&session(&stub).await).await.unwrap();
    assert_eq!(stub.finish().len(), 3);

    let stub = Stub::new();
    stub.on("GET", X).cut().cut().cut();
    let error = get(&session(&stub).await).await.unwrap_err();
    assert_eq!(error.cause, ApiCause::Unreachable { why: "connection cut".to_owned(), sent: true });
    assert!(!error.outcome_unknown());
    assert_eq!(stub.finish().len(), 3);

    let stub = Stub::new();
    stub.on("GET", X).status(503, "", "a").status(503, "", "b").status(503, "", "starting");
    let error = get(&session(&stub).await).await.unwrap_err();
    assert_eq!(error.cause, ApiCause::Server { status: 503, message: "starting".to_owned() });
}

#[tokio::test]
async fn a_server_that_says_when_to_come_back_is_taken_at_its_word() {
    let stub = Stub::new();
    stub.on("GET", X).status(429, "TooManyRequests", "busy").retry_after(1).json(200, &upstream("x"));
    get(&session(&stub).await).await.unwrap();

    let stub = Stub::new();
    stub.on("GET", X).status(429, "TooManyRequests", "busy").retry_after(3600);
    let session = session(&stub).await;
    let failure = failure(&session).await;
    assert_eq!((failure.exit, failure.reason), (Exit::Failed, Reason::Throttled));
    assert_eq!(failure.message, "upstream.gloo.solo.io/x: the API server is busy and asks to retry in 3600s");
}

#[tokio::test]
async fn a_write_told_to_come_back_after_the_deadline_ends_at_once() {
    let long = u64::MAX.to_string();
    let stub = Stub::new();
    stub.on("PATCH", X)
        .status(429, "TooManyRequests", "busy")
        .retry_after(1)
        .status(429, "TooManyRequests", "busy")
        .retry_after(u64::MAX);
    let session = session(&stub).await;
    let error = patch(&session).await.unwrap_err();
    assert_eq!(error.cause, ApiCause::Throttled { after: Some(Duration::from_secs(u64::MAX)) });
    assert!(!error.outcome_unknown());
    assert!(error.into_failure(&session).message.contains(&long[..6]));
    assert_eq!(stub.finish().len(), 2);
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let elsewhere = Stub::new();
    for status in [301, 302, 303, 307, 308] {
        let stub = Stub::new();
        stub.on("GET", X).body(status, "text/plain", "").header("Location", &format!("{}{X}", elsewhere.url()));
        let error = get(&session(&stub).await).await.unwrap_err();
        assert_eq!(error.reason(), Reason::BadAnswer);
    }
    assert_eq!(elsewhere.connections(), 0);
}

const POLICIES: &str = "/apis/security.istio.io/v1/namespaces/shop/peerauthentications";
const POLICY: &str = "/apis/security.istio.io/v1/namespaces/shop/peerauthentications/default";

fn policy() -> Object {
    let metadata = json!({"namespace": "shop", "name": "default", "uid": "u-1", "resourceVersion": "7"});
    Object::new(&PEER_AUTHENTICATION, json!({"metadata": metadata, "spec": {}}))
}

#[tokio::test]
async fn what_is_made_names_its_manager_and_its_dry_run() {
    let stub = Stub::new();
    stub.on("POST", &format!("{POLICIES}?fieldManager=gloo-rs")).json(201, &policy().value);
    stub.on("POST", &format!("{POLICIES}?fieldManager=gloo-rs&dryRun=All")).json(201, &policy().value);
    let session = session(&stub).await;
    for dry_run in [DryRun::No, DryRun::Server] {
        assert_eq!(session.create(&policy(), dry_run).await.unwrap(), policy().value);
    }
    for request in stub.finish() {
        assert_eq!(request.header("content-type"), Some("application/json"));
        assert_eq!(request.json(), policy().value);
    }
}

#[tokio::test]
async fn what_is_deleted_is_exactly_what_was_read() {
    let stub = Stub::new();
    let done = json!({"kind": "Status", "apiVersion": "v1", "status": "Success"});
    stub.on("DELETE", POLICY).json(200, &done).always();
    let session = session(&stub).await;
    for dry_run in [DryRun::No, DryRun::Server] {
        session.delete(&policy(), dry_run).await.unwrap();
    }
    let sent: Vec<_> = stub.finish().iter().map(Request::json).collect();
    for options in &sent {
        assert_eq!(options["preconditions"], json!({"uid": "u-1", "resourceVersion": "7"}));
    }
    let dry: Vec<_> = sent.iter().map(|options| &options["dryRun"]).collect();
    assert_eq!(dry, [&Value::Null, &json!(["All"])], "the query of a DELETE with a body is not read");
}

#[tokio::test]
async fn a_write_that_may_have_been_made_says_what_it_was_and_is_not_sent_again() {
    let stub = Stub::new();
    stub.on("POST", POLICIES).cut();
    stub.on("DELETE", POLICY).cut();
    let session = session(&stub).await;
    let created = session.create(&policy(), DryRun::No).await.unwrap_err();
    let deleted = session.delete(&policy(), DryRun::No).await.unwrap_err();
    for (error, noun) in [(created, "creation"), (deleted, "deletion")] {
        assert!(error.outcome_unknown());
        let message = error.into_failure(&session).message;
        let wanted = "peerauthentication.security.istio.io/default: the";
        assert_eq!(message, format!("{wanted} {noun} was sent, its outcome is unknown: connection cut"));
    }
    assert_eq!(stub.finish().len(), 2);
}

#[tokio::test]
async fn a_creation_says_who_is_in_its_way() {
    let stub = Stub::new();
    let missing = json!({
        "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 404, "reason": "NotFound",
        "message": "namespaces \"shop\" not found", "details": {"name": "shop", "kind": "namespaces"},
    });
    let no_right = r#"peerauthentications.security.istio.io is forbidden: User "bob" cannot create resource "peerauthentications" in API group "security.istio.io" in the namespace "shop""#;
    stub.on("POST", POLICIES).status(409, "AlreadyExists", "already exists").json(404, &missing).status(
        403,
        "Forbidden",
        no_right,
    );
    let session = session(&stub).await;
    let mut failures = Vec::new();
    for _ in 0..3 {
        failures.push(session.create(&policy(), DryRun::No).await.unwrap_err().into_failure(&session));
    }
    let said: Vec<_> = failures.iter().map(|failure| (failure.exit, failure.message.as_str())).collect();
    let subject = "peerauthentication.security.istio.io/default";
    assert_eq!(
        said,
        [
            (Exit::Failed, format!("{subject}: others created it in the meantime").as_str()),
            (Exit::SaidNo, format!("{subject}: there is no namespace shop").as_str()),
            (
                Exit::SaidNo,
                format!("{subject}: not allowed to create peerauthentications.security.istio.io in shop").as_str()
            ),
        ]
    );
    let rule = "a rule of a Role that allows it: {apiGroups: [security.istio.io], resources: [peerauthentications], verbs: [create]}";
    assert_eq!(failures[2].hints, [rule]);
}

#[tokio::test]
async fn a_deletion_of_what_is_another_by_now_is_a_conflict() {
    let stub = Stub::new();
    stub.on("DELETE", POLICY)
        .status(409, "Conflict", "the UID in the precondition (u-1) does not match the UID in record (u-2)")
        .not_found("peerauthentications", "security.istio.io", "default");
    let session = session(&stub).await;
    let error = session.delete(&policy(), DryRun::No).await.unwrap_err();
    assert_eq!((error.verb, error.cause), (Verb::Delete, ApiCause::Conflict));
    let error = session.delete(&policy(), DryRun::No).await.unwrap_err();
    assert_eq!(error.cause, ApiCause::NotFound);
}

#[tokio::test]
async fn a_patch_that_may_have_been_made_is_not_sent_again() {
    let stub = Stub::new();
    stub.on("PATCH", X).cut();
    let session = session(&stub).await;
    let error = patch(&session).await.unwrap_err();
    assert!(error.outcome_unknown());
    let failure = error.into_failure(&session);
    assert_eq!((failure.exit, failure.reason), (Exit::NoAnswer, Reason::Unreachable));
    assert_eq!(failure.message, "upstream.gloo.solo.io/x: the patch was sent, its outcome is unknown: connection cut");
    assert_eq!(stub.finish().len(), 1);

    let stub = Stub::new();
    stub.on("PATCH", X).status(503, "ServiceUnavailable", "starting");
    let error = patch(&self::session(&stub).await).await.unwrap_err();
    assert_eq!(error.reason(), Reason::ServerError);
}

#[tokio::test]
async fn a_patch_that_was_turned_away_is_sent_again() {
    let stub = Stub::new();
    let busy = |code| (code, "TooManyRequests", "busy");
    let (code, reason, message) = busy(429);
    stub.on("PATCH", X)
        .status(code, reason, message)
        .retry_after(0)
        .status(503, reason, message)
        .retry_after(0)
        .json(200, &upstream("x"));
    patch(&session(&stub).await).await.unwrap();
    assert_eq!(stub.finish().len(), 3);
}

#[tokio::test]
async fn no_answer_within_the_deadline_ends_the_request() {
    let stub = Stub::new();
    stub.on("GET", X).json(200, &upstream("x")).slow(Duration::from_secs(30));
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(stub.kubeconfig());
    let target = Target { timeout: Duration::from_secs(2), ..sandbox.target() };
    let session = Session::open(&target, None).await.unwrap();
    let failure = failure(&session).await;
    assert_eq!((failure.exit, failure.reason), (Exit::NoAnswer, Reason::Timeout));
    assert_eq!(failure.message, format!("upstream.gloo.solo.io/x: no answer from {} within 2s", stub.url()));
}

#[tokio::test]
async fn a_server_that_is_not_there_is_named() {
    let stub = Stub::new();
    let (url, config) = (stub.url(), stub.kubeconfig());
    let port = stub.port();
    drop(stub);
    // The port is free again once the listener's thread has gone.
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
        std::thread::yield_now();
    }
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(config);
    let session = Session::open(&sandbox.target(), None).await.unwrap();
    let failure = failure(&session).await;
    assert_eq!((failure.exit, failure.reason), (Exit::NoAnswer, Reason::Unreachable));
    assert_eq!(failure.message, format!("no connection to {url}: connection refused"));
    assert_eq!(failure.details, [format!("context stub ({url})")]);
    let causes = failure.causes.texts();
    assert!(causes.len() > 1 && causes.last().unwrap().contains("Connection refused"), "{causes:?}");
}

#[tokio::test]
async fn what_no_api_server_answers_is_said_and_no_panic() {
    let table: [(&str, &str); 4] = [
        ("<!doctype html><title>Sign in</title>", "200 with an HTML page"),
        (r#"{"kind": "Upstream", "met"#, "200 with JSON that is cut off or too deep"),
        ("", "200 with an empty body"),
        (r#"{"kind":"Status","status":"Failure","message":"no","code":403}"#, "200 with a failure (403): no"),
    ];
    for (body, what) in table {
        let stub = Stub::new();
        stub.on("GET", X).body(200, "text/html", body);
        let session = session(&stub).await;
        let failure = failure(&session).await;
        assert_eq!((failure.exit, failure.reason), (Exit::Failed, Reason::BadAnswer));
        assert_eq!(failure.message, format!("{} does not answer as a Kubernetes API server: {what}", stub.url()));
    }
}

#[tokio::test]
async fn a_body_that_ends_early_or_never_is_not_taken() {
    let stub = Stub::new();
    stub.on("GET", X).body(200, "application/json", "{").announcing(100).always();
    let error = get(&session(&stub).await).await.unwrap_err();
    assert_eq!(error.reason(), Reason::Unreachable);

    let stub = Stub::new();
    stub.on("GET", X).body(200, "application/json", "{").announcing(300 << 20);
    let error = get(&session(&stub).await).await.unwrap_err();
    assert_eq!(error.cause, ApiCause::TooLarge { most: 8 << 20 });
}

fn page(names: &[&str], next: &str) -> Value {
    let items: Vec<_> = names.iter().map(|name| upstream(name)).collect();
    json!({"kind": "UpstreamList", "metadata": {"resourceVersion": "9", "continue": next}, "items": items})
}

fn names(items: &[Value]) -> Vec<&str> {
    items.iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect()
}

async fn list(stub: &Stub) -> Result<Vec<Value>, ApiError> {
    session(stub).await.list_all(&UPSTREAM, Scope::All, Query::labelled("a=b")).await
}

#[tokio::test]
async fn a_list_is_read_page_by_page() {
    let stub = Stub::new();
    stub.on("GET", &format!("{ALL}?labelSelector=a%3Db&limit=500")).json(200, &page(&["a", "b"], "n+1"));
    stub.on("GET", &format!("{ALL}?labelSelector=a%3Db&limit=500&continue=n%2B1")).json(200, &page(&["c"], ""));
    assert_eq!(names(&list(&stub).await.unwrap()), ["a", "b", "c"]);
}

#[tokio::test]
async fn a_list_that_grew_too_old_is_begun_again_once_and_gives_nothing_twice() {
    let stub = Stub::new();
    stub.on("GET", &format!("{ALL}?labelSelector=a%3Db&limit=500"))
        .json(200, &page(&["a", "b"], "n"))
        .json(200, &page(&["a", "b", "b2"], "m"));
    stub.on("GET", &format!("{ALL}?labelSelector=a%3Db&limit=500&continue=n")).status(410, "Expired", "too old");
    stub.on("GET", &format!("{ALL}?labelSelector=a%3Db&limit=500&continue=m")).json(200, &page(&["c"], ""));
    assert_eq!(names(&list(&stub).await.unwrap()), ["a", "b", "b2", "c"]);

    let stub = Stub::new();
    stub.on("GET", &format!("{ALL}?labelSelector=a%3Db&limit=500"))
        .json(200, &page(&["a"], "n"))
        .json(200, &page(&["a"], "n"));
    stub.on("GET", &format!("{ALL}?labelSelector=a%3Db&limit=500&continue=n"))
        .status(410, "Expired", "too old")
        .status(410, "Expired", "too old");
    assert_eq!(list(&stub).await.unwrap_err().cause, ApiCause::Gone { next: None });
}

#[tokio::test]
async fn a_server_that_says_where_to_go_on_is_followed() {
    let stub = Stub::new();
    let expired = json!({"kind": "Status", "status": "Failure", "code": 410, "metadata": {"continue": "m"}});
    stub.on("GET", &format!("{ALL}?labelSelector=a%3Db&limit=500")).json(200, &page(&["a"], "n"));
    stub.on("GET", &format!("{ALL}?labelSelector=a%3Db&limit=500&continue=n")).json(410, &expired);
    stub.on("GET", &format!("{ALL}?labelSelector=a%3Db&limit=500&continue=m")).json(200, &page(&["b"], ""));
    assert_eq!(names(&list(&stub).await.unwrap()), ["a", "b"]);
}

#[tokio::test]
async fn a_continue_token_that_comes_again_ends_the_list_and_is_named() {
    let circle = |tokens: &[&str]| {
        let stub = Stub::new();
        let _ = tokens.iter().fold(stub.on("GET", ALL), |on, token| on.json(200, &page(&["a"], token)));
        stub
    };
    for tokens in [&["n", "n"][..], &["n", "m", "n"]] {
        let stub = circle(tokens);
        let error = list(&stub).await.unwrap_err();
        let why = "a list whose continue token n was given before";
        assert_eq!(error.cause, ApiCause::BadAnswer(why.to_owned()), "{tokens:?}");
    }
}

#[tokio::test]
async fn metadata_alone_can_be_asked_for() {
    let stub = Stub::new();
    stub.on("GET", "/api/v1/namespaces/a/pods").json(200, &json!({"metadata": {}, "items": null}));
    let query = Query { metadata_only: true, ..Query::default() };
    let page = session(&stub).await.list_page(&POD, Scope::Namespace("a"), &query).await.unwrap();
    assert!(page.items.is_empty() && page.next.is_none());
    let accept = stub.finish()[0].header("accept").unwrap().to_owned();
    assert!(accept.starts_with("application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,"), "{accept}");
}

#[tokio::test]
async fn the_trace_has_each_try_and_no_secret() {
    let stub = Stub::new();
    stub.on("GET", X).cut().json(200, &upstream("x"));
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(stub.kubeconfig());
    let lines = Arc::new(Mutex::new(Vec::new()));
    let sink = lines.clone();
    let trace: Trace = Arc::new(move |exchange| sink.lock().unwrap().push(format!("{exchange:?}")));
    let session = Session::open(&sandbox.target(), Some(trace)).await.unwrap();
    get(&session).await.unwrap();
    let lines = lines.lock().unwrap();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].contains("status: None") && lines[0].contains("attempt: 1"), "{lines:?}");
    assert!(lines[1].contains(X) && lines[1].contains("Some(200)") && lines[1].contains("attempt: 2"), "{lines:?}");
    assert!(!lines.concat().contains("secret-token"));
}
