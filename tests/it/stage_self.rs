//! Tests of the test stage itself.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::process::CommandExt,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, Result};
use k8s_openapi::api::core::v1::Pod;
use kube::{Api, Client};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt};

use crate::stage::{self, Binaries, Options, Plane, has_condition, wait_for};

const UPSTREAM: &str = "gloo.solo.io/v1/Upstream";

/// Node leases, heartbeats and the node's address hold beyond the 50 s after which a silent kubelet
/// is given up.
#[test]
fn a_plane_is_whole_after_two_minutes() -> Result<()> {
    let plane = stage::shared();
    let gloo = plane.install_gloo("two-minutes")?;
    let target = serve("whole");
    thread::sleep(Duration::from_mins(2).saturating_sub(plane.started.elapsed()));

    let api = plane.api();
    for (namespace, name) in [
        ("istio-system", "istiod"),
        ("istio-system", "istiod-1-28"),
        ("default", "httpbin"),
        ("default", "plain"),
        (&gloo, "gloo"),
        (&gloo, "gateway-proxy"),
    ] {
        let deployment = api.get("apps/v1/Deployment", namespace, name)?.context(name)?;
        assert!(has_condition(&deployment, "Available"), "{deployment:#}");
    }
    let node = api.get("v1/Node", "", "node1")?.context("a node")?;
    assert!(has_condition(&node, "Ready"), "{node:#}");
    let addresses = node["status"]["addresses"].as_array().context("addresses")?;
    assert!(addresses.contains(&json!({"type": "InternalIP", "address": "127.0.0.1"})), "{addresses:?}");

    plane.forward(&gloo, &[(19000, target)])?;
    let pod = pod_of(plane, &gloo, "gateway-proxy")?;
    assert_eq!(api.run(|client| get_through(client, &gloo, &pod, 19000))?, "whole");
    Ok(())
}

#[test]
fn forwards_of_a_namespace_can_change() -> Result<()> {
    let plane = stage::shared();
    let gloo = plane.install_gloo("forward")?;
    let pod = pod_of(plane, &gloo, "gloo")?;
    for answer in ["one", "another"] {
        plane.forward(&gloo, &[(9095, serve(answer))])?;
        assert_eq!(plane.api().run(|client| get_through(client, &gloo, &pod, 9095))?, answer);
    }
    Ok(())
}

#[test]
fn an_installation_is_a_test_s_own() -> Result<()> {
    let plane = stage::shared();
    let api = plane.api();
    let (one, two) = (plane.install_gloo("mine")?, plane.install_gloo("mine")?);

    let upstream = api.get(UPSTREAM, &one, "default-httpbin-8000")?.context("an Upstream")?;
    assert_eq!(upstream["spec"]["kube"]["serviceNamespace"], "default");
    assert_eq!(upstream["status"]["statuses"][&one]["state"], "Accepted");
    let service = api.get("v1/Service", &one, "gateway-proxy")?.context("a Service")?;
    assert_eq!(service["status"]["loadBalancer"]["ingress"][0]["ip"], "34.162.22.180");
    let bootstrap = api.get("v1/ConfigMap", &one, "gateway-proxy-envoy-config")?.context("a bootstrap")?;
    let bootstrap = bootstrap["data"]["envoy.yaml"].as_str().context("text")?;
    assert!(bootstrap.contains(&format!("role: {one}~gateway-proxy")), "{bootstrap}");

    let apps = plane.install_apps("apps", &one)?;
    let own = api.get(UPSTREAM, &one, &format!("{apps}-httpbin-8000"))?.context("an Upstream")?;
    assert_eq!(own["spec"]["kube"]["serviceNamespace"], json!(apps));
    let httpbin = api.list("v1/Pod", &apps)?;
    let meshed = |pod: &&Value| pod["metadata"]["labels"]["security.istio.io/tlsMode"] == "istio";
    assert_eq!((httpbin.len(), httpbin.iter().filter(meshed).count()), (2, 1));

    api.merge(UPSTREAM, &one, "default-httpbin-8000", &json!({"spec": {"sslConfig": {"sni": "x", "snii": "y"}}}))?;
    let changed = api.get(UPSTREAM, &one, "default-httpbin-8000")?.context("an Upstream")?;
    assert_eq!(changed["spec"]["sslConfig"], json!({"sni": "x"}), "unknown TLS fields are pruned");
    assert_eq!(changed["status"], upstream["status"], "a write keeps the status");
    let other = api.get(UPSTREAM, &two, "default-httpbin-8000")?.context("an Upstream")?;
    assert_eq!(other["spec"]["sslConfig"], Value::Null);
    Ok(())
}

