//! Constant load through gateways: two connections to each, one with HTTP/1.1 and one with HTTP/2.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{JoinHandle, sleep, spawn},
    time::{Duration, Instant},
};

use anyhow::{Context, Result};
use bytes::Bytes;
use h2::client::SendRequest;
use tokio::runtime::Runtime;

use super::pair::Http;

const PATIENCE: Duration = Duration::from_secs(30);

/// The load, until it is ended.
pub struct Load {
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Sent>>>,
}

/// A request of the load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub upstream: String,
    /// 0 if the connection broke.
    pub status: u16,
    /// The version of HTTP between client and gateway.
    pub http: Http,
    pub at: Instant,
}

impl Load {
    /// Sends requests with these hosts to each gateway, to the quiet ones only now and then.
    pub fn start(gateways: &[SocketAddr], hosts: &[String], quiet: &[&str]) -> Self {
        let ended = Arc::new(AtomicBool::new(false));
        let quiet: Vec<_> = quiet.iter().map(|name| (*name).to_owned()).collect();
        let connections = gateways.iter().flat_map(|gateway| [Http::One, Http::Two].map(|http| (*gateway, http)));
        let start = |(gateway, http)| {
            let (hosts, quiet, ended) = (hosts.to_vec(), quiet.clone(), Arc::clone(&ended));
            spawn(move || send((gateway, http), &hosts, &quiet, &ended))
        };
        let threads = connections.map(start).collect();
        Self { ended, threads }
    }

    /// Ends it and returns every request in the order of time.
    pub fn end(mut self) -> Vec<Sent> {
        self.ended.store(true, Ordering::SeqCst);
        let logs =
            std::mem::take(&mut self.threads).into_iter().map(|thread| thread.join().expect("it does not panic"));
        let mut all: Vec<_> = logs.flatten().collect();
        all.sort_by_key(|sent| sent.at);
        all
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
    }
}

fn send((gateway, http): (SocketAddr, Http), hosts: &[String], quiet: &[String], ended: &AtomicBool) -> Vec<Sent> {
    let mut connection = None;
    let mut log = Vec::new();
    for round in 0_u32.. {
        for host in hosts.iter().filter(|host| round % 50 == 0 || !quiet.contains(host)) {
            if ended.load(Ordering::SeqCst) {
                return log;
            }
            let status = ask(&mut connection, (gateway, http), host).unwrap_or_else(|_| {
                connection = None;
                0
            });
            log.push(Sent { upstream: host.clone(), status, http, at: Instant::now() });
            sleep(Duration::from_millis(1));
        }
    }
    log
}

/// A connection to a gateway.
enum Connection {
    One(BufReader<TcpStream>),
    Two(Runtime, SendRequest<Bytes>),
}

fn ask(connection: &mut Option<Connection>, (gateway, http): (SocketAddr, Http), host: &str) -> Result<u16> {
    let connection = match connection {
        Some(connection) => connection,
        None => connection.insert(connect(gateway, http)?),
    };
    match connection {
        Connection::One(stream) => ask_one(stream, host),
        Connection::Two(runtime, sender) => {
            runtime.block_on(async { tokio::time::timeout(PATIENCE, ask_two(sender, host)).await? })
        }
    }
}

fn connect(gateway: SocketAddr, http: Http) -> Result<Connection> {
    let stream = TcpStream::connect(gateway)?;
    stream.set_nodelay(true)?;
    if http == Http::One {
        stream.set_read_timeout(Some(PATIENCE))?;
        return Ok(Connection::One(BufReader::new(stream)));
    }
    stream.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Without TLS there is nothing to negotiate: the gateway sees the preface (RFC 9113, 3.3).
    let sender = runtime.block_on(async {
        let (sender, connection) = h2::client::handshake(tokio::net::TcpStream::from_std(stream)?).await?;
        tokio::spawn(connection);
        anyhow::Ok(sender)
    })?;
    Ok(Connection::Two(runtime, sender))
}

async fn ask_two(sender: &mut SendRequest<Bytes>, host: &str) -> Result<u16> {
    let mut ready = sender.clone().ready().await?;
    let request = http::Request::get(format!("http://{host}/")).body(())?;
    let (answer, _) = ready.send_request(request, true)?;
    let mut answer = answer.await?;
    while let Some(part) = answer.body_mut().data().await {
        let length = part?.len();
        answer.body_mut().flow_control().release_capacity(length)?;
    }
    Ok(answer.status().as_u16())
}

fn ask_one(stream: &mut BufReader<TcpStream>, host: &str) -> Result<u16> {
    write!(stream.get_mut(), "GET / HTTP/1.1\r\nHost: {host}\r\n\r\n")?;
    let (mut status, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        let line = line.trim_end().to_ascii_lowercase();
        match (status, line.strip_prefix("content-length: ")) {
            (None, _) => status = Some(line.split(' ').nth(1).context("a status")?.parse()?),
            (_, Some(text)) => length = text.parse()?,
            _ => {}
        }
        if line.is_empty() {
            break;
        }
    }
    stream.read_exact(&mut vec![0; length])?;
    status.context("a status line")
}
