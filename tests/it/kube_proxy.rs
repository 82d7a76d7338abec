//! Through a proxy, and past it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use gloo_rs::exports::error::Reason;
use gloo_rs::exports::kube::Session;
use serde_json::json;

use crate::support::stub::Stub;
use crate::support::{Certificate, Sandbox};

/// A proxy: gives its port, and the head of each request it gets.
fn proxy(upstream: u16, answer: &'static str) -> (u16, Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            let client = client.unwrap();
            let head = BufReader::new(&client).lines().map(Result::unwrap).take_while(|line| !line.is_empty());
            if sender.send(head.collect()).is_err() {
                return;
            }
            (&client).write_all(answer.as_bytes()).unwrap();
            let Ok(server) = TcpStream::connect(("127.0.0.1", upstream)) else { continue };
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || std::io::copy(&mut &from, &mut &to));
            std::thread::spawn(move || std::io::copy(&mut &server, &mut &client));
        }
    });
    (port, receiver)
}

const CONNECTED: &str = "HTTP/1.1 200 Connection established\r\n\r\n";

#[tokio::test]
async fn a_proxy_of_the_kubeconfig_is_used_even_for_loopback() {
    let stub = Stub::tls(Certificate::Good);
    stub.on("GET", "/version").json(200, &json!({}));
    let (port, heads) = proxy(stub.port(), CONNECTED);
    let sandbox = Sandbox::new().env("NO_PROXY", "*");
    let config = stub.kubeconfig();
    sandbox.kubeconfig(
        config.replace("    server:", &format!("    proxy-url: http://me:p%40ss@127.0.0.1:{port}\n    server:")),
    );
    Session::open(&sandbox.target(), None).await.unwrap().version().await.unwrap();
    let head = heads.recv().unwrap();
    assert_eq!(head[0], format!("CONNECT 127.0.0.1:{} HTTP/1.1", stub.port()));
    assert!(head.iter().any(|line| line.eq_ignore_ascii_case("proxy-authorization: Basic bWU6cEBzcw==")), "{head:?}");
}

/// A SOCKS 5 proxy for one connection: gives its port, and the name it was asked for.
fn socks(upstream: u16) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let take = |count: usize| {
            let mut bytes = vec![0; count];
            (&client).read_exact(&mut bytes).unwrap();
            bytes
        };
        let methods = take(2)[1];
        take(methods.into());
        (&client).write_all(&[5, 0]).unwrap();
        let length = take(5)[4];
        sender.send(String::from_utf8(take(length.into())).unwrap()).unwrap();
        take(2);
        client.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).unwrap();
        let server = TcpStream::connect(("127.0.0.1", upstream)).unwrap();
        let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        std::thread::spawn(move || std::io::copy(&mut &from, &mut &to));
        drop(std::io::copy(&mut &server, &mut &client));
    });
    (port, receiver)
}

#[tokio::test]
async fn a_socks_proxy_resolves_the_name_itself() {
    for scheme in ["socks5", "socks5h"] {
        let stub = Stub::new();
        stub.on("GET", "/version").json(200, &json!({}));
        let (port, names) = socks(stub.port());
        let sandbox = Sandbox::new().env("ALL_PROXY", format!("{scheme}://127.0.0.1:{port}"));
        sandbox.kubeconfig(stub.kubeconfig().replace(&stub.url(), "http://api.example"));
        Session::open(&sandbox.target(), None).await.unwrap().version().await.unwrap();
        assert_eq!(names.recv().unwrap(), "api.example");
        assert_eq!(stub.finish()[0].header("authorization"), None);
    }
}

#[tokio::test]
async fn no_credentials_go_through_a_proxy_to_a_server_without_tls() {
    for user in ["token: secret-token", "username: me, password: secret"] {
        let stub = Stub::new();
        stub.on("GET", "/version").status(401, "Unauthorized", "Unauthorized");
        let (port, _heads) = proxy(stub.port(), CONNECTED);
        let sandbox = Sandbox::new();
        let config = stub.kubeconfig().replace("token: secret-token", user);
        sandbox
            .kubeconfig(config.replace("    server:", &format!("    proxy-url: http://127.0.0.1:{port}\n    server:")));
        let session = Session::open(&sandbox.target(), None).await.unwrap();
        let failure = session.version().await.unwrap_err().into_failure(&session);
        assert_eq!(failure.reason, Reason::Unauthorized);
        assert!(failure.details.iter().any(|detail| detail.starts_with("no credentials are sent: ")), "{failure:?}");
        assert_eq!(failure.hints, ["write https:// in the kubeconfig's server"]);
        let requests = stub.finish();
        assert_eq!((requests.len(), requests[0].header("authorization")), (1, None));
    }
}

#[tokio::test]
async fn a_proxy_of_the_environment_is_not_used_for_loopback() {
    let stub = Stub::new();
    stub.on("GET", "/version").json(200, &json!({}));
    let sandbox = Sandbox::new().env("HTTP_PROXY", "http://127.0.0.1:1").env("NO_PROXY", "a,,b,");
    sandbox.kubeconfig(stub.kubeconfig());
    Session::open(&sandbox.target(), None).await.unwrap().version().await.unwrap();
}

#[tokio::test]
async fn a_proxy_of_the_environment_that_refuses_is_named_as_the_proxy() {
    let (port, heads) = proxy(1, "HTTP/1.1 403 Forbidden\r\n\r\n");
    let stub = Stub::new();
    let sandbox = Sandbox::new().env("HTTPS_PROXY", format!("http://127.0.0.1:{port}"));
    sandbox.kubeconfig(stub.kubeconfig().replace(&stub.url(), "https://api.example"));
    let session = Session::open(&sandbox.target(), None).await.unwrap();
    let error = session.version().await.unwrap_err();
    assert_eq!(heads.recv().unwrap()[0], "CONNECT api.example:443 HTTP/1.1");
    assert_eq!(error.reason(), Reason::Unreachable);
    let failure = error.into_failure(&session);
    assert_eq!(failure.message, "no connection to https://api.example: the proxy refused to connect");
    assert_eq!(failure.details[1], format!("through the proxy http://127.0.0.1:{port} (HTTPS_PROXY)"));
}

#[tokio::test]
async fn a_variable_that_is_no_proxy_is_named_and_not_repeated() {
    let stub = Stub::new();
    let sandbox = Sandbox::new().env("https_proxy", "gopher://me:secret@proxy");
    sandbox.kubeconfig(stub.kubeconfig().replace(&stub.url(), "https://api.example"));
    let failure = Session::open(&sandbox.target(), None).await.err().unwrap();
    assert_eq!(
        failure.message,
        "environment variable https_proxy has a scheme that is not http, https, socks5 or socks5h"
    );
}
