//! Sends one request to a gateway's address from outside of the cluster, in plaintext or over TLS. It never uses a
//! proxy, never follows a redirect and is never sent again.

mod trust;

use std::time::Duration;

use bytes::Bytes;
use http::header::HOST;
use http::{HeaderName, HeaderValue, Method, Request, Uri};
use http_body_util::{BodyExt as _, Empty};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::connect::HttpConnector;
use tokio::time::timeout;
use tower::Service as _;

pub(crate) use trust::Trust;

use crate::kube::{ApiCause, cause_of};
use crate::plan::verdict::answer::HttpAnswer;
use crate::text::{Host, Scheme};

/// The timeout of a TCP connection. The TLS handshake has the request's deadline.
const CONNECT: Duration = Duration::from_secs(5);
/// The most bytes read of a body, enough for an echo or an error.
pub(crate) const MOST_BODY: usize = 256 << 10;

/// The address of the gateway, and the TLS settings of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ProbeTarget {
    pub scheme: Scheme,
    pub host: Host,
    pub port: u16,
    /// The expected name in the certificate; `None` for the host itself.
    pub server_name: Option<Host>,
    pub trust: Trust,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ask {
    pub method: String,
    /// The path with the query.
    pub path: String,
    /// The `Host` header.
    pub host: String,
    /// The headers, sent unchanged.
    pub headers: Vec<(String, String)>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ProbeFailure {
    /// The request is not valid. Contains the reason.
    NotARequest(String),
    /// The given certificates cannot be used.
    Trust(String),
    Wire(ApiCause),
    Timeout(Duration),
}

/// Sends the request and reads the beginning of the answer.
///
/// # Errors
/// Why no answer came.
pub(crate) async fn ask(place: &ProbeTarget, ask: &Ask, patience: Duration) -> Result<HttpAnswer, ProbeFailure> {
    let request = request(ask)?;
    timeout(patience, exchange(place, request)).await.unwrap_or(Err(ProbeFailure::Timeout(patience)))
}

async fn exchange(place: &ProbeTarget, request: Request<Empty<Bytes>>) -> Result<HttpAnswer, ProbeFailure> {
    let wire = |error: &(dyn std::error::Error + 'static)| ProbeFailure::Wire(cause_of(error));
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    let name = place.server_name.as_ref().unwrap_or(&place.host).to_string();
    let name = trust::server_name(&name).map_err(ProbeFailure::Trust)?;
    let mut connector = HttpsConnectorBuilder::new()
        .with_tls_config(trust::config(&place.trust, place.scheme).map_err(ProbeFailure::Trust)?)
        .https_or_http()
        .with_server_name_resolver(hyper_rustls::FixedServerNameResolver::new(name))
        .enable_http1()
        .wrap_connector(tcp);
    let address = format!("{}://{}:{}", place.scheme.name(), place.host, place.port);
    let address: Uri =
        address.parse().map_err(|_| ProbeFailure::NotARequest("the address is not valid in a URL".to_owned()))?;
    let stream = connector.call(address).await.map_err(|error| wire(error.as_ref()))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.map_err(|error| wire(&error))?;
    let driver = tokio::spawn(connection);
    let answered = async {
        let (head, mut body) = sender.send_request(request).await.map_err(|error| wire(&error))?.into_parts();
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let mut answer = HttpAnswer {
            status: head.status.as_u16(),
            headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            ..HttpAnswer::default()
        };
        // The status is kept even if the body breaks off.
        while let Some(Ok(frame)) = body.frame().await {
            if !answer.take(frame.data_ref().map_or(&[][..], |data| &data[..]), MOST_BODY) {
                break;
            }
        }
        Ok(answer)
    };
    let answer = answered.await;
    driver.abort();
    answer
}

fn request(ask: &Ask) -> Result<Request<Empty<Bytes>>, ProbeFailure> {
    let bad = |what: String| ProbeFailure::NotARequest(what);
    let mut request = Request::new(Empty::new());
    *request.method_mut() =
        Method::from_bytes(ask.method.as_bytes()).map_err(|_| bad("the method is not an HTTP method".to_owned()))?;
    *request.uri_mut() = ask.path.parse().map_err(|_| bad("the path is not valid in a URL".to_owned()))?;
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(&ask.host).map_err(|_| bad("the host is not valid".to_owned()))?);
    for (name, value) in &ask.headers {
        let fault = || bad(format!("header {name:?} is not a valid HTTP header"));
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| fault())?;
        headers.append(name, HeaderValue::from_str(value).map_err(|_| fault())?);
    }
    Ok(request)
}
