//! One batch: its writes, the window after them, and what follows from it.

use std::slice::from_ref;

use super::Batch;
use crate::apply::caught::caught;
use crate::apply::cluster::{self, Settled, Write};
use crate::apply::transaction::{self, Done, Undone};
use crate::command::flag;
use crate::error::{Exit, Failure, Reason};
use crate::flow::execute::say_undone;
use crate::flow::live::Run;
use crate::flow::report::Report;
use crate::flow::watch::{
    BatchOutcome, Observed, Origin, Serving, Watch, Watched, WatchedCluster, done_of_mark, fault_of_request, requests,
    served, unmark,
};
use crate::kube::DryRun;
use crate::model::{Object, ObjectRef};
use crate::options::{Named, Observation, OnSilence, OnWorse, Selection, VerifyTask};
use crate::plan::change::Change;
use crate::plan::effect::{AwaitedChange, Wanted, said};
use crate::plan::observe::WindowVerdict;
use crate::plan::observe::mark::Marking;
use crate::plan::outcome::{Objection, Outcome, Row};
use crate::plan::verdict::evidence::cluster_name;
use crate::render::text::{count, seconds};
use futures_util::{StreamExt as _, stream};

/// How many objects are rolled back at the same time.
const AT_ONCE: usize = 8;

/// What a batch is run with.
pub(super) struct BatchRun<'b, 'r> {
    pub run: &'b Run<'r>,
    pub watch: &'b Watch<'b>,
    pub gloo: &'b str,
    pub observation: Observation,
    pub number: usize,
    /// `batch 1 of 4`
    pub name: String,
    /// The clusters that a change of the one object affects, if it is not an Upstream.
    pub everywhere: Option<&'b [WatchedCluster]>,
}

/// A changed object of a batch.
struct Member {
    row: Row,
    /// `None` if an earlier run changed it, and what was there before is unknown.
    done: Option<Done>,
    after: Object,
}

/// What was written so far.
#[derive(Default)]
struct Made {
    members: Vec<Member>,
    /// Objects of which it is unknown whether they were changed.
    perhaps: Vec<ObjectRef>,
    /// What was observed.
    observed: Vec<Observed>,
    /// How many were rolled back while the others stayed.
    undone: usize,
    /// Objects whose requests failed before the change. No request proves it.
    failed_before: Vec<ObjectRef>,
}

impl BatchRun<'_, '_> {
    /// Changes the objects, watches the requests, and keeps or rolls back the changes.
    ///
    /// # Errors
    /// Why the run ends with this batch.
    pub(super) async fn whole(&self, batch: Batch, report: &mut Report<'_>) -> Result<(), Failure> {
        let mut made = Made::default();
        let ended =
            caught(self.through(&batch, &mut made, report)).await.unwrap_or_else(|panicked| Err(panicked.into()));
        let ended = match ended {
            Ok(()) if made.observed.is_empty() => Ok(BatchOutcome::NotChanged),
            Ok(()) if made.undone == 0 => Ok(BatchOutcome::Passed),
            Ok(()) => Ok(BatchOutcome::SomeRolledBack),
            Err(End::Quiet(failure)) => Err((BatchOutcome::TooFewRequests, failure)),
            Err(End::HalfUndone(failure)) => {
                // The others of the batch stay, and their window did not end.
                for member in std::mem::take(&mut made.members) {
                    report.row(unproven(member.row, Reason::BatchFailed, Vec::new()));
                }
                Err((BatchOutcome::RollbackIncomplete, failure))
            }
            Err(End::Nothing(failure)) => Err((BatchOutcome::NotChanged, failure)),
            Err(End::Undo(cause)) => {
                let undone = self.undo_all(&mut made, &cause, report).await;
                let failure =
                    transaction::failure(cause, &undone, "run the opposite command for what is still changed");
                Err((BatchOutcome::after_rollback(&undone), failure))
            }
        };
        let outcome = match &ended {
            Ok(outcome) | Err((outcome, _)) => *outcome,
        };
        let document = batch.document(self.number, outcome, self.observation, &made.observed);
        report.extend_field("batches", vec![document]);
        ended.map(|_| ()).map_err(|(_, failure)| failure)
    }

