//! The one executor of plans: changes are previewed, or asked about, tried, written, waited for, and rolled back where
//! one fails.

use std::time::Duration;

use jiff::Timestamp;

use super::consent;
use super::interrupt::{Interrupts, UNTOUCHED, interrupted};
use super::notes::Notes;
use super::report::Report;
use super::session::place;
use crate::apply::caught::caught;
use crate::apply::transaction::{self, Done, Undone, Unmade};
use crate::command::{Hint, kubectl};
use crate::error::{Exit, Failure, Reason};
use crate::kube::Session;
use crate::model::ObjectRef;
use crate::options::{DryRunMode, Global, Preview};
use crate::plan::advice::{Advice, Code};
use crate::plan::change::{Change, Settle};
use crate::plan::outcome::{Outcome, Row};
use crate::plan::owner;
use crate::plan::rollout::hints;
use crate::plan::ssl_config::SDS_CLUSTER;
use crate::render::diff::{self, Secrets};
use crate::render::text::seconds;
use crate::verify::rollout::{self, Ended, Stuck};
use crate::verify::sidecars as proof;

/// A plan, or the rows of the objects that keep it from being carried out.
pub(super) type Planned<P> = Result<P, Vec<Row>>;

/// What a command would do, and what it asks before it does.
pub(super) struct Proposal<'p> {
    pub changes: &'p [Change],
    /// `inject changes`
    pub asks: &'p str,
    /// What the user must agree to; empty: nothing is asked.
    pub risks: Vec<String>,
    pub preview: Preview,
    pub secrets: Secrets,
}

/// Whether there is anything to write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begun {
    Previewed,
    Writes,
}

/// Shows the preview that was asked for; else asks, and lets the API server try every change.
///
/// # Errors
/// The user did not agree, or the API server would refuse a change; nothing was written.
pub(super) async fn begin(
    session: &Session,
    proposal: Proposal<'_>,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<Begun, Failure> {
    let Proposal { changes, asks, risks, preview, secrets } = proposal;
    if preview.is_on() {
        show(session, changes, preview, secrets, report).await?;
        return Ok(Begun::Previewed);
    }
    let risks = if changes.iter().all(Change::is_already) { Vec::new() } else { risks };
    consent::ask(asks, &risks, &place(session), global, report).await?;
    // A single write is refused or made; it needs no trial.
    if changes.iter().filter(|change| !change.is_already()).count() > 1 {
        rehearse(session, changes, report).await.map_err(|why| why.detail(UNTOUCHED))?;
    }
    report.interrupts().begin_writes()?;
    Ok(Begun::Writes)
}

async fn show(
    session: &Session,
    changes: &[Change],
    preview: Preview,
    secrets: Secrets,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    if preview.dry_run == Some(DryRunMode::Server) {
        rehearse(session, changes, report).await.map_err(|why| why.detail(UNTOUCHED))?;
    }
    for change in changes {
        let mut row = row_of(change);
        if preview.diff && !change.is_already() {
            row.diff = Some(diff_of(change, secrets)?);
        }
        report.row(row);
    }
    if preview.check && report.count(Outcome::Changed) > 0 {
        report.ends(Exit::WouldChange);
    }
    Ok(())
}

/// The change as a unified diff.
///
/// # Errors
/// An edit leads through something that is not what it should be.
pub(super) fn diff_of(change: &Change, secrets: Secrets) -> Result<String, Failure> {
    let object = &change.before.reference;
    let after = change.after().map_err(|path| {
        Failure::new(Exit::Failed, Reason::Unsafe, format!("{object}: {path} has an unexpected type"))
    })?;
    Ok(diff::live(&object.to_string(), &change.before.value, &after.value, secrets))
}

/// Lets the API server try every change.
///
/// # Errors
/// The first that would fail.
pub(super) async fn rehearse(session: &Session, changes: &[Change], notes: &mut dyn Notes) -> Result<(), Failure> {
    for object in transaction::rehearse(session, changes).await? {
        let what = format!("{object}: a webhook does not support dry run");
        notes.advice(Advice::note(Code::Unknown, what).about(&object));
    }
    Ok(())
}

