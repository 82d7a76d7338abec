//! Makes the changes of a run in batches and watches the requests after each. A batch after which requests became worse
//! is rolled back.

mod batch;

use std::cell::RefCell;

use serde_json::Value;

use self::batch::BatchRun;
use super::Run;
use crate::error::Failure;
use crate::flow::report::Report;
use crate::flow::watch::{BatchDocument, BatchOutcome, Observed, Origin, Watch, judged_by};
use crate::model::{ObjectRef, kinds};
use crate::options::Observation;
use crate::plan::outcome::{Outcome, Row};
use crate::plan::verdict::evidence::cluster_name;
use crate::render::text::count;

/// The changes of a run that are to be made in batches.
#[derive(Default)]
pub(super) struct CollectedRows {
    changes: RefCell<Vec<Row>>,
    unobserved: RefCell<Vec<Row>>,
}

impl CollectedRows {
    /// Returns the row, unless it is of an object that a batch is to change, or that an earlier run changed without
    /// observing it.
    pub(super) fn unless_kept(&self, row: Row, is_marked: bool) -> Option<Row> {
        let kept = match row.outcome {
            Outcome::Changed => &self.changes,
            Outcome::Unchanged if is_marked => &self.unobserved,
            _ => return Some(row),
        };
        kept.borrow_mut().push(row);
        None
    }

    /// The objects of the run, ordered by namespace and name.
    pub(super) fn take(&self) -> BatchWork {
        let ordered = |rows: &RefCell<Vec<Row>>| {
            let mut rows = rows.take();
            rows.sort_by(|one, other| place(&one.object).cmp(&place(&other.object)));
            rows
        };
        BatchWork { changes: ordered(&self.changes), unobserved: ordered(&self.unobserved) }
    }
}

fn place(object: &ObjectRef) -> (&str, &str) {
    (&object.namespace, &object.name)
}

/// The objects of a run, ordered by namespace and name.
pub(super) struct BatchWork {
    changes: Vec<Row>,
    unobserved: Vec<Row>,
}

impl BatchWork {
    /// The batches, with those that an earlier run left first.
    fn batches(self, observation: Observation) -> Vec<Batch> {
        let all = self.changes.len().max(1);
        let size = observation.batch.map_or(usize::MAX, |batch| batch.of(all));
        let of_origin = |rows: Vec<Row>, origin| {
            rows.chunks(size).map(|rows| Batch { origin, rows: rows.to_vec() }).collect::<Vec<_>>()
        };
        let mut batches = of_origin(self.unobserved, Origin::EarlierRun);
        batches.extend(of_origin(self.changes, Origin::ThisRun));
        batches
    }
}

struct Batch {
    origin: Origin,
    /// The rows of a run that would write nothing.
    rows: Vec<Row>,
}

impl Batch {
    /// `5 Upstreams`, `2 Upstreams, changed by an earlier run and not observed`
    fn title(&self) -> String {
        let objects = match self.rows.first() {
            Some(row) if row.object.kind == &kinds::SETTINGS => "Gloo's Settings".to_owned(),
            _ => count(self.rows.len(), "Upstream"),
        };
        match self.origin {
            Origin::ThisRun => objects,
            Origin::EarlierRun => format!("{objects}, changed by an earlier run and not observed"),
        }
    }

    /// The batch in the document.
    fn document(&self, number: usize, outcome: BatchOutcome, observation: Observation, observed: &[Observed]) -> Value {
        let objects = self.rows.iter().map(|row| &row.object).collect();
        BatchDocument { number, outcome, objects, origin: self.origin, observation, observed }.value()
    }
}

