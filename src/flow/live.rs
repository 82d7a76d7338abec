//! Edits objects of the cluster, by name or in a bulk run. Each object is read, decided about and written separately.

mod batches;

use crate::flow::session;
use std::pin::pin;

use futures_util::{Stream, StreamExt as _, stream};

use super::acceptance::Held;
use super::ahead::{ahead, beside};
use super::guard::OfUpstreams;
use super::interrupt::{Interrupts, Signals};
use super::report::{Report, SkippedLines, Sweep};
use batches::CollectedRows;

use super::stop::{Stop, Why};
use super::{again, consent};
use crate::apply::cluster::{self, Settled, Write};
use crate::command::{Hint, flag};
use crate::error::{Exit, Failure, Reason};
use crate::kube::{self, ApiCause, Query, Session};
use crate::load::absence;
use crate::load::survey::SurveyReader;
use crate::model::{Object, ObjectRef, Selector};
use crate::options::{Absent, Global, Named, ObjectsTask, Selection, SweepScope};
use crate::plan::advice::{Advice, Code};
use crate::plan::gateway::AutoMtls;
use crate::plan::mtls::{self, UpstreamContext};
use crate::plan::observe::mark;
use crate::plan::outcome::{Outcome, Row};
use crate::plan::owner::Owner;
use crate::plan::policy::Picked;
use crate::plan::{GatewayNeed, PerObject, advice, owner};
use crate::render::diff;
use crate::render::text::{self, Mark, count};

/// One run over objects of the cluster.
struct Run<'r> {
    plan: &'r dyn PerObject,
    task: &'r ObjectsTask,
    global: &'r Global,
    session: &'r Session,
    survey: &'r SurveyReader<'r>,
    guard: &'r OfUpstreams<'r>,
    write: Write,
    held: &'r Held,
    /// Keeps back the changes of a run that is watched, until they are made in batches.
    collected: Option<&'r CollectedRows>,
    stop: Stop,
    interrupts: Interrupts,
}

/// Edits the selected objects.
///
/// # Errors
/// The run failed before its first object. The results of single objects are in the report.
pub(super) async fn edit(
    session: &Session,
    plan: &dyn PerObject,
    task: &ObjectsTask,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let mark = report.form_for_cluster(task.preview);
    let write = match mark {
        Mark::ServerDryRun => Write::Send(kube::DryRun::Server),
        Mark::ClientDryRun => Write::Nothing,
        Mark::Written => Write::Send(kube::DryRun::No),
    };
    report.usual_namespace(global.object_namespace());
    let interrupts = report.interrupts();
    let place = session::place(session);
    report.context(&place);
    let survey = SurveyReader::new(session, global);
    if mark == Mark::Written {
        consent::ask(&asked(plan), &risks(plan, task, global), &place, global, report).await?;
    }
    let stop = Stop::default();
    let held = Held::default();
    interrupts.begin_writes()?;
    let mut signals = interrupts.signals();
    let names = match &task.selection {
        Selection::Named(names) => references(plan, names, global),
        Selection::Sweep { .. } => Vec::new(),
    };
    let guard = OfUpstreams::new(session, &survey, plan, &names);
    let collected = task.observation.map(|_| CollectedRows::default());
    if collected.is_some() {
        report.extend_field("batches", Vec::new());
    }
    let run = Run {
        plan,
        task,
        global,
        session,
        survey: &survey,
        guard: &guard,
        write: if collected.is_some() && mark == Mark::Written { Write::Nothing } else { write },
        held: &held,
        collected: collected.as_ref(),
        stop,
        interrupts,
    };
    match &task.selection {
        Selection::Named(_) => run.named(&names, &mut signals, report).await,
        Selection::Sweep { labels, scope } => run.sweep((labels.as_ref(), scope), &mut signals, report).await,
    }
    if let (Some(collected), Some(observation), false) = (&collected, task.observation, run.stop.is_set()) {
        Box::pin(run.in_batches(collected.take(), observation, report)).await?;
    }
    if task.preview.check && report.count(Outcome::Changed) > 0 {
        report.ends(Exit::WouldChange);
    }
    Ok(())
}

/// The named objects, in the order of the command line.
fn references(plan: &dyn PerObject, names: &[Named], global: &Global) -> Vec<ObjectRef> {
    let reference = |named: &Named| {
        let namespace = named.namespace.as_deref().unwrap_or(global.object_namespace());
        ObjectRef::new(plan.kind(), namespace, named.name.as_str())
    };
    names.iter().map(reference).collect()
}

/// The start of the question: `enable-mtls would change`.
fn asked(plan: &dyn PerObject) -> String {
    format!("{} would change", plan.words().command.trim_start_matches("istio "))
}

