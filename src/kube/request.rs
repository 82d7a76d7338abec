//! Sends one request under its deadline, with the rules for retries.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use ::kube::Client;
use ::kube::client::Body;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Method, Request, Response};
use http_body::Body as _;
use http_body_util::BodyExt as _;
use serde_json::Value;
use tokio::sync::{Semaphore, SemaphorePermit};

use super::answer::{self, ApiAnswer, Asked};
use super::credential::Bearer;
use super::failure::ApiCause;
use super::{Exchange, Trace, tls};
use crate::error::Causes;
use crate::model::kinds;
use crate::rights::{Attributes, Needs};

const AGENT: &str = concat!("gloo-rs/", env!("CARGO_PKG_VERSION"));
/// The limit of an answer. An object has at most 1.5 MiB in etcd. A larger page is requested again with fewer objects.
const MAX_BODY: usize = 8 << 20;
/// Answers up to this size are read in parallel; larger ones one at a time.
const SMALL: usize = 128 << 10;
/// The most attempts for a request without an answer, or with an answer that does not say when to try again.
const TRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(1600);

/// A request to send.
pub(super) struct Call<'a> {
    pub method: Method,
    /// The path with the query.
    pub path: String,
    pub accept: &'static str,
    pub body: Option<Payload>,
    pub asked: Asked<'a>,
}

/// The body of a write.
#[derive(Clone)]
pub(super) struct Payload {
    pub bytes: Bytes,
    pub content_type: &'static str,
}

/// Why a call failed, and the errors of the connection below it.
#[derive(Debug)]
pub(super) struct CallFailure {
    pub cause: ApiCause,
    pub causes: Causes,
}

impl CallFailure {
    pub(super) fn of_wire(error: impl std::error::Error + 'static) -> Self {
        Self { cause: tls::cause_of(&error), causes: Causes::from_error(&error) }
    }
}

impl From<ApiCause> for CallFailure {
    fn from(cause: ApiCause) -> Self {
        Self { cause, causes: Causes::default() }
    }
}

/// The client and the state that all requests of a session share.
pub(super) struct Wire {
    pub client: Client,
    pub bearer: Bearer,
    pub timeout: Duration,
    pub trace: Option<Trace>,
    /// What the run has declared. `None`: it is held to nothing.
    pub declared: Option<Needs>,
    pub seen: ServerContact,
    /// Limits the requests at the same time: with HTTP/1.1 each has its own connection.
    pub lanes: Semaphore,
    /// The holder of the permit reads a large answer.
    pub large: Semaphore,
}

/// A complete answer, with the permit to be large if it needs one.
struct Collected<'w> {
    answer: ApiAnswer,
    _large: Option<SemaphorePermit<'w>>,
}

/// Whether the server has answered in this run. If it has, a failed connection is temporary; if not, the server may not
/// exist.
#[derive(Default)]
pub(super) struct ServerContact(AtomicBool);

/// Whether the server of a request is known to exist.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum RequestTarget {
    Unknown,
    Known,
}

impl ServerContact {
    fn note(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn server(&self) -> RequestTarget {
        if self.0.load(Ordering::Relaxed) { RequestTarget::Known } else { RequestTarget::Unknown }
    }
}

impl Wire {
    /// Returns the answer. Retries where that is safe, all under one deadline.
    pub(super) async fn call(&self, call: &Call<'_>) -> Result<Value, CallFailure> {
        let _lane = self.lanes.acquire().await.expect("the lanes are never closed");
        // Every read and write of the program contains this future. On the heap it takes one word there.
        let take = async |response| Ok(read(&self.collected(response).await?.answer, call.asked)?);
        Box::pin(self.tried(call, take)).await
    }

    /// The unread body of an answer with a 2xx status. Any other answer is read and becomes the cause.
    pub(super) async fn open(&self, call: &Call<'_>) -> Result<Body, CallFailure> {
        let body = async |response: Response<Body>| {
            if response.status().is_success() {
                return Ok(response.into_body());
            }
            let answer = self.collected(response).await?.answer;
            let refused = read(&answer, call.asked).err();
            Err(refused.unwrap_or_else(|| ApiCause::BadAnswer(format!("status {}", answer.status))).into())
        };
        Box::pin(self.tried(call, body)).await
    }

    /// Holds the run to its declaration, in a build with debug assertions: what `rbac` prints is all that a command asks.
    pub(super) fn hold(&self, request: Attributes<'_>) {
        let is_declared = |needs: &Needs| is_for_everybody(request) || needs.allow(request);
        debug_assert!(self.declared.as_ref().is_none_or(is_declared), "`rbac` prints no right for {request:?}");
    }