impl Run<'_> {
    /// Makes the changes batch by batch. The rows of the objects are reported when their batch has ended. A preview shows
    /// the batches.
    ///
    /// # Errors
    /// The requests could not be watched before the first change.
    pub(super) async fn in_batches(
        &self,
        work: BatchWork,
        observation: Observation,
        report: &mut Report<'_>,
    ) -> Result<(), Failure> {
        let batches = work.batches(observation);
        if batches.is_empty() {
            return Ok(());
        }
        if self.task.preview.is_on() {
            preview(batches, observation, report);
            return Ok(());
        }
        let gloo = self.survey.gloo_namespace().await;
        let rows = batches.iter().flat_map(|batch| &batch.rows);
        // A change of another kind of object affects all Upstreams.
        let clusters: Vec<_> = match self.plan.kind() == &kinds::UPSTREAM {
            true => rows.map(|row| cluster_name(&row.object)).collect(),
            false => Vec::new(),
        };
        let named = clusters.iter().map(String::as_str);
        let mut watch = Watch::begin(self.session, gloo, named, observation, report).await?;
        let mut everywhere = None;
        if clusters.is_empty() {
            let all = watch.clusters_to(None, &[]).await?;
            watch.only(gloo, &all);
            everywhere = Some(all);
        }
        let of = batches.len();
        for (at, batch) in batches.into_iter().enumerate() {
            let name = format!("batch {} of {of}", at + 1);
            report.ui.status(format!("{name}: {}", batch.title()));
            let everywhere = everywhere.as_deref();
            let run = BatchRun { run: self, watch: &watch, gloo, observation, number: at + 1, name, everywhere };
            if let Err(failure) = Box::pin(run.whole(batch, report)).await {
                let failure = match (at, of - at - 1) {
                    (0, 0) => failure,
                    (before, rest) => {
                        failure.detail(format!("of {of} batches, {before} stay changed and {rest} were not begun"))
                    }
                };
                report.failure(failure.hint("run the same command again to continue with the rest"));
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Shows the batches and what each would be judged by.
fn preview(batches: Vec<Batch>, observation: Observation, report: &mut Report<'_>) {
    let what = if observation.is_by_request() { "Upstream" } else { "batch" };
    report.line(format!("each {what} would be {}", judged_by(observation)));
    let of = batches.len();
    for (at, batch) in batches.into_iter().enumerate() {
        if !observation.is_by_request() {
            report.line(format!("batch {} of {of}: {}", at + 1, batch.title()));
        }
        report.extend_field("batches", vec![batch.document(at + 1, BatchOutcome::Planned, observation, &[])]);
        report.rows(batch.rows);
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroUsize;
    use std::time::Duration;

    use super::*;
    use crate::model::kinds::UPSTREAM;
    use crate::options::{BatchSize, OnSilence, OnWorse};
    use crate::plan::observe::Limits;

    #[test]
    fn batches_are_in_order_across_namespaces_and_begin_with_what_was_not_observed() {
        let collected = CollectedRows::default();
        let row = |namespace: &str, name: &str, outcome| {
            Row::answer(crate::model::ObjectRef::new(&UPSTREAM, namespace, name), outcome, "m")
        };
        for (namespace, name) in [("b", "x"), ("a", "y"), ("b", "a"), ("a", "x")] {
            assert_eq!(collected.unless_kept(row(namespace, name, Outcome::Changed), false), None);
        }
        assert_eq!(collected.unless_kept(row("c", "marked", Outcome::Unchanged), true), None);
        for outcome in [Outcome::Unchanged, Outcome::Skipped, Outcome::Refused] {
            assert!(collected.unless_kept(row("d", "other", outcome), false).is_some());
        }
        let observation = Observation {
            batch: Some(BatchSize::Objects(NonZeroUsize::new(3).unwrap())),
            window: Duration::from_secs(1),
            limits: Limits { max_5xx: None, min_requests: 1 },
            silence: OnSilence::Stop,
            failure: OnWorse::Stop,
        };
        let batches = collected.take().batches(observation);
        let names = |batch: &Batch| {
            batch.rows.iter().map(|row| format!("{}/{}", row.object.namespace, row.object.name)).collect::<Vec<_>>()
        };
        let all: Vec<_> = batches.iter().map(|batch| (batch.origin, names(batch).join(" "))).collect();
        assert_eq!(
            all,
            [
                (Origin::EarlierRun, "c/marked".to_owned()),
                (Origin::ThisRun, "a/x a/y b/a".to_owned()),
                (Origin::ThisRun, "b/x".to_owned()),
            ]
        );
        let whole = BatchWork { changes: batches[1].rows.clone(), unobserved: Vec::new() };
        assert_eq!(whole.batches(Observation { batch: None, ..observation }).len(), 1);
    }
}
