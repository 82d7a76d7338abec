//! An admin interface that answers with wrong types, half answers, answers without end and control characters.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use anyhow::Result;
use serde_json::json;

use super::{Bench, assert_said};
use crate::support::Sandbox;
use crate::support::pod_server::{PodServer, reply};

/// What is answered to every request, which the test changes.
#[derive(Clone, Default)]
struct Body(Arc<Mutex<Vec<u8>>>);

impl Body {
    fn set(&self, body: &[u8]) {
        *self.0.lock().unwrap() = body.to_vec();
    }
}

fn bench(prefix: &str) -> Result<(Bench<()>, Body)> {
    let (bench, body) = (Bench::without_envoy(prefix)?, Body::default());
    let shared = body.clone();
    let server = PodServer::start(move |_, stream| {
        let body = shared.0.lock().unwrap().clone();
        reply(stream, "200 OK", &body);
    });
    let ports = [19000, 9095, 9091].map(|port| (port, server.address));
    bench.plane.forward(&bench.gloo, &ports)?;
    Ok((bench, body))
}

/// Sets a terminal's clipboard; moves and colours; C1; bidi.
const HOSTILE: &str = "a.b: 1\u{1b}]52;c;eA==\u{7}\u{1b}[2J\u{9b}31m\u{202e}\r\nc: 2\n";
const SHOWN: &str = "a.b: 1\\u{1b}]52;c;eA==\\u{7}\\u{1b}[2J\\u{9b}31m\\u{202e}\r\nc: 2\n";

#[test]
fn control_characters_of_envoy_reach_a_pipe_as_they_are_and_a_terminal_as_text() -> Result<()> {
    let (bench, body) = bench("hostile-terminal")?;
    body.set(HOSTILE.as_bytes());
    for command in ["stats", "stats --format prometheus", "dump"] {
        let piped = bench.run(command);
        assert_eq!((piped.code, piped.stdout.as_str()), (Some(0), HOSTILE), "{command}: {piped:#?}");
        let shown = bench.sandbox().run_on_terminal(80, &bench.words(command));
        assert!(shown.stderr.ends_with(SHOWN), "{command}: {shown:#?}");
        assert!(!shown.stderr.contains(['\u{1b}', '\u{7}', '\u{9b}', '\u{202e}']), "{command}: {shown:#?}");
    }
    Ok(())
}

