//! Streams a container's log from the log endpoint of the API server.

use std::time::Duration;

use ::kube::client::Body;
use bytes::Bytes;
use http::Method;
use http_body_util::BodyExt as _;

use super::Session;
use super::answer::Asked;
use super::encoding::encode;
use super::failure::{ApiCause, ApiError, Verb};
use super::request::{Call, CallFailure};
use crate::model::kinds;

/// The resource as RBAC names it.
const RESOURCE: &str = "pods/log";

/// The container whose log is read, and which part of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogQuery {
    pub container: String,
    /// Keeps the stream open for new lines.
    pub follow: bool,
    pub since: Option<Since>,
    /// Only this many last lines.
    pub tail: Option<u64>,
    /// Begins each line with its time in RFC 3339 and a space.
    pub timestamps: bool,
}

/// The start of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Since {
    /// This long ago; fractions of a second are ignored.
    Ago(Duration),
    /// A time in RFC 3339; fractions of a second are ignored.
    Time(String),
}

impl LogQuery {
    fn path(&self, namespace: &str, pod: &str) -> String {
        let (namespace, pod) = (encode(namespace), encode(pod));
        let mut query = vec![format!("container={}", encode(&self.container))];
        query.extend(self.follow.then(|| "follow=true".to_owned()));
        query.extend(self.since.as_ref().map(|since| match since {
            // The server refuses zero, so less than one second becomes one second.
            Since::Ago(time) => format!("sinceSeconds={}", time.as_secs().max(1)),
            Since::Time(time) => format!("sinceTime={}", encode(time)),
        }));
        query.extend(self.tail.map(|lines| format!("tailLines={lines}")));
        query.extend(self.timestamps.then(|| "timestamps=true".to_owned()));
        format!("/api/v1/namespaces/{namespace}/pods/{pod}/log?{}", query.join("&"))
    }
}

/// A log as a stream. Dropping it ends the stream.
pub struct Log {
    body: Body,
    /// The timeout between two chunks. `None` for a followed log, which may be silent for any time.
    patience: Option<Duration>,
    namespace: String,
    pod: String,
}

impl Log {
    /// The next chunk, which may end in the middle of a line; `None` at the end.
    ///
    /// # Errors
    /// The connection was lost, or nothing came within the timeout.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, ApiError> {
        loop {
            let frame = self.body.frame();
            let frame = match self.patience {
                None => frame.await,
                Some(after) => match tokio::time::timeout(after, frame).await {
                    Ok(frame) => frame,
                    Err(_) => {
                        return Err(failed(&self.namespace, &self.pod, ApiCause::Timeout { after, sent: true }.into()));
                    }
                },
            };
            match frame {
                None => return Ok(None),
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        return Ok(Some(data));
                    }
                }
                Some(Err(error)) => return Err(failed(&self.namespace, &self.pod, CallFailure::of_wire(error))),
            }
        }
    }
}

impl Session {
    /// Starts to read a container's log. The timeout is for the start, and for each pause unless the log is followed.
    ///
    /// # Errors
    /// Why the log could not be read.
    pub async fn log(&self, namespace: &str, pod: &str, query: &LogQuery) -> Result<Log, ApiError> {
        let asked = Asked { verb: "get", group: "", plural: RESOURCE, namespace, name: pod };
        let path = query.path(namespace, pod);
        let call = Call { method: Method::GET, path, accept: "*/*", body: None, asked };
        let body = self.wire().open(&call).await.map_err(|failure| failed(namespace, pod, failure))?;
        let patience = (!query.follow).then(|| self.timeout());
        Ok(Log { body, patience, namespace: namespace.to_owned(), pod: pod.to_owned() })
    }
}

fn failed(namespace: &str, pod: &str, failure: CallFailure) -> ApiError {
    let CallFailure { cause, causes } = failure;
    let (namespace, name) = (namespace.to_owned(), pod.to_owned());
    ApiError { verb: Verb::Get, kind: Some(&kinds::POD), namespace, name, cause, causes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_asked_for_is_in_the_path() {
        let plain =
            LogQuery { container: "gateway-proxy".into(), follow: false, since: None, tail: None, timestamps: false };
        assert_eq!(plain.path("a", "p"), "/api/v1/namespaces/a/pods/p/log?container=gateway-proxy");
        let all = LogQuery {
            follow: true,
            since: Some(Since::Ago(Duration::from_millis(90_500))),
            tail: Some(0),
            timestamps: true,
            ..plain.clone()
        };
        assert!(all.path("a", "p").ends_with("&follow=true&sinceSeconds=90&tailLines=0&timestamps=true"));
        let time = Since::Time("2026-11-23T08:00:00+01:00".into());
        let again = LogQuery { since: Some(time), ..plain.clone() };
        assert!(again.path("a", "p").ends_with("&sinceTime=2026-11-23T08%3A00%3A00%2B01%3A00"));
        let odd = LogQuery { container: "a&follow=true".into(), ..plain };
        assert!(
            odd.path("a/b", "../p").starts_with("/api/v1/namespaces/a%2Fb/pods/..%2Fp/log?container=a%26follow%3Dtrue")
        );
    }
}
