//! Requests into pods, through port-forward streams of a real API server.

use std::io::Write as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::time::Duration;

use anyhow::{Context as _, Result};
use gloo_rs::exports::error::{Exit, Reason};
use gloo_rs::exports::kube::{ApiCause, ForwardCause, ForwardFailure, InPod, Session};
use serde_json::json;

use crate::stage::{self, Plane};
use crate::support::Sandbox;
use crate::support::pod_server::{Asked, PodServer, reply};
use crate::support::relay::Relay;

const PORT: u16 = 19000;
const NOBODY: u16 = 19001;
const CHUNK: usize = 64 << 10;
const LARGE: usize = 40 << 20;

/// One pod for all tests here, and what stands behind its ports.
struct Bench {
    plane: &'static Plane,
    namespace: String,
    pod: String,
    server: PodServer,
    /// Cut by the server itself when it is asked for `/gone`.
    wire: Relay,
}

fn bench() -> &'static Bench {
    static BENCH: OnceLock<Bench> = OnceLock::new();
    BENCH.get_or_init(|| start().expect("the bench starts"))
}

fn start() -> Result<Bench> {
    let plane = stage::shared();
    let namespace = plane.install_gloo("in-pod")?;
    let pods = plane.api().list("v1/Pod", &namespace)?;
    let names = pods.iter().filter_map(|pod| pod["metadata"]["name"].as_str());
    let pod = names.into_iter().find(|name| name.starts_with("gateway-proxy")).context("a gateway pod")?.to_owned();
    let api_server: SocketAddr = plane.server().trim_start_matches("https://").parse()?;
    let wire = Relay::start(api_server, None);
    let cut = wire.clone();
    let server = PodServer::start(move |asked, stream| match asked.path.as_str() {
        "/gone" => cut.cut(),
        _ => answer(asked, stream),
    });
    plane.forward(&namespace, &[(PORT, server.address), (NOBODY, nobody())])?;
    Ok(Bench { plane, namespace, pod, server, wire })
}

/// An address on which nothing listens.
fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("bound")
}