/// The risks to confirm: a bulk run without a selector, and what the plan itself reports as a risk.
fn risks(plan: &dyn PerObject, task: &ObjectsTask, global: &Global) -> Vec<String> {
    let everything = match &task.selection {
        Selection::Sweep { labels: None, scope: SweepScope::Everywhere } => {
            Some("all Upstreams of all namespaces".to_owned())
        }
        Selection::Sweep { labels: None, scope: SweepScope::Namespace } => {
            Some(format!("all Upstreams in {}", global.object_namespace()))
        }
        _ => None,
    };
    everything.into_iter().chain(plan.risks().into_iter().map(str::to_owned)).collect()
}

/// Adds similar names, and other places where the name exists.
pub(super) async fn explain_absence(session: &Session, row: &mut Row) {
    let absence = absence::around(session, &row.object).await;
    row.details.splice(0..0, absence.detail());
    row.hint = absence.hint().or(row.hint.take());
}

impl Run<'_> {
    /// Edits the named objects, in the order of the command line.
    async fn named(&self, references: &[ObjectRef], signals: &mut Signals, report: &mut Report<'_>) {
        if references.len() > 1 {
            report.begin_sweep(self.words());
        }
        let results = stream::iter(references)
            .take_while(|_| std::future::ready(!self.stop.is_set()))
            .map(|reference| cluster::guarded(reference, self.write, self.one(reference)))
            .buffered(self.task.concurrency)
            .filter_map(|settled| std::future::ready(settled.transpose()));
        let mut advised = Vec::new();
        let seen = |settled: &Settled| {
            if settled.row.outcome.is_answer() {
                advised.push(settled.after.clone());
            }
        };
        let looked_at = self.drain(results, signals, report, seen).await;
        if !advised.is_empty() {
            self.unless_stopped(signals, async {
                self.guard.say(report);
                for object in &advised {
                    self.advise(object, report).await;
                }
                self.advise_on_gateway(report).await;
            })
            .await;
        }
        self.confirm(signals, report).await;
        self.say_stopped(looked_at, report);
    }

    /// Runs work that only reads. A signal ends it at once with `None`, and nothing is written for the object any more.
    async fn reading<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        // A bulk run holds many of these futures. On the heap each takes only one word there.
        let work = Box::pin(work);
        self.interrupts.until_signal(async { Ok(work.await) }).await.ok()
    }

    async fn one(&self, reference: &ObjectRef) -> Result<Option<Settled>, Row> {
        let ObjectRef { kind, namespace, name } = reference;
        let Some(read) = self.reading(self.session.get(kind, namespace, name)).await else { return Ok(None) };
        match read {
            Ok(value) => {
                let object = Object::new(kind, value);
                if self.plan.judges_paths() {
                    return self.by_paths(object, Picked::Named).await;
                }
                let around = UpstreamContext::unseen();
                let Some(objection) = self.reading(self.guard.objection(&object)).await else { return Ok(None) };
                Ok(Some(match objection {
                    Some(why) => cluster::refused(object, why),
                    None => cluster::settle(self.session, self.plan, object, Picked::Named, &around, self.write).await,
                }))
            }
            Err(error) => {
                let absent = error.cause == ApiCause::NotFound;
                let mut row = cluster::failed(self.session, reference, error);
                if absent {
                    self.reading(self.explain_absence(&mut row)).await;
                }
                Err(row)
            }
        }
    }

    /// Sets the exit code of a missing object, and adds similar names and other places where the name exists.
    async fn explain_absence(&self, row: &mut Row) {
        if self.task.absent == Absent::IsFine {
            row.exit = Exit::Done;
            return;
        }
        if matches!(&self.task.selection, Selection::Named(names) if names.len() > 1) {
            row.exit = Exit::Failed;
        }
        explain_absence(self.session, row).await;
    }

    /// Edits every object that the selection finds, page by page.
    async fn sweep(
        &self,
        (labels, scope): (Option<&Selector>, &SweepScope),
        signals: &mut Signals,
        report: &mut Report<'_>,
    ) {
        let scope = match scope {
            SweepScope::Namespace => kube::Scope::Namespace(self.global.object_namespace()),
            SweepScope::Everywhere => kube::Scope::All,
        };
        let query = Query::labelled(labels.map(ToString::to_string).unwrap_or_default());
        report.begin_sweep(self.words());
        let pages = self.session.pages(self.plan.kind(), scope, query);
        let (reading, objects) = ahead(pages, self.plan.kind());
        let mut heard = self.interrupts.signals();
        // In the order in which they finish, so that one that the
        // API server asks to retry later does not delay the others.
        let results = objects
            .take_until(Box::pin(async move { heard.next().await }))
            .take_while(|_| std::future::ready(!self.stop.is_set()))
            .map(|object| async {
                let object = object.map_err(|error| error.into_failure(self.session))?;
                let reference = object.reference.clone();
                Ok::<_, Failure>(cluster::guarded(&reference, self.write, self.swept(object)).await)
            })
            .buffer_unordered(self.task.concurrency);
        let mut ended = None;
        let results = results.filter_map(|settled| {
            let result = settled.map_err(|failure| ended = Some(failure)).ok();
            std::future::ready(result.and_then(Result::transpose))
        });
        let total = beside(reading, self.drain(results, signals, report, |_| {})).await;
        if let Some(failure) = ended {
            report.failure(failure);
        } else if total == 0 && !self.stop.is_set() && self.task.absent == Absent::Fails {
            report.failure(self.nothing_found(scope, labels));
        }
        if report.count(Outcome::Changed) + report.count(Outcome::Unchanged) > 0 {
            self.unless_stopped(signals, self.advise_on_gateway(report)).await;
        }
        self.confirm(signals, report).await;
        report.order_rows();
        self.say_stopped(total, report);
    }

    async fn swept(&self, object: Object) -> Result<Option<Settled>, Row> {
        self.by_paths(object, Picked::Selected).await
    }

    /// Decides about an object by what is behind it.
    async fn by_paths(&self, object: Object, found: Picked) -> Result<Option<Settled>, Row> {
        let around = self.reading(self.survey.around(&object, Picked::Selected, self.plan.wants())).await;
        let Some(around) = around else { return Ok(None) };
        match around {
            Ok(around) => {
                let (session, write) = (self.session, self.write);
                let mut settled = cluster::settle(session, self.plan, object, found, &around, write).await;
                if settled.row.outcome == Outcome::Changed {
                    settled.row.reason = self.plan.reason(&settled.edits);
                    let switched = around.switched(&settled.before, &settled.after);
                    settled.row.details.extend(switched.iter().map(ToString::to_string));
                }
                Ok(Some(settled))
            }
            Err(failure) => Err(cluster::failed_with(object.reference, Outcome::Failed, failure)),
        }
    }

    /// Reports results as they arrive. After Ctrl-C, objects in progress are finished; a second Ctrl-C ends them. If
    /// the API server does not answer or denies the request three times in a row, no more requests are sent.
    async fn drain(
        &self,
        results: impl Stream<Item = Result<Settled, Row>>,
        signals: &mut Signals,
        report: &mut Report<'_>,
        mut seen: impl FnMut(&Settled),
    ) -> usize {
        const ENOUGH: usize = 3;
        let mut results = pin!(results);
        let (mut number, mut unanswered) = (0, 0);
        loop {
            let next = tokio::select! {
                biased;
                () = signals.next() => {
                    if self.stop.why() == Some(Why::Asked) {
                        self.stop.set(Why::AskedTwice);
                        return number;
                    }
                    self.ask_to_stop(report);
                    continue;
                }
                next = results.next() => next,
            };
            let Some(result) = next else {
                // A future that reads may have received the signal first.
                if self.interrupts.is_set() && !self.stop.is_set() {
                    self.ask_to_stop(report);
                }
                return number;
            };
            number += 1;
            let row = match result {
                Ok(settled) => {
                    seen(&settled);
                    self.settled(settled, report)
                }
                Err(row) => Some(row),
            };
            let Some(row) = row else {
                unanswered = 0;
                continue;
            };
            let is_unanswered = row.exit == Exit::NoAnswer
                || row.reason == Some(Reason::Unauthorized)
                || (row.reason == Some(Reason::Forbidden) && !self.is_everywhere());
            unanswered = if is_unanswered { unanswered + 1 } else { 0 };
            report.row(row);
            if unanswered == ENOUGH && !self.stop.is_set() {
                self.stop.set(Why::NoAnswer);
            }
        }
    }

    fn ask_to_stop(&self, report: &mut Report<'_>) {
        self.stop.set(Why::Asked);
        report.ui.status("interrupted: finishing what is in progress, starting nothing new");
    }

    /// Returns the row of a settled object, unless it is held until its effect is known.
    fn settled(&self, settled: Settled, report: &mut Report<'_>) -> Option<Row> {
        let waits = Held::takes(self.task.patience, &settled);
        let is_marked = mark::is_marked(&settled.after.value);
        let (row, before) = self.row_of(settled, report);
        let row = match self.collected {
            Some(collected) => collected.unless_kept(row, is_marked)?,
            None => row,
        };
        if waits {
            self.held.keep(row, &before, self.plan);
            return None;
        }
        Some(row)
    }

    /// Waits for the effect of the changes, if requested.
    async fn confirm(&self, signals: &mut Signals, report: &mut Report<'_>) {
        let interrupt = (&self.stop, signals);
        self.held.release(self.session, self.survey, self.global, interrupt, report).await;
    }

    /// Returns the row of a settled object and the object before
    /// the change. Reports the advice that comes before the row.
    fn row_of(&self, settled: Settled, report: &mut Report<'_>) -> (Row, Object) {
        let Settled { mut row, before, after, is_untried, .. } = settled;
        if is_untried {
            report.advice(advice::on_untried(&row.object));
        }
        let owner = owner::find(&before.value);
        row.owner = owner.as_ref().map(ToString::to_string);
        if self.task.preview.diff && row.outcome == Outcome::Changed {
            let name = text::subject(&row.object, self.global.object_namespace());
            row.diff = Some(diff::live(&name, &before.value, &after.value, self.task.secrets));
        }
        let is_named = matches!(self.task.selection, Selection::Named(_));
        if let Some(owner) = owner.filter(|owner| is_named || *owner != Owner::Discovery)
            && row.outcome == Outcome::Changed
        {
            report.advice(advice::on_owner(self.plan.in_files(&after), &row.object, &owner));
        }
        if row.outcome == Outcome::Skipped && row.reason == Some(Reason::Unknown) {
            report.advice(Advice::note(Code::Unknown, row.message.clone()));
        }
        (row, before)
    }

    /// Whether the run covers other namespaces, which may allow what one namespace forbids.
    fn is_everywhere(&self) -> bool {
        matches!(&self.task.selection, Selection::Sweep { scope: SweepScope::Everywhere, .. })
            || matches!(&self.task.selection, Selection::Named(names) if names.iter().any(|one| one.namespace.is_some()))
    }

    /// Runs work that follows the writes. A signal ends it.
    async fn unless_stopped(&self, signals: &mut Signals, work: impl Future<Output = ()>) {
        if self.stop.is_set() {
            return;
        }
        tokio::select! {
            biased;
            () = signals.next() => self.stop.set(Why::Asked),
            () = work => {}
        }
    }

    async fn advise(&self, object: &Object, report: &mut Report<'_>) {
        match self.guard.around(object).await {
            Ok(around) => self.plan.advise(object, &around).into_iter().for_each(|advice| report.advice(advice)),
            Err(failure) => report.advice(Advice::note(Code::Unknown, format!("advice: {}", failure.message))),
        }
    }

    async fn advise_on_gateway(&self, report: &mut Report<'_>) {
        let auto_mtls = self.survey.auto_mtls().await;
        if let Err(why) = &auto_mtls {
            report.advice(advice::on_settings(why));
        }
        let matters = match self.plan.wants().gateway {
            GatewayNeed::Never => false,
            GatewayNeed::Always => true,
            GatewayNeed::WithAutoMtls => auto_mtls != Ok(AutoMtls::Off),
        };
        if matters {
            let gateway = self.survey.gateway().await;
            if let Some(advice) = mtls::advice::on_gateway(gateway, self.survey.gloo_namespace().await) {
                report.advice(advice);
            }
        }
    }

    fn say_stopped(&self, looked_at: usize, report: &mut Report<'_>) {
        let Some(why) = self.stop.why() else { return };
        let done = format!("{} {}", count(report.count(Outcome::Changed), "Upstream"), self.plan.words().done);
        let failure = match why {
            Why::NoAnswer => Failure::new(
                report.exit(),
                report.last_reason().unwrap_or(Reason::Unreachable),
                format!("stopped: three requests in a row failed the same way; {done}"),
            ),
            Why::Asked => Failure::new(Exit::Interrupted, Reason::Interrupted, format!("interrupted; {done}")),
            Why::AskedTwice => {
                Failure::new(Exit::Interrupted, Reason::Interrupted, format!("interrupted twice; {done} for certain"))
                    .detail("what was in progress may be done as well")
            }
        };
        report.failure(
            failure
                .detail(format!("{} checked, the rest was not", count(looked_at, "Upstream")))
                .hint("run the same command again to continue with the rest"),
        );
    }

    fn words(&self) -> Sweep {
        Sweep {
            done: self.plan.words().done,
            noun: "Upstream",
            again: again::command(self.plan, self.global),
            namespace: self.global.object_namespace().to_owned(),
            skipped: if self.plan.judges_paths() { SkippedLines::Always } else { SkippedLines::Verbose },
        }
    }

    fn nothing_found(&self, scope: kube::Scope<'_>, labels: Option<&Selector>) -> Failure {
        let place = match scope {
            kube::Scope::Namespace(namespace) => format!("in {namespace}"),
            kube::Scope::All => "in any namespace".to_owned(),
        };
        let with = labels.map(|labels| format!(" with labels {labels}")).unwrap_or_default();
        Failure::new(Exit::SaidNo, Reason::NotFound, format!("no Upstream{with} {place}"))
            .detail(self.session.looked())
            .hint(
                Hint::from("-n NAMESPACE or -A searches other namespaces")
                    .or_else("; ", flag("--ignore-not-found").text(" makes this a success")),
            )
    }
}
