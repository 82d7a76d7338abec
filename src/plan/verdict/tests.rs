use std::fmt::Write as _;

use serde_json::json;

use super::answer::HttpAnswer;
use super::certs::{Cert, Certs};
use super::counters::{CounterChange, Counters, Receivers};
use super::evidence::{Demand, Evidence, SentTls, Upstream};
use super::hosts::{EndpointHost, Hosts};
use super::pods::BackendPod;
use super::tunnel::Tunnel;
use super::*;
use crate::command::gloo_rs;
use crate::model::Object;
use crate::model::kinds::UPSTREAM;
use crate::plan::Unread;
use crate::plan::fix::GatewayFix;
use crate::plan::gateway::{BarePod, Gateway};
use crate::plan::path::Sends;
use crate::plan::path::fixture::switched;
use crate::plan::ssl_config::istio_ssl_config;

const CLUSTER: &str = "default-httpbin-8000_gloo-system";
const TERMINATED: &str =
    "upstream connect error or disconnect/reset before headers. reset reason: connection termination";
const FAILED: &str =
    "upstream connect error or disconnect/reset before headers. reset reason: remote connection failure";
const OURS: &str = "spiffe://cluster.local/ns/gloo-system/sa/gateway-proxy";
const THEIRS: &str = "spiffe://cluster.local/ns/default/sa/httpbin";

fn answer(status: u16, body: &str) -> HttpAnswer {
    HttpAnswer { status, headers: Vec::new(), body: body.as_bytes().to_vec(), is_cut: false }
}

fn from_backend(status: u16, body: &str) -> HttpAnswer {
    let headers = vec![("x-envoy-upstream-service-time".to_owned(), "2".to_owned())];
    HttpAnswer { headers, ..answer(status, body) }
}

