//! Restarts workloads, a limited number at a time, waits for each rollout and checks its pods.

use std::cell::{Cell, RefCell};

use futures_util::{StreamExt as _, stream};

use super::run::{Pace, Run};
use crate::apply::caught::caught;
use crate::apply::transaction::{self, Done, Undone, Unmade};
use crate::error::{Exit, Failure, Reason};
use crate::flow::execute::{not_ready, short};
use crate::flow::interrupt::interrupted;
use crate::flow::report::Report;
use crate::kube::Session;
use crate::model::{Object, ObjectRef};
use crate::plan::change::Change;
use crate::plan::enrolment::workload::Fate;
use crate::plan::enrolment::{Goal, NamespacePlan};
use crate::plan::outcome::Outcome;
use crate::plan::rollout::{restart, shortfall};
use crate::plan::waiting::{Counted, Seen, Watcher};
use crate::render::text::{self, seconds};
use crate::ui::Progress;
use crate::verify::enrolment::{Proven, prove};
use crate::verify::rollout::{self, Ended};

/// The result of one workload.
pub(super) struct Rolled<'p> {
    pub workload: &'p Object,
    /// The write to it, if there was one.
    pub done: Option<Done>,
    pub end: End,
    /// The result of the rollback, if the write was rolled back at once.
    pub undone: Option<(ObjectRef, Undone)>,
}

/// How the restart of a workload ended.
pub(super) enum End {
    Fine,
    /// The change remains, but its effect is unknown.
    Unconfirmed(Failure),
    Failed(Failure),
}

impl Rolled<'_> {
    /// Why the write must be rolled back, or `None`.
    pub(super) fn failure(&self) -> Option<&Failure> {
        match &self.end {
            End::Failed(failure) => Some(failure),
            End::Fine | End::Unconfirmed(_) => None,
        }
    }
}

/// The restart of a workload, or a change that says it has the wanted state already. `None` if it is skipped.
pub(super) fn change(workload: &Object, fate: &Fate, goal: &Goal, now: &str) -> Option<Change> {
    let shown = |revision: Option<&str>| revision.unwrap_or("no sidecar").to_owned();
    let unchanged = |message: String| Change::new(workload.clone(), Vec::new(), message);
    let short = shortfall(&workload.value).map(|short| format!(" ({short})")).unwrap_or_default();
    Some(match (fate, goal) {
        (Fate::Restart { from, .. }, _) => {
            let from: Vec<_> = from.iter().map(|revision| shown(revision.as_deref())).collect();
            let was = if from.is_empty() { "missing pods".to_owned() } else { from.join(", ") };
            let message = format!("restarted ({was} -> {})", shown(goal.revision()));
            Change::new(workload.clone(), vec![restart(now)], message)
        }
        (Fate::Fits { pods: 0 }, _) => unchanged("has no pods".to_owned()),
        (Fate::Fits { .. }, Goal::Bound(target)) => unchanged(format!("already on {}{short}", target.revision)),
        (Fate::Fits { .. }, Goal::Ambient | Goal::Free) => unchanged(format!("has no sidecar{short}")),
        (Fate::Short { pods, wanted }, _) => unchanged(format!("has only {pods} of {wanted} pods")),
        (Fate::UnderWay, _) => unchanged("already restarted, rollout in progress".to_owned()),
        (Fate::Left(_), _) => return None,
    })
}

/// Restarts the workloads and waits for rollouts in progress. After an interrupt, no further one is started.
pub(super) async fn roll_all<'p>(
    run: &Run<'_>,
    plan: &'p NamespacePlan,
    pace: Pace,
    label_was_there: bool,
    report: &mut Report<'_>,
) -> Vec<Rolled<'p>> {
    // The first successful workload decides that the label remains.
    let label_stays = Cell::new(label_was_there);
    let report = RefCell::new(report);
    let todo: Vec<_> = plan.workloads.iter().filter(|(_, fate)| is_waited_for(fate)).collect();
    let progress = report.borrow_mut().ui.waiting("restarting");
    let rollouts = Rollouts { progress, done: Cell::new(0), of: todo.len() as u64 };
    rollouts.sees(&Seen::default());
    let rolled = stream::iter(todo)
        .take_while(|_| std::future::ready(!run.stop.is_set()))
        .map(|(workload, fate)| roll(run, plan, (workload, fate), pace, &label_stays, (&report, &rollouts)))
        .buffer_unordered(pace.parallel)
        .collect()
        .await;
    report.borrow_mut().ui.end_wait();
    rolled
}

/// The progress of all rollouts of a namespace, in one line.
struct Rollouts {
    progress: Progress,
    done: Cell<u64>,
    of: u64,
}

impl Rollouts {
    fn sees(&self, seen: &Seen) {
        let counted = Some(Counted { done: self.done.get(), of: self.of, what: "workloads" });
        self.progress.sees(&Seen { counted, ..seen.clone() });
    }
}

