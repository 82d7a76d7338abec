//! HTTP to a port of a pod, through one port-forward stream: no listening socket, no local port.
//!
//! Not every kubelet signals the end of the stream, so the HTTP framing decides where an answer ends.

use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt as _;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderName, HeaderValue, Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::forward_failure::{ForwardCause, ForwardFailure, RESOURCE, refused_by_kubelet, refused_by_server};
use super::port_stream::PortStream;
use super::request::{RequestTarget, Wire, outlasts, pause};
use super::{ApiCause, Exchange, Session};
use crate::rights::Attributes;

/// The limit for an answer that is read as a whole. Envoy's text pages are small; larger answers are read chunk by
/// chunk.
const MOST_COLLECTED: usize = 8 << 20;

/// A request to a server in a pod. Redirects are not followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InPod {
    /// `GET`, `POST` or any other method.
    pub method: String,
    /// The path with the query.
    pub path: String,
    /// The headers, sent unchanged. Without `Host`, `localhost` is used.
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// The timeout for the connection and the head of the answer, and then between two chunks. `None`: the session's
    /// timeout.
    pub patience: Option<Duration>,
}

impl InPod {
    /// A `GET` request for this path.
    pub fn get(path: impl Into<String>) -> Self {
        Self { method: "GET".to_owned(), path: path.into(), headers: Vec::new(), body: Vec::new(), patience: None }
    }

    /// A `POST` request to this path, without a body.
    pub fn post(path: impl Into<String>) -> Self {
        Self { method: "POST".to_owned(), ..Self::get(path) }
    }

    fn request(&self) -> Result<Request<Full<Bytes>>, ForwardCause> {
        let bad = |what: &str| ForwardCause::NotARequest(what.to_owned());
        let method = Method::from_bytes(self.method.as_bytes()).map_err(|_| bad("the method is not an HTTP method"))?;
        let body = Full::new(Bytes::from(self.body.clone()));
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = self.path.parse().map_err(|_| bad("the path is not valid in a URL"))?;
        let headers = request.headers_mut();
        for (name, value) in &self.headers {
            let bad = || bad(&format!("header {name:?} is not a valid HTTP header"));
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad())?;
            headers.append(name, HeaderValue::from_str(value).map_err(|_| bad())?);
        }
        headers.entry(HOST).or_insert(HeaderValue::from_static("localhost"));
        Ok(request)
    }

    /// Whether the request only reads, so that it can be sent twice.
    fn only_reads(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD")
    }
}

/// The head of an answer, and its body as a stream. Dropping it ends the stream.
pub struct InPodAnswer {
    pub status: u16,
    /// The headers in the order received. Bytes that are not UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    body: Incoming,
    received: u64,
    patience: Duration,
    /// The deadline of the whole body. `None`: only the time between two chunks is limited.
    end: Option<tokio::time::Instant>,
    line: Line,
    place: Place,
}

impl InPodAnswer {
    /// The first header of this name, ignoring case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// Whether the status is 2xx.
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Sets a deadline for the body as a whole: a body without an end may never pause long enough to time out.
    #[must_use]
    pub fn under_deadline(mut self) -> Self {
        self.end = tokio::time::Instant::now().checked_add(self.patience);
        self
    }

