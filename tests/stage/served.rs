//! Gloo's admin port: the snapshot of what it serves to the gateway, and its metrics.

use std::{
    io::{BufRead, BufReader, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::spawn,
};

use anyhow::{Context, Result};
use serde_json::Value;

use super::{
    binaries::announce,
    pair::XDS_VERSION,
    snapshots::{cluster, istio_cluster, listener, role, routes, snapshot, tls_cluster},
};

/// Starts the admin port of a Gloo with this snapshot. It runs until `ended` is set.
pub fn start(snapshot: impl Fn() -> Result<Vec<u8>> + Send + 'static, ended: Arc<AtomicBool>) -> Result<SocketAddr> {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = server.local_addr()?;
    spawn(move || {
        for stream in server.incoming().flatten() {
            if ended.load(Ordering::SeqCst) {
                return;
            }
            if let Err(error) = answer(stream, &snapshot) {
                announce(&format!("Gloo does not answer: {error:#}"));
            }
        }
    });
    Ok(address)
}

fn answer(stream: TcpStream, served: impl FnOnce() -> Result<Vec<u8>>) -> Result<()> {
    let mut stream = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && stream.read_line(&mut head)? > 0 {}
    let (status, body) = match head.split(' ').nth(1) {
        Some("/snapshots/xds") => ("200 OK", served()?),
        // The metrics of a Gloo without problems.
        Some("/metrics") => ("200 OK", Vec::new()),
        _ => ("404 Not Found", Vec::new()),
    };
    let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
    Ok(stream.get_mut().write_all(&[answer.as_bytes(), &body].concat())?)
}

/// The snapshot with one route to one Upstream, a cluster for each Upstream, and one cluster more.
pub fn snapshot_of(
    gloo: &str,
    upstream: &str,
    (upstreams, more): (&[Value], Option<&str>),
    version: u32,
) -> Result<Vec<u8>> {
    let clusters = upstreams.iter().map(|upstream| {
        let name = format!("{}_{gloo}", upstream["metadata"]["name"].as_str().context("a name")?);
        Ok(match &upstream["spec"]["sslConfig"] {
            Value::Null => cluster(&name),
            config => match config["sds"]["certificatesSecretName"].as_str() {
                Some("istio_server_cert") => istio_cluster(&name),
                other => tls_cluster(&name, other.unwrap_or("own")),
            },
        })
    });
    let mut clusters = clusters.collect::<Result<Vec<_>>>()?;
    clusters.extend(more.map(cluster));
    let (target, version) = (format!("{upstream}_{gloo}"), version.to_string());
    let all = [
        ("Endpoints", "1", Vec::new()),
        ("Clusters", version.as_str(), clusters),
        ("Routes", XDS_VERSION, vec![routes(8080, &[("httpbin", &["*"], &target)])]),
        ("Listeners", XDS_VERSION, vec![listener(8080)]),
    ];
    Ok(snapshot(vec![role(&format!("{gloo}~gateway-proxy"), &all)], ""))
}