/// The progress of one of them.
struct OneRollout<'r> {
    all: &'r Rollouts,
    name: &'r str,
}

impl Watcher for OneRollout<'_> {
    fn is_watching(&self) -> bool {
        self.all.progress.is_watching()
    }

    fn sees(&self, seen: &Seen) {
        let (first, reason) = seen.line(self.name, usize::MAX);
        self.all.sees(&Seen { reason: first + &reason, counted: None });
    }
}

fn is_waited_for(fate: &Fate) -> bool {
    matches!(fate, Fate::Restart { .. } | Fate::UnderWay | Fate::Short { .. })
}

async fn roll<'p>(
    run: &Run<'_>,
    plan: &'p NamespacePlan,
    (workload, fate): (&'p Object, &Fate),
    pace: Pace,
    label_stays: &Cell<bool>,
    (report, rollouts): (&RefCell<&mut Report<'_>>, &Rollouts),
) -> Rolled<'p> {
    let mut rolled = Rolled { workload, done: None, end: End::Fine, undone: None };
    let change = change(workload, fate, &plan.goal, run.now).filter(|change| !change.is_already());
    if let Some(change) = change {
        match transaction::make(run.session, change).await {
            Ok(done) => {
                report.borrow_mut().line_about(&workload.reference, &done.change.message, Outcome::Changed);
                rolled.done = Some(done);
            }
            Err(Unmade { error, perhaps }) => {
                rolled.done = perhaps;
                rolled.end = End::Failed(error.into_failure(run.session));
            }
        }
    }
    if rolled.failure().is_none() {
        let waited = caught(wait(run, plan, workload, pace, rolled.done.is_some(), (report, rollouts))).await;
        rollouts.done.set(rollouts.done.get() + 1);
        rollouts.sees(&Seen::default());
        rolled.end = waited.unwrap_or_else(|panicked| End::Failed(Failure::from(panicked)));
    }
    match &rolled.end {
        End::Fine | End::Unconfirmed(_) => label_stays.set(true),
        End::Failed(failure) if failure.exit != Exit::Interrupted => {
            report.borrow_mut().trouble(&failure.message, &failure.details, failure.hints.first().cloned());
            if label_stays.get() {
                rolled.undone = roll_back(run.session, rolled.done.as_ref()).await;
            }
        }
        End::Failed(_) => {}
    }
    rolled
}

/// Rolls back one write.
pub(super) async fn roll_back(session: &Session, done: Option<&Done>) -> Option<(ObjectRef, Undone)> {
    transaction::roll_back(session, done.map(std::slice::from_ref)?).await.pop()
}

/// Waits for a rollout and checks each of its pods.
async fn wait(
    run: &Run<'_>,
    plan: &NamespacePlan,
    workload: &Object,
    pace: Pace,
    is_ours: bool,
    (report, rollouts): (&RefCell<&mut Report<'_>>, &Rollouts),
) -> End {
    let short = short(&workload.reference);
    report.borrow_mut().ui.status(format!("waiting for {short}"));
    let stop = run.stop.clone();
    let failed = |failure: Failure| match is_ours {
        true => End::Failed(failure),
        // This run did not change the workload, so a rollback would not help.
        false => End::Unconfirmed(Failure { exit: Exit::Unconfirmed, ..failure }),
    };
    let watcher = OneRollout { all: rollouts, name: &short };
    let waited = rollout::wait(run.session, &workload.reference, pace.patience, &|| stop.is_set(), &watcher).await;
    let (pods, took) = match waited {
        Ended::Done { pods, took } => (pods, took),
        Ended::Held { why, .. } => {
            return failed(Failure::new(Exit::Failed, Reason::Rollout, format!("{short} {why}")));
        }
        Ended::Interrupted => return End::Failed(interrupted()),
        Ended::Failed(stuck) => return failed(not_ready(workload, stuck)),
    };
    report.borrow_mut().ui.status(format!("{short}: {pods} of {pods} pods new and ready ({})", seconds(took)));
    match prove(run.session, workload, pods, plan.goal.revision()).await {
        Proven::AsWanted(proven) => {
            let pods = text::count(proven, "pod");
            let said = match &plan.goal {
                Goal::Bound(target) => format!("verified: istio-proxy of {} ready in {pods}", target.revision),
                Goal::Ambient | Goal::Free => format!("verified: no sidecar in {pods}"),
            };
            report.borrow_mut().ui.status(&said);
            End::Fine
        }
        Proven::Otherwise(wrong) => {
            let message = format!("{short} was rolled out, but not all of its pods are as requested");
            let failure = Failure::new(Exit::Failed, Reason::Rollout, message);
            failed(wrong.into_iter().fold(failure, Failure::detail))
        }
        Proven::Unknown(failure) => End::Unconfirmed(Failure {
            exit: Exit::Unconfirmed,
            message: format!("{short} was rolled out, but its pods could not be read: {}", failure.message),
            ..failure
        }),
    }
}