    async fn tried<T>(
        &self,
        call: &Call<'_>,
        take: impl AsyncFn(Response<Body>) -> Result<T, CallFailure>,
    ) -> Result<T, CallFailure> {
        self.hold(call.asked.attributes());
        let start = Instant::now();
        let mut attempt = 0;
        let mut renewed = false;
        loop {
            attempt += 1;
            let left = self.timeout.saturating_sub(start.elapsed());
            let (failure, used) = match self.attempt(call, attempt, left, &take).await {
                Ok(value) => return Ok(value),
                Err(failed) => failed,
            };
            if failure.cause == ApiCause::Unauthorized && !renewed {
                // The server answers 401 before it does anything, so a retry is safe for writes too.
                renewed = true;
                match self.bearer.renew(used.as_ref()).await {
                    Ok(true) => continue,
                    Ok(false) => return Err(failure),
                    Err(failed) => return Err(ApiCause::Credentials(Box::new(failed)).into()),
                }
            }
            let reading = call.method == Method::GET;
            let Some(pause) = pause(&failure.cause, reading, attempt, self.seen.server()) else { return Err(failure) };
            if outlasts(start.elapsed(), pause, self.timeout) {
                return Err(failure);
            }
            tokio::time::sleep(pause).await;
        }
    }

    async fn attempt<T>(
        &self,
        call: &Call<'_>,
        attempt: u32,
        left: Duration,
        take: &impl AsyncFn(Response<Body>) -> Result<T, CallFailure>,
    ) -> Result<T, (CallFailure, Option<HeaderValue>)> {
        let header = match self.bearer.header().await {
            Ok(header) => header,
            Err(failure) => return Err((ApiCause::Credentials(Box::new(failure)).into(), None)),
        };
        let request = call.request(header.as_ref());
        let start = Instant::now();
        let mut status = None;
        let exchange = async {
            let response = self.client.send(request).await.map_err(|error| self.unsent(error))?;
            status = Some(response.status().as_u16());
            self.seen.note();
            take(response).await
        };
        let outcome = tokio::time::timeout(left, exchange).await.unwrap_or_else(|_| Err(self.silent().into()));
        if let Some(trace) = &self.trace {
            trace(&Exchange { method: call.method.as_str(), path: &call.path, status, took: start.elapsed(), attempt });
        }
        outcome.map_err(|failure| (failure, header))
    }

    /// Why a request got no answer: its token could not be renewed, or the connection failed.
    fn unsent(&self, error: ::kube::Error) -> CallFailure {
        match self.bearer.oidc().and_then(|user| user.failure(&error)) {
            Some(failure) => ApiCause::Credentials(Box::new(failure)).into(),
            None => CallFailure::of_wire(error),
        }
    }

    /// Why no answer came in time. The first request waits for the identity provider if the token has expired.
    fn silent(&self) -> ApiCause {
        let user = self.bearer.oidc().filter(|user| user.is_expired() && self.seen.server() == RequestTarget::Unknown);
        match user {
            Some(user) => ApiCause::Credentials(Box::new(user.silent(self.timeout))),
            None => ApiCause::Timeout { after: self.timeout, sent: true },
        }
    }

    /// Reads a whole answer, up to a limit. The chunks are copied on arrival: a chunk keeps its whole receive buffer
    /// alive.
    async fn collected(&self, response: Response<Body>) -> Result<Collected<'_>, CallFailure> {
        let too_large = || Err(ApiCause::TooLarge { most: MAX_BODY }.into());
        let (head, mut body) = response.into_parts();
        let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
        if announced > MAX_BODY {
            return too_large();
        }
        let mut large = None;
        if announced > SMALL {
            large = Some(self.large.acquire().await.expect("it is never closed"));
        }
        // A body that grows is there twice for a moment.
        let mut whole = Vec::with_capacity(announced);
        while let Some(frame) = body.frame().await {
            let Ok(data) = frame.map_err(CallFailure::of_wire)?.into_data() else { continue };
            if data.len() > MAX_BODY - whole.len() {
                return too_large();
            }
            if large.is_none() && whole.len() + data.len() > SMALL {
                large = Some(self.large.acquire().await.expect("it is never closed"));
            }
            whole.extend_from_slice(&data);
        }
        let retry_after = head.headers.get(RETRY_AFTER).and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let status = head.status.as_u16();
        let answer = ApiAnswer { status, retry_after: retry_after.map(Duration::from_secs), body: whole };
        Ok(Collected { answer, _large: large })
    }
}

/// Whether Kubernetes allows the request to every authenticated user: the version, and questions about oneself.
fn is_for_everybody(request: Attributes<'_>) -> bool {
    request.resource.is_empty() || request.resource == kinds::ACCESS_REVIEW.plural
}

/// Interprets an answer. A 503 keeps its `Retry-After`: only with that header may a write be sent again.
fn read(answer: &ApiAnswer, asked: Asked<'_>) -> Result<Value, ApiCause> {
    match answer::read(answer, asked) {
        Err(ApiCause::Server { status: 503, .. }) if answer.retry_after.is_some() => {
            Err(ApiCause::Throttled { after: answer.retry_after })
        }
        other => other,
    }
}

