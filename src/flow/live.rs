//! Objects of the cluster, by name or in a sweep, each read, decided about and written by itself.

use std::pin::pin;

use futures_util::{Stream, StreamExt, stream};

use super::interrupt::{self, Stop};
use super::report::{Answers, Report, Sweep};
use crate::apply::cluster::{self, Settled, Write};
use crate::error::{Exit, Failure, Reason};
use crate::kube::{self, Cause, Query, Session};
use crate::load::absence;
use crate::load::survey::Survey;
use crate::model::{Object, ObjectRef};
use crate::options::{Absent, Consent, DryRun, Global, Mtls, Scope, Selection};
use crate::plan::mtls::{Caution, Foreign, Found, Policy, Surroundings};
use crate::plan::outcome::{Outcome, Row};
use crate::plan::{PerObject, advice, owner};
use crate::render::diff;
use crate::render::text::{Mark, count};

/// One run over objects of the cluster.
struct Run<'r> {
    plan: &'r Policy,
    task: &'r Mtls,
    global: &'r Global,
    session: &'r Session,
    survey: Survey<'r>,
    write: Write,
}

/// Edits the selected objects.
///
/// # Errors
/// What keeps the run from its first object; what happens to single objects is in the report.
pub async fn edit(plan: &Policy, task: &Mtls, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let session = super::open(global, report).await?;
    let (mark, write) = match (task.preview.dry_run, task.preview.is_on()) {
        (Some(DryRun::Server), _) => (Mark::ServerDryRun, Write::Send(kube::DryRun::Server)),
        (_, true) => (Mark::ClientDryRun, Write::Nothing),
        (_, false) => (Mark::Written, Write::Send(kube::DryRun::No)),
    };
    report.form(if task.preview.diff { Answers::Stderr } else { Answers::Stdout }, mark);
    let place = match session.user() {
        Some(user) => format!("context {} ({}) as {user}", session.context(), session.server()),
        None => format!("context {} ({})", session.context(), session.server()),
    };
    report.ui.status(&place);
    if mark == Mark::Written {
        agree(task, global, &place, report)?;
    }
    let run = Run { plan, task, global, session: &session, survey: Survey::new(&session, global), write };
    match &task.selection {
        Selection::Named(_) => run.named(report).await,
        Selection::Sweep { .. } => run.sweep(report).await,
    }
    if task.preview.check && report.count(Outcome::Changed) > 0 {
        report.ends(Exit::WouldChange);
    }
    Ok(())
}

/// Asks before what is risky: a sweep without a selector, somebody else's settings, forced changes.
fn agree(task: &Mtls, global: &Global, place: &str, report: &mut Report<'_>) -> Result<(), Failure> {
    let Policy { wish, foreign, caution } = task.policy;
    let mut risks = Vec::new();
    let everything = matches!(task.selection, Selection::Sweep { labels: None, .. });
    risks.extend(everything.then_some("all Upstreams that the selection finds"));
    risks.extend((foreign == Foreign::Replace).then_some("TLS settings that are not Istio's (--overwrite)"));
    risks.extend((caution == Caution::Forced).then_some("Upstreams that may answer 503 afterwards (--force)"));
    if risks.is_empty() || global.consent == Consent::Given {
        return Ok(());
    }
    let question = format!("{}-mtls takes {} in {place}. Go on?", wish.verb(), risks.join(", "));
    match report.ui.confirm(&question) {
        Some(true) => Ok(()),
        Some(false) => Err(Failure::new(Exit::Usage, Reason::NotConfirmed, "not confirmed; nothing changed")
            .hint("--yes does not ask")),
        None => Err(Failure::new(
            Exit::Usage,
            Reason::NotConfirmed,
            format!("{}-mtls takes {}, and there is no terminal to ask on", wish.verb(), risks.join(", ")),
        )
        .detail("nothing changed")
        .hint("--yes goes on, --dry-run and --diff show what would change")),
    }
}