/// The row of a change that was made, or would be.
pub(super) fn row_of(change: &Change) -> Row {
    let outcome = if change.is_already() { Outcome::Unchanged } else { Outcome::Changed };
    let owner = owner::find(&change.before.value).map(|owner| owner.to_string());
    Row { owner, ..Row::answer(change.before.reference.clone(), outcome, change.message.as_str()) }
}

/// What of a plan stands where it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    Nothing,
    /// It was written, and is as before again.
    RolledBack,
    /// It could not be rolled back whole.
    HalfDone,
    /// All of it stands, and whether it works is not known.
    Unconfirmed,
    /// Some of its objects stand, which is a state of its own.
    Part,
}

/// Why a plan was not carried out, and what of it stands.
#[derive(Debug)]
pub struct Stopped {
    pub why: Failure,
    pub stands: Stands,
    /// How the command says so of itself; a plan of several commands says it of the step.
    closing: Option<&'static str>,
}

impl Stopped {
    /// A plan that failed for this reason, of which so much stands.
    pub fn new(why: Failure, stands: Stands) -> Self {
        Self { why, stands, closing: None }
    }

    /// With one more line.
    #[must_use]
    pub fn detail(self, line: String) -> Self {
        Self { why: self.why.detail(line), ..self }
    }

    /// A plan that was rolled back for this reason.
    pub fn undone(cause: Failure, undone: &[(ObjectRef, Undone)], again: impl Into<Hint>) -> Self {
        let stands = Stands::after(undone);
        let closing = match stands {
            Stands::Nothing => Some(UNTOUCHED),
            Stands::RolledBack => Some("everything is rolled back"),
            _ => None,
        };
        Self { why: transaction::failure(cause, undone, again), stands, closing }
    }
}

impl From<Stopped> for Failure {
    fn from(Stopped { why, closing, .. }: Stopped) -> Self {
        closing.into_iter().fold(why, Self::detail)
    }
}

/// Nothing was written by then.
impl From<Failure> for Stopped {
    fn from(why: Failure) -> Self {
        Self::new(why, Stands::Nothing)
    }
}

/// Changes made as one.
pub(super) struct Transaction<'t> {
    pub session: &'t Session,
    pub stop: &'t Interrupts,
    /// How the same state is left by hand, should the rollback fail.
    pub way_back: Hint,
    /// For each rollout.
    pub patience: Duration,
    done: Vec<Done>,
    /// What a rollback came to, once there was one.
    undone: Option<Vec<(ObjectRef, Undone)>>,
}

impl<'t> Transaction<'t> {
    /// A transaction that has done nothing yet.
    pub(super) fn new(
        session: &'t Session,
        stop: &'t Interrupts,
        way_back: impl Into<Hint>,
        patience: Duration,
    ) -> Self {
        Self { session, stop, way_back: way_back.into(), patience, done: Vec::new(), undone: None }
    }

    /// Writes the changes in their order, each settled before the next, and gives what was written. A panic rolls back,
    /// and so does a signal that came before the end.
    ///
    /// # Errors
    /// Why not all could be made or confirmed, and what stands.
    pub(super) async fn run(mut self, changes: &[Change], report: &mut Report<'_>) -> Result<Vec<Done>, Stopped> {
        let ended = self.whole(report, async |run, report| run.all(changes, report).await).await;
        self.ended(ended, report)
    }

    /// Says what was written and stands.
    fn ended(self, ended: Result<(), Failure>, report: &mut Report<'_>) -> Result<Vec<Done>, Stopped> {
        for done in &self.done {
            report.record(row_of(&done.change));
        }
        match ended {
            Ok(()) => Ok(self.done),
            Err(cause) => Err(match self.undone {
                Some(undone) => Stopped::undone(cause, &undone, self.way_back),
                None if self.done.is_empty() && cause.exit != Exit::Unconfirmed => cause.into(),
                None => Stopped::new(cause, Stands::Unconfirmed),
            }),
        }
    }