    async fn through(&self, batch: &Batch, made: &mut Made, report: &mut Report<'_>) -> Result<(), End> {
        let provable;
        let batch = match (self.observation.is_by_request(), batch.origin) {
            (true, Origin::ThisRun) => {
                provable = self.provable(batch, made, report).await?;
                &provable
            }
            _ => batch,
        };
        let since_write = self.watch.before_write().await.map_err(End::Nothing)?;
        match batch.origin {
            Origin::ThisRun => self.write(batch, made, report).await?,
            Origin::EarlierRun => self.find(batch, made, report).await?,
        }
        self.run.interrupts.check().map_err(End::Undo)?;
        if made.members.is_empty() {
            return Ok(());
        }
        let mut open: Vec<_> = made.members.iter().map(|member| self.watched(batch.origin, &member.after)).collect();
        let mut after = Watch::after(since_write, self.serving(made));
        loop {
            let judged = self.watch.judged(&mut after, &open, &self.name, report).await.map_err(End::Undo)?;
            let is_worse = judged.iter().any(Observed::is_worse);
            open.retain(|one| !judged.iter().any(|judged| judged.watched.object == one.object));
            made.observed.extend(judged);
            match (is_worse, self.observation.failure) {
                (true, OnWorse::Stop) => return Err(End::Undo(self.blame(made, report).await)),
                (true, OnWorse::Continue) => self.undo_worse(made, report).await?,
                (false, _) => {}
            }
            if open.is_empty() {
                break;
            }
        }
        if self.observation.silence == OnSilence::Verify {
            self.verify(made, report).await?;
            self.run.interrupts.check().map_err(End::Undo)?;
        }
        self.keep(made, report).await
    }

    /// Sends a request to each object before it is changed. One that keeps its path is not changed if that fails, because
    /// the request after the change would prove nothing.
    async fn provable(&self, batch: &Batch, made: &mut Made, report: &mut Report<'_>) -> Result<Batch, End> {
        let mut rows = Vec::new();
        for row in &batch.rows {
            let wanted = if row.reason == Some(Reason::AutoMtlsHarms) { Wanted::NotIstio } else { Wanted::Istio };
            let named = Named { namespace: Some(row.object.namespace.clone()), name: row.object.name.clone() };
            let request = VerifyTask::to_upstream(named);
            let sent = fault_of_request(self.run.session, &request, Some(wanted), self.run.global, report).await;
            self.run.interrupts.check().map_err(End::Nothing)?;
            let fault = match sent {
                Ok(None) => {
                    rows.push(row.clone());
                    continue;
                }
                Ok(Some(fault)) => fault,
                Err(why) if why.exit == Exit::NoAnswer => return Err(End::Nothing(why)),
                Err(why) => why.message,
            };
            if row.reason != Some(Reason::SamePath) {
                made.failed_before.push(row.object.clone());
                rows.push(row.clone());
                continue;
            }
            let what = format!("a request fails before the change, so none can prove it: {fault}");
            let hint = flag("--observe").text(" TIME proves it by the gateways' counters");
            let is_named = matches!(self.run.task.selection, Selection::Named(_));
            let outcome = if is_named { Outcome::Refused } else { Outcome::Skipped };
            let why = Objection::new(Reason::Unproven, what).hint(hint);
            report.row(Row::left(row.object.clone(), outcome, why));
        }
        Ok(Batch { origin: batch.origin, rows })
    }

