//! What the parts of a run share: the session, the pace and the completed writes.

use std::time::Duration;

use crate::apply::transaction::{self, Done, Undone};
use crate::error::{Exit, Failure};
use crate::flow::execute;
use crate::flow::interrupt::Interrupts;
use crate::flow::report::Report;
use crate::kube::Session;
use crate::model::ObjectRef;
use crate::plan::outcome::{Outcome, Row};
use crate::render::text;

/// The hint after a failure.
pub(super) const AGAIN: &str = "run the same command again to continue from this state";

/// The limits for restarting workloads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// Number of workloads restarted at the same time.
    pub parallel: usize,
    /// Timeout of each rollout.
    pub patience: Duration,
}

/// What all namespaces of a run have in common.
pub(super) struct Run<'r> {
    pub session: &'r Session,
    pub stop: &'r Interrupts,
    /// `None` if only labels are written.
    pub pace: Option<Pace>,
    /// The value of the `restartedAt` annotation.
    pub now: &'r str,
}

/// What was written for one namespace and remains.
#[derive(Debug, Default)]
pub(super) struct MadeInNamespace {
    pub label: Option<Done>,
    pub restarted: Vec<Done>,
    /// Failures to verify changes that remain.
    pub unconfirmed: Vec<Failure>,
}

impl MadeInNamespace {
    /// The changes that remain, one per line.
    pub(super) fn shown(&self) -> Vec<String> {
        let mut shown = Vec::new();
        let stays = |done: &Done| format!("{} stays {}", done.change.before.reference, done.change.message);
        shown.extend(self.label.iter().map(stays));
        let restarted = text::count(self.restarted.len(), "workload");
        shown.extend((!self.restarted.is_empty()).then(|| format!("{restarted} restarted")));
        shown
    }

    /// Records the changes that remain and returns those that could not be verified.
    pub(super) fn finish(self, report: &mut Report<'_>) -> Vec<Failure> {
        for Done { change, .. } in self.label.into_iter().chain(self.restarted) {
            report.record(Row::answer(change.before.reference, Outcome::Changed, change.message));
        }
        self.unconfirmed
    }

    /// What was written. A rollback begins with the label, so that the new pods are as they were before.
    pub(super) fn written(&self) -> Vec<Done> {
        self.restarted.iter().chain(&self.label).cloned().collect()
    }

    /// Rolls back all of it.
    pub(super) async fn undo(self, session: &Session) -> Vec<(ObjectRef, Undone)> {
        transaction::roll_back(session, &self.written()).await
    }
}

/// Reports a write that was rolled back. The row has the cause of the rollback as its details.
pub(super) fn say_undone(object: &ObjectRef, state: &Undone, cause: &Failure, report: &mut Report<'_>) {
    let row = execute::say_undone(object, state, cause.reason, report);
    let exit = if *state == Undone::Back { Exit::Failed } else { row.exit };
    let details = std::iter::once(&cause.message).chain(&cause.details).cloned().collect();
    report.record(Row { details, exit, ..row });
}
