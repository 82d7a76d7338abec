//! Runs the steps one after the other, until one fails.

use std::time::Instant;

use super::step::{MadeByStep, PlannedStep, StepAct};
use super::stopped::{StepEnd, ended_before, stopped};
use super::{Way, hints};
use crate::apply::caught::caught;
use crate::apply::transaction::{self, Undone};
use crate::error::{Exit, Failure, Reason};
use crate::flow::execute::{Stands, Stopped, say_undone};
use crate::flow::interrupt::{Interrupts, interrupted};
use crate::flow::report::Report;
use crate::flow::values;
use crate::model::ObjectRef;
use crate::options::Global;
use crate::render::text::{count, seconds};

impl Way {
    /// Runs the steps.
    ///
    /// # Errors
    /// Which step failed, what remains, and how to continue.
    pub(super) async fn walk(
        &self,
        plan: &[PlannedStep],
        stop: &Interrupts,
        report: &mut Report<'_>,
    ) -> Result<(), Failure> {
        let mut made: Vec<MadeByStep> = Vec::new();
        for (index, planned) in plan.iter().enumerate() {
            if stop.is_set() {
                return Err(ended_before(self.way_back(), plan, index, interrupted()));
            }
            let head = format!("step {} of {}", index + 1, plan.len());
            let what = format!("{} {}", planned.step.word, planned.step.what);
            if let (true, Some(spared)) = (planned.is_already(), &planned.spared) {
                report.ui.status(format!("{head}: {what}: already: {}", spared.by));
                made.push(MadeByStep::Nothing);
                continue;
            }
            report.ui.status(format!("{head}: {what}"));
            let begun = Instant::now();
            // Also runs a step that is already done: an earlier run
            // that was killed may have left a rollout in progress.
            let outcome = caught(Box::pin(planned.carry_out(&self.session, self.caution, &self.global, report))).await;
            match outcome.unwrap_or_else(|panicked| Err(Failure::from(panicked).into())) {
                Ok(of_step) => {
                    made.push(of_step);
                    report.ui.status(format!("{head}: done ({})", seconds(begun.elapsed())));
                }
                Err(Stopped { why, stands, .. }) => {
                    let state = match &planned.step.act {
                        StepAct::Verify { .. } => self.roll_back_wrong(plan, index, &made, &why, report).await,
                        _ => StepEnd::Own(stands),
                    };
                    let why = hints::told(why, self.word, &planned.step.act, &self.typed);
                    return Err(stopped(self.way_back(), plan, index, why, &state));
                }
            }
        }
        report.line(format!("{} done: {}", self.word, count(plan.len(), "step")));
        Ok(())
    }

    /// Rolls back the steps that a request proved wrong.
    async fn roll_back_wrong(
        &self,
        plan: &[PlannedStep],
        request: usize,
        made: &[MadeByStep],
        why: &Failure,
        report: &mut Report<'_>,
    ) -> StepEnd {
        let mut back = proven_wrong(plan, request, &self.global);
        back.retain(|index| !made[*index].is_nothing());
        // A request that was not sent proves nothing. Neither does one that its route or the backend itself failed.
        if back.is_empty() || (why.exit, why.reason) != (Exit::Unconfirmed, Reason::Unproven) {
            return StepEnd::Own(Stands::Nothing);
        }
        let mut is_all_back = true;
        for index in &back {
            is_all_back &= self.roll_back(&made[*index], why.reason, report).await;
        }
        StepEnd::ProvenWrong { back, is_all_back }
    }

    /// Rolls back what a step wrote. Returns whether all of it was rolled back.
    async fn roll_back(&self, made: &MadeByStep, reason: Reason, report: &mut Report<'_>) -> bool {
        report.ui.status("rolling back");
        match made {
            MadeByStep::Nothing => true,
            MadeByStep::AutoMtls(upgraded, task) => {
                Box::pin(values::auto_mtls_back(&self.session, upgraded, task, &self.global, report)).await
            }
            MadeByStep::Objects(done) => {
                let undone = transaction::roll_back(&self.session, done).await;
                for (object, state) in &undone {
                    if let Undone::Stands(why) = state {
                        report.ui.error(&format!("{object} still changed: {why}"), [], []);
                    }
                    let row = say_undone(object, state, reason, report);
                    report.rolled_back(row);
                }
                Stands::after(&undone) != Stands::HalfDone
            }
        }
    }
}

impl MadeByStep {
    fn is_nothing(&self) -> bool {
        match self {
            Self::Nothing => true,
            Self::Objects(done) => done.is_empty(),
            Self::AutoMtls(..) => false,
        }
    }
}

/// The steps that a failed request proves wrong, the last first: those that it verifies and that affect it. The TLS
/// settings of an Upstream take precedence over auto-mTLS, which is all that a route to a Service has.
pub(super) fn proven_wrong(plan: &[PlannedStep], request: usize, global: &Global) -> Vec<usize> {
    let StepAct::Verify { request, proves } = &plan[request].step.act else { return Vec::new() };
    let is_asked = |object: &ObjectRef| {
        request.upstream.as_ref().is_some_and(|named| {
            named.name == object.name
                && named.namespace.as_deref().unwrap_or(global.object_namespace()) == object.namespace
        })
    };
    let by_auto_mtls = request.upstream.is_none()
        || plan.iter().filter_map(|it| it.spared.as_ref()).any(|it| it.upstreams.iter().any(is_asked));
    let carries = |index: &usize| match &plan[*index].step.act {
        StepAct::Values(_) | StepAct::Switches(_) => by_auto_mtls,
        StepAct::Upstreams(..) => !by_auto_mtls,
        _ => true,
    };
    proves.iter().rev().copied().filter(carries).collect()
}