fn echo(by: &str, uri: &str) -> HttpAnswer {
    from_backend(200, &format!(r#"{{"headers": {{"X-Forwarded-Client-Cert": "By={by};Hash=1;URI={uri}"}}}}"#))
}

/// The counters of our cluster as `name before after`. They include one request of ours, and `busy` requests of others.
fn change(stats: &[(&str, u64, u64)], busy: u64) -> CounterChange {
    let text = |pick: fn(&(&str, u64, u64)) -> u64, completed: u64| {
        let mut text = format!("cluster.{CLUSTER}.upstream_rq_completed: {completed}\n");
        for stat in stats {
            let key =
                if stat.0.starts_with("http.") { stat.0.to_owned() } else { format!("cluster.{CLUSTER}.{}", stat.0) };
            writeln!(text, "{key}: {}", pick(stat)).unwrap();
        }
        Counters::parse(&text)
    };
    CounterChange { before: text(|stat| stat.1, 10), after: text(|stat| stat.2, 11 + busy), sent: 1 }
}

/// Like [`change`], but no cluster completed a request.
fn nowhere(stats: &[(&str, u64, u64)]) -> CounterChange {
    let with = change(stats, 0);
    let mut after = String::new();
    for (name, from, to) in stats {
        writeln!(after, "{name}: {}", to - from).unwrap();
    }
    CounterChange { after: with.before.clone().and(Counters::parse(&after)), ..with }
}

fn pod() -> BackendPod {
    BackendPod {
        name: "httpbin-1".into(),
        ips: vec!["10.0.0.1".into()],
        is_meshed: true,
        sidecar_ready: Some(true),
        is_ready: true,
        restarts: vec![],
        around_sidecar: None,
        barred: None,
        is_ambient: false,
    }
}

fn hosts(requests: u64) -> Hosts {
    let host = EndpointHost { requests, health: "healthy".into() };
    Hosts { is_there: true, by_address: [("10.0.0.1:8080".to_owned(), host)].into() }
}

fn certs(valid_to: &str) -> Certs {
    let cert = Cert { uris: vec![OURS.into()], valid_from: None, valid_to: Some(valid_to.parse().unwrap()) };
    Certs { own: vec![cert], roots: vec![] }
}

fn sent(spec: &serde_json::Value, auto: bool) -> SentTls {
    SentTls::to_upstream(&Object::new(&UPSTREAM, json!({"spec": spec})), &Ok(switched(auto)))
}

fn plaintext() -> SentTls {
    sent(&json!({"kube": {}}), false)
}

fn istio() -> SentTls {
    sent(&json!({"kube": {}, "sslConfig": istio_ssl_config()}), false)
}

/// The gateway of the guide without problems, with this response.
fn guide(sent: SentTls, answer: HttpAnswer, change: CounterChange) -> Evidence {
    let has_tls = !matches!(sent.sends, Sends::Plaintext { .. });
    Evidence {
        expect: 200,
        answers: vec![answer],
        brought_client_cert: false,
        expected_cluster: Some(CLUSTER.into()),
        change: Ok(change),
        receivers: Receivers::Unknown,
        url: "http://192.0.2.1:80/headers".into(),
        hosts: Ok((hosts(3), hosts(4))),
        has_tls: Ok(has_tls),
        certs: Ok(certs("2026-12-01T00:00:00Z")),
        identity: Ok("/ns/gloo-system/sa/gateway-proxy".into()),
        upstream: Ok(Upstream {
            name: Some("default-httpbin-8000".into()),
            gloo: "gloo-system".into(),
            sent,
            backend_namespace: Some("default".into()),
        }),
        demand: Ok(Demand::Strict { by: "PeerAuthentication istio-system/test (mesh)".into(), fix: None }),
        authorization: Ok(Vec::new()),
        tunnel: Tunnel::No,
        pods: Ok(vec![pod()]),
        gateway: Gateway::Ready,
        now: "2026-11-23T00:00:00Z".parse().unwrap(),
    }
}

/// What the counters show for a 503.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Shown {
    /// The backend closed the connection during the request.
    Closed,
    /// TLS failed.
    NoTls,
}

/// The gateway of the guide, with a 503 for what it sends.
pub(crate) fn guide_503(sent: SentTls, shown: Shown) -> Evidence {
    match shown {
        Shown::Closed => guide(sent, answer(503, TERMINATED), change(&[CLOSED], 0)),
        Shown::NoTls => guide(sent, answer(503, FAILED), change(&REFUSED_BY_PEER, 0)),
    }
}

fn lax() -> Demand {
    Demand::Lax { by: "PERMISSIVE, no policy".into() }
}

/// Changes one part of the evidence.
type Spoil = fn(&mut Evidence);

const HANDSHAKE: [(&str, u64, u64); 2] = [("ssl.handshake", 12, 13), ("upstream_cx_total", 12, 13)];
const REFUSED_BY_PEER: [(&str, u64, u64); 2] = [("ssl.connection_error", 0, 1), ("upstream_cx_connect_fail", 0, 1)];
const CLOSED: (&str, u64, u64) = ("upstream_cx_destroy_remote_with_active_rq", 0, 1);

#[track_caller]
fn judged(evidence: &Evidence) -> RequestVerdict {
    let verdict = judge(evidence).unwrap();
    if let VerdictKind::Caused(_) = verdict.kind {
        let facts = verdict.facts.iter().filter(|fact| fact.label == Label::Fact).count();
        assert!(facts >= 2, "a cause rests on two printed facts: {verdict:?}");
    }
    verdict
}

#[track_caller]
fn is(evidence: &Evidence, kind: VerdictKind, exit: Exit) -> RequestVerdict {
    let verdict = judged(evidence);
    assert_eq!((verdict.kind, verdict.exit), (kind, exit), "{verdict:#?}");
    verdict
}

fn text(verdict: &RequestVerdict) -> String {
    let facts: Vec<_> = verdict.facts.iter().map(|fact| format!("{} {}", fact.label.name(), fact.text)).collect();
    format!("{}\n{}", verdict.title, facts.join("\n"))
}

#[test]
fn an_echo_that_names_the_gateway_proves_mutual_tls() {
    let verdict = is(&guide(istio(), echo(THEIRS, OURS), change(&HANDSHAKE, 0)), VerdictKind::Mtls, Exit::Done);
    assert_eq!(
        text(&verdict),
        format!(
            "mTLS proven\nstatus 200 from pod httpbin-1\nclient {OURS}\nserver {THEIRS}\n\
             evidence x-forwarded-client-cert; ssl.handshake 12 -> 13\n\
             decided spec.sslConfig of the Upstream; peer STRICT (PeerAuthentication istio-system/test (mesh))"
        )
    );
}

#[test]
fn an_answer_that_no_pod_of_the_gateway_received_is_not_the_gateways() {
    // Whatever it says about itself.
    for (status, answer) in [(200, echo(THEIRS, OURS)), (404, answer(404, "")), (503, answer(503, TERMINATED))] {
        let mut evidence = guide(istio(), answer, change(&[], 0));
        evidence.answers[0].headers.push(("server".to_owned(), "nginx".to_owned()));
        evidence.receivers = Receivers::None { pods: 2 };
        assert!(!wants_another_sample(&evidence), "{status}");
        let verdict = is(&evidence, VerdictKind::Elsewhere, Exit::Unconfirmed);
        assert_eq!(
            text(&verdict),
            format!(
                "{status}, not answered by the gateway\nstatus {status}\n\
                 fact http://192.0.2.1:80/headers answered 1 of 1 requests\n\
                 fact the 2 pods of the gateway received no request in that time (downstream_rq_total)\n\
                 fact server: nginx"
            )
        );
        assert!(!verdict.blames_tls());
        assert!(verdict.next.unwrap().to_string().starts_with("--via forward"));
    }
}

#[test]
fn the_pod_that_received_the_request_follows_the_status() {
    let mut evidence = guide(istio(), echo(THEIRS, OURS), change(&HANDSHAKE, 0));
    evidence.receivers = Receivers::Some { pods: vec!["gateway-proxy-7".into()], of: 2 };
    let verdict = is(&evidence, VerdictKind::Mtls, Exit::Done);
    assert!(
        text(&verdict).starts_with("mTLS proven\nstatus 200 from pod httpbin-1\ngateway pod gateway-proxy-7 of 2\n")
    );
}

#[test]
fn an_echo_proves_it_also_where_nothing_but_the_gateways_pods_may_be_read() {
    let unread = || Unread::from("not allowed to create pods/portforward");
    let mut evidence = guide(istio(), echo(THEIRS, OURS), change(&[], 0));
    evidence.change = Err(unread());
    evidence.hosts = Err(unread());
    evidence.has_tls = Err(unread());
    evidence.certs = Err(unread());
    evidence.demand = Err("not allowed to list peerauthentications".into());
    evidence.pods = Err("not allowed to list pods in default".into());
    is(&evidence, VerdictKind::Mtls, Exit::Done);
}

#[test]
fn a_certificate_header_that_is_not_about_the_gateway_proves_nothing() {
    let other = "spiffe://cluster.local/ns/edge/sa/nginx";
    let mut evidence = guide(plaintext(), echo(THEIRS, other), change(&[], 0));
    evidence.demand = Ok(lax());
    let verdict = is(&evidence, VerdictKind::Answered, Exit::Unconfirmed);
    assert!(text(&verdict).contains("names spiffe://cluster.local/ns/edge/sa/nginx, not the gateway"), "{verdict:#?}");

    evidence.answers = vec![echo("somebody", OURS)];
    is(&evidence, VerdictKind::Answered, Exit::Unconfirmed);

    evidence.answers = vec![echo(THEIRS, OURS)];
    evidence.brought_client_cert = true;
    let verdict = is(&evidence, VerdictKind::Answered, Exit::Unconfirmed);
    assert!(text(&verdict).contains("brought its own"), "{verdict:#?}");

    // The gateway's identity is unknown, so the header cannot be compared with it.
    evidence.brought_client_cert = false;
    evidence.identity = Err("not allowed to list pods in gloo-system".into());
    evidence.certs = Err("not allowed to create pods/portforward".into());
    is(&evidence, VerdictKind::Answered, Exit::Unconfirmed);
}

#[test]
fn without_an_echo_a_handshake_and_a_strict_peer_prove_it_together_and_neither_alone() {
    let answered = || from_backend(200, "<html>");
    is(&guide(istio(), answered(), change(&HANDSHAKE, 0)), VerdictKind::Mtls, Exit::Done);

    let mut permissive = guide(istio(), answered(), change(&HANDSHAKE, 0));
    permissive.demand = Ok(lax());
    let verdict = is(&permissive, VerdictKind::Answered, Exit::Unconfirmed);
    assert!(verdict.next.unwrap().to_string().contains("--path"));

    let mut unguarded = guide(istio(), answered(), change(&HANDSHAKE, 0));
    unguarded.pods = Ok(vec![pod(), BackendPod { is_meshed: false, ..pod() }]);
    is(&unguarded, VerdictKind::Answered, Exit::Unconfirmed);

    // The handshake may belong to the request of another client.
    let one_more = [("ssl.handshake", 12, 13), ("upstream_cx_total", 20, 21)];
    is(&guide(istio(), answered(), change(&one_more, 2)), VerdictKind::Answered, Exit::Unconfirmed);
}

#[test]
fn a_connection_that_is_used_again_was_tls_if_each_one_was() {
    let again = [("ssl.handshake", 5, 5), ("upstream_cx_total", 7, 7), ("upstream_cx_connect_fail", 2, 2)];
    is(&guide(istio(), from_backend(200, ""), change(&again, 0)), VerdictKind::Mtls, Exit::Done);
    let mixed = [("ssl.handshake", 5, 5), ("upstream_cx_total", 9, 9)];
    is(&guide(istio(), from_backend(200, ""), change(&mixed, 0)), VerdictKind::Answered, Exit::Unconfirmed);
}

#[test]
fn plaintext_is_proven_by_two_facts_and_mended_by_what_the_pods_allow() {
    let mut evidence = guide(plaintext(), from_backend(200, r#"{"headers": {}}"#), change(&[], 0));
    evidence.demand = Ok(lax());
    let verdict = is(&evidence, VerdictKind::Plaintext, Exit::Unconfirmed);
    assert_eq!(verdict.fix, Some("gloo-rs istio enable-mtls --upstream default-httpbin-8000".into()));
    evidence.gateway = without_sds();
    assert_eq!(judged(&evidence).fix, Some("gloo-rs istio inject -n edge --name gateway-proxy".into()));
    evidence.pods = Ok(vec![BackendPod { is_meshed: false, sidecar_ready: None, ..pod() }]);
    assert_eq!(judged(&evidence).fix, Some("gloo-rs istio enroll default".into()));

    evidence.has_tls = Err("not allowed to create pods/portforward".into());
    evidence.answers = vec![from_backend(200, "<html>")];
    is(&evidence, VerdictKind::Answered, Exit::Unconfirmed);
}

#[test]
fn a_strict_peer_is_the_cause_only_where_each_of_its_facts_was_seen() {
    let closed = || change(&[CLOSED], 0);
    let evidence = || guide(plaintext(), answer(503, TERMINATED), closed());
    let verdict = is(&evidence(), VerdictKind::Caused(Cause::StrictPeer), Exit::Unconfirmed);
    assert_eq!(
        text(&verdict),
        format!(
            "503, strict peer, gateway sends plaintext\nbody {TERMINATED}\n\
             fact peer is STRICT: PeerAuthentication istio-system/test (mesh)\n\
             fact no sslConfig, and auto-mTLS is off (Settings gloo-system/default)\n\
             fact 1 of 1 pods have a sidecar; all ready; 0 restarts in 1h"
        )
    );
    assert_eq!(verdict.fix, Some("gloo-rs istio enable-mtls --upstream default-httpbin-8000".into()));

    let table: [(&str, Spoil); 9] = [
        ("permissive", |it| it.demand = Ok(lax())),
        ("some pods only", |it| it.demand = Ok(Demand::Mixed { by: "shop/w, workload".into(), fix: None })),
        ("mode unknown", |it| it.demand = Err("not allowed to list peerauthentications".into())),
        ("pods unknown", |it| it.pods = Err("not allowed to list pods in default".into())),
        ("no pods", |it| it.pods = Ok(vec![])),
        ("a sidecar that is not ready", |it| it.pods = Ok(vec![BackendPod { sidecar_ready: Some(false), ..pod() }])),
        ("a port around the sidecar", |it| {
            it.pods = Ok(vec![BackendPod { around_sidecar: Some("excludeInboundPorts: 80".into()), ..pod() }]);
        }),
        ("TLS seen", |it| it.change = Ok(change(&HANDSHAKE, 0))),
        ("Envoy has TLS for it", |it| it.has_tls = Ok(true)),
    ];
    for (what, spoil) in table {
        let mut evidence = evidence();
        spoil(&mut evidence);
        let verdict = judged(&evidence);
        assert_eq!((verdict.kind, verdict.exit), (VerdictKind::NotProven, Exit::Unconfirmed), "{what}: {verdict:#?}");
    }
}

#[test]
fn a_strict_peer_is_proven_without_envoys_admin_too() {
    let unread = || Unread::from("not allowed to create pods/portforward");
    let mut evidence = guide(plaintext(), answer(503, TERMINATED), change(&[], 0));
    (evidence.change, evidence.hosts) = (Err(unread()), Err(unread()));
    (evidence.has_tls, evidence.certs) = (Err(unread()), Err(unread()));
    is(&evidence, VerdictKind::Caused(Cause::StrictPeer), Exit::Unconfirmed);
}

#[test]
fn an_upstream_whose_tls_envoy_does_not_have_is_plaintext_by_envoys_word() {
    let mut evidence = guide(istio(), answer(503, TERMINATED), change(&[CLOSED], 0));
    evidence.has_tls = Ok(false);
    let verdict = is(&evidence, VerdictKind::Caused(Cause::StrictPeer), Exit::Unconfirmed);
    assert!(text(&verdict).contains("Envoy's cluster has no TLS, though mTLS is on"), "{verdict:#?}");
    assert_eq!(verdict.fix, Some(commands::served().into()));
}

#[test]
fn connection_termination_alone_proves_nothing() {
    let mut stats = HANDSHAKE.to_vec();
    stats.push(CLOSED);
    let mut evidence = guide(istio(), answer(503, TERMINATED), change(&stats, 0));
    evidence.pods = Ok(vec![BackendPod { restarts: vec!["cart restarted 4m ago, OOMKilled".into()], ..pod() }]);
    let verdict = is(&evidence, VerdictKind::NotProven, Exit::Unconfirmed);
    let said = text(&verdict);
    assert!(said.starts_with("503, connection termination, cause not proven\n"), "{said}");
    assert!(said.contains("against strict peer: mTLS is on, ssl.handshake 12 -> 13, no TLS errors"), "{said}");
    assert!(said.contains("for backend closes: pod httpbin-1 cart restarted 4m ago, OOMKilled"), "{said}");
    assert_eq!(verdict.next, Some(commands::logs().into()));

    let bare = Evidence { expected_cluster: None, ..all_unknown(answer(503, TERMINATED)) };
    let verdict = is(&bare, VerdictKind::NotProven, Exit::Unconfirmed);
    assert!(text(&verdict).contains("unknown strict peer: "), "{verdict:#?}");
}

#[test]
fn tls_to_a_peer_that_takes_plaintext_alone_is_a_cause_of_its_own() {
    let by = || "PeerAuthentication default/open (namespace)".to_owned();
    let fix = || gloo_rs("istio peer-auth permissive -n default");
    let mut evidence = guide(istio(), answer(503, FAILED), change(&REFUSED_BY_PEER, 0));
    evidence.demand = Ok(Demand::Disabled { by: by(), fix: Some(fix()) });
    let verdict = is(&evidence, VerdictKind::Caused(Cause::DisabledPeer), Exit::Unconfirmed);
    assert!(text(&verdict).contains("peer is DISABLE: PeerAuthentication default/open (namespace)"), "{verdict:#?}");
    assert_eq!(verdict.fix, Some(fix().into()));

    // A backend that ends TLS without a message looks like a failed connection.
    evidence.change = Ok(change(&[("upstream_cx_connect_fail", 0, 1)], 0));
    let verdict = is(&evidence, VerdictKind::NotProven, Exit::Unconfirmed);
    assert!(text(&verdict).contains("for peer without mTLS: mTLS is on: "), "{verdict:#?}");
    assert_eq!(verdict.next, Some("gloo-rs istio describe upstream default-httpbin-8000".into()));

    // Without counters it is only a candidate.
    let unread = || Unread::from("not allowed to create pods/portforward");
    (evidence.change, evidence.hosts, evidence.has_tls) = (Err(unread()), Err(unread()), Err(unread()));
    let verdict = is(&evidence, VerdictKind::NotProven, Exit::Unconfirmed);
    assert!(text(&verdict).contains("for peer without mTLS: mTLS is on: "), "{verdict:#?}");

    evidence.demand = Ok(lax());
    assert!(!text(&judged(&evidence)).contains("peer without mTLS"));
}

#[test]
fn pods_of_which_some_have_a_sidecar_are_told_as_seen_and_described_next() {
    let mut evidence = guide(istio(), answer(503, FAILED), change(&REFUSED_BY_PEER, 0));
    evidence.pods = Ok(vec![pod(), BackendPod { name: "httpbin-b".into(), is_meshed: false, ..pod() }]);
    let verdict = is(&evidence, VerdictKind::NotProven, Exit::Unconfirmed);
    let said = text(&verdict);
    assert!(said.contains("pod httpbin-b has no sidecar") && !said.contains("unknown no sidecar"), "{said}");
    assert!(said.contains("for no sidecar: mTLS is on: "), "{said}");
    let next = "gloo-rs istio describe upstream default-httpbin-8000";
    assert_eq!(verdict.next, Some(next.into()));

    evidence.answers = vec![from_backend(200, ""), answer(503, FAILED)];
    assert_eq!(judged(&evidence).next, Some(next.into()));
}

#[test]
fn pods_that_get_no_sidecar_are_not_sent_to_enroll() {
    let mut evidence = guide(istio(), answer(503, FAILED), change(&REFUSED_BY_PEER, 0));
    let barred = Some(crate::plan::pod::OPTED_OUT);
    evidence.pods = Ok(vec![BackendPod { is_meshed: false, barred, ..pod() }]);
    let verdict = is(&evidence, VerdictKind::Caused(Cause::NoSidecar), Exit::Unconfirmed);
    let way = "opted out by sidecar.istio.io/inject=false: remove that, or gloo-rs istio disable-mtls -u \
               default-httpbin-8000";
    assert_eq!(verdict.fix, Some(way.into()));
}

fn all_unknown(answer: HttpAnswer) -> Evidence {
    let unread = || Unread::from("may not");
    Evidence {
        change: Err(unread()),
        hosts: Err(unread()),
        has_tls: Err(unread()),
        certs: Err(unread()),
        identity: Err(unread()),
        upstream: Err(unread()),
        demand: Err(unread()),
        authorization: Err(unread()),
        pods: Err(unread()),
        gateway: Gateway::Unknown { why: unread() },
        ..guide(plaintext(), answer, change(&[], 0))
    }
}

#[test]
fn what_is_unknown_never_proves_a_cause() {
    for body in [TERMINATED, FAILED, "no healthy upstream", "", "<html>"] {
        for status in [200, 301, 404, 429, 500, 503, 504] {
            let verdict = judged(&all_unknown(answer(status, body)));
            assert!(
                !matches!(verdict.kind, VerdictKind::Caused(_) | VerdictKind::Mtls | VerdictKind::Plaintext),
                "{verdict:#?}"
            );
            assert_eq!(verdict.exit, Exit::Unconfirmed);
        }
    }
}

#[test]
fn no_endpoint_is_envoys_word_and_its_list() {
    let mut evidence =
        guide(plaintext(), answer(503, "no healthy upstream"), change(&[("upstream_cx_none_healthy", 0, 1)], 0));
    evidence.hosts = Ok((Hosts { is_there: true, ..Hosts::default() }, Hosts { is_there: true, ..Hosts::default() }));
    evidence.pods = Ok(vec![]);
    let verdict = is(&evidence, VerdictKind::Caused(Cause::NoEndpoint), Exit::Unconfirmed);
    assert!(text(&verdict).contains("fact Envoy has 0 endpoints for it"), "{verdict:#?}");
    // Now there are endpoints again. The problem is over, and its cause is unknown.
    evidence.hosts = Ok((hosts(0), hosts(0)));
    evidence.pods = Ok(vec![pod()]);
    is(&evidence, VerdictKind::NotProven, Exit::Unconfirmed);
}

#[test]
fn a_secret_that_envoy_does_not_have_is_told_from_a_handshake_that_fails() {
    let stats = [
        ("client_ssl_socket_factory.upstream_context_secrets_not_ready", 0, 1),
        ("upstream_cx_connect_fail", 0, 1),
        ("upstream_cx_total", 0, 1),
    ];
    let mut evidence = guide(istio(), answer(503, FAILED), change(&stats, 0));
    evidence.certs = Ok(Certs::default());
    let verdict = is(&evidence, VerdictKind::Caused(Cause::NoSecret), Exit::Unconfirmed);
    assert_eq!(verdict.fix, Some(commands::sds_logs().into()));
    evidence.gateway = without_sds();
    let verdict = judged(&evidence);
    assert_eq!(verdict.fix, Some("gloo-rs istio inject -n edge --name gateway-proxy".into()));
    let said = format!("{verdict:?}");
    assert!(said.contains("pod gateway-proxy-1 has no sds") && !said.contains("istio-proxy"), "{said}");
}

fn without_sds() -> Gateway {
    let pods = vec![BarePod { name: "gateway-proxy-1".into(), missing: vec!["sds"] }];
    Gateway::NoSidecars { pods, fix: vec![GatewayFix::named("edge/gateway-proxy")] }
}

#[test]
fn each_way_in_which_tls_fails_has_its_own_verdict() {
    // The gateway rejects the backend's certificate: another root, or an expired certificate.
    let refused = [("ssl.fail_verify_error", 0, 1), ("upstream_cx_connect_fail", 0, 1)];
    is(
        &guide(istio(), answer(503, FAILED), change(&refused, 0)),
        VerdictKind::Caused(Cause::BackendNotTrusted),
        Exit::Unconfirmed,
    );

    // The backend rejects the connection, and the gateway's certificate has expired.
    let mut expired = guide(istio(), answer(503, FAILED), change(&REFUSED_BY_PEER, 0));
    expired.certs = Ok(certs("2026-11-22T00:00:00Z"));
    let verdict = is(&expired, VerdictKind::Caused(Cause::CertificateInvalid), Exit::Unconfirmed);
    assert!(text(&verdict).contains("expired at 2026-11-22T00:00:00Z"), "{verdict:#?}");

    // The backend rejects the connection, and the certificate is valid. The root may be another one, but nothing proves
    // it.
    let verdict = is(
        &guide(istio(), answer(503, FAILED), change(&REFUSED_BY_PEER, 0)),
        VerdictKind::NotProven,
        Exit::Unconfirmed,
    );
    assert!(text(&verdict).contains("for gateway not trusted: the backend ended TLS"), "{verdict:#?}");

    // The backend does not use TLS.
    let mut bare = guide(istio(), answer(503, FAILED), change(&REFUSED_BY_PEER, 0));
    bare.pods = Ok(vec![BackendPod { is_meshed: false, sidecar_ready: None, ..pod() }]);
    let verdict = is(&bare, VerdictKind::Caused(Cause::NoSidecar), Exit::Unconfirmed);
    assert_eq!(verdict.fix, Some("gloo-rs istio enroll default".into()));

    // The connection fails.
    let dead = [("upstream_cx_connect_fail", 0, 1), ("upstream_cx_total", 0, 1)];
    is(
        &guide(plaintext(), answer(503, FAILED), change(&dead, 0)),
        VerdictKind::Caused(Cause::NoConnection),
        Exit::Unconfirmed,
    );
}

#[test]
fn the_traffic_of_others_keeps_a_cause_from_being_proven() {
    let mut expired = guide(istio(), answer(503, FAILED), change(&REFUSED_BY_PEER, 5));
    expired.certs = Ok(certs("2026-11-22T00:00:00Z"));
    assert!(is(&expired, VerdictKind::NotProven, Exit::Unconfirmed).blames_tls());
    assert!(wants_another_sample(&expired));
}

#[test]
fn a_missing_route_is_told_from_a_backend_that_says_404() {
    let none = guide(plaintext(), answer(404, ""), nowhere(&[("http.http.no_route", 4, 5)]));
    assert!(!is(&none, VerdictKind::Caused(Cause::NoRoute), Exit::Unconfirmed).blames_tls());
    let theirs = guide(istio(), from_backend(404, "no such cart"), change(&HANDSHAKE, 0));
    let verdict = is(&theirs, VerdictKind::Backend, Exit::Unconfirmed);
    assert_eq!(verdict.title, "404 from the backend, mTLS proven");
    assert!(!verdict.blames_tls());
    let expected = Evidence { expect: 404, ..theirs };
    is(&expected, VerdictKind::Mtls, Exit::Done);
}

#[test]
fn a_cluster_that_envoy_does_not_have_is_a_cause_of_its_own() {
    let mut evidence = guide(istio(), answer(503, ""), nowhere(&[("http.http.no_cluster", 0, 1)]));
    evidence.hosts = Ok((Hosts::default(), Hosts::default()));
    evidence.gateway = Gateway::NoCluster {
        config_maps: vec!["gateway-proxy-envoy-config".into()],
        fix: vec![GatewayFix::named("edge/gateway-proxy")],
    };
    let verdict = is(&evidence, VerdictKind::Caused(Cause::NoCluster), Exit::Unconfirmed);
    assert_eq!(verdict.fix, Some("gloo-rs istio inject -n edge --name gateway-proxy".into()));
}

#[test]
fn the_sidecars_own_503_is_the_backends_and_tls_to_it_was_fine() {
    let evidence = guide(istio(), from_backend(503, TERMINATED), change(&HANDSHAKE, 0));
    let verdict = is(&evidence, VerdictKind::Backend, Exit::Unconfirmed);
    assert_eq!(verdict.title, "503 from the backend, mTLS proven");
}

#[test]
fn a_redirect_is_told_and_success_of_the_gateway_alone_is_none() {
    let mut redirect = answer(301, "");
    redirect.headers.push(("location".into(), "https://shop.example/".into()));
    let verdict = is(&guide(plaintext(), redirect.clone(), nowhere(&[])), VerdictKind::Gateway, Exit::Unconfirmed);
    assert!(text(&verdict).contains("location https://shop.example/ (not followed)"), "{verdict:#?}");
    let expected = Evidence { expect: 301, ..guide(plaintext(), redirect, nowhere(&[])) };
    is(&expected, VerdictKind::Gateway, Exit::Done);
    is(&guide(plaintext(), answer(200, "maintenance"), nowhere(&[])), VerdictKind::NotProven, Exit::Unconfirmed);
}

#[test]
fn another_cluster_that_answers_is_not_the_upstream() {
    let mut evidence = guide(istio(), echo(THEIRS, OURS), change(&HANDSHAKE, 0));
    evidence.expected_cluster = Some("other_gloo-system".into());
    let verdict = is(&evidence, VerdictKind::NotProven, Exit::Unconfirmed);
    assert_eq!(verdict.title, "200, not answered by it");
    assert!(!verdict.blames_tls());
    assert!(wants_another_sample(&evidence));
}

#[test]
fn answers_that_differ_are_no_verdict() {
    let mut evidence = guide(istio(), echo(THEIRS, OURS), change(&HANDSHAKE, 0));
    evidence.answers.insert(0, answer(503, TERMINATED));
    let verdict = is(&evidence, VerdictKind::NotProven, Exit::Unconfirmed);
    assert_eq!(verdict.title, "2 requests got different answers");
}

#[test]
fn a_hostile_body_is_bounded() {
    let body = "\u{1b}[31m".repeat(10_000);
    let verdict = judged(&guide(plaintext(), answer(500, &body), change(&[], 0)));
    assert!(text(&verdict).chars().count() < 1_000, "{verdict:#?}");
}

#[test]
fn an_answer_that_may_be_the_gateways_own_proves_nothing_until_it_is_no_chance() {
    let mut evidence = guide(istio(), answer(200, "ok"), change(&HANDSHAKE, 0));
    let verdict = is(&evidence, VerdictKind::Answered, Exit::Unconfirmed);
    assert!(text(&verdict).contains("missing who answered"), "{verdict:#?}");
    assert!(wants_another_sample(&evidence));
    let mut three = change(&[("ssl.handshake", 12, 13), ("upstream_cx_total", 12, 13)], 2);
    three.sent = 3;
    evidence.change = Ok(three);
    is(&evidence, VerdictKind::Mtls, Exit::Done);
}

#[test]
fn where_two_clusters_may_have_taken_the_request_more_is_asked() {
    let other = Counters::parse("cluster.other.upstream_rq_completed: 1");
    let ours = change(&REFUSED_BY_PEER, 0);
    let busy = CounterChange { after: ours.after.clone().and(other), ..ours };
    let mut evidence = guide(istio(), answer(503, FAILED), busy);
    evidence.certs = Ok(certs("2026-11-22T00:00:00Z"));
    is(&evidence, VerdictKind::NotProven, Exit::Unconfirmed);
    assert!(wants_another_sample(&evidence));
}

#[test]
fn a_403_of_a_sidecar_names_the_policy_that_denies() {
    use std::sync::Arc;

    use super::evidence::PodAuthorization;
    use crate::plan::authorization::AuthorizationPolicy;

    let denied = || from_backend(403, "RBAC: access denied");
    let with = |policy: serde_json::Value| {
        let policy = json!({"metadata": {"namespace": "shop", "name": "p"}, "spec": policy});
        let policies = AuthorizationPolicy::read(&policy).map(Arc::new).into_iter().collect();
        let authorization = Ok(vec![PodAuthorization { policies, port: Some(80) }]);
        judge(&Evidence { authorization, ..guide(istio(), denied(), change(&[], 4)) }).unwrap()
    };
    let text = |verdict: &RequestVerdict| {
        verdict.facts.iter().map(|fact| format!("{}: {}", fact.label.name(), fact.text)).collect::<Vec<_>>().join("\n")
    };
    let certain = with(json!({"action": "DENY", "rules": [{"from": [{"source": {"namespaces": ["gloo-system"]}}]}]}));
    assert_eq!(certain.kind, VerdictKind::Caused(Cause::Denied), "{certain:#?}");
    assert!(text(&certain).contains("policy shop/p, DENY denies every request"), "{certain:#?}");
    let open = with(json!({"rules": [{"to": [{"operation": {"methods": ["POST"]}}]}]}));
    assert_eq!((open.kind, open.is_elsewhere), (VerdictKind::Backend, true), "{open:#?}");
    assert!(text(&open).contains("for: policy shop/p, ALLOW decides by methods"), "{open:#?}");
    let none = with(json!({"action": "AUDIT"}));
    assert_eq!(none.kind, VerdictKind::Backend);

    // Another 403 is the application's own.
    let other = judge(&guide(istio(), from_backend(403, "no"), change(&[], 4))).unwrap();
    assert!(!text(&other).contains("policy"), "{other:#?}");
}

#[test]
fn what_envoy_sees_as_plaintext_proves_nothing_where_ztunnel_carries_it() {
    let verdict = |tunnel: Tunnel| {
        let answer = from_backend(200, r#"{"headers": {}}"#);
        judge(&Evidence { tunnel, ..guide(plaintext(), answer, change(&[], 0)) }).unwrap()
    };
    let by = || Some("PeerAuthentication shop/strict (namespace)".to_owned());
    assert_eq!(verdict(Tunnel::No).kind, VerdictKind::Plaintext);
    assert_eq!(verdict(Tunnel::Yes { strict: by() }).kind, VerdictKind::Mtls);
    let open = verdict(Tunnel::Yes { strict: None });
    assert_eq!((open.kind, open.fix), (VerdictKind::Answered, None));
    assert_eq!(verdict(Tunnel::Unknown("not read".into())).kind, VerdictKind::Answered);
}
