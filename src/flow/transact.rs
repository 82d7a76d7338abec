//! Steps made as one: said as they are made, waited for, and taken back where one fails.

use std::time::Duration;

use jiff::Timestamp;

use super::interrupt::{Interrupts, interrupted};
use super::report::Report;
use crate::apply::caught::caught;
use crate::apply::transaction::{self, Done, Step, Undone, Unmade};
use crate::command::{Hint, kubectl};
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
    pub stop: &'t Interrupts,
    /// How the same state is left by hand, should the rollback fail.
    pub way_back: Hint,
    done: Vec<(Done, String)>,
}

impl<'t> Transaction<'t> {
    /// A transaction that has done nothing yet.
    pub fn new(session: &'t Session, stop: &'t Interrupts, way_back: Hint) -> Self {
        Self { session, stop, way_back, done: Vec::new() }
    }

    /// Does the work of the transaction; a panic rolls back, and so does a signal that came before its end.
    ///
    /// # Errors
    /// Those of the work, which has rolled back by itself, or why it was rolled back here.
    pub async fn whole(
        &mut self,
        report: &mut Report<'_>,
        work: impl AsyncFnOnce(&mut Self, &mut Report<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match caught(work(self, report)).await {
            Ok(Ok(())) if self.stop.is_set() => Err(self.undo(interrupted(), report).await),
            Ok(ended) => ended,
            Err(panicked) => Err(self.undo(panicked.into_failure(), report).await),
        }
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
                    Some(command) => failure.hint(kubectl(command).value(short).with("-n", &workload.namespace)),
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
        transaction::failure(cause, &undone, self.way_back.clone())
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

/// What the pods of a rollout say that did not end well.
pub fn not_ready(workload: &str, stuck: Stuck) -> Failure {
    let Stuck { ready, wanted, took, complaints, served } = stuck;
    let mut failure = Failure::new(
        Exit::Failed,
        Reason::Rollout,
        format!("{workload} did not become ready ({ready} of {wanted} new, {})", seconds(took)),
    );
    failure.hints = hints(&complaints).into_iter().map(Hint::from).collect();
    failure.details = complaints;
    match served {
        Some(fewest) if fewest >= wanted => {
            failure.detail(format!("old pods served all the time ({fewest} of {wanted} ready)"))
        }
        Some(fewest) => failure.detail(format!("meanwhile as few as {fewest} of {wanted} pods served")),
        None => failure.detail("whether the old pods served is unknown"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use serde_json::json;

    use super::*;
    use crate::kube::{Environment, Target};
    use crate::model::kinds;
    use crate::options::{Format, Loudness, When};
    use crate::ui::Ui;

    /// A write that was made on a server that does not answer any more.
    fn made() -> (Done, String) {
        let object = json!({"metadata": {"namespace": "shop", "name": "default", "uid": "u"}});
        let object = Object::new(&kinds::PEER_AUTHENTICATION, object);
        (Done { step: Step::create(object.clone()), after: object }, "made".to_owned())
    }

    fn ends(done: Vec<(Done, String)>, stop: &Interrupts, work: impl AsyncFnOnce() -> Result<(), Failure>) -> Failure {
        let mut kubeconfig = tempfile::NamedTempFile::new().unwrap();
        let config = "{apiVersion: v1, kind: Config, current-context: c, \
            clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], \
            contexts: [{name: c, context: {cluster: c, user: u}}], users: [{name: u, user: {}}]}";
        kubeconfig.write_all(config.as_bytes()).unwrap();
        let environment = Environment::of([("KUBECONFIG".to_owned(), kubeconfig.path().display().to_string())]);
        let target = Target { timeout: Duration::from_millis(1), ..Target::new(environment) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let session = Session::open(&target, None).await.unwrap();
            let mut ui = Ui::new(When::Never, Loudness::Quiet);
            let mut report = Report::new(&mut ui, &[], Format::Text);
            let mut transaction = Transaction { session: &session, stop, way_back: "again".into(), done };
            transaction.whole(&mut report, async |_, _| work().await).await.unwrap_err()
        })
    }

    #[test]
    fn a_panic_between_two_writes_rolls_back_and_says_what_remains() {
        let none = Interrupts::none();
        let nothing = ends(Vec::new(), &none, async || panic!("before the first write"));
        assert_eq!((nothing.exit, nothing.reason), (Exit::Failed, Reason::Bug));
        assert_eq!(nothing.details, ["nothing was changed"]);
        let remains = ends(vec![made()], &none, async || panic!("between two writes"));
        assert_eq!((remains.exit, remains.reason), (Exit::HalfDone, Reason::HalfDone));
        assert_eq!(remains.details[0], "NOT fully rolled back");
        assert!(remains.details[1].contains("default  still changed: "), "{remains:?}");
        assert!(remains.hints.iter().any(|hint| hint.to_string().contains("report it")), "{remains:?}");
    }

    #[test]
    fn a_signal_before_the_end_rolls_back() {
        let stop = Interrupts::after(1);
        let interrupted = ends(Vec::new(), &stop, async || Ok(()));
        assert_eq!((interrupted.exit, interrupted.reason), (Exit::Interrupted, Reason::Interrupted));
        assert_eq!(ends(vec![made()], &stop, async || Ok(())).exit, Exit::HalfDone);
    }
}