impl Run<'_> {
    /// The named objects, in the order they were typed.
    async fn named(&self, report: &mut Report<'_>) {
        let Selection::Named(names) = &self.task.selection else { return };
        let stop = Stop::default();
        let references: Vec<_> = names
            .iter()
            .map(|named| {
                let namespace = named.namespace.as_deref().unwrap_or(self.global.object_namespace());
                ObjectRef::new(self.plan.kind(), namespace, named.name.as_str())
            })
            .collect();
        let results = stream::iter(&references)
            .take_while(|_| std::future::ready(!stop.is_set()))
            .map(|reference| self.one(reference))
            .buffered(self.task.concurrency);
        let mut advised = Vec::new();
        let settled = |settled: &Settled| {
            if settled.row.outcome.is_answer() {
                advised.push(settled.after.clone());
            }
        };
        self.drain(results, &stop, report, settled).await;
        if !stop.is_set() {
            for object in &advised {
                self.advise(object, report).await;
            }
            self.advise_on_gateway(&advised, report).await;
        }
        self.say_interrupted(&stop, references.len(), report);
    }

    async fn one(&self, reference: &ObjectRef) -> Result<Settled, Row> {
        let ObjectRef { kind, namespace, name } = reference;
        match self.session.get(kind, namespace, name).await {
            Ok(value) => {
                let object = Object::new(kind, value);
                Ok(cluster::settle(self.session, self.plan, object, Found::Named, &Surroundings::unseen(), self.write)
                    .await)
            }
            Err(error) => {
                let absent = error.cause == Cause::NotFound;
                let mut row = cluster::failed(self.session, reference, error);
                if absent {
                    self.explain_absence(&mut row).await;
                }
                Err(row)
            }
        }
    }

    /// Near names, and where else the name is; an absence that is fine, or one of several.
    async fn explain_absence(&self, row: &mut Row) {
        if self.task.absent == Absent::IsFine {
            row.exit = Exit::Done;
            return;
        }
        if matches!(&self.task.selection, Selection::Named(names) if names.len() > 1) {
            row.exit = Exit::Failed;
        }
        let absence = absence::around(self.session, &row.object).await;
        row.details.splice(0..0, absence.detail());
        row.hint = absence.hint().or(row.hint.take());
    }

    /// Everything the selection finds, a page at a time.
    async fn sweep(&self, report: &mut Report<'_>) {
        let Selection::Sweep { labels, scope } = &self.task.selection else { return };
        let namespace = self.global.object_namespace();
        let scope = match scope {
            Scope::Namespace => kube::Scope::Namespace(namespace),
            Scope::Everywhere => kube::Scope::All,
        };
        let query = Query::labelled(labels.as_ref().map(ToString::to_string).unwrap_or_default());
        report.begin_sweep(self.words_of_a_sweep(namespace));
        let stop = Stop::default();
        let pages = self.session.pages(self.plan.kind(), scope, query);
        let results = objects(pages, self.plan.kind(), &stop)
            .map(|object| async {
                let object = object.map_err(|error| error.into_failure(self.session))?;
                Ok::<_, Failure>(self.swept(object).await)
            })
            .buffered(self.task.concurrency);
        let mut ended = None;
        let results = results.filter_map(|settled| {
            let result = settled.map_err(|failure| ended = Some(failure)).ok();
            std::future::ready(result.map(Ok))
        });
        let total = self.drain(results, &stop, report, |_| {}).await;
        if let Some(failure) = ended {
            report.failure(failure);
        } else if total == 0 && !stop.is_set() && self.task.absent == Absent::Fails {
            report.failure(self.nothing_found(scope, labels.as_ref().map(ToString::to_string)));
        }
        if !stop.is_set() && total > 0 {
            self.advise_on_gateway(&[], report).await;
        }
        self.say_interrupted(&stop, total, report);
    }

    async fn swept(&self, object: Object) -> Settled {
        let around = self.survey.around(&object, Found::Swept, self.plan.wants()).await;
        cluster::settle(self.session, self.plan, object, Found::Swept, &around, self.write).await
    }

    /// Reports results as they come; Ctrl-C lets those under way end.
    async fn drain(
        &self,
        results: impl Stream<Item = Result<Settled, Row>>,
        stop: &Stop,
        report: &mut Report<'_>,
        mut seen: impl FnMut(&Settled),
    ) -> usize {
        let mut results = pin!(results);
        let mut asked = pin!(interrupt::asked());
        let mut number = 0;
        loop {
            let next = tokio::select! {
                biased;
                () = &mut asked, if !stop.is_set() => {
                    stop.set();
                    report.ui.status("interrupted: what is under way is finished, nothing more is begun");
                    continue;
                }
                next = results.next() => next,
            };
            let Some(result) = next else { return number };
            number += 1;
            match result {
                Ok(settled) => {
                    seen(&settled);
                    self.say(settled, report);
                }
                Err(row) => report.row(row),
            }
        }
    }

    fn say(&self, settled: Settled, report: &mut Report<'_>) {
        let Settled { mut row, before, after } = settled;
        let owner = owner::of(&before.value);
        row.owner = owner.as_ref().map(ToString::to_string);
        if self.task.preview.diff && row.outcome == Outcome::Changed {
            row.diff = Some(diff::live(&row.object.to_string(), &before.value, &after.value, self.task.secrets));
        }
        let changed = row.outcome == Outcome::Changed;
        let reference = row.object.clone();
        report.row(row);
        if let (Some(owner), true, Selection::Named(_)) = (owner, changed, &self.task.selection) {
            report.advice(advice::on_owner(self.plan.wish, &reference, &owner));
        }
    }

    async fn advise(&self, object: &Object, report: &mut Report<'_>) {
        let around = self.survey.around(object, Found::Named, self.plan.wants()).await;
        for advice in self.plan.advise(object, &around) {
            report.advice(advice);
        }
    }

    async fn advise_on_gateway(&self, named: &[Object], report: &mut Report<'_>) {
        if named.is_empty() && matches!(self.task.selection, Selection::Named(_)) {
            return;
        }
        if let Err(why) = self.survey.auto_mtls().await {
            report.advice(advice::on_settings(why));
        }
        if self.plan.wants().gateway {
            let gateway = self.survey.gateway().await;
            if let Some(advice) = advice::on_gateway(self.plan.wish, &gateway, self.survey.gloo_namespace().await) {
                report.advice(advice);
            }
        }
    }

    fn say_interrupted(&self, stop: &Stop, total: usize, report: &mut Report<'_>) {
        if stop.is_set() {
            let done = count(report.count(Outcome::Changed), "Upstream");
            report.failure(
                Failure::new(
                    Exit::Interrupted,
                    Reason::Interrupted,
                    format!("interrupted; {done} {}", self.plan.wish.done()),
                )
                .detail(format!("{total} looked at, each as it is said above"))
                .hint("the same command again goes on with the rest"),
            );
        }
    }

    fn words_of_a_sweep(&self, namespace: &str) -> Sweep {
        let place = self.global.namespace.as_ref().map(|_| format!(" -n {namespace}")).unwrap_or_default();
        let context = self.global.context.as_ref().map(|name| format!(" --kube-context {name}")).unwrap_or_default();
        let again = format!("gloo-rs istio {}-mtls{place}{context} -u", self.plan.wish.verb());
        Sweep { done: self.plan.wish.done(), noun: "Upstream", again, namespace: namespace.to_owned() }
    }

    fn nothing_found(&self, scope: kube::Scope<'_>, labels: Option<String>) -> Failure {
        let place = match scope {
            kube::Scope::Namespace(namespace) => format!("in {namespace}"),
            kube::Scope::All => "in any namespace".to_owned(),
        };
        let with = labels.map(|labels| format!(" with labels {labels}")).unwrap_or_default();
        Failure::new(Exit::SaidNo, Reason::NotFound, format!("no Upstream{with} {place}"))
            .detail(format!("looked in context {} ({})", self.session.context(), self.session.server()))
            .hint("-n NAMESPACE or -A looks elsewhere; --ignore-not-found makes this no failure")
    }
}

/// The objects of all pages, until something ends the run.
fn objects<'p>(
    pages: kube::Pages<'p>,
    kind: &'static crate::model::Kind,
    stop: &'p Stop,
) -> impl Stream<Item = Result<Object, kube::ApiError>> + 'p {
    stream::unfold(Some(pages), async |pages| {
        let mut pages = pages?;
        match pages.next().await {
            Ok(Some(page)) => Some((Ok(page.items), Some(pages))),
            Ok(None) => None,
            Err(error) => Some((Err(error), None)),
        }
    })
    .flat_map(move |page| match page {
        Ok(items) => stream::iter(items.into_iter().map(move |value| Ok(Object::new(kind, value))).collect::<Vec<_>>()),
        Err(error) => stream::iter(vec![Err(error)]),
    })
    .take_while(|_| std::future::ready(!stop.is_set()))
}