/// The pause before the request is sent again; `None` for never. The deadline is not considered here.
///
/// A write whose answer is missing is not sent again: it may have been made. If the connection was never established,
/// or the server says to try again, the write was not made. A server that has answered before is waited for.
pub(super) fn pause(cause: &ApiCause, reading: bool, attempt: u32, server: RequestTarget) -> Option<Duration> {
    let own = (FIRST_PAUSE * 4_u32.pow(attempt.saturating_sub(1).min(TRIES))).min(LONGEST_PAUSE);
    let is_left = attempt < TRIES;
    match cause {
        ApiCause::Throttled { after: Some(after) } => Some(FIRST_PAUSE.max(*after)),
        ApiCause::Unreachable { sent: false, .. } => (is_left || server == RequestTarget::Known).then_some(own),
        ApiCause::Throttled { after: None } => is_left.then_some(own),
        ApiCause::Server { status: 503, .. } | ApiCause::Unreachable { sent: true, .. } => {
            (reading && is_left).then_some(own)
        }
        _ => None,
    }
}

/// Whether a pause would end after the deadline. A server may ask for any number of seconds.
pub(super) fn outlasts(elapsed: Duration, pause: Duration, deadline: Duration) -> bool {
    elapsed.saturating_add(pause) >= deadline
}

impl Call<'_> {
    fn request(&self, authorization: Option<&HeaderValue>) -> Request<Body> {
        let bytes = self.body.as_ref().map(|body| body.bytes.clone());
        let mut request = Request::new(bytes.map_or_else(Body::empty, Body::from));
        *request.method_mut() = self.method.clone();
        *request.uri_mut() = self.path.parse().expect("a path of constants and percent-encoded names is a URI");
        let headers = request.headers_mut();
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        headers.insert(ACCEPT, HeaderValue::from_static(self.accept));
        if let Some(body) = &self.body {
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(body.content_type));
        }
        if let Some(value) = authorization {
            headers.insert(AUTHORIZATION, value.clone());
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn throttled(after: Option<u64>) -> ApiCause {
        ApiCause::Throttled { after: after.map(Duration::from_secs) }
    }

    fn unreachable(sent: bool) -> ApiCause {
        ApiCause::Unreachable { why: String::new(), sent }
    }

    #[test]
    fn a_write_is_sent_again_only_if_it_cannot_have_been_made() {
        let again = |cause: &ApiCause, reading| pause(cause, reading, 1, RequestTarget::Known).is_some();
        let busy = ApiCause::Server { status: 503, message: String::new() };
        let broken = ApiCause::Server { status: 500, message: String::new() };
        let table = [
            (throttled(Some(2)), true, true),
            (throttled(None), true, true),
            (unreachable(false), true, true),
            (unreachable(true), true, false),
            (busy, true, false),
            (broken, false, false),
            (ApiCause::Timeout { after: Duration::ZERO, sent: true }, false, false),
            (ApiCause::Conflict, false, false),
            (ApiCause::Invalid(String::new()), false, false),
            (ApiCause::Tls(super::super::failure::TlsFault::Expired), false, false),
        ];
        for (cause, read, write) in table {
            assert_eq!(again(&cause, true), read, "{cause:?}");
            assert_eq!(again(&cause, false), write, "{cause:?}");
        }
    }

    #[test]
    fn tries_are_counted_and_the_server_is_taken_at_its_word() {
        let pause = |cause: &ApiCause, attempt| pause(cause, true, attempt, RequestTarget::Known);
        assert_eq!(pause(&throttled(Some(7)), 1), Some(Duration::from_secs(7)));
        assert_eq!(pause(&throttled(Some(0)), 100), Some(Duration::from_millis(100)));
        assert_eq!(pause(&throttled(None), 3), None);
        assert_eq!(pause(&unreachable(true), 1), Some(Duration::from_millis(100)));
        assert_eq!(pause(&unreachable(true), 2), Some(Duration::from_millis(400)));
        assert_eq!(pause(&unreachable(true), 3), None);
    }

    #[test]
    fn a_pause_of_any_length_is_compared_with_the_deadline() {
        let (second, deadline) = (Duration::from_secs(1), Duration::from_secs(30));
        assert!(outlasts(second, Duration::MAX, deadline));
        assert!(outlasts(second, Duration::from_secs(u64::MAX), deadline));
        assert!(outlasts(second, Duration::from_secs(29), deadline));
        assert!(!outlasts(second, Duration::from_secs(28), deadline));
    }

    #[test]
    fn only_a_server_that_was_there_is_waited_for() {
        let refused = unreachable(false);
        assert_eq!(pause(&refused, false, 3, RequestTarget::Unknown), None);
        assert_eq!(pause(&refused, false, 3, RequestTarget::Known), Some(Duration::from_millis(1600)));
        assert_eq!(pause(&refused, false, 100, RequestTarget::Known), Some(Duration::from_millis(1600)));
    }
}