    async fn whole(
        &mut self,
        report: &mut Report<'_>,
        work: impl AsyncFnOnce(&mut Self, &mut Report<'_>) -> Result<(), Failure>,
    ) -> Result<(), Failure> {
        match caught(work(self, report)).await {
            Ok(Ok(())) if self.stop.is_set() => Err(self.undo(interrupted(), report).await),
            Ok(ended) => ended,
            Err(panicked) => Err(self.undo(panicked.into(), report).await),
        }
    }

    async fn all(&mut self, changes: &[Change], report: &mut Report<'_>) -> Result<(), Failure> {
        for change in changes {
            self.make(change, report).await?;
            self.settle(change, report).await?;
        }
        Ok(())
    }

    /// Writes one; what is as asked already is said and not sent.
    async fn make(&mut self, change: &Change, report: &mut Report<'_>) -> Result<(), Failure> {
        let object = &change.before.reference;
        if self.stop.is_set() {
            return Err(self.undo(interrupted(), report).await);
        }
        if change.is_already() {
            report.line_about(object, &change.message);
            report.record(row_of(change));
            return Ok(());
        }
        match transaction::make(self.session, change.clone()).await {
            Ok(done) => {
                report.line_about(object, &change.message);
                self.done.push(done);
                Ok(())
            }
            Err(Unmade { error, perhaps }) => {
                let failure = error.into_failure(self.session);
                match perhaps {
                    Some(done) => self.done.push(done),
                    None => report.record(not_made(object.clone(), &failure)),
                }
                Err(self.undo(failure, report).await)
            }
        }
    }

    async fn settle(&mut self, change: &Change, report: &mut Report<'_>) -> Result<(), Failure> {
        let workload = &change.before.reference;
        match change.settle {
            Settle::Nothing => Ok(()),
            Settle::NotWaited => {
                let message = format!("the rollout of {} is not verified", short(workload));
                report.advice(Advice::note(Code::Unknown, message).about(workload));
                Ok(())
            }
            Settle::Rollout => self.wait(workload, report).await,
            Settle::Injected => {
                self.wait(workload, report).await?;
                let said = proof::prove(self.session, &change.before, SDS_CLUSTER).await?;
                report.ui.status(&said.line);
                said.advice.into_iter().for_each(|advice| report.advice(advice));
                Ok(())
            }
        }
    }

    /// Waits for a workload's rollout.
    ///
    /// # Errors
    /// What the pods say; everything was rolled back. Or why the pods are not replaced: everything stands.
    async fn wait(&mut self, workload: &ObjectRef, report: &mut Report<'_>) -> Result<(), Failure> {
        let short = short(workload);
        report.ui.status(&format!("waiting for {short}"));
        let stop = self.stop.clone();
        match rollout::wait(self.session, workload, self.patience, &|| stop.is_set()).await {
            Ended::Done { pods, took } => {
                report.ui.status(&format!("{short}: {pods} of {pods} pods new and ready ({})", seconds(took)));
                Ok(())
            }
            Ended::Held { why, hint } => {
                let failure = Failure::new(Exit::Unconfirmed, Reason::Rollout, format!("{short} {why}"))
                    .detail("applied, not verified");
                Err(match hint {
                    Some(command) => failure.hint(kubectl(command).value(short).with("-n", &workload.namespace)),
                    None => failure,
                })
            }
            Ended::Interrupted => Err(self.undo(interrupted(), report).await),
            Ended::Failed(stuck) => {
                let failure = not_ready(&short, stuck);
                // Nothing of this run is in its way, so a rollback of what the run did would not help.
                if !self.done.iter().any(|done| done.change.before.reference == *workload) {
                    return Err(Failure { exit: Exit::Unconfirmed, ..failure });
                }
                Err(self.undo(failure, report).await)
            }
        }
    }

    /// Rolls everything back and gives the cause.
    async fn undo(&mut self, cause: Failure, report: &mut Report<'_>) -> Failure {
        let done = std::mem::take(&mut self.done);
        if !done.is_empty() {
            report.ui.status("rolling back");
        }
        let undone = transaction::roll_back(self.session, &done).await;
        for (object, state) in &undone {
            let row = say_undone(object, state, cause.reason, report);
            report.record(row);
        }
        self.undone = Some(undone);
        cause
    }
}

impl Stands {
    /// The exit code that says it; `Done` where the failure's own does.
    pub fn exit(self) -> Exit {
        match self {
            Self::Nothing | Self::Part => Exit::Done,
            Self::RolledBack => Exit::RolledBack,
            Self::HalfDone => Exit::HalfDone,
            Self::Unconfirmed => Exit::Unconfirmed,
        }
    }

