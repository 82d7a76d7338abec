//! A server instead of a pod. It writes raw bytes, so that it can misbehave in any way.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// A request: the head as received, the path with its query, and the body.
#[derive(Debug, Clone)]
pub struct Asked {
    pub head: String,
    pub path: String,
    pub body: String,
}

/// A listening server with its requests so far.
#[derive(Clone)]
pub struct PodServer {
    pub address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl PodServer {
    /// Starts the server. Each connection is one request, answered by writing to the stream; it ends with the function.
    pub fn start(answer: impl Fn(&Asked, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let server = Self { address: listener.local_addr().unwrap(), asked: Arc::default() };
        let (seen, answer) = (Arc::clone(&server.asked), Arc::new(answer));
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let (seen, answer) = (Arc::clone(&seen), Arc::clone(&answer));
                std::thread::spawn(move || {
                    let Some(asked) = read(&mut stream) else { return };
                    seen.lock().unwrap().push(asked.clone());
                    answer(&asked, &mut stream);
                });
            }
        });
        server
    }

    /// All requests so far, in order.
    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }
}

/// Writes an answer with its length.
pub fn reply(stream: &mut TcpStream, status: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len());
    // The client may have closed the connection; that is no error.
    let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body));
}

fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(length) => bytes.extend_from_slice(&buffer[..length]),
        }
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            let path = head.split_whitespace().nth(1)?.to_owned();
            return Some(Asked { head: head.to_owned(), path, body: body.to_owned() });
        }
    }
}
