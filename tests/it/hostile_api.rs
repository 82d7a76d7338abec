//! An API server that answers every request wrongly: each command ends by itself, with an exit code of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};

use crate::support::Sandbox;

/// What reads the cluster in another way each.
const COMMANDS: [&str; 6] = [
    "check",
    "istio describe upstreams -A",
    "proxy url",
    "istio revisions",
    "istio enable-mtls --upstream x --dry-run",
    "upgrade-values --release gloo",
];

type Answer = fn(&mut TcpStream, usize) -> std::io::Result<()>;

/// A server that gives every request the same kind of answer, told how many came before it.
fn server(answer: Answer) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let count = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let count = count.clone();
            std::thread::spawn(move || {
                let mut writer = stream.try_clone().unwrap();
                let mut lines = BufReader::new(stream).lines();
                while lines.by_ref().map_while(Result::ok).any(|line| line.is_empty()) {
                    let before = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    if answer(&mut writer, before).is_err() {
                        return;
                    }
                }
            });
        }
    });
    port
}

fn json(stream: &mut TcpStream, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
}

const ANSWERS: [(&str, Answer); 12] = [
    ("items of the wrong type", |to, _| json(to, r#"{"kind":"List","metadata":{},"items":"x"}"#)),
    ("metadata of the wrong type", |to, _| json(to, r#"{"kind":"List","metadata":3,"items":[]}"#)),
    ("a bare array", |to, _| json(to, "[1, 2]")),
    ("a cut body", |to, _| {
        write!(to, "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{{\"items\": [")?;
        Err(std::io::ErrorKind::Other.into())
    }),
    ("a body without end", |to, _| {
        write!(to, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        loop {
            write!(to, "1\r\n \r\n")?;
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }),
    ("an absurd length", |to, _| write!(to, "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n")),
    ("an absurd time to come back", |to, before| {
        let after = if before == 0 { 1 } else { u64::MAX };
        write!(to, "HTTP/1.1 429 Busy\r\nRetry-After: {after}\r\nContent-Length: 0\r\n\r\n")
    }),
    ("absurd numbers", |to, _| {
        json(
            to,
            r#"{"kind":"List","metadata":{"continue":1e999,"remainingItemCount":-9e18},"items":null,"code":1e400}"#,
        )
    }),
    ("a redirect to itself", |to, _| write!(to, "HTTP/1.1 307 Moved\r\nLocation: /\r\nContent-Length: 0\r\n\r\n")),
    ("a flood of 100 Continue", |to, _| {
        loop {
            write!(to, "HTTP/1.1 100 Continue\r\n\r\n")?;
        }
    }),
    ("a continue token that comes again", |to, _| {
        json(to, r#"{"kind":"List","metadata":{"continue":"again"},"items":[]}"#)
    }),
    ("no HTTP", |to, _| write!(to, "220 mail.example.com ESMTP\r\n")),
];

#[test]
fn every_command_ends_by_itself_whatever_is_answered() {
    for (what, answer) in ANSWERS {
        let port = server(answer);
        let sandbox = Sandbox::new();
        sandbox.kubeconfig(format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: c}}}}]\n\
             clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\n"
        ));
        for command in COMMANDS {
            let words: Vec<&str> = command.split(' ').chain(["--timeout", "2s"]).collect();
            let output = sandbox.run(&words);
            // 101 is a panic, none a signal; 2 would be a command line that is not one.
            assert!(matches!(output.code, Some(0 | 1 | 3..=9)), "{what}: {command}: {output:?}");
            assert!(!output.stderr.contains("panicked"), "{what}: {command}: {output:?}");
        }
    }
}