#[test]
fn peer_authentication_is_served_in_both_versions() -> Result<()> {
    let plane = stage::shared();
    let namespace = plane.namespace("peer")?;
    plane.api().apply(&format!(
        "{{apiVersion: security.istio.io/v1beta1, kind: PeerAuthentication, \
         metadata: {{name: strict, namespace: {namespace}}}, spec: {{mtls: {{mode: STRICT}}}}}}"
    ))?;
    let read = plane.api().get("security.istio.io/v1/PeerAuthentication", &namespace, "strict")?.context("it")?;
    assert_eq!(read["spec"]["mtls"]["mode"], "STRICT");
    Ok(())
}

#[test]
fn requests_are_written_down() -> Result<()> {
    let plane = stage::shared();
    let namespace = plane.namespace("audit")?;
    plane.api().get("v1/Service", &namespace, "nowhere")?;
    let uri = format!("/api/v1/namespaces/{namespace}/services/nowhere");
    let request = wait_for("the request is in the audit log", Duration::from_mins(2), || {
        Ok(plane.requests()?.into_iter().find(|request| request.uri == uri))
    })?;
    assert_eq!((request.verb.as_str(), &request.response_status["code"]), ("get", &json!(404)));
    assert_eq!(request.user["username"], "admin");
    Ok(())
}

#[test]
fn two_planes_stand_side_by_side() -> Result<()> {
    let start = |context: &str| Plane::start(&Options { context: context.into(), ..Options::default() });
    let (blue, green) = thread::scope(|scope| {
        let green = scope.spawn(|| start("green"));
        anyhow::Ok((start("blue")?, green.join().expect("no panic")?))
    })?;
    for plane in [&blue, &green] {
        let kubeconfig: Value = serde_json::from_slice(&fs::read(plane.kubeconfig())?)?;
        assert_eq!(kubeconfig["current-context"], plane.context());
        assert_eq!(kubeconfig["clusters"][0]["cluster"]["server"], plane.server());
    }
    let namespace = blue.namespace("only-blue")?;
    assert!(green.api().get("v1/Namespace", "", &namespace)?.is_none());

    let services = |client: Client| async move { Api::<Pod>::namespaced(client, "default").get_opt("none").await };
    let limited = stage::StageApi::connect(&blue.kubeconfig_of("limited"))?;
    let refused = limited.run(services).expect_err("no rights");
    assert!(refused.to_string().contains("User \"limited\" cannot get resource \"pods\""), "{refused}");

    blue.kill_apiserver()?;
    assert!(blue.api().run(services).is_err());
    assert!(green.api().is_ready());
    blue.start_apiserver()?;
    assert!(blue.api().get("v1/Namespace", "", &namespace)?.is_some());
    // The controllers, the scheduler and kwok found it again.
    blue.install_guide()
}

#[test]
fn a_part_that_cannot_start_is_quoted() {
    let flags = vec!["--no-such-flag".to_owned()];
    let error = Plane::start(&Options { apiserver_flags: flags, ..Options::default() }).err().expect("no plane");
    let error = format!("{error:#}");
    assert!(error.contains("kube-apiserver ended (exit status: 1)"), "{error}");
    assert!(error.contains("unknown flag: --no-such-flag"), "{error}");
}

const ROLE: &str = "GLOO_RS_STAGE_ROLE";

/// This test once more, as a process of its own that plays a role.
fn child(test: &str, role: &str) -> Result<Command> {
    let mut command = Command::new(env::current_exe()?);
    command.args(["--exact", &format!("stage_self::{test}")]).env(ROLE, role).process_group(0);
    Ok(command)
}

#[test]
fn nothing_outlives_the_test_process() -> Result<()> {
    if let Ok(ending) = env::var(ROLE) {
        return end_with_a_plane(&ending);
    }
    for (ending, signal) in
        [("return", None), ("panic", None), ("wait", Some("KILL")), ("wait", Some("INT")), ("wait", Some("TERM"))]
    {
        let mut process = child("nothing_outlives_the_test_process", ending)?;
        // Variables of the caller that would mislead a part or a client, if they reached them.
        process.env("ETCD_NAME", "other").env("HTTPS_PROXY", "http://127.0.0.1:1").env("KUBECONFIG", "/dev/null");
        let mut process = process.stdout(Stdio::piped()).spawn()?;
        let (directory, processes) = told_by(&mut process)?;
        assert!(processes.len() == 6, "{processes:?}");
        if let Some(signal) = signal {
            assert!(Path::new(&directory).exists());
            assert!(processes.iter().all(|&process| is_running(process)));
            // As a terminal does it, to the whole group.
            let kill = format!("kill -{signal} -{}", process.id());
            assert!(Command::new("sh").args(["-c", &kill]).status()?.success());
        }
        process.wait()?;
        wait_for(&format!("nothing is left after {ending} {signal:?}"), Duration::from_mins(2), || {
            let left = Path::new(&directory).exists() || processes.iter().any(|&process| is_running(process));
            Ok((!left).then_some(()))
        })?;
    }
    Ok(())
}

