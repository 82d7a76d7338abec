//! One namespace: its label, then its workloads, so many at once, each waited for and proven.

use std::time::Duration;

use super::roll::roll_all;
use super::settle::settle;
use crate::apply::caught::caught;
use crate::apply::transaction::{self, Done, Step, Undone, Unmade};
use crate::command::gloo_rs;
use crate::error::{Exit, Failure, Reason};
use crate::flow::interrupt::{Interrupts, interrupted};
use crate::flow::report::Report;
use crate::kube::Session;
use crate::model::ObjectRef;
use crate::plan::enrolment::workload::Fate;
use crate::plan::enrolment::{Goal, Plan};
use crate::plan::outcome::{Decision, Outcome, Row};
use crate::render::text;
use crate::verify::enrolment::{Tried, try_pod};

/// What helps after a failure.
pub const AGAIN: &str = "the same command again goes on from this state";

/// How workloads start anew.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// So many at once.
    pub parallel: usize,
    /// For each rollout.
    pub patience: Duration,
}

/// What every namespace of a run has in common.
pub struct Run<'r> {
    pub session: &'r Session,
    pub stop: &'r Interrupts,
    /// None: labels alone.
    pub pace: Option<Pace>,
    /// What `restartedAt` says.
    pub now: &'r str,
}

/// What was written for one namespace and stands, each with how it is said.
#[derive(Debug, Default)]
pub struct Made {
    pub label: Option<(Done, String)>,
    pub restarted: Vec<(Done, String)>,
}

impl Made {
    /// What stands, line by line.
    pub fn shown(&self) -> Vec<String> {
        let mut shown = Vec::new();
        shown.extend(self.label.iter().map(|(done, said)| format!("{} stays {said}", done.step.before.reference)));
        let restarted = text::count(self.restarted.len(), "workload");
        shown.extend((!self.restarted.is_empty()).then(|| format!("{restarted} restarted as asked")));
        shown
    }

    /// Says in the result what stands.
    pub fn finish(self, report: &mut Report<'_>) {
        for (done, message) in self.label.into_iter().chain(self.restarted) {
            report.record(Row::answer(done.step.before.reference, Outcome::Changed, message));
        }
    }

    /// Takes all of it back: the label first, so that the pods which follow are what they were.
    pub async fn undo(self, session: &Session) -> Vec<(ObjectRef, Undone)> {
        let done: Vec<_> = self.restarted.into_iter().chain(self.label).map(|(done, _)| done).collect();
        transaction::take_back(session, &done).await
    }
}

/// What is as wanted already.
pub fn say_unchanged(plan: &Plan, report: &mut Report<'_>) {
    if let Decision::Unchanged { message } = &plan.label {
        report.row(Row::answer(plan.namespace.reference.clone(), Outcome::Unchanged, message.as_str()));
    }
    for (workload, fate) in &plan.workloads {
        let message = match (fate, &plan.goal) {
            (Fate::Fits { pods: 0 }, _) => "has no pods".to_owned(),
            (Fate::Fits { .. }, Goal::Bound(target)) => format!("already on {}", target.revision),
            (Fate::Fits { .. }, Goal::Free) => "has no sidecar".to_owned(),
            (Fate::UnderWay, _) => "restarted before, and under way".to_owned(),
            (Fate::Restart { .. } | Fate::Left(_), _) => continue,
        };
        report.row(Row::answer(workload.reference.clone(), Outcome::Unchanged, message));
    }
}

/// Makes what the plan says.
///
/// # Errors
/// What failed; the failure says what of it was taken back and what stands.
pub async fn make(run: &Run<'_>, plan: &Plan, report: &mut Report<'_>) -> Result<Made, Failure> {
    say_unchanged(plan, report);
    let mut made = Made::default();
    if let Decision::Change { edits, message } = &plan.label {
        let step = Step { before: plan.namespace.clone(), edits: edits.clone() };
        match transaction::make(run.session, step).await {
            Ok(done) => {
                report.line_about(&plan.namespace.reference, message);
                made.label = Some((done, message.clone()));
            }
            Err(Unmade { error, perhaps }) => {
                made.label = perhaps.map(|done| (done, message.clone()));
                let failure = error.into_failure(run.session);
                return Err(back(run, made, failure, report).await);
            }
        }
    }
    let Some(pace) = run.pace else { return Ok(made) };
    if plan.restarts().next().is_some()
        && let Err(failure) = caught(tried(run, plan, report)).await.unwrap_or_else(|it| Err(it.into_failure()))
    {
        return Err(back(run, made, failure, report).await);
    }
    let rolled = roll_all(run, plan, pace, made.label.is_none(), report).await;
    settle(run, plan, made, rolled, report).await
}

/// Tries a pod before any is replaced.
async fn tried(run: &Run<'_>, plan: &Plan, report: &mut Report<'_>) -> Result<(), Failure> {
    let name = &plan.namespace.reference.name;
    let stop = run.stop.clone();
    match try_pod(run.session, name, plan.goal.revision(), &|| stop.is_set()).await {
        _ if run.stop.is_set() => Err(interrupted()),
        Tried::AsWanted => Ok(()),
        Tried::Unknown(advice) => {
            report.advice(advice);
            Ok(())
        }
        Tried::Otherwise(why) => Err(Failure::new(
            Exit::Failed,
            Reason::Rollout,
            format!(
                "new pods of {name} would {}: no workload was restarted",
                match &plan.goal {
                    Goal::Bound(target) => format!("not get the sidecar of {}", target.revision),
                    Goal::Free => "still get a sidecar".to_owned(),
                }
            ),
        )
        .detail(why)
        .hint(gloo_rs("istio revisions").then(" shows whether istiod is ready"))),
    }
}

/// Takes back a label to which nothing has come yet.
async fn back(run: &Run<'_>, made: Made, cause: Failure, report: &mut Report<'_>) -> Failure {
    let undone = made.undo(run.session).await;
    for state in &undone {
        say_undone(state, &cause, report);
    }
    transaction::failure(cause, &undone, AGAIN)
}

/// Says what became of a write that was taken back.
pub fn say_undone((object, state): &(ObjectRef, Undone), cause: &Failure, report: &mut Report<'_>) {
    let (message, exit) = match state {
        Undone::Back => {
            report.line_about(object, "rolled back");
            ("rolled back".to_owned(), Exit::Failed)
        }
        Undone::Stands(why) => (format!("still changed: {why}"), Exit::HalfDone),
    };
    let details = std::iter::once(&cause.message).chain(&cause.details).cloned().collect();
    let row = Row::answer(object.clone(), Outcome::Failed, message);
    report.record(Row { reason: Some(cause.reason), exit, details, ..row });
}