fn answer(asked: &Asked, stream: &mut TcpStream) {
    let mut send = |text: &str| drop(stream.write_all(text.as_bytes()));
    match asked.path.as_str() {
        "/large" => {
            send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            let chunk = "x".repeat(CHUNK);
            for _ in 0..LARGE / CHUNK {
                send(&format!("{CHUNK:x}\r\n{chunk}\r\n"));
            }
            send("0\r\n\r\n");
        }
        "/stuck" => {
            send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n");
            std::thread::sleep(Duration::from_mins(1));
        }
        "/endless" => {
            send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            while stream.write_all(b"1\r\nx\r\n").is_ok() {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        "/slow" => std::thread::sleep(Duration::from_mins(1)),
        "/garbage" => send("220 mail.example.com ESMTP\r\n"),
        "/moved" => send("HTTP/1.1 302 Found\r\nLocation: http://203.0.113.1/\r\nContent-Length: 0\r\n\r\n"),
        "/fails" => reply(stream, "500 Internal Server Error", b"no memory\nleft"),
        _ => reply(stream, "200 OK", asked.head.as_bytes()),
    }
}

async fn session(kubeconfig: PathBuf) -> Session {
    let mut target = Sandbox::new().target();
    target.kubeconfig = Some(kubeconfig);
    Session::open(&target, None).await.expect("the kubeconfig is good")
}

impl Bench {
    /// The body, or why there is none.
    fn ask(&self, port: u16, ask: &InPod) -> Result<String, ForwardFailure> {
        self.ask_with(self.plane.kubeconfig(), port, ask)
    }

    /// Over a wire that may be cut.
    fn ask_over(&self, wire: &Relay, ask: &InPod) -> ForwardFailure {
        let sandbox = Sandbox::new();
        let kubeconfig = wire.kubeconfig(&self.plane.kubeconfig(), &self.plane.server(), &sandbox);
        self.ask_with(kubeconfig, PORT, ask).expect_err("the wire is cut")
    }

    fn ask_with(&self, kubeconfig: PathBuf, port: u16, ask: &InPod) -> Result<String, ForwardFailure> {
        on_runtime(async {
            let session = session(kubeconfig).await;
            let answer = session.ask_in_pod(&self.namespace, &self.pod, port, ask).await?;
            answer.or_failure().await?.collect(16 << 20).await.map(|body| String::from_utf8_lossy(&body).into_owned())
        })
    }

    fn fails(&self, port: u16, ask: &InPod) -> ForwardFailure {
        self.ask(port, ask).expect_err("there is nothing to be had")
    }

    fn times_asked(&self, path: &str) -> usize {
        self.server.asked().iter().filter(|asked| asked.path == path).count()
    }
}

fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn patient(path: &str, patience: Duration) -> InPod {
    InPod { patience: Some(patience), ..InPod::get(path) }
}

#[test]
fn any_request_goes_in_as_it_is() {
    let headers = vec![("Host".to_owned(), "shop.example.com".to_owned()), ("x-id".to_owned(), "7".to_owned())];
    let ask = InPod { headers, body: b"level=debug".to_vec(), ..InPod::post("/echo?a=1") };
    let head = bench().ask(PORT, &ask).expect("an answer").to_lowercase();
    for line in ["post /echo?a=1 http/1.1", "host: shop.example.com", "x-id: 7"] {
        assert!(head.contains(line), "{line}: {head}");
    }
    assert!(!head.contains("localhost") && !head.contains("authorization"), "{head}");
    let asked = bench().server.asked();
    assert!(asked.iter().any(|asked| asked.body == "level=debug"), "{asked:#?}");
    assert!(bench().ask(PORT, &InPod::get("/host")).expect("an answer").to_lowercase().contains("host: localhost"));
}

#[test]
fn a_body_of_any_size_comes_chunk_by_chunk() {
    let bench = bench();
    let (received, largest) = on_runtime(async {
        let session = session(bench.plane.kubeconfig()).await;
        let asking = session.ask_in_pod(&bench.namespace, &bench.pod, PORT, &InPod::get("/large")).await;
        let mut answer = asking.expect("an answer");
        let (mut received, mut largest) = (0, 0);
        while let Some(chunk) = answer.chunk().await.expect("no end before the end") {
            assert!(chunk.iter().all(|byte| *byte == b'x'));
            received += chunk.len();
            largest = largest.max(chunk.len());
        }
        (received, largest)
    });
    assert_eq!(received, LARGE);
    assert!(largest < LARGE / 10, "{largest}");
    let whole = bench.fails(PORT, &InPod::get("/large"));
    assert_eq!((whole.cause.clone(), whole.exit()), (ForwardCause::TooLong { most: 16 << 20 }, Exit::Failed));
}

#[test]
fn a_redirect_is_an_answer_like_any_other() {
    let bench = bench();
    on_runtime(async {
        let session = session(bench.plane.kubeconfig()).await;
        let asking = session.ask_in_pod(&bench.namespace, &bench.pod, PORT, &InPod::get("/moved")).await;
        let answer = asking.expect("an answer");
        assert_eq!((answer.status, answer.header("location")), (302, Some("http://203.0.113.1/")));
    });
}

#[test]
fn another_status_is_said_with_its_first_line() {
    let failure = bench().fails(PORT, &InPod::get("/fails"));
    assert_eq!(failure.why(), "port 19000 answers 500: no memory");
    assert_eq!(failure.reason(), Reason::InPod);
}

#[test]
fn a_port_on_which_nothing_listens_is_named() {
    let failure = bench().fails(NOBODY, &InPod::get("/"));
    assert_eq!((failure.cause.clone(), failure.exit()), (ForwardCause::Refused, Exit::NoAnswer), "{failure}");
    assert!(failure.to_string().ends_with("nothing listens on port 19001"), "{failure}");
}

#[test]
fn what_does_not_speak_http_is_said() {
    let failure = bench().fails(PORT, &InPod::get("/garbage"));
    assert_eq!((failure.cause.clone(), failure.exit()), (ForwardCause::NotHttp, Exit::Failed), "{failure}");
}

#[test]
fn a_wire_that_is_cut_in_the_middle_says_how_far_it_came() -> Result<()> {
    let bench = bench();
    let wire = Relay::start(bench.plane.server().trim_start_matches("https://").parse()?, Some(1 << 20));
    let failure = bench.ask_over(&wire, &InPod::get("/large"));
    assert!(matches!(failure.cause, ForwardCause::Cut { received: Some(1..) }), "{failure}");
    assert_eq!((failure.exit(), failure.reason()), (Exit::NoAnswer, Reason::Cut));
    Ok(())
}

#[test]
fn a_silence_in_the_middle_is_not_waited_for_without_end() {
    let failure = bench().fails(PORT, &patient("/stuck", Duration::from_secs(10)));
    let after = Duration::from_secs(10);
    assert_eq!(failure.cause, ForwardCause::Timeout { after, received: Some(5) });
}

#[test]
fn a_body_that_never_ends_and_is_never_silent_ends_at_the_deadline() {
    let failure = bench().fails(PORT, &patient("/endless", Duration::from_secs(5)));
    assert!(matches!(failure.cause, ForwardCause::Timeout { received: Some(1..), .. }), "{failure:?}");
}

#[test]
fn a_server_that_does_not_answer_is_asked_once_and_not_for_ever() {
    let failure = bench().fails(PORT, &patient("/slow", Duration::from_secs(10)));
    assert_eq!(failure.cause, ForwardCause::Timeout { after: Duration::from_secs(10), received: None });
    assert_eq!(bench().times_asked("/slow"), 1);
}

#[test]
fn only_what_reads_is_asked_again() {
    let bench = bench();
    for (ask, times) in [(InPod::post("/gone"), 1), (InPod::get("/gone"), 1 + 3)] {
        let failure = bench.ask_over(&bench.wire, &ask);
        assert_eq!((failure.cause.clone(), failure.reason()), (ForwardCause::Cut { received: None }, Reason::Cut));
        assert_eq!(bench.times_asked("/gone"), times, "{ask:?}");
    }
}

#[test]
fn a_pod_that_is_not_there_is_said_as_such() {
    let bench = bench();
    let failure = on_runtime(async {
        let session = session(bench.plane.kubeconfig()).await;
        let asking = session.ask_in_pod(&bench.namespace, "gateway-proxy-gone", PORT, &InPod::get("/")).await;
        asking.err().expect("no answer")
    });
    assert_eq!((failure.cause.clone(), failure.exit()), (ForwardCause::Api(ApiCause::NotFound), Exit::SaidNo));
}

#[test]
fn a_missing_right_comes_with_the_rule_that_gives_it() -> Result<()> {
    let bench = bench();
    let grant = |kind: &str, more: serde_json::Value| {
        let mut object = json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": kind,
            "metadata": {"name": "forwarder", "namespace": bench.namespace},
        });
        object.as_object_mut().expect("an object").extend(more.as_object().cloned().unwrap_or_default());
        bench.plane.api().apply(&object.to_string())
    };
    let ask = || {
        on_runtime(async {
            let session = session(bench.plane.kubeconfig_of("limited")).await;
            let body = session.get_in_pod(&bench.namespace, &bench.pod, PORT, "/rights").await;
            body.map_err(|failure| (failure.rule().map(|rule| rule.to_string()), failure.into_failure(&session)))
        })
    };
    let (rule, failure) = ask().expect_err("there is no right yet");
    assert_eq!((failure.exit, failure.reason), (Exit::SaidNo, Reason::Forbidden));
    assert_eq!(rule.as_deref(), Some(r#"{apiGroups: [""], resources: [pods/portforward], verbs: [get, create]}"#));
    let rules = json!([{"apiGroups": [""], "resources": ["pods/portforward"], "verbs": ["get", "create"]}]);
    grant("Role", json!({"rules": rules}))?;
    grant(
        "RoleBinding",
        json!({
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "forwarder"},
            "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "limited"}],
        }),
    )?;
    let patience = Duration::from_mins(1);
    stage::wait_for("the right that was named is enough", patience, || Ok(ask().ok()))?;
    Ok(())
}
