//! A proxy to the API server whose connections can be cut.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::spawn;

use super::Sandbox;

/// Accepts connections on its own port and forwards every byte.
#[derive(Clone)]
pub struct Relay {
    pub address: SocketAddr,
    wires: Arc<Mutex<Vec<TcpStream>>>,
    taken: Arc<AtomicUsize>,
}

impl Relay {
    /// Starts a relay to this server. Each connection is cut after this many bytes from the server.
    pub fn start(server: SocketAddr, limit: Option<usize>) -> Self {
        Self::to(move |_| server, limit)
    }

    /// Starts a relay to one server for the first connections, and to another for the later ones.
    pub fn turning(first: SocketAddr, connections: usize, then: SocketAddr) -> Self {
        Self::to(move |number| if number < connections { first } else { then }, None)
    }

    fn to(server: impl Fn(usize) -> SocketAddr + Send + 'static, limit: Option<usize>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let relay = Self { address: listener.local_addr().unwrap(), wires: Arc::default(), taken: Arc::default() };
        let (wires, taken) = (Arc::clone(&relay.wires), Arc::clone(&relay.taken));
        spawn(move || {
            for (number, client) in listener.incoming().flatten().enumerate() {
                taken.fetch_add(1, Ordering::Relaxed);
                let Ok(server) = TcpStream::connect(server(number)) else { continue };
                wires.lock().unwrap().extend([client.try_clone().unwrap(), server.try_clone().unwrap()]);
                let (to_server, from_server) = (server.try_clone().unwrap(), server);
                let (to_client, from_client) = (client.try_clone().unwrap(), client);
                spawn(move || pass(from_client, &to_server, None));
                spawn(move || pass(from_server, &to_client, limit));
            }
        });
        relay
    }

    /// The number of connections accepted so far.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::Relaxed)
    }

    /// Cuts all current connections.
    pub fn cut(&self) {
        for wire in self.wires.lock().unwrap().drain(..) {
            let _ = wire.shutdown(Shutdown::Both);
        }
    }

    /// Writes the kubeconfig with the relay instead of the server.
    pub fn kubeconfig(&self, of: &Path, server: &str, sandbox: &Sandbox) -> PathBuf {
        let text = std::fs::read_to_string(of).unwrap();
        sandbox.kubeconfig(text.replace(server, &format!("https://{}", self.address)))
    }
}

fn pass(mut from: TcpStream, mut to: &TcpStream, limit: Option<usize>) {
    let mut buffer = vec![0; 64 << 10];
    let mut passed = 0;
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        passed += length;
        if limit.is_some_and(|limit| passed > limit) || to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
