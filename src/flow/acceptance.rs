//! `--wait`: collects changed objects until their effect is known.

use std::cell::RefCell;

use serde_json::{Value, json};

use super::interrupt::Signals;
use super::report::Report;
use super::stop::{Stop, Why};
use crate::apply::cluster::Settled;
use crate::kube::Session;
use crate::load::survey::SurveyReader;
use crate::model::Object;
use crate::options::{Global, Patience};
use crate::plan::PerObject;
use crate::plan::advice::Advice;
use crate::plan::effect::{AwaitedChange, EffectVerdict, Wanted, row, said};
use crate::plan::outcome::Row;
use crate::render::text::{count, seconds};
use crate::verify::acceptance;

/// The result lines of objects whose effect is waited for, in the order of the changes.
#[derive(Default)]
pub(super) struct Held(RefCell<Vec<Line>>);

struct Line {
    row: Row,
    wanted: Wanted,
    /// The object before the change, reduced to its status.
    before: Value,
}

impl Held {
    /// Returns whether the result line of the object is held until the effect is known. Objects that already had the
    /// wanted state are held too, because an earlier run may have ended while it waited.
    pub(super) fn takes(patience: Patience, settled: &Settled) -> bool {
        patience == Patience::Wait && settled.row.outcome.is_answer()
    }

    /// Holds a result line.
    pub(super) fn keep(&self, row: Row, before: &Object, plan: &dyn PerObject) {
        let wanted = plan.expects(before).expect("only commands whose effect can be seen have --wait");
        let before = json!({"status": before.value["status"]});
        self.0.borrow_mut().push(Line { row, wanted, before });
    }

    /// Waits for the effect of all held objects together and reports each.
    pub(super) async fn release(
        &self,
        session: &Session,
        survey: &SurveyReader<'_>,
        global: &Global,
        (stop, signals): (&Stop, &mut Signals),
        report: &mut Report<'_>,
    ) {
        let held = self.0.take();
        if held.is_empty() {
            return;
        }
        let namespace = survey.gloo_namespace().await;
        let change = |line: &Line| AwaitedChange {
            object: line.row.object.clone(),
            wanted: line.wanted,
            before: said(&line.before, namespace),
        };
        let changes: Vec<_> = held.iter().map(change).collect();
        let verdicts = if stop.is_set() {
            vec![EffectVerdict::Interrupted; changes.len()]
        } else {
            let most = seconds(global.wait_timeout);
            report
                .ui
                .status(format!("waiting for Gloo to serve {} ({most} at most)", count(changes.len(), "Upstream")));
            let progress = report.ui.waiting("served by Gloo");
            let verdicts = tokio::select! {
                biased;
                () = signals.next() => {
                    stop.set(Why::Asked);
                    vec![EffectVerdict::Interrupted; changes.len()]
                }
                verdicts = acceptance::wait(session, namespace, &changes, global.wait_timeout, &progress) => verdicts,
            };
            report.ui.end_wait();
            verdicts
        };
        if let Some(EffectVerdict::Unseen { why }) =
            verdicts.iter().find(|verdict| matches!(verdict, EffectVerdict::Unseen { .. }))
        {
            report.advice(Advice::unknown("what Gloo serves is unknown", why));
        }
        for (line, verdict) in held.into_iter().zip(&verdicts) {
            report.row(row(line.row, verdict));
        }
    }
}