    /// The next chunk of the body; `None` at its end.
    ///
    /// # Errors
    /// The stream was cut off, or nothing came within the timeout.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ForwardFailure> {
        loop {
            let received = Some(self.received);
            let left = self.end.map_or(self.patience, |end| end.saturating_duration_since(tokio::time::Instant::now()));
            if left.is_zero() {
                // A frame that has arrived is returned even after the deadline, so the deadline is checked first.
                return Err(self.place.failure(ForwardCause::Timeout { after: self.patience, received }));
            }
            let frame = match timeout(left.min(self.patience), self.body.frame()).await {
                Ok(None) => return Ok(None),
                Ok(Some(Ok(frame))) => frame,
                Ok(Some(Err(_))) => return Err(self.place.failure(self.line.cut(received))),
                Err(_) => return Err(self.place.failure(ForwardCause::Timeout { after: self.patience, received })),
            };
            if let Ok(data) = frame.into_data() {
                self.received = self.received.saturating_add(data.len() as u64);
                return Ok(Some(data));
            }
        }
    }

    /// The whole body, if it is not larger than `most` bytes.
    ///
    /// # Errors
    /// The body is larger, it was cut off, or it did not end in time.
    pub async fn collect(self, most: usize) -> Result<Vec<u8>, ForwardFailure> {
        let mut answer = self.under_deadline();
        let mut whole = Vec::new();
        while let Some(chunk) = answer.chunk().await? {
            if chunk.len() > most.saturating_sub(whole.len()) {
                return Err(answer.place.failure(ForwardCause::TooLong { most }));
            }
            whole.extend_from_slice(&chunk);
        }
        Ok(whole)
    }

    /// Returns the answer if its status is 2xx.
    ///
    /// # Errors
    /// Any other status, with the first line of the body.
    pub async fn or_failure(self) -> Result<Self, ForwardFailure> {
        if self.is_success() {
            return Ok(self);
        }
        let (status, place) = (self.status, self.place.clone());
        let text = self.collect(MOST_COLLECTED).await.unwrap_or_default();
        Err(place.failure(ForwardCause::status(status, &text)))
    }
}

