//! The executor of plans. It previews changes, or asks for confirmation, tries them as a dry run, writes them and waits
//! for rollouts. If one fails, it rolls back.

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
use crate::model::{Object, ObjectRef};
use crate::options::{DryRunMode, Global, Preview};
use crate::plan::advice::{Advice, Code, on_untried};
use crate::plan::change::{Awaited, AwaitedSidecars, Change, Settle};
use crate::plan::outcome::{Outcome, Row};
use crate::plan::owner;
use crate::plan::rollout::{hints, shortfall};
use crate::plan::ssl_config::SDS_CLUSTER;
use crate::render::diff::{self, Secrets};
use crate::render::text::seconds;
use crate::verify::controller::{self, Made};
use crate::verify::rollout::{self, Ended, Stuck};
use crate::verify::sidecars as proof;

/// A plan, or the rows of the objects because of which nothing is done.
pub(super) type Planned<P> = Result<P, Vec<Row>>;

/// What a command would do, and what it asks before it does so.
pub(super) struct Proposal<'p> {
    pub changes: &'p [Change],
    /// The start of the question, such as `inject changes`.
    pub asks: &'p str,
    /// What the user must agree to. If empty, nothing is asked.
    pub risks: Vec<String>,
    pub preview: Preview,
    pub secrets: Secrets,
}

/// Whether the changes are to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begun {
    Previewed,
    Writes,
}

/// Shows the requested preview. Otherwise asks for confirmation and tries every change as a server-side dry run.
///
/// # Errors
/// The user did not agree, or the API server would refuse a change. Nothing was written.
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
    // A single write needs no dry run: it either fails or succeeds.
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
/// An edit leads through a value of an unexpected type.
pub(super) fn diff_of(change: &Change, secrets: Secrets) -> Result<String, Failure> {
    let object = &change.before.reference;
    let after = change.after().map_err(|path| {
        Failure::new(Exit::Failed, Reason::Unsafe, format!("{object}: {path} has an unexpected type"))
    })?;
    Ok(diff::live(&object.to_string(), &change.before.value, &after.value, secrets))
}

/// Sends every change to the API server as a dry run.
///
/// # Errors
/// The first change that would fail.
pub(super) async fn rehearse(session: &Session, changes: &[Change], notes: &mut dyn Notes) -> Result<(), Failure> {
    for object in transaction::rehearse(session, changes).await? {
        notes.advice(on_untried(&object));
    }
    Ok(())
}

/// The row of a change that was made or would be made.
pub(super) fn row_of(change: &Change) -> Row {
    let outcome = if change.is_already() { Outcome::Unchanged } else { Outcome::Changed };
    let owner = owner::find(&change.before.value).map(|owner| owner.to_string());
    Row { owner, ..Row::answer(change.before.reference.clone(), outcome, change.message.as_str()) }
}

/// What remains of a plan that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stands {
    Nothing,
    /// Everything that was written was rolled back.
    RolledBack,
    /// Not everything could be rolled back.
    HalfDone,
    /// All of it was applied, but not verified.
    Unconfirmed,
    /// Some of its objects were changed, which is a valid state.
    Part,
}

/// Why a plan was not carried out, and what remains of it.
#[derive(Debug)]
pub struct Stopped {
    pub why: Failure,
    pub stands: Stands,
    /// The last line of the command's own message. A plan of several commands reports the step instead.
    closing: Option<&'static str>,
}

impl Stopped {
    /// A plan that failed with `why` and left the cluster in the state `stands`.
    pub fn new(why: Failure, stands: Stands) -> Self {
        Self { why, stands, closing: None }
    }

    /// Adds one detail line.
    #[must_use]
    pub fn detail(self, line: String) -> Self {
        Self { why: self.why.detail(line), ..self }
    }

    /// A plan that was rolled back because of `cause`.
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

/// Converts a failure before the first write.
impl From<Failure> for Stopped {
    fn from(why: Failure) -> Self {
        Self::new(why, Stands::Nothing)
    }
}

/// Changes that are made together or rolled back together.
pub(super) struct Transaction<'t> {
    pub session: &'t Session,
    pub stop: &'t Interrupts,
    /// How to restore the earlier state by hand if the rollback fails.
    pub way_back: Hint,
    /// Timeout of each rollout.
    pub patience: Duration,
    done: Vec<Done>,
    /// The result of the rollback, if there was one.
    undone: Option<Vec<(ObjectRef, Undone)>>,
}