#[test]
fn an_answer_of_a_wrong_type_is_a_failure_with_a_documented_code() -> Result<()> {
    let (bench, body) = bench("hostile-types")?;
    let section = |list: &str| format!(r#"{{"configs": [{{"@type": "x.ClustersConfigDump", {list}}}]}}"#);
    let dumps = [
        ("\"x\"".to_owned(), "not a config dump of Envoy: not a JSON object"),
        ("[]".to_owned(), "not a JSON object"),
        ("{\"configs\": [\"x\"]}".to_owned(), "a section that is not an object"),
        (section(r#""dynamic_active_clusters": ["x"]"#), "an element of dynamic_active_clusters is not an object"),
        (section(r#""static_clusters": [7]"#), "an element of static_clusters is not an object"),
        (section(r#""dynamic_active_clusters": [{"cluster": {"na"#), "it is cut off at byte"),
        (String::new(), "it is empty"),
    ];
    for (dump, said) in &dumps {
        body.set(dump.as_bytes());
        assert_said(&bench.run("dump clusters"), 1, &[said]);
        let (document, _) = bench.json("dump clusters")?;
        assert_eq!(document["error"]["reason"], "inPod", "{dump}");
    }
    // Only what the view needs is read.
    body.set(section(r#""bootstrap": "x", "static_clusters": []"#).as_bytes());
    assert_said(&bench.run("dump bootstrap"), 1, &["an element of bootstrap is not an object"]);
    assert_eq!(bench.run("dump clusters").code, Some(0));
    for page in [
        "\"x\"",
        "7",
        "{\"certificates\": \"x\"}",
        "{\"certificates\": [\"x\"]}",
        "{\"certificates\": [{\"cert_chain\": 7}]}",
        "",
    ] {
        body.set(page.as_bytes());
        assert_said(&bench.run("certs"), 1, &["/certs is not in Envoy's format"]);
    }
    for page in ["\"x\"", "[]", "{\"stats\": {}}", "{\"stats\": [", ""] {
        body.set(page.as_bytes());
        let (document, output) = bench.json("stats")?;
        assert_said(&output, 1, &["its statistics are not in Envoy's format"]);
        assert_eq!(document["error"]["reason"], "inPod", "{page}");
    }
    Ok(())
}

#[test]
fn a_page_without_end_is_given_up() -> Result<()> {
    let bench = Bench::without_envoy("hostile-endless")?;
    let server = PodServer::start(|_, stream| {
        let blanks = vec![b' '; 0x10000];
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        while stream
            .write_all(b"10000\r\n")
            .and_then(|()| stream.write_all(&blanks))
            .and_then(|()| stream.write_all(b"\r\n"))
            .is_ok()
        {}
    });
    bench.plane.forward(&bench.gloo, &[(19000, server.address)])?;
    let output = bench.sandbox().within(64).run(&bench.words("certs"));
    assert_said(&output, 1, &["8 MiB"]);
    Ok(())
}

/// The kernel holds the limit: a program that wants more is aborted, and has no exit code.
#[test]
fn no_answer_of_a_pod_takes_more_than_64_mib_whatever_is_in_it() -> Result<()> {
    let (bench, body) = bench("hostile-dense")?;
    let dense = |begin: &str, piece: &str, end: &str| format!("{begin}{}{end}", piece.repeat((7 << 20) / piece.len()));
    let clusters = r#"{"configs": [{"@type": "x.ClustersConfigDump", "dynamic_active_clusters": ["#;
    let (cluster, last) = (r#"{"cluster": {"name": "a"}},"#, r#"{"cluster": {"name": "b"}}"#);
    let rejected = format!(r#"{{"cluster": {{"name": "a"}}, "error_state": {{"details": "{}"}}}},"#, "x".repeat(9000));
    let domains = dense("", "\"example.com\",", "\"a\"");
    let domains = &domains[..domains.len() / 2];
    let domains = &domains[..=domains.rfind("\",").unwrap()];
    let routes = r#"{"match": {"prefix": "/"}, "route": {"cluster": "c"}},"#.repeat(1000);
    let hosts = format!(
        r#"{{"configs": [{{"@type": "x.RoutesConfigDump", "dynamic_route_configs": [{{"route_config": {{"name": "r", "virtual_hosts": [{{"name": "v", "domains": [{domains}], "routes": [{routes}{{}}]}}]}}}}]}}]}}"#
    );
    let node = dense("{\"a\": 0", ",\"b\": 1", "}");
    let bootstrap =
        format!(r#"{{"configs": [{{"@type": "x.BootstrapConfigDump", "bootstrap": {{"node": {node}}}}}]}}"#);
    for (command, page) in [
        ("certs", dense("{\"certificates\": [", "0,", "0]}")),
        ("dump clusters", dense(&format!("{clusters}[ "), "[],", "[]]]}]}")),
        ("dump clusters", format!("{clusters}{{\"cluster\": {{\"name\": \"{}\"}}}}]}}]}}", "x".repeat(1 << 20))),
        ("dump clusters", format!("{clusters}{{\"cluster\": {{\"name\": \"{}\"}}}}]}}]}}", "x".repeat(60 << 20))),
        ("dump clusters", format!("{clusters}{{\"cluster\": {}}}]}}]}}", dense("[", "\"\",", "0]"))),
        ("dump clusters", format!("{clusters}{}]}}]}}", dense("", cluster, last))),
        ("dump clusters -o json", format!("{clusters}{}]}}]}}", dense("", cluster, last))),
        ("dump clusters -o wide", format!("{clusters}{}]}}]}}", dense("", &rejected, last))),
        ("dump clusters -o json", format!("{clusters}{}]}}]}}", dense("", &rejected, last))),
        ("dump routes", hosts.clone()),
        ("dump routes -o json", hosts.clone()),
        ("dump routes --name r -o json", hosts),
        ("dump bootstrap -o json", bootstrap),
        ("dump clusters", dense(&format!("{clusters}{{\"x\": [ "), "{},", "{}]}]}]}")),
        ("stats -o json", dense("{\"stats\": [ ", "{},", "{}]}")),
        ("stats -o json", dense("{\"stats\": [ ", "{\"name\":\"\",\"value\":0},", "{}]}")),
        ("stats", dense("", "a: 1\n", "")),
        ("served-config", dense("{\"edge~gateway-proxy\": {\"Clusters\": {\"Items\": [ ", "[],", "[]]}}}")),
        ("served-config", dense("{\"x\": {\"Clusters\": {\"Items\": {\"\": 0", ",\"\": {}", "}}}}")),
    ] {
        body.set(page.as_bytes());
        let output = bench.sandbox().within(64).run(&bench.words(command));
        assert!(output.code.is_some() && !output.stderr.contains("panicked"), "{command}: {output:#?}");
    }
    Ok(())
}

/// Commands that read more than one page of a pod, or pages of several pods.
#[test]
fn no_command_that_looks_into_pods_takes_more_than_64_mib_whatever_they_answer() -> Result<()> {
    let (bench, body) = bench("hostile-pods")?;
    let dense = |begin: &str, piece: &str, end: &str| format!("{begin}{}{end}", piece.repeat((7 << 20) / piece.len()));
    let gloo = bench.gloo.as_str();
    for page in [
        dense("{\"certificates\": [", "{},", "0]}"),
        dense("{\"listener_statuses\": [", "[[]],", "0]}"),
        dense("", "a: 1\n", ""),
        dense("", "x", ""),
    ] {
        body.set(page.as_bytes());
        for words in [
            &["check", "--gloo-namespace", gloo][..],
            &["istio", "verify", "--host", "a.example", "--via", "forward", "-n", gloo],
            &["proxy", "snapshot", "-n", gloo],
            &["proxy", "served-config", "--diff", "-n", gloo],
            &["proxy", "logs", "-n", gloo],
            &["istio", "inject", "--dry-run", "-n", gloo, "--istio-discovery-address", "a.b.svc:15012"],
            &["istio", "describe", "--host", "a.example", "--gloo-namespace", gloo],
        ] {
            let output = bench.sandbox().within(64).run(&[words, &["--timeout", "10s"]].concat());
            assert!(output.code.is_some_and(|code| code != 101), "{words:?}: {output:#?}");
            assert!(output.code != Some(2), "{words:?}: {output:#?}");
        }
    }
    Ok(())
}

/// The API server itself may be hostile, or what stands before it: one message of a port-forward without an end.
#[test]
fn no_message_of_a_port_forward_takes_more_than_64_mib() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || answers(stream));
        }
    });
    let sandbox = Sandbox::new().within(64);
    sandbox.kubeconfig(
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "contexts": [{"name": "c", "context": {"cluster": "c"}}],
            "clusters": [{"name": "c", "cluster": {"server": format!("http://127.0.0.1:{port}")}}],
        })
        .to_string(),
    );
    let output = sandbox.run(&["proxy", "stats", "--name", "pod/gateway-proxy-1", "--timeout", "10s"]);
    assert!(matches!(output.code, Some(1 | 7 | 9)) && output.stderr.contains("the stream was cut"), "{output:#?}");
}

/// Any object is a pod, and its stream has one message of a hundred parts of one MiB.
fn answers(mut stream: TcpStream) -> Option<()> {
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines().map_while(Result::ok);
    loop {
        let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        if head.is_empty() {
            return None;
        }
        let key =
            head.iter().find_map(|line| line.to_lowercase().starts_with("sec-websocket-key: ").then(|| &line[19..]));
        let Some(key) = key else {
            let pod = json!({
                "kind": "Pod", "metadata": {"name": "gateway-proxy-1", "namespace": "gloo-system"},
                "spec": {"nodeName": "node1", "containers": [{"name": "gateway-proxy"}]},
                "status": {
                    "phase": "Running", "podIP": "10.0.0.1", "conditions": [{"type": "Ready", "status": "True"}],
                    "containerStatuses": [{"name": "gateway-proxy", "ready": true, "state": {"running": {}}}],
                },
            });
            reply(&mut stream, "200 OK", pod.to_string().as_bytes());
            continue;
        };
        let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
        let head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
        write!(stream, "{head}Sec-WebSocket-Protocol: v4.channel.k8s.io\r\nSec-WebSocket-Accept: {accept}\r\n\r\n")
            .ok()?;
        for channel in [0, 1] {
            // A whole binary message, unmasked: the channel and the port, 19000.
            stream.write_all(&[0x82, 3, channel, 0x38, 0x4a]).ok()?;
        }
        let part = vec![b'x'; 1 << 20];
        for number in 0..100 {
            let kind = if number == 0 { 0x02 } else { 0x00 };
            stream.write_all(&[kind, 127, 0, 0, 0, 0, 0, 0x10, 0, 0]).ok()?;
            stream.write_all(&part).ok()?;
        }
        return None;
    }
}