    /// Writes the changes of the batch. Each carries the mark of an object that is not observed yet.
    async fn write(&self, batch: &Batch, made: &mut Made, report: &mut Report<'_>) -> Result<(), End> {
        let marking = Marking(self.run.plan);
        let run = Run {
            plan: &marking,
            write: Write::Send(DryRun::No),
            collected: None,
            stop: self.run.stop.clone(),
            interrupts: self.run.interrupts.clone(),
            ..*self.run
        };
        let results = stream::iter(&batch.rows)
            .take_while(|_| std::future::ready(!run.interrupts.is_set()))
            .map(|row| cluster::guarded(&row.object, run.write, run.again(&row.object)))
            .buffered(run.task.concurrency);
        let mut results = std::pin::pin!(results);
        let mut unanswered = None;
        while let Some(result) = results.next().await {
            let row = match result {
                Ok(None) => continue,
                Ok(Some(settled)) if settled.row.outcome == Outcome::Changed => {
                    made.members.push(Member::of(settled));
                    continue;
                }
                Ok(Some(settled)) => settled.row,
                Err(row) => row,
            };
            if matches!(row.exit, Exit::NoAnswer | Exit::HalfDone) {
                made.perhaps.push(row.object.clone());
                let failure = Failure::new(row.exit, row.reason.unwrap_or(Reason::Unreachable), row.message.clone());
                unanswered.get_or_insert(failure);
            }
            report.row(row);
        }
        unanswered.map_or(Ok(()), |failure| Err(End::Undo(failure)))
    }

    /// Reads the objects that an earlier run changed and did not observe.
    async fn find(&self, batch: &Batch, made: &mut Made, report: &mut Report<'_>) -> Result<(), End> {
        for row in &batch.rows {
            let ObjectRef { kind, namespace, name } = &row.object;
            match self.run.session.get(kind, namespace, name).await {
                Ok(value) => {
                    let after = Object::new(kind, value);
                    made.members.push(Member { row: row.clone(), done: done_of_mark(&after), after });
                }
                Err(error) => report.row(cluster::failed(self.run.session, &row.object, error)),
            }
        }
        Ok(())
    }

    fn watched(&self, origin: Origin, object: &Object) -> Watched {
        let reference = &object.reference;
        let own = || vec![WatchedCluster { name: cluster_name(reference), upstream: reference.clone() }];
        Watched {
            object: reference.clone(),
            clusters: self.everywhere.map_or_else(own, <[_]>::to_vec),
            wanted: match origin {
                Origin::ThisRun => self.run.plan.expects(object),
                // Its connections may be open since the earlier run, so there need not be a handshake.
                Origin::EarlierRun => None,
            },
        }
    }

