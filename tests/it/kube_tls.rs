//! TLS that does not come about, called what it is.

use gloo_rs::exports::error::{Exit, Failure, Reason};
use gloo_rs::exports::kube::Session;
use serde_json::json;

use crate::support::stub::Stub;
use crate::support::{Certificate, Sandbox};

async fn tls_failure(config: String) -> Failure {
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(config);
    let session = Session::open(&sandbox.target(), None).await.unwrap();
    session.version().await.unwrap_err().into_failure(&session)
}

#[tokio::test]
async fn each_wrong_certificate_is_called_what_it_is() {
    let good = Stub::tls(Certificate::Good);
    let table = [
        (Stub::tls(Certificate::Expired), "its certificate has expired"),
        (Stub::tls(Certificate::OtherName), "its certificate is for another name"),
    ];
    for (stub, why) in table {
        let failure = tls_failure(stub.kubeconfig()).await;
        assert_eq!((failure.exit, failure.reason), (Exit::NoAnswer, Reason::Tls));
        assert_eq!(failure.message, format!("no TLS with {}: {why}", stub.url()));
        assert_eq!(failure.hints.len(), 1);
    }
    let other = Stub::tls(Certificate::Good);
    let failure = tls_failure(good.kubeconfig().replace(&good.port().to_string(), &other.port().to_string())).await;
    assert_eq!(
        failure.message,
        format!("no TLS with {}: its certificate is signed by an unknown authority", other.url())
    );
}

#[tokio::test]
async fn http_where_tls_is_spoken_and_the_reverse_are_told_apart() {
    let stub = Stub::new();
    let failure = tls_failure(stub.kubeconfig().replace("http://", "https://")).await;
    assert_eq!(failure.reason, Reason::Tls);
    assert!(failure.message.ends_with("it does not speak TLS"), "{}", failure.message);

    let stub = Stub::tls(Certificate::Good);
    let failure = tls_failure(stub.kubeconfig().replace("https://", "http://")).await;
    assert_eq!(failure.reason, Reason::Tls);
    assert!(failure.message.ends_with("it wants TLS and the kubeconfig says http"), "{}", failure.message);
}

#[tokio::test]
async fn an_unverified_server_is_accepted_only_when_the_kubeconfig_says_so() {
    let stub = Stub::tls(Certificate::Expired);
    stub.on("GET", "/version").json(200, &json!({}));
    let config = stub.kubeconfig();
    let start = config.find("    certificate-authority-data").unwrap();
    let end = start + config[start..].find('\n').unwrap();
    let config = format!("{}    insecure-skip-tls-verify: true{}", &config[..start], &config[end..]);
    let sandbox = Sandbox::new();
    sandbox.kubeconfig(config);
    Session::open(&sandbox.target(), None).await.unwrap().version().await.unwrap();
}
