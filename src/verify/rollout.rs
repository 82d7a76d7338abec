//! Waits for a rollout, and collects what its pods report if it makes no progress.

use std::time::Duration;

use serde_json::Value;
use tokio::time::{Instant, sleep};

use crate::kube::{Query, Scope, Session};
use crate::model::{ObjectRef, kinds};
use crate::plan::labels::workload_selector;
use crate::plan::rollout::{self, Rollout};
use crate::plan::waiting::{Counted, Seen, Watcher};

/// Pause between two checks. Rollouts take seconds.
const PAUSE: Duration = Duration::from_millis(200);

/// Pause between two reads of the reason why pods are missing.
const REASONS: Duration = Duration::from_secs(2);

/// How a rollout ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Ended {
    Done {
        pods: u64,
        took: Duration,
    },
    /// It timed out, gave up, or could not be watched.
    Failed(Stuck),
    /// The pods are not replaced: why, and the command to run.
    Held {
        why: &'static str,
        hint: Option<&'static str>,
    },
    Interrupted,
}

/// A rollout that failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Stuck {
    pub ready: u64,
    pub wanted: u64,
    pub took: Duration,
    /// What pods, containers and events report.
    pub complaints: Vec<String>,
    /// The lowest number of pods that served during the rollout, or `None` if it was never read.
    pub served: Option<u64>,
}

/// Waits until every pod of the workload is new and ready.
pub(crate) async fn wait(
    session: &Session,
    workload: &ObjectRef,
    patience: Duration,
    stopped: &dyn Fn() -> bool,
    watcher: &dyn Watcher,
) -> Ended {
    let begun = Instant::now();
    let mut stuck = Stuck::default();
    let mut told = Told { watcher, reason: String::new(), read: begun };
    loop {
        let out_of_time = begun.elapsed() >= patience;
        stuck.took = begun.elapsed();
        match session.get(workload.kind, &workload.namespace, &workload.name).await {
            Ok(now) => {
                let serving = rollout::serving(&now);
                stuck.served = Some(stuck.served.map_or(serving, |fewest| fewest.min(serving)));
                let gave_up = match rollout::read(&now) {
                    Rollout::Done { pods } => return Ended::Done { pods, took: begun.elapsed() },
                    Rollout::Held { why, hint } => return Ended::Held { why, hint },
                    Rollout::Waiting { ready, wanted } => {
                        (stuck.ready, stuck.wanted) = (ready, wanted);
                        None
                    }
                    Rollout::GaveUp { ready, wanted, message } => {
                        (stuck.ready, stuck.wanted) = (ready, wanted);
                        Some(message)
                    }
                };
                if out_of_time || gave_up.is_some() {
                    stuck.complaints = complaints(session, workload, &now).await;
                    if stuck.complaints.is_empty() {
                        stuck.complaints.extend(gave_up);
                    }
                    return Ended::Failed(stuck);
                }
                told.read_reason(session, workload, &now).await;
                told.tell(&stuck);
            }
            // The API server may answer again before the timeout.
            Err(error) if out_of_time => {
                stuck.complaints = vec![error.into_failure(session).message];
                return Ended::Failed(stuck);
            }
            Err(error) => {
                told.reason = error.into_failure(session).message;
                told.tell(&stuck);
            }
        }
        if stopped() {
            return Ended::Interrupted;
        }
        sleep(PAUSE).await;
    }
}

/// What the watcher of a rollout was told last.
struct Told<'w> {
    watcher: &'w dyn Watcher,
    reason: String,
    /// When the reason was read last; at first, when the wait began.
    read: Instant,
}

impl Told<'_> {
    /// Reads from time to time why pods are missing, if somebody sees it.
    async fn read_reason(&mut self, session: &Session, workload: &ObjectRef, now: &Value) {
        if self.watcher.is_watching() && self.read.elapsed() >= REASONS {
            self.read = Instant::now();
            self.reason = complaints(session, workload, now).await.into_iter().next().unwrap_or_default();
        }
    }

    fn tell(&self, Stuck { ready, wanted, .. }: &Stuck) {
        let counted = Some(Counted { done: *ready, of: *wanted, what: "pods new and ready" });
        self.watcher.sees(&Seen { counted, reason: self.reason.clone() });
    }
}

/// Returns why a workload has too few ready pods: the messages of the pods first, then those of the controllers.
pub(crate) async fn complaints(session: &Session, workload: &ObjectRef, now: &Value) -> Vec<String> {
    let scope = Scope::Namespace(&workload.namespace);
    let mut said = match session.list_all(&kinds::POD, scope, Query::labelled(workload_selector(now))).await {
        Ok(pods) => pods.iter().flat_map(rollout::complaints).collect(),
        Err(error) => vec![error.into_failure(session).message],
    };
    said.extend(rollout::refusals(now));
    let warnings = Query { fields: "type=Warning".to_owned(), ..Query::default() };
    match session.list_all(&kinds::EVENT, scope, warnings).await {
        Ok(events) => said.extend(rollout::events_of(&workload.name, &events)),
        Err(error) => said.push(error.into_failure(session).message),
    }
    said
}
