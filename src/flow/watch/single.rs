//! Watches a single change that affects requests to many Upstreams, such as that of a policy.

use super::{BatchDocument, BatchOutcome, Observed, Origin, Watch, Watched, done_of_mark, judged_by, requests, unmark};
use crate::apply::caught::caught;
use crate::apply::transaction::{self, Done};
use crate::command::flag;
use crate::error::{Exit, Failure, Reason};
use crate::flow::execute::{Stopped, say_undone};
use crate::flow::report::Report;
use crate::kube::Session;
use crate::model::ObjectRef;
use crate::options::{Global, Observation, OnSilence, VerifyTask};
use crate::plan::change::Change;
use crate::plan::observe::WindowVerdict;
use crate::plan::observe::window::Window;

/// A change that is to be watched, or one that an earlier run left without observing it.
pub(in crate::flow) struct SingleChange<'c> {
    pub object: &'c ObjectRef,
    /// What an earlier run changed.
    pub left: Option<Done>,
    pub observation: Observation,
}

impl<'c> SingleChange<'c> {
    /// `None` if there is nothing to watch.
    pub(in crate::flow) fn of(change: &'c Change, observation: Option<Observation>) -> Option<Self> {
        let left = done_of_mark(&change.before).filter(|_| change.is_already());
        let observation = observation.filter(|_| !change.is_already() || left.is_some())?;
        Some(Self { object: &change.before.reference, left, observation })
    }

    fn origin(&self) -> Origin {
        if self.left.is_some() { Origin::EarlierRun } else { Origin::ThisRun }
    }

    /// Shows what the change would be judged by.
    pub(in crate::flow) fn preview(&self, report: &mut Report<'_>) {
        let judged_by = judged_by(self.observation);
        report.line(match self.origin() {
            Origin::ThisRun => format!("the change would be {judged_by}"),
            Origin::EarlierRun => format!("changed by an earlier run and not observed: it would be {judged_by}"),
        });
        report.extend_field("batches", vec![self.document(BatchOutcome::Planned, &[])]);
    }

    fn document(&self, outcome: BatchOutcome, observed: &[Observed]) -> serde_json::Value {
        let (objects, observation) = (vec![self.object], self.observation);
        BatchDocument { number: 1, outcome, objects, origin: self.origin(), observation, observed }.value()
    }
}

/// The watch over one change.
pub(in crate::flow) struct SingleWatch<'w> {
    session: &'w Session,
    watch: Watch<'w>,
    watched: Watched,
    change: SingleChange<'w>,
    since_write: Window,
}

/// How the watched change ended, unless it was rolled back.
pub(in crate::flow) enum Judged {
    /// What was seen: `340 requests, 0 with 5xx`.
    Passed(String),
    /// It stays, and too few requests passed.
    Quiet(Failure),
}

impl<'w> SingleWatch<'w> {
    /// Watches the requests that the change of an object affects, before it is made: those to Services of a namespace, or
    /// all.
    ///
    /// # Errors
    /// The counters could not be read, or the run was interrupted.
    pub(in crate::flow) async fn begin(
        session: &'w Session,
        gloo: &'w str,
        (change, namespace): (SingleChange<'w>, Option<&str>),
        report: &mut Report<'_>,
    ) -> Result<Self, Failure> {
        if change.origin() == Origin::EarlierRun {
            report.ui.status("changed by an earlier run and not observed");
        }
        let mut watch = Watch::begin(session, gloo, std::iter::empty(), change.observation, report).await?;
        let clusters = watch.clusters_to(namespace, &[]).await?;
        watch.only(gloo, &clusters);
        let watched = Watched { object: change.object.clone(), clusters, wanted: None };
        let since_write = watch.before_write().await?;
        Ok(Self { session, watch, watched, change, since_write })
    }

    /// What an earlier run changed and did not observe.
    pub(in crate::flow) fn left(&self) -> Option<&Done> {
        self.change.left.as_ref()
    }

    /// Watches the requests after the change. If they become worse, it is rolled back.
    ///
    /// # Errors
    /// Why it was rolled back, and whether all of it is.
    pub(in crate::flow) async fn end(
        self,
        done: &Done,
        global: &Global,
        report: &mut Report<'_>,
    ) -> Result<Judged, Failure> {
        let mut observed = Vec::new();
        let judged = caught(self.judged(&mut observed, global, report)).await;
        let (outcome, ended) = match judged.unwrap_or_else(|panicked| Err(panicked.into())) {
            Ok(Judged::Passed(seen)) => {
                unmark(self.session, &done.after, report).await;
                (BatchOutcome::Passed, Ok(Judged::Passed(seen)))
            }
            Ok(Judged::Quiet(failure)) => (BatchOutcome::TooFewRequests, Ok(Judged::Quiet(failure))),
            Err(cause) => {
                report.ui.status("rolling back");
                let undone = transaction::roll_back(self.session, std::slice::from_ref(done)).await;
                for (object, state) in &undone {
                    let row = say_undone(object, state, cause.reason, report);
                    report.record(row);
                }
                let stopped = Stopped::undone(cause, &undone, "run the same command again");
                (BatchOutcome::after_rollback(&undone), Err(stopped.into()))
            }
        };
        report.extend_field("batches", vec![self.change.document(outcome, &observed)]);
        ended
    }

    /// Watches the requests after the change.
    ///
    /// # Errors
    /// Why the change must be rolled back.
    async fn judged(
        &self,
        observed: &mut Vec<Observed>,
        global: &Global,
        report: &mut Report<'_>,
    ) -> Result<Judged, Failure> {
        let mut after = Watch::after(self.since_write.clone(), None);
        let watched = std::slice::from_ref(&self.watched);
        *observed = self.watch.judged(&mut after, watched, "after the change", report).await?;
        let silence = self.change.observation.silence;
        for one in &mut *observed {
            if silence == OnSilence::Verify {
                one.verify(self.session, &|named| VerifyTask::to_upstream(named), global, report).await?;
            }
            if one.is_worse() {
                one.say_worse(&[], report);
                let what = "requests became worse after the change";
                return Err(Failure::new(Exit::RolledBack, Reason::ErrorsRose, what));
            }
        }
        let Some(one) = observed.first() else { return Ok(Judged::Passed("not observed".to_owned())) };
        let seen = one.seen();
        Ok(match (&one.verdict, silence) {
            _ if one.is_unproven(silence) => Judged::Quiet(too_few(one.requests(), self.change.observation)),
            (WindowVerdict::Quiet, OnSilence::Verify) => Judged::Passed(format!("{seen}, verified by requests")),
            _ => Judged::Passed(seen),
        })
    }
}

/// The failure of a change that stays although too few requests were seen.
pub(in crate::flow) fn too_few(seen: u64, observation: Observation) -> Failure {
    let needed = observation.limits.min_requests;
    let what = format!("too few requests to judge the change: {}, {needed} are needed", requests(seen));
    let further = flag("--on-silence").text(" verify sends requests, continue accepts it; ");
    Failure::new(Exit::Unconfirmed, Reason::TooFewRequests, what)
        .detail("the change stays")
        .hint(further.flag("--min-requests").text(" N needs fewer"))
}