impl Session {
    /// Sends a request to a port of a pod and returns the head of the answer.
    ///
    /// Opening the stream changes nothing, so that is retried. The request itself is retried only if it only reads, and
    /// only before its answer has begun.
    ///
    /// # Errors
    /// Why no answer came.
    pub async fn ask_in_pod(
        &self,
        namespace: &str,
        pod: &str,
        port: u16,
        ask: &InPod,
    ) -> Result<InPodAnswer, ForwardFailure> {
        let place = Place { namespace: namespace.to_owned(), pod: pod.to_owned(), port };
        let request = ask.request().map_err(|cause| place.failure(cause))?;
        let patience = ask.patience.unwrap_or(self.wire().timeout);
        let begun = Instant::now();
        let mut attempt = 0;
        loop {
            attempt += 1;
            let left = patience.saturating_sub(begun.elapsed());
            let asking = place.ask(self.wire(), request.clone(), patience, attempt);
            let cause = match timeout(left, asking).await {
                Ok(Ok(answer)) => return Ok(answer),
                Ok(Err(cause)) => cause,
                Err(_) => ForwardCause::Timeout { after: patience, received: None },
            };
            let Some(pause) = again(&cause, ask.only_reads(), attempt) else { return Err(place.failure(cause)) };
            if outlasts(begun.elapsed(), pause, patience) {
                return Err(place.failure(cause));
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// The body of `GET path` on a port of a pod, such as Envoy's admin port. The limit is 8 MiB.
    ///
    /// # Errors
    /// Why there is no body. A status other than 2xx is an error.
    pub async fn get_in_pod(
        &self,
        namespace: &str,
        pod: &str,
        port: u16,
        path: &str,
    ) -> Result<Vec<u8>, ForwardFailure> {
        let answer = self.ask_in_pod(namespace, pod, port, &InPod::get(path)).await?;
        answer.or_failure().await?.collect(MOST_COLLECTED).await
    }
}

/// The pause before the next attempt; `None` for no further attempt.
fn again(cause: &ForwardCause, only_reads: bool, attempt: u32) -> Option<Duration> {
    // A failure of the request inside the stream is treated like an answer of the API server that was cut off.
    let cut = ApiCause::Unreachable { why: String::new(), sent: true };
    let pause = |cause: &ApiCause, reading| pause(cause, reading, attempt, RequestTarget::Unknown);
    match cause {
        ForwardCause::Api(ApiCause::Server { .. }) => pause(&cut, true),
        ForwardCause::Api(cause) => pause(cause, true),
        ForwardCause::Cut { received: None } => pause(&cut, only_reads),
        _ => None,
    }
}

/// A port of a pod.
#[derive(Debug, Clone)]
struct Place {
    namespace: String,
    pod: String,
    port: u16,
}

impl Place {
    fn failure(&self, cause: ForwardCause) -> ForwardFailure {
        ForwardFailure { namespace: self.namespace.clone(), pod: self.pod.clone(), port: self.port, cause }
    }

    async fn ask(
        &self,
        wire: &Wire,
        request: Request<Full<Bytes>>,
        patience: Duration,
        attempt: u32,
    ) -> Result<InPodAnswer, ForwardCause> {
        let begun = Instant::now();
        let (method, path) = (request.method().clone(), request.uri().to_string());
        let answer = self.exchange(wire, request, patience).await;
        if let Some(trace) = &wire.trace {
            let Self { namespace, pod, port } = self;
            trace(&Exchange {
                method: method.as_str(),
                path: &format!("{namespace}/{pod}:{port}{path}"),
                status: answer.as_ref().ok().map(|answer| answer.status),
                took: begun.elapsed(),
                attempt,
            });
        }
        answer
    }

    async fn exchange(
        &self,
        wire: &Wire,
        request: Request<Full<Bytes>>,
        patience: Duration,
    ) -> Result<InPodAnswer, ForwardCause> {
        let (mut line, stream) = self.open(wire).await?;
        let shaken = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = shaken.map_err(|_| line.cut(None))?;
        line.driver = Some(tokio::spawn(connection));
        let sending = sender.send_request(request);
        let answer = tokio::select! {
            biased;
            Some(complaint) = &mut line.port.complaint => return Err(refused_by_kubelet(&complaint)),
            answer = sending => answer,
        };
        let answer = answer.map_err(|error| match error.is_parse() {
            true => ForwardCause::NotHttp,
            false => line.cut(None),
        })?;
        let (head, body) = answer.into_parts();
        let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        Ok(InPodAnswer {
            status: head.status.as_u16(),
            headers: head.headers.iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            body,
            received: 0,
            patience,
            end: None,
            line,
            place: self.clone(),
        })
    }

    async fn open(&self, wire: &Wire) -> Result<(Line, DuplexStream), ForwardCause> {
        let mut renewed = false;
        loop {
            let plugin = |failure| ForwardCause::Api(ApiCause::Credentials(Box::new(failure)));
            let header = wire.bearer.header().await.map_err(plugin)?;
            match self.stream(wire, header.clone()).await {
                Err(ForwardCause::Api(ApiCause::Unauthorized)) if !renewed => {
                    renewed = true;
                    if !wire.bearer.renew(header.as_ref()).await.map_err(plugin)? {
                        return Err(ForwardCause::Api(ApiCause::Unauthorized));
                    }
                }
                Err(cause) => return Err(cause),
                Ok((port, stream)) => return Ok((Line { port, driver: None }, stream)),
            }
        }
    }

    async fn stream(
        &self,
        wire: &Wire,
        header: Option<HeaderValue>,
    ) -> Result<(PortStream, DuplexStream), ForwardCause> {
        for verb in ["get", "create"] {
            let (namespace, name) = (&self.namespace, &self.pod);
            wire.hold(Attributes { verb, group: "", resource: RESOURCE, namespace, name });
        }
        let inner = wire.client.clone();
        let with_login = tower::service_fn(move |mut request: Request<::kube::client::Body>| {
            if let Some(header) = &header {
                request.headers_mut().insert(AUTHORIZATION, header.clone());
            }
            let inner = inner.clone();
            async move { inner.send(request).await }
        });
        let client = ::kube::Client::new(with_login, &self.namespace);
        let opened = PortStream::open(&client, &self.namespace, &self.pod, self.port).await;
        opened.map_err(|error| refused_by_server(&error, &self.namespace))
    }
}

/// The tasks that keep a stream open.
struct Line {
    port: PortStream,
    driver: Option<JoinHandle<Result<(), hyper::Error>>>,
}

impl Line {
    /// Why the stream ended. The kubelet's message arrives before the end of the stream that it explains.
    fn cut(&mut self, received: Option<u64>) -> ForwardCause {
        match (&mut self.port.complaint).now_or_never().flatten() {
            Some(complaint) if received.is_none() => refused_by_kubelet(&complaint),
            _ => ForwardCause::Cut { received },
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        if let Some(driver) = &self.driver {
            driver.abort();
        }
    }
}
