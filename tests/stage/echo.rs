//! An application that returns the headers of its requests, as httpbin does, and misbehaves on request.

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    thread::spawn,
};

use serde_json::{Map, Value, json};

/// Starts it. It runs until the process ends.
///
/// `/close` closes the connection without an answer, `/status/N` answers with that status, `/page` with a page without
/// the headers, `/hostile` with characters that control a terminal; any other path with the headers as JSON.
pub fn start() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let address = listener.local_addr()?;
    spawn(move || {
        for stream in listener.incoming().flatten() {
            spawn(move || converse(stream));
        }
    });
    Ok(address)
}

fn converse(mut stream: TcpStream) {
    while let Some((path, headers)) = head(&mut stream) {
        let (status, kind, body) = match path.split('?').next().unwrap_or_default() {
            "/close" => return,
            "/page" => ("200".to_owned(), "text/html", "<h1>shop</h1>".to_owned()),
            "/hostile" => ("500".to_owned(), "text/plain", "\u{1b}[31mred\u{202e}\u{0}".repeat(100_000)),
            "/moved" => ("302".to_owned(), "text/plain", String::new()),
            other => match other.strip_prefix("/status/") {
                Some(status) => (status.to_owned(), "text/plain", String::new()),
                None => ("200".to_owned(), "application/json", format!("{:#}\n", json!({"headers": headers}))),
            },
        };
        let location = if status == "302" { "location: http://203.0.113.1/\r\n" } else { "" };
        let head =
            format!("HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{location}content-length: {}\r\n\r\n", body.len());
        if stream.write_all(&[head.as_bytes(), body.as_bytes()].concat()).is_err() {
            return;
        }
    }
}

/// The path and the headers of the next request. Its body is read and dropped.
fn head(stream: &mut TcpStream) -> Option<(String, Map<String, Value>)> {
    let mut bytes = Vec::new();
    let mut byte = [0];
    while !bytes.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        if bytes.is_empty() && !byte[0].is_ascii_uppercase() {
            // For example a TLS greeting: HTTP servers answer it in HTTP.
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").ok()?;
            return None;
        }
        bytes.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let path = text.split_whitespace().nth(1)?.to_owned();
    let headers: Map<String, Value> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect();
    let length = headers.get("content-length").and_then(|value| value.as_str()?.parse().ok()).unwrap_or(0_usize);
    stream.read_exact(&mut vec![0; length]).ok()?;
    Some((path, headers))
}
