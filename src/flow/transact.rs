//! Steps made as one: said as they are made, waited for, and taken back where one fails.

use std::time::Duration;

use jiff::Timestamp;

use super::interrupt::Stop;
use super::report::Report;
use crate::apply::transaction::{self, Done, Step, Undone, Unmade};
use crate::error::{Exit, Failure, Reason};
use crate::kube::Session;
use crate::model::{Object, ObjectRef};
use crate::plan::outcome::{Outcome, Row};
use crate::plan::rollout::hints;
use crate::render::text::seconds;
use crate::verify::rollout::{self, Ended, Stuck};

/// A step and how it is said.
#[derive(Debug, Clone)]
pub struct Said {
    pub step: Step,
    /// `patched`, `unchanged`, `patched (revision 1-27 -> 1-28)`
    pub message: String,
}

/// One transaction under way.
pub struct Transaction<'t> {
    pub session: &'t Session,
    pub stop: &'t Stop,
    /// How the same state is left by hand, should the rollback fail.
    pub way_back: &'t str,
    done: Vec<(Done, String)>,
}

impl<'t> Transaction<'t> {
    /// A transaction that has done nothing yet.
    pub fn new(session: &'t Session, stop: &'t Stop, way_back: &'t str) -> Self {
        Self { session, stop, way_back, done: Vec::new() }
    }

    /// Makes the steps in their order; a step without edits is said and not sent.
    ///
    /// # Errors
    /// Why not all could be made; those that were are taken back.
    pub async fn make(&mut self, steps: &[Said], report: &mut Report<'_>) -> Result<(), Failure> {
        for Said { step, message } in steps {
            if self.stop.is_set() {
                return Err(self.undo(interrupted(), report).await);
            }
            if step.edits.is_empty() {
                report.line(&format!("{} {message}", step.before.reference));
                report.record(Row::answer(step.before.reference.clone(), Outcome::Unchanged, message.as_str()));
                continue;
            }
            match transaction::make(self.session, step.clone()).await {
                Ok(done) => {
                    report.line(&format!("{} {message}", step.before.reference));
                    self.done.push((done, message.clone()));
                }
                Err(Unmade { error, perhaps }) => {
                    let failure = error.into_failure(self.session);
                    match perhaps {
                        Some(done) => self.done.push((done, message.clone())),
                        None => report.record(not_made(step.before.reference.clone(), &failure)),
                    }
                    return Err(self.undo(failure, report).await);
                }
            }
        }
        Ok(())
    }

    /// Whether this object was written.
    pub fn has_written(&self, object: &ObjectRef) -> bool {
        self.done.iter().any(|(done, _)| done.step.before.reference == *object)
    }

    /// This object as it was written.
    pub fn written(&self, object: &ObjectRef) -> Option<&Object> {
        self.done.iter().map(|(done, _)| &done.after).find(|after| after.reference == *object)
    }

    /// Waits for a workload's rollout.
    ///
    /// # Errors
    /// What the pods say; everything was taken back. Or that nobody replaces them, or what
    /// keeps those that an earlier run asked for: everything stands.
    pub async fn wait(
        &mut self,
        workload: &ObjectRef,
        patience: Duration,
        report: &mut Report<'_>,
    ) -> Result<(), Failure> {
        let short = short(workload);
        report.ui.status(&format!("waiting for {short}"));
        let stop = self.stop.clone();
        match rollout::wait(self.session, workload, patience, &|| stop.is_set()).await {
            Ended::Done { pods, took } => {
                report.ui.status(&format!("{short}: {pods} of {pods} pods new and ready ({})", seconds(took)));
                Ok(())
            }
            Ended::Held { why, hint } => {
                let failure = Failure::new(Exit::Unconfirmed, Reason::Rollout, format!("{short} {why}"))
                    .detail("applied, and not confirmed");
                Err(match hint {
                    Some(command) => failure.hint(format!("{command} {short} -n {}", workload.namespace)),
                    None => failure,
                })
            }
            Ended::Interrupted => Err(self.undo(interrupted(), report).await),
            Ended::Failed(stuck) => {
                let failure = not_ready(&short, stuck);
                // Nothing of this run is in its way, so taking back what the run did would not help.
                if !self.has_written(workload) {
                    return Err(Failure { exit: Exit::Unconfirmed, ..failure });
                }
                Err(self.undo(failure, report).await)
            }
        }
    }

    /// Takes everything back and gives the failure that says so.
    pub async fn undo(&mut self, cause: Failure, report: &mut Report<'_>) -> Failure {
        let done: Vec<_> = self.done.drain(..).map(|(done, _)| done).collect();
        if !done.is_empty() {
            report.ui.status("rolling back");
        }
        let undone = transaction::take_back(self.session, &done).await;
        for (object, state) in &undone {
            let (message, exit) = match state {
                Undone::Back => {
                    report.line(&format!("{object} rolled back"));
                    ("rolled back".to_owned(), Exit::RolledBack)
                }
                Undone::Stands(why) => (format!("still changed: {why}"), Exit::HalfDone),
            };
            let row = Row::answer(object.clone(), Outcome::Failed, message);
            report.record(Row { reason: Some(cause.reason), exit, ..row });
        }
        transaction::failure(cause, &undone, self.way_back)
    }

    /// Everything stands: the objects are what was asked for.
    pub fn finish(&mut self, report: &mut Report<'_>) {
        for (done, message) in self.done.drain(..) {
            report.record(Row::answer(done.step.before.reference, Outcome::Changed, message));
        }
    }
}

/// `deployment/gateway-proxy`, as kubectl takes it.
pub fn short(object: &ObjectRef) -> String {
    format!("{}/{}", object.kind.singular, object.name)
}

fn not_made(object: ObjectRef, why: &Failure) -> Row {
    let row = Row::answer(object, Outcome::Failed, why.message.clone());
    Row { reason: Some(why.reason), exit: why.exit, ..row }
}

/// What `restartedAt` is to say. Of two restarts within one second, as kubectl writes it, the second would be none.
pub fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The run was ended from outside.
pub fn interrupted() -> Failure {
    Failure::new(Exit::Interrupted, Reason::Interrupted, "interrupted")
}

/// What the pods of a rollout say that did not end well.
pub fn not_ready(workload: &str, stuck: Stuck) -> Failure {
    let Stuck { ready, wanted, took, complaints, served } = stuck;
    let mut failure = Failure::new(
        Exit::Failed,
        Reason::Rollout,
        format!("{workload} did not become ready ({ready} of {wanted} new, {})", seconds(took)),
    );
    failure.hints = hints(&complaints).into_iter().map(str::to_owned).collect();
    failure.details = complaints;
    match served {
        Some(fewest) if fewest >= wanted => {
            failure.detail(format!("old pods served all the time ({fewest} of {wanted} ready)"))
        }
        Some(fewest) => failure.detail(format!("meanwhile as few as {fewest} of {wanted} pods served")),
        None => failure.detail("whether the old pods served is unknown"),
    }
}
