//! Waits until a ztunnel captures the pods of a namespace, or no longer does.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::error::Failure;
use crate::kube::{Query, Scope, Session};
use crate::model::kinds;
use crate::model::names::RUNNING;
use crate::plan::enrolment::{Capturing, captured};

const PAUSE: Duration = Duration::from_millis(200);

/// How the wait ended.
#[derive(Debug)]
pub(crate) enum CaptureState {
    /// Number of pods, which are all as wanted.
    AsWanted(usize),
    /// The pods that are not, after the timeout.
    Otherwise(Vec<String>),
    /// The pods could not be read.
    Unknown(Failure),
    Interrupted,
}

/// Waits until the annotation of every pod is as wanted.
pub(crate) async fn wait(
    session: &Session,
    namespace: &str,
    wanted: Capturing,
    patience: Duration,
    stopped: &dyn Fn() -> bool,
) -> CaptureState {
    let begun = Instant::now();
    loop {
        let running = Query { fields: RUNNING.to_owned(), ..Query::default() };
        let out_of_time = begun.elapsed() >= patience;
        let wrong = match session.list_all(&kinds::POD, Scope::Namespace(namespace), running).await {
            Ok(pods) => match captured::prove(&pods, wanted) {
                Ok(proven) => return CaptureState::AsWanted(proven),
                Err(wrong) => CaptureState::Otherwise(wrong),
            },
            // The API server may answer again before the timeout.
            Err(error) => CaptureState::Unknown(error.into_failure(session)),
        };
        if stopped() {
            return CaptureState::Interrupted;
        }
        if out_of_time {
            return wrong;
        }
        sleep(PAUSE).await;
    }
}
