//! An API server that answers every request wrongly: each command ends by itself, with an exit code of its own.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Mutex, PoisonError};

use gloo_rs::exports::kube::{Query, Scope, Session};
use gloo_rs::exports::model::kinds::UPSTREAM;
use serde_json::json;

use crate::support::stub::Stub;
use crate::support::{Sandbox, commands};

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

fn answered(stream: &mut TcpStream, body: &str) -> std::io::Result<()> {
    let length = body.len();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
}

const ANSWERS: [(&str, Answer); 12] = [
    ("items of the wrong type", |to, _| answered(to, r#"{"kind":"List","metadata":{},"items":"x"}"#)),
    ("metadata of the wrong type", |to, _| answered(to, r#"{"kind":"List","metadata":3,"items":[]}"#)),
    ("a bare array", |to, _| answered(to, "[1, 2]")),
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
        answered(
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
        answered(to, r#"{"kind":"List","metadata":{"continue":"again"},"items":[]}"#)
    }),
    ("no HTTP", |to, _| write!(to, "220 mail.example.com ESMTP\r\n")),
];

/// One piece over and over, in chunks of 64 KiB.
fn endless(to: &mut TcpStream, begin: &str, piece: &str) -> std::io::Result<()> {
    let chunk = |text: &str| format!("{:x}\r\n{text}\r\n", text.len());
    let pieces = chunk(&piece.repeat(0x1_0000 / piece.len()));
    write!(to, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{}", chunk(begin))?;
    loop {
        to.write_all(pieces.as_bytes())?;
    }
}

/// As large as is read, of as many values as fit.
fn dense(to: &mut TcpStream, begin: &str, piece: &str, end: &str) -> std::io::Result<()> {
    answered(to, &format!("{begin}{}{end}", piece.repeat((7 << 20) / piece.len())))
}

/// The MiB that the program may have.
const MOST: u32 = 64;

/// What reads one list page by page, and one object. What reads many lists side by side takes the most, and the longest:
/// it gets the list of which all is valid.
const READERS: [&str; 3] = ["istio describe upstreams -A", "proxy url", "version"];

const ENDLESS: [(&str, Answer); 3] = [
    ("blanks without end", |to, _| endless(to, "{", " ")),
    ("a text without end", |to, _| endless(to, "{\"kind\":\"", "x")),
    ("items without end", |to, _| {
        endless(to, "{\"kind\":\"List\",\"metadata\":{},\"items\":[", "{\"metadata\":{\"name\":\"x\"}},")
    }),
];

const OBJECTS: (&str, Answer) = ("a list of many objects", |to, _| {
    let object = "{\"metadata\":{\"name\":\"x\"}}";
    dense(to, "{\"kind\":\"List\",\"metadata\":{},\"items\":[", &format!("{object},"), &format!("{object}]}}"))
});

const DENSE: [(&str, Answer); 6] = [
    ("an object of millions of numbers", |to, _| dense(to, "{\"metadata\":{\"name\":\"x\"},\"spec\":[", "0,", "0]}")),
    ("a list of millions of items", |to, _| dense(to, "{\"kind\":\"List\",\"metadata\":{},\"items\":[", "{},", "{}]}")),
    ("a failure of millions of lists", |to, _| {
        dense(to, "{\"kind\":\"Status\",\"status\":\"Failure\",\"details\":[", "[],", "[]]}")
    }),
    OBJECTS,
    ("an object of millions of small objects", |to, _| {
        dense(to, "{\"metadata\":{\"name\":\"x\"},\"spec\":[", "{\"\":0},", "0]}")
    }),
    ("an object of lists in lists", |to, _| {
        dense(to, "{\"metadata\":{\"name\":\"x\"},\"spec\":[", "[[[[[[]]]]]],", "0]}")
    }),
];

/// The kernel holds the limit: a program that wants more is aborted, and has no exit code.
#[test]
fn no_answer_takes_more_memory_than_it_may_whatever_is_in_it() {
    let every = commands::every();
    let readers = READERS.map(|command| command.split(' ').collect());
    let side_by_side = [(OBJECTS.0, OBJECTS.1, &[vec!["check"]][..])];
    let endless = ENDLESS.map(|(what, answer)| (what, answer, &every[..]));
    let dense = DENSE.map(|(what, answer)| (what, answer, &readers[..]));
    all_end(MOST, endless.into_iter().chain(dense).chain(side_by_side));
}

/// Each command ends by itself with a documented code.
fn all_end<'c>(mib: u32, rows: impl Iterator<Item = (&'static str, Answer, &'c [Vec<&'static str>])>) {
    let cases = rows.flat_map(|(what, answer, commands)| {
        let port = server(answer);
        commands.iter().map(move |command| (what, port, command))
    });
    let cases = Mutex::new(cases.collect::<Vec<_>>().into_iter());
    let next = || cases.lock().unwrap_or_else(PoisonError::into_inner).next();
    // Most of the time they wait.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                while let Some((what, port, command)) = next() {
                    let sandbox = Sandbox::new().within(mib);
                    sandbox.kubeconfig(kubeconfig(port));
                    let output = sandbox.run(&[&command[..], &["--timeout", "1s", "--wait-timeout", "1s"]].concat());
                    // 101 is a panic, none a signal; 2 would be a command line that is not one.
                    assert!(matches!(output.code, Some(0 | 1 | 3..=9)), "{what}: {command:?}: {output:?}");
                    assert!(!output.stderr.contains("panicked"), "{what}: {command:?}: {output:?}");
                }
            });
        }
    });
}

/// A real cluster may have pages that are too large at once: their objects come in smaller pages.
#[test]
fn a_page_that_is_too_large_is_asked_for_again_with_fewer_objects() {
    let stub = Stub::new();
    let large = |name: &str| {
        let mut upstream = json!({"apiVersion": "gloo.solo.io/v1", "kind": "Upstream", "spec": {"static": {}}});
        upstream["metadata"] = json!({"name": name, "namespace": "shop", "annotations": {"note": "x".repeat(1 << 20)}});
        upstream
    };
    let list = |names: std::ops::Range<u32>, next: &str| {
        let items: Vec<_> = names.map(|number| large(&format!("u{number:02}"))).collect();
        json!({"kind": "UpstreamList", "metadata": {"continue": next}, "items": items})
    };
    let path = "/apis/gloo.solo.io/v1/upstreams";
    stub.on("GET", &format!("{path}?limit=500")).json(200, &list(0..10, ""));
    stub.on("GET", &format!("{path}?limit=125")).json(200, &list(0..10, ""));
    stub.on("GET", &format!("{path}?limit=31")).json(200, &list(0..6, "next"));
    stub.on("GET", &format!("{path}?limit=31&continue=next")).json(200, &list(6..10, ""));
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(stub.kubeconfig());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let items = runtime.block_on(async {
        let session = Session::open(&sandbox.target(), None).await.unwrap();
        session.list_all(&UPSTREAM, Scope::All, Query::default()).await.unwrap()
    });
    let names: Vec<_> = items.iter().map(|item| item["metadata"]["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["u00", "u01", "u02", "u03", "u04", "u05", "u06", "u07", "u08", "u09"]);
}

fn kubeconfig(port: u16) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\ncontexts: [{{name: c, context: {{cluster: c}}}}]\n\
         clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\n"
    )
}

#[test]
fn every_command_ends_by_itself_whatever_is_answered() {
    let every = commands::every();
    all_end(MOST, ANSWERS.into_iter().map(|(what, answer)| (what, answer, &every[..])));
}