    /// The wait until Gloo serves the changes, if that can be seen.
    fn serving(&self, made: &Made) -> Option<Serving<'_>> {
        let change = |member: &Member| {
            let before = member.done.as_ref().map_or(&member.after, |done| &done.change.before);
            let wanted = self.run.plan.expects(before)?;
            let object = member.after.reference.clone();
            Some(AwaitedChange { object, wanted, before: said(&before.value, self.gloo) })
        };
        let changes: Vec<_> = made.members.iter().map(change).collect::<Option<_>>()?;
        Some(served(self.run.session, self.gloo, changes, self.run.global.wait_timeout))
    }

    /// Reports the objects to which requests became worse, with what explains it, and returns the failure of the batch.
    async fn blame(&self, made: &Made, report: &mut Report<'_>) -> Failure {
        let member_of =
            |observed: &Observed| made.members.iter().find(|member| member.after.reference == observed.watched.object);
        let worse = made.observed.iter().filter(|observed| observed.is_worse());
        let worse: Vec<_> = worse.filter_map(|observed| Some((observed, member_of(observed)?))).collect();
        for (observed, member) in &worse {
            let explained = self.explained(&member.after).await;
            observed.say_worse(&explained, report);
        }
        let message = format!("requests to {} of {} became worse", count(worse.len(), "object"), self.name);
        Failure::new(Exit::RolledBack, Reason::ErrorsRose, message)
    }

    /// What the path model says about the object as it is changed.
    async fn explained(&self, object: &Object) -> Vec<String> {
        match self.run.guard.around(object).await {
            Ok(around) => {
                let advice = self.run.plan.advise(object, &around);
                advice.into_iter().flat_map(|advice| [vec![advice.message], advice.details].concat()).collect()
            }
            Err(_) => Vec::new(),
        }
    }

    /// Rolls back the objects that became worse. The others stay and are watched further.
    async fn undo_worse(&self, made: &mut Made, report: &mut Report<'_>) -> Result<(), End> {
        let cause = self.blame(made, report).await;
        let is_worse =
            |object: &ObjectRef| made.observed.iter().any(|it| it.watched.object == *object && it.is_worse());
        let (worse, others): (Vec<_>, Vec<_>) =
            std::mem::take(&mut made.members).into_iter().partition(|member| is_worse(&member.after.reference));
        made.members = others;
        made.undone += worse.len();
        let undone = self.undo(worse, Vec::new(), (&cause, &made.observed), report).await;
        let failure = transaction::failure(cause, &undone, "run the opposite command for what is still changed");
        if failure.exit == Exit::HalfDone { Err(End::HalfUndone(failure)) } else { Ok(()) }
    }

    async fn undo_all(&self, made: &mut Made, cause: &Failure, report: &mut Report<'_>) -> Vec<(ObjectRef, Undone)> {
        let (members, perhaps) = (std::mem::take(&mut made.members), std::mem::take(&mut made.perhaps));
        self.undo(members, perhaps, (cause, &made.observed), report).await
    }

    async fn undo(
        &self,
        members: Vec<Member>,
        perhaps: Vec<ObjectRef>,
        (cause, observed): (&Failure, &[Observed]),
        report: &mut Report<'_>,
    ) -> Vec<(ObjectRef, Undone)> {
        if members.is_empty() && perhaps.is_empty() {
            return Vec::new();
        }
        report.ui.status("rolling back");
        report.ui.waiting("rolling back");
        let session = self.run.session;
        let one = async |member: Member| match member.done {
            Some(done) => transaction::roll_back(session, from_ref(&done)).await,
            None => vec![(member.after.reference, Undone::Stands("what was there before is unknown".to_owned()))],
        };
        let mut undone: Vec<_> = stream::iter(members).map(one).buffered(AT_ONCE).concat().await;
        for object in perhaps {
            undone.extend(self.undo_perhaps(object).await);
        }
        report.ui.end_wait();
        for (object, state) in &undone {
            let of_it = observed.iter().find(|it| it.watched.object == *object && it.is_worse());
            let reason = match (of_it, cause.reason) {
                (None, Reason::ErrorsRose) => Reason::BatchFailed,
                (_, reason) => reason,
            };
            let row = say_undone(object, state, reason, report);
            let details = of_it.map(|it| it.blamed().into_iter().flat_map(|(_, lines)| lines).collect());
            report.record(Row { details: details.unwrap_or_default(), ..row });
        }
        undone
    }

    /// Rolls back a change of which it is unknown whether it was made: the mark shows it.
    async fn undo_perhaps(&self, object: ObjectRef) -> Vec<(ObjectRef, Undone)> {
        let session = self.run.session;
        match session.get(object.kind, &object.namespace, &object.name).await {
            Ok(value) => match done_of_mark(&Object::new(object.kind, value)) {
                Some(done) => transaction::roll_back(session, from_ref(&done)).await,
                None => Vec::new(),
            },
            Err(error) => vec![(object, Undone::Stands(error.into_failure(session).message))],
        }
    }

    /// Sends requests for each object that got too few.
    async fn verify(&self, made: &mut Made, report: &mut Report<'_>) -> Result<(), End> {
        let mut is_faulty = false;
        let failed_before = &made.failed_before;
        let is_open = |it: &&mut Observed| !it.is_worse() && !failed_before.contains(&it.watched.object);
        for observed in made.observed.iter_mut().filter(is_open) {
            observed
                .verify(self.run.session, &|named| VerifyTask::to_upstream(named), self.run.global, report)
                .await
                .map_err(End::Undo)?;
            is_faulty |= observed.is_worse();
        }
        match (is_faulty, self.observation.failure) {
            (false, _) => Ok(()),
            (true, OnWorse::Stop) => Err(End::Undo(self.blame(made, report).await)),
            (true, OnWorse::Continue) => self.undo_worse(made, report).await,
        }
    }

    /// Keeps the changes: those that passed get their row and lose the mark.
    async fn keep(&self, made: &mut Made, report: &mut Report<'_>) -> Result<(), End> {
        let mut quiet = 0;
        for member in std::mem::take(&mut made.members) {
            let observed = made.observed.iter().find(|it| it.watched.object == member.after.reference);
            let Some(observed) = observed else { continue };
            let row = Row { message: format!("{}, {}", member.row.message, observed.seen()), ..member.row.clone() };
            if observed.is_unproven(self.observation.silence) {
                quiet += 1;
                let (window, needed) = (seconds(self.observation.window), self.observation.limits.min_requests);
                let why = format!("{} in {window}, {needed} are needed", requests(observed.requests()));
                report.row(unproven(row, Reason::TooFewRequests, vec![why]));
                continue;
            }
            let row = match (&observed.verdict, self.observation.silence) {
                (WindowVerdict::Quiet, OnSilence::Verify) if made.failed_before.contains(&row.object) => {
                    Row { message: format!("{}, requests fail as before", member.row.message), ..row }
                }
                (WindowVerdict::Quiet, OnSilence::Verify) => {
                    Row { message: format!("{}, verified by a request", member.row.message), ..row }
                }
                _ => row,
            };
            unmark(self.run.session, &member.after, report).await;
            report.row(row);
        }
        if quiet == 0 {
            return Ok(());
        }
        let what = format!("too few requests to judge {} of {}", count(quiet, "object"), self.name);
        let failure = Failure::new(Exit::Unconfirmed, Reason::TooFewRequests, what).detail("the batch stays");
        let further = flag("--on-silence").text(" verify sends requests, continue goes on; ");
        Err(End::Quiet(failure.hint(further.flag("--min-requests").text(" N needs fewer"))))
    }
}