impl<'t> Transaction<'t> {
    /// A transaction without any writes.
    pub(super) fn new(
        session: &'t Session,
        stop: &'t Interrupts,
        way_back: impl Into<Hint>,
        patience: Duration,
    ) -> Self {
        Self { session, stop, way_back: way_back.into(), patience, done: Vec::new(), undone: None }
    }

    /// Writes the changes in order, waits for each to take effect before the next, and returns what was written. A
    /// panic causes a rollback, and so does a signal that arrives before the end.
    ///
    /// # Errors
    /// Why not all changes could be made or verified, and what remains.
    pub(super) async fn run(mut self, changes: &[Change], report: &mut Report<'_>) -> Result<Vec<Done>, Stopped> {
        let ended = self.whole(report, async |run, report| run.all(changes, report).await).await;
        self.ended(ended, report)
    }

    /// Records what was written and remains.
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

    /// Writes one change. An object that has the wanted state already is only reported.
    async fn make(&mut self, change: &Change, report: &mut Report<'_>) -> Result<(), Failure> {
        let object = &change.before.reference;
        if self.stop.is_set() {
            return Err(self.undo(interrupted(), report).await);
        }
        if change.is_already() {
            report.line_about(object, &change.message, row_of(change).outcome);
            report.record(row_of(change));
            return Ok(());
        }
        match transaction::make(self.session, change.clone()).await {
            Ok(done) => {
                report.line_about(object, &change.message, row_of(change).outcome);
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
        match &change.settle {
            Settle::Nothing => Ok(()),
            Settle::NotWaited => {
                report.advice(unverified(workload));
                Ok(())
            }
            Settle::Rollout => self.wait(&change.before, report).await,
            Settle::Injected => {
                self.wait(&change.before, report).await?;
                self.prove(&change.before, report).await
            }
            Settle::Controller(awaited) => {
                self.made(awaited, report).await?;
                self.wait(&awaited.workload, report).await?;
                match awaited.sidecars {
                    AwaitedSidecars::Gone => Ok(()),
                    AwaitedSidecars::There { .. } => self.prove(&awaited.workload, report).await,
                }
            }
        }
    }

    /// Verifies the sidecars in each pod of a workload.
    async fn prove(&self, workload: &Object, report: &mut Report<'_>) -> Result<(), Failure> {
        let said = proof::prove(self.session, workload, SDS_CLUSTER).await?;
        report.ui.status(&said.line);
        said.advice.into_iter().for_each(|advice| report.advice(advice));
        Ok(())
    }

    /// Waits until a controller has changed a workload.
    ///
    /// # Errors
    /// It did not, or could not be watched. Everything was rolled back.
    async fn made(&mut self, awaited: &Awaited, report: &mut Report<'_>) -> Result<(), Failure> {
        let Awaited { workload, sidecars } = awaited;
        let (reference, short) = (&workload.reference, short(&workload.reference));
        report.ui.status(format!("waiting for Gloo's controller to change {short}"));
        let stop = self.stop.clone();
        report.ui.waiting(&format!("{short}: waiting for Gloo's controller"));
        let made = controller::wait(self.session, reference, sidecars, self.patience, &|| stop.is_set()).await;
        report.ui.end_wait();
        let why = match made {
            Made::Done => return Ok(()),
            Made::Interrupted => interrupted(),
            Made::Unread(error) => error.into_failure(self.session),
            Made::Not(lacks) => {
                let message = format!("{short}: Gloo's controller did not change it in {}", seconds(self.patience));
                let hint = Hint::from("set the wait with ").flag("--wait-timeout");
                Failure::new(Exit::Failed, Reason::Rollout, message).detail(lacks).hint(hint)
            }
        };
        Err(self.undo(why, report).await)
    }

    /// Whether this run changed the workload, or made a controller change it.
    fn has_changed(&self, workload: &ObjectRef) -> bool {
        self.done.iter().any(|Done { change, .. }| match &change.settle {
            Settle::Controller(awaited) => awaited.workload.reference == *workload,
            _ => change.before.reference == *workload,
        })
    }

    /// Waits for a workload's rollout.
    ///
    /// # Errors
    /// What the pods report, after everything was rolled back. Or
    /// why the pods are not replaced, while all changes remain.
    async fn wait(&mut self, before: &Object, report: &mut Report<'_>) -> Result<(), Failure> {
        let workload = &before.reference;
        let short = short(workload);
        report.ui.status(format!("waiting for {short}"));
        let stop = self.stop.clone();
        let progress = report.ui.waiting(&short);
        let ended = rollout::wait(self.session, workload, self.patience, &|| stop.is_set(), &progress).await;
        report.ui.end_wait();
        match ended {
            Ended::Done { pods, took } => {
                report.ui.status(format!("{short}: {pods} of {pods} pods new and ready ({})", seconds(took)));
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
                let failure = not_ready(before, stuck);
                // This run did not change the workload, so a rollback would not help.
                if !self.has_changed(workload) {
                    return Err(Failure { exit: Exit::Unconfirmed, ..failure });
                }
                Err(self.undo(failure, report).await)
            }
        }
    }

    /// Rolls everything back and returns the cause.
    async fn undo(&mut self, cause: Failure, report: &mut Report<'_>) -> Failure {
        let done = std::mem::take(&mut self.done);
        if !done.is_empty() {
            report.ui.status("rolling back");
        }
        report.ui.waiting("rolling back");
        let undone = transaction::roll_back(self.session, &done).await;
        report.ui.end_wait();
        for (object, state) in &undone {
            let row = say_undone(object, state, cause.reason, report);
            report.record(row);
        }
        self.undone = Some(undone);
        cause
    }
}

impl Stands {
    /// The exit code for this state, or `Done` if the exit code of the failure applies.
    pub fn exit(self) -> Exit {
        match self {
            Self::Nothing | Self::Part => Exit::Done,
            Self::RolledBack => Exit::RolledBack,
            Self::HalfDone => Exit::HalfDone,
            Self::Unconfirmed => Exit::Unconfirmed,
        }
    }

    /// The state after a rollback with these results.
    pub fn after(undone: &[(ObjectRef, Undone)]) -> Self {
        match undone {
            [] => Self::Nothing,
            all if all.iter().all(|(_, state)| *state == Undone::Back) => Self::RolledBack,
            _ => Self::HalfDone,
        }
    }
}

/// Reports the result of a rollback of one write and returns its row.
pub(super) fn say_undone(object: &ObjectRef, state: &Undone, reason: Reason, report: &mut Report<'_>) -> Row {
    let (message, exit) = match state {
        Undone::Back => {
            report.line_about(object, "rolled back", Outcome::Failed);
            ("rolled back".to_owned(), Exit::RolledBack)
        }
        Undone::Stands(why) => (format!("still changed: {why}"), Exit::HalfDone),
    };
    Row { reason: Some(reason), exit, ..Row::answer(object.clone(), Outcome::Failed, message) }
}

/// The note about a rollout that was requested not to be waited for.
pub(super) fn unverified(workload: &ObjectRef) -> Advice {
    Advice::note(Code::Unknown, format!("the rollout of {} is not verified", short(workload))).about(workload)
}

/// The object in kubectl's form: `deployment/gateway-proxy`.
pub(super) fn short(object: &ObjectRef) -> String {
    format!("{}/{}", object.kind.singular, object.name)
}

fn not_made(object: ObjectRef, why: &Failure) -> Row {
    let row = Row::answer(object, Outcome::Failed, why.message.clone());
    Row { reason: Some(why.reason), exit: why.exit, ..row }
}

/// The value of the `restartedAt` annotation, with milliseconds. With whole seconds, as kubectl writes it, a second
/// restart within the same second would change nothing.
pub(super) fn now() -> String {
    Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string()
}

/// The failure of a rollout, with what its pods report. `before` is the workload before this run.
pub(super) fn not_ready(before: &Object, stuck: Stuck) -> Failure {
    let workload = short(&before.reference);
    let Stuck { ready, wanted, took, complaints, served } = stuck;
    let mut failure = Failure::new(
        Exit::Failed,
        Reason::Rollout,
        format!("{workload} did not become ready ({ready} of {wanted} new, {})", seconds(took)),
    );
    failure.hints = hints(&complaints).into_iter().map(Hint::from).collect();
    failure.details = complaints;
    let broken = shortfall(&before.value).map(|short| format!("before this run: {short}"));
    failure.details.extend(broken);
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
    use crate::model::kinds;
    use crate::options::{Format, Loudness, When};
    use crate::ui::Ui;

    /// A completed write to a server that no longer answers.
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
