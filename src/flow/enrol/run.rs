//! What the parts of a run share: its session, its pace, and what it wrote.

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

/// What helps after a failure.
pub(super) const AGAIN: &str = "run the same command again to continue from this state";

/// How workloads start anew.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    /// So many at once.
    pub parallel: usize,
    /// For each rollout.
    pub patience: Duration,
}

/// What every namespace of a run has in common.
pub(super) struct Run<'r> {
    pub session: &'r Session,
    pub stop: &'r Interrupts,
    /// None: labels alone.
    pub pace: Option<Pace>,
    /// What `restartedAt` says.
    pub now: &'r str,
}

/// What was written for one namespace and stands.
#[derive(Debug, Default)]
pub(super) struct MadeInNamespace {
    pub label: Option<Done>,
    pub restarted: Vec<Done>,
    /// What stands, and could not be proven.
    pub unconfirmed: Vec<Failure>,
}

impl MadeInNamespace {
    /// What stands, line by line.
    pub(super) fn shown(&self) -> Vec<String> {
        let mut shown = Vec::new();
        let stays = |done: &Done| format!("{} stays {}", done.change.before.reference, done.change.message);
        shown.extend(self.label.iter().map(stays));
        let restarted = text::count(self.restarted.len(), "workload");
        shown.extend((!self.restarted.is_empty()).then(|| format!("{restarted} restarted")));
        shown
    }

    /// Says in the result what stands, and gives what could not be proven.
    pub(super) fn finish(self, report: &mut Report<'_>) -> Vec<Failure> {
        for Done { change, .. } in self.label.into_iter().chain(self.restarted) {
            report.record(Row::answer(change.before.reference, Outcome::Changed, change.message));
        }
        self.unconfirmed
    }

    /// Rolls all of it back: the label first, so that the pods which follow are what they were.
    pub(super) async fn undo(self, session: &Session) -> Vec<(ObjectRef, Undone)> {
        let done: Vec<_> = self.restarted.into_iter().chain(self.label).collect();
        transaction::roll_back(session, &done).await
    }
}

/// Says what became of a write that was rolled back; what other workloads came to names the run.
pub(super) fn say_undone(object: &ObjectRef, state: &Undone, cause: &Failure, report: &mut Report<'_>) {
    let row = execute::say_undone(object, state, cause.reason, report);
    let exit = if *state == Undone::Back { Exit::Failed } else { row.exit };
    let details = std::iter::once(&cause.message).chain(&cause.details).cloned().collect();
    report.record(Row { details, exit, ..row });
}
