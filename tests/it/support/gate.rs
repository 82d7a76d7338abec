//! A proxy to the API server that can hold back a request.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::spawn;
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use serde_json::{Value, json};

use crate::stage::Plane;

const PATIENCE: Duration = Duration::from_mins(3);

/// A proxy with plain HTTP to the program and TLS to the API server, as its admin. It holds one request: the first that
/// begins with `then`, after one that begins with `first` was answered.
pub struct Gate {
    address: SocketAddr,
    held: Receiver<()>,
    opens: Sender<()>,
}

/// The request that the gate waits for.
enum Next {
    First,
    Then,
    Nothing,
}

struct Wire {
    server: SocketAddr,
    tls: Arc<ClientConfig>,
    token: String,
    first: String,
    then: String,
    next: Mutex<Next>,
    holds: Mutex<(Sender<()>, Receiver<()>)>,
}

impl Gate {
    /// Starts the proxy. Requests are written as `GET /api/v1/namespaces`.
    pub fn start(plane: &Plane, first: &str, then: &str) -> Self {
        let kubeconfig: Value = serde_json::from_slice(&std::fs::read(plane.kubeconfig()).unwrap()).unwrap();
        let authority = kubeconfig["clusters"][0]["cluster"]["certificate-authority"].as_str().unwrap();
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(authority).unwrap() {
            roots.add(certificate.unwrap()).unwrap();
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let (says_held, held) = channel();
        let (opens, is_open) = channel();
        let wire = Arc::new(Wire {
            server: plane.server().trim_start_matches("https://").parse().unwrap(),
            tls: Arc::new(tls.with_root_certificates(roots).with_no_client_auth()),
            token: plane.token_of("admin"),
            first: first.to_owned(),
            then: then.to_owned(),
            next: Mutex::new(Next::First),
            holds: Mutex::new((says_held, is_open)),
        });
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        spawn(move || {
            for client in listener.incoming().flatten() {
                let wire = Arc::clone(&wire);
                spawn(move || wire.pass(&client));
            }
        });
        Self { address, held, opens }
    }

    /// A kubeconfig with the proxy as the server.
    pub fn kubeconfig(&self) -> String {
        json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "gate",
            "clusters": [{"name": "gate", "cluster": {"server": format!("http://{}", self.address)}}],
            "contexts": [{"name": "gate", "context": {"cluster": "gate", "user": "gate"}}],
            "users": [{"name": "gate", "user": {}}],
        })
        .to_string()
    }

    /// Waits until the request has arrived.
    pub fn wait(&self) {
        self.held.recv_timeout(PATIENCE).expect("the request comes");
    }

    /// Lets the request pass.
    pub fn open(&self) {
        self.opens.send(()).expect("the request is held");
    }
}

impl Wire {
    /// Forwards one request and its whole answer, and then closes the connection.
    fn pass(&self, client: &TcpStream) -> Option<()> {
        let mut from_client = BufReader::new(client.try_clone().ok()?);
        let (mut head, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if from_client.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let (name, value) = line.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok()?;
            }
            match line.trim_end() {
                "" => break,
                _ if name.eq_ignore_ascii_case("connection") => {}
                _ => head.push_str(&line),
            }
        }
        let mut body = vec![0; length];
        from_client.read_exact(&mut body).ok()?;
        self.hold(&head);
        let name = ServerName::IpAddress(self.server.ip().into());
        let connection = ClientConnection::new(Arc::clone(&self.tls), name).ok()?;
        let mut server = StreamOwned::new(connection, TcpStream::connect(self.server).ok()?);
        write!(server, "{head}authorization: Bearer {}\r\nconnection: close\r\n\r\n", self.token).ok()?;
        server.write_all(&body).ok()?;
        let answered = std::io::copy(&mut server, &mut &*client);
        if head.starts_with(&self.first) {
            let mut next = self.next.lock().ok()?;
            *next = if matches!(*next, Next::First) { Next::Then } else { Next::Nothing };
        }
        drop(answered);
        client.shutdown(std::net::Shutdown::Both).ok()
    }

    fn hold(&self, head: &str) {
        let mut next = self.next.lock().expect("no holder panics");
        if matches!(*next, Next::Then) && head.starts_with(&self.then) {
            *next = Next::Nothing;
            drop(next);
            let holds = self.holds.lock().expect("no holder panics");
            if holds.0.send(()).is_ok() {
                let _ = holds.1.recv();
            }
        }
    }
}
