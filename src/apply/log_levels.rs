//! Raises the log levels of an Envoy for a limited time and resets them.

use std::time::Duration;

use tokio::time::sleep;

use crate::envoy::levels::{self, LevelWish, Levels};
use crate::error::{Exit, Failure, Reason};
use crate::kube::{ApiCause, ForwardCause, ForwardFailure, InPod, Session};
use crate::plan::proxy_pods::ProxyPod;

/// How often a reset is tried, and the pause between. If all fail, the levels remain in the proxy.
const TRIES: u32 = 3;
const PAUSE: Duration = Duration::from_millis(500);
/// Size limit in bytes. A page of loggers has a few kilobytes.
const MOST: usize = 1 << 20;

/// Reads the log levels of a pod's Envoy.
///
/// # Errors
/// They could not be read.
pub(crate) async fn read(session: &Session, pod: &ProxyPod) -> Result<Levels, Failure> {
    let page = post(session, pod, levels::PATH).await.map_err(|failure| failure.into_failure(session))?;
    Levels::parse(&String::from_utf8_lossy(&page)).ok_or_else(|| {
        let message = format!("pod {}/{}: {} does not list Envoy's loggers", pod.namespace, pod.name, levels::PATH);
        Failure::new(Exit::Failed, Reason::InPod, message)
    })
}

/// Sets the levels of `wish`. A request without an answer may have had an effect.
///
/// # Errors
/// A logger does not exist, or a request failed.
pub(crate) async fn set(session: &Session, pod: &ProxyPod, now: &Levels, wish: &LevelWish) -> Result<(), Failure> {
    for path in now.requests(wish)? {
        post(session, pod, &path).await.map_err(|failure| failure.into_failure(session))?;
    }
    Ok(())
}

/// The result of a reset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Back {
    Done,
    /// The pod no longer exists.
    Gone,
    Failed(Failure),
}

/// Resets the levels to `before`.
pub(crate) async fn put_back(session: &Session, pod: &ProxyPod, before: &Levels) -> Back {
    let mut tries = TRIES;
    loop {
        tries -= 1;
        let failure = match post(session, pod, &before.back()).await {
            Ok(_) => return Back::Done,
            Err(failure) if failure.cause == ForwardCause::Api(ApiCause::NotFound) => return Back::Gone,
            Err(failure) => failure,
        };
        if tries == 0 {
            return Back::Failed(failure.into_failure(session));
        }
        sleep(PAUSE).await;
    }
}

async fn post(session: &Session, pod: &ProxyPod, path: &str) -> Result<Vec<u8>, ForwardFailure> {
    let answer = session.ask_in_pod(&pod.namespace, &pod.name, pod.admin_port, &InPod::post(path)).await?;
    answer.or_failure().await?.collect(MOST).await
}