/// The child's part: says what there is to clean up, then ends in one way or another.
fn end_with_a_plane(ending: &str) -> Result<()> {
    static PLANE: std::sync::OnceLock<Plane> = std::sync::OnceLock::new();
    let plane = PLANE.get_or_init(|| Plane::start(&Options::default()).expect("a plane"));
    writeln!(std::io::stdout(), "\nplane: {}", json!([plane.directory(), plane.processes()]))?;
    match ending {
        "return" => Ok(()),
        "panic" => panic!("as asked"),
        _ => loop {
            thread::park();
        },
    }
}

fn told_by(process: &mut Child) -> Result<(String, Vec<u32>)> {
    let output = BufReader::new(process.stdout.take().context("a pipe was asked for")?);
    let mut lines = output.lines().map_while(Result::ok);
    let line = lines.find_map(|line| line.strip_prefix("plane: ").map(str::to_owned)).context("no plane")?;
    // Kept open: a closed pipe would be another way to end.
    thread::spawn(move || lines.for_each(drop));
    Ok(serde_json::from_str(&line)?)
}

/// Whether a process is there and not merely waiting for its parent to notice its end.
fn is_running(process: u32) -> bool {
    if Path::new("/proc/self/stat").exists() {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
        return stat.rsplit_once(") ").is_some_and(|(_, state)| !state.starts_with(['Z', 'X']));
    }
    let kill = format!("kill -0 {process} 2>/dev/null");
    Command::new("sh").args(["-c", &kill]).status().is_ok_and(|status| status.success())
}

#[test]
fn what_the_build_needs_is_said() -> Result<()> {
    if env::var(ROLE).is_ok() {
        return Binaries::find_or_build().map(drop);
    }
    let scratch = tempfile::tempdir()?;
    let old_go = scratch.path().join("go");
    fs::write(&old_go, "#!/bin/sh\necho go1.25.3\n")?;
    assert!(Command::new("chmod").arg("+x").arg(&old_go).status()?.success());
    let cold = |name: &str| -> Result<Command> {
        let mut command = child("what_the_build_needs_is_said", "build")?;
        command.env_remove("KUBEBUILDER_ASSETS").env("XDG_CACHE_HOME", scratch.path().join(name));
        Ok(command)
    };
    let said = |command: &mut Command| -> Result<String> {
        let output = command.output()?;
        assert!(!output.status.success());
        Ok(String::from_utf8(output.stderr)? + &String::from_utf8(output.stdout)?)
    };

    let without = said(cold("none")?.env("PATH", scratch.path().join("empty")))?;
    assert!(without.contains("no Go is on PATH; the tests need 1.26 or newer"), "{without}");
    assert!(without.contains("python3 is not on PATH: install python3 with pip"), "{without}");
    let too_old = said(cold("old")?.env("PATH", scratch.path()))?;
    assert!(too_old.contains("Go on PATH is go1.25.3; the tests need 1.26 or newer"), "{too_old}");
    let offline = said(cold("offline")?.env("GOPROXY", "off").env("GOMODCACHE", scratch.path().join("modules")))?;
    assert!(offline.contains("module lookup disabled by GOPROXY=off"), "{offline}");
    assert!(offline.contains("test stage: building etcd"), "captured: {offline}");
    assert!(offline.contains("let Go reach a Go module proxy"), "{offline}");
    Ok(())
}

fn pod_of(plane: &Plane, namespace: &str, deployment: &str) -> Result<String> {
    let prefix = format!("{deployment}-");
    let pods = plane.api().list("v1/Pod", namespace)?;
    let mut names = pods.iter().filter_map(|pod| pod["metadata"]["name"].as_str());
    Ok(names.find(|name| name.starts_with(&prefix)).context("no such pod")?.to_owned())
}

/// A small HTTP server on loopback with one answer.
fn serve(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = listener.local_addr().expect("bound");
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 1024];
            let _ = stream.read(&mut request);
            let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{answer}", answer.len());
        }
    });
    address
}

/// GETs `/` through a port-forward.
async fn get_through(client: Client, namespace: &str, pod: &str, port: u16) -> Result<String> {
    tokio::time::timeout(Duration::from_secs(30), get_patiently(client, namespace, pod, port)).await?
}

/// The stream has no end, so the answer's length decides.
async fn get_patiently(client: Client, namespace: &str, pod: &str, port: u16) -> Result<String> {
    let mut forwarder = Api::<Pod>::namespaced(client, namespace).portforward(pod, &[port]).await?;
    let stream = forwarder.take_stream(port).context("the stream was asked for")?;
    let mut stream = tokio::io::BufReader::new(stream);
    stream.write_all(b"GET / HTTP/1.1\r\nHost: pod\r\n\r\n").await?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        match line.trim_end().split_once(": ") {
            Some(("Content-Length", value)) => length = value.parse()?,
            Some(_) => {}
            None if line.trim_end().is_empty() => break,
            None => assert_eq!(line.trim_end(), "HTTP/1.1 200 OK"),
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    Ok(String::from_utf8(body)?)
}