    /// Of what was rolled back.
    pub fn after(undone: &[(ObjectRef, Undone)]) -> Self {
        match undone {
            [] => Self::Nothing,
            all if all.iter().all(|(_, state)| *state == Undone::Back) => Self::RolledBack,
            _ => Self::HalfDone,
        }
    }
}

/// Says what became of a write that was rolled back, and gives its row.
pub(super) fn say_undone(object: &ObjectRef, state: &Undone, reason: Reason, report: &mut Report<'_>) -> Row {
    let (message, exit) = match state {
        Undone::Back => {
            report.line_about(object, "rolled back");
            ("rolled back".to_owned(), Exit::RolledBack)
        }
        Undone::Stands(why) => (format!("still changed: {why}"), Exit::HalfDone),
    };
    Row { reason: Some(reason), exit, ..Row::answer(object.clone(), Outcome::Failed, message) }
}

/// `deployment/gateway-proxy`, as kubectl takes it.
pub(super) fn short(object: &ObjectRef) -> String {
    format!("{}/{}", object.kind.singular, object.name)
}

fn not_made(object: ObjectRef, why: &Failure) -> Row {
    let row = Row::answer(object, Outcome::Failed, why.message.clone());
    Row { reason: Some(why.reason), exit: why.exit, ..row }
}

/// What `restartedAt` is to say. Of two restarts within one second, as kubectl writes it, the second would be none.
pub(super) fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// What the pods of a rollout say that did not end well.
pub(super) fn not_ready(workload: &str, stuck: Stuck) -> Failure {
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
            failure.detail(format!("old pods kept serving ({fewest} of {wanted} ready)"))
        }
        Some(fewest) => failure.detail(format!("during the rollout only {fewest} of {wanted} pods served at times")),
        None => failure.detail("whether the old pods served is unknown"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use serde_json::json;

    use super::*;
    use crate::kube::{Environment, Target};
    use crate::model::Object;
    use crate::model::kinds;
    use crate::options::{Format, Loudness, When};
    use crate::ui::Ui;

    /// A write that was made on a server that does not answer any more.
    fn made() -> Done {
        let object = json!({"metadata": {"namespace": "shop", "name": "default", "uid": "u"}});
        let object = Object::new(&kinds::PEER_AUTHENTICATION, object);
        Done { change: Change::create(object.clone(), "created"), after: object }
    }

    fn ends(done: Vec<Done>, stop: &Interrupts, work: impl AsyncFnOnce() -> Result<(), Failure>) -> Failure {
        let mut kubeconfig = tempfile::NamedTempFile::new().unwrap();
        let config = "{apiVersion: v1, kind: Config, current-context: c, \
            clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}], \
            contexts: [{name: c, context: {cluster: c, user: u}}], users: [{name: u, user: {}}]}";
        kubeconfig.write_all(config.as_bytes()).unwrap();
        let environment =
            Environment::from_variables([("KUBECONFIG".to_owned(), kubeconfig.path().display().to_string())]);
        let target = Target { timeout: Duration::from_millis(1), ..Target::new(environment) };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let session = Session::open(&target, None).await.unwrap();
            let mut ui = Ui::new(When::Never, Loudness::Quiet);
            let mut report = Report::new(&mut ui, &[], Format::Text);
            let mut transaction = Transaction { done, ..Transaction::new(&session, stop, "again", Duration::ZERO) };
            let ended = transaction.whole(&mut report, async |_, _| work().await).await;
            transaction.ended(ended, &mut report).unwrap_err().into()
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