/// Why a batch ends before all of its objects passed.
enum End {
    /// Nothing of it was changed.
    Nothing(Failure),
    /// It is rolled back.
    Undo(Failure),
    /// It stays, because too few requests passed to judge it.
    Quiet(Failure),
    /// An object that became worse could not be rolled back.
    HalfUndone(Failure),
}

/// The row of an object that stays changed and was not proven.
fn unproven(row: Row, reason: Reason, why: Vec<String>) -> Row {
    Row {
        message: format!("{}, not verified", row.message),
        reason: Some(reason),
        details: why,
        exit: Exit::Unconfirmed,
        ..row
    }
}

impl From<crate::apply::caught::Panicked> for End {
    fn from(panicked: crate::apply::caught::Panicked) -> Self {
        Self::Undo(panicked.into())
    }
}

impl Member {
    fn of(Settled { row, before, after, edits, .. }: Settled) -> Self {
        let change = Change::new(before, edits, row.message.clone());
        Self { row, done: Some(Done { change, after: after.clone() }), after }
    }
}

impl Run<'_> {
    /// Reads an object of the run again and changes it.
    async fn again(&self, reference: &ObjectRef) -> Result<Option<Settled>, Row> {
        if matches!(self.task.selection, Selection::Named(_)) {
            return self.one(reference).await;
        }
        let ObjectRef { kind, namespace, name } = reference;
        match self.session.get(kind, namespace, name).await {
            Ok(value) => self.swept(Object::new(kind, value)).await,
            Err(error) => Err(cluster::failed(self.session, reference, error)),
        }
    }
}
