//! An admin interface that misbehaves, in Envoy's place.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;

use super::{Bench, assert_said};
use crate::support::pod_server::{Asked, PodServer, reply};

fn bench(prefix: &str, answer: fn(&Asked, &mut TcpStream)) -> Result<(Bench<()>, PodServer)> {
    let bench = Bench::without_envoy(prefix)?;
    let server = PodServer::start(answer);
    bench.plane.forward(&bench.gloo, &[(19000, server.address)])?;
    Ok((bench, server))
}

const BEGINNING: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

fn half(_: &Asked, stream: &mut TcpStream) {
    let part = "{\"configs\": [{\"@type\": \"x\", \"dynamic_active_clusters\": [";
    let _ = write!(stream, "{BEGINNING}{:x}\r\n{part}\r\n", part.len());
    std::thread::sleep(Duration::from_mins(1));
}

#[test]
fn a_pod_that_goes_in_the_middle_of_a_dump_is_a_failure_that_says_so() -> Result<()> {
    let (bench, server) = bench("faults-half", half)?;
    let running = bench.sandbox().start(&bench.words("dump --timeout 10s -o json"));
    crate::stage::wait_for("it is under way", Duration::from_mins(2), || {
        Ok((!server.asked().is_empty()).then_some(()))
    })?;
    let pod = bench.pod()?;
    bench.plane.api().delete("v1/Pod", &bench.gloo, &pod)?;
    let output = bench.sandbox().end_of(running);
    assert_said(&output, 9, &["no data for 10s after 56 bytes of the answer", "the pod"]);
    assert_eq!(output.stdout.len(), 56, "stdout is Envoy's alone: {output:#?}");
    Ok(())
}

#[test]
fn a_view_of_half_a_dump_is_no_table() -> Result<()> {
    let (bench, _server) = bench("faults-view", half)?;
    let (document, output) = bench.json("dump clusters --timeout 3s")?;
    assert_said(&output, 9, &["no data for 3s"]);
    assert_eq!((&document["clusters"], &document["error"]["reason"]), (&Value::Array(vec![]), &"timeout".into()));
    Ok(())
}

#[test]
fn an_admin_interface_that_is_slow_is_given_up_in_time() -> Result<()> {
    let (bench, _server) = bench("faults-slow", |_, _| std::thread::sleep(Duration::from_mins(1)))?;
    for command in ["dump", "stats", "certs", "snapshot"] {
        let output = bench.run(&format!("{command} --timeout 3s"));
        assert_said(&output, 9, &["no answer on port 19000 within 3s", "hint: --timeout waits longer"]);
        assert_eq!(output.stdout, "", "{command}");
    }
    Ok(())
}

#[test]
fn a_status_of_failure_is_never_an_answer() -> Result<()> {
    let (bench, _server) =
        bench("faults-500", |_, stream| reply(stream, "500 Internal Server Error", b"out of memory"))?;
    for command in ["dump", "dump listeners", "stats", "certs", "snapshot"] {
        let (document, output) = bench.json(command)?;
        assert_said(&output, 1, &["port 19000 answers 500: out of memory"]);
        assert_eq!(document["error"]["reason"], "inPod", "{command}");
    }
    Ok(())
}

#[test]
fn what_is_not_envoys_is_told_from_what_is() -> Result<()> {
    let (bench, _server) = bench("faults-garbage", |asked, stream| match asked.path.as_str() {
        "/stats" => drop(stream.write_all(b"220 smtp.example.com ESMTP\r\n")),
        "/certs" => reply(stream, "200 OK", b"[]"),
        _ => reply(stream, "200 OK", b"{\"configs\": [{\"@type\": \"x\", \"static_clusters\": [{]}]}]}"),
    })?;
    assert_said(&bench.run("stats"), 1, &["what answers on port 19000 does not speak HTTP"]);
    assert_said(&bench.run("certs"), 1, &["/certs is not in Envoy's format"]);
    assert_said(&bench.run("dump clusters"), 1, &["not a config dump of Envoy: "]);
    // Without a view the bytes are not ours to judge.
    assert_said(&bench.run("dump"), 0, &[]);
    Ok(())
}

#[test]
fn ctrl_c_ends_it_with_its_own_code() -> Result<()> {
    let (bench, server) = bench("faults-ctrl-c", half)?;
    let output = bench.sandbox().interrupted(&bench.words("dump"), || !server.asked().is_empty());
    assert_said(&output, 130, &["error: interrupted"]);
    Ok(())
}
