//! Runs the steps one after the other, until one fails.

use std::time::Instant;

use super::made::{Follows, MadeByStep};
use super::observed::StepWatch;
use super::step::{PlannedStep, StepAct, Work};
use super::stopped::{StepEnd, ended_before, stopped};
use super::{Way, hints};
use crate::apply::caught::caught;
use crate::apply::transaction::{self, Undone};
use crate::command::gloo_rs;
use crate::error::{Exit, Failure, Reason};
use crate::flow::execute::{Stands, Stopped, say_undone};
use crate::flow::interrupt::{Interrupts, interrupted};
use crate::flow::report::Report;
use crate::flow::values;
use crate::flow::watch::BatchOutcome;
use crate::load::survey::SurveyReader;
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
        let survey = SurveyReader::new(&self.session, &self.global);
        let mut watch = match plan.iter().any(|planned| planned.work.is_due() || planned.work.is_postponed()) {
            true => {
                let gloo = survey.gloo_namespace().await;
                StepWatch::begin((&self.session, gloo), plan, &self.global, report).await?
            }
            false => None,
        };
        let mut made: Vec<MadeByStep> = Vec::new();
        for (index, planned) in plan.iter().enumerate() {
            let is_observation = matches!(planned.work, Work::Observation(_));
            let is_open =
                is_observation && !planned.work.is_postponed() && watch.as_ref().is_some_and(StepWatch::is_open);
            // What is not judged yet is rolled back by its observation.
            if stop.is_set() && !is_open {
                return Err(ended_before(self.way_back(), plan, index, interrupted()));
            }
            let head = format!("step {} of {}", index + 1, plan.len());
            let what = format!("{} {}", planned.step.word, planned.step.what);
            if let (true, Some(spared)) = (planned.is_already(), &planned.spared) {
                report.ui.status(format!("{head}: {what}: already: {}", spared.by));
                made.push(MadeByStep::Nothing);
                continue;
            }
            if is_observation && !is_open {
                made.push(MadeByStep::Nothing);
                continue;
            }
            report.ui.status(format!("{head}: {what}"));
            let begun = Instant::now();
            // Also runs a step that is already done: an earlier run
            // that was killed may have left a rollout in progress.
            let outcome = caught(Box::pin(self.step(plan, index, (&mut watch, &mut made), report))).await;
            match outcome.unwrap_or_else(|panicked| Err(Failure::from(panicked).into())) {
                Ok(of_step) => {
                    if let Some(watch) = &mut watch {
                        watch.after_step(index, &of_step);
                    }
                    made.push(of_step);
                    report.ui.status(format!("{head}: done ({})", seconds(begun.elapsed())));
                }
                Err(Stopped { why, stands, .. }) => {
                    let state = match (&planned.step.act, &mut watch) {
                        (StepAct::Verify { .. }, _) => self.roll_back_wrong(plan, index, &made, &why, report).await,
                        (StepAct::Observe { .. }, Some(watch)) => {
                            self.roll_back_worse(plan, (watch, &made), &why, report).await
                        }
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

    /// Runs a step, or watches the requests after those before it.
    async fn step(
        &self,
        plan: &[PlannedStep],
        index: usize,
        (watch, made): (&mut Option<StepWatch<'_>>, &mut [MadeByStep]),
        report: &mut Report<'_>,
    ) -> Result<MadeByStep, Stopped> {
        let planned = &plan[index];
        if let (StepAct::Observe { request, .. }, Some(watch)) = (&planned.step.act, &mut *watch) {
            watch.observe(plan, (made, request), &self.global, report).await?;
            watch.ended(BatchOutcome::Passed, plan, made, report);
            return Ok(MadeByStep::Nothing);
        }
        let follows = match plan.get(index + 1).map(|next| &next.work) {
            Some(Work::Observation(_)) => Follows::Observation,
            _ => Follows::NextStep,
        };
        if let (Some(watch), Follows::Observation) = (watch, follows) {
            watch.before_step(planned).await?;
        }
        planned.carry_out(&self.session, (self.caution, follows), &self.global, report).await
    }

    /// Rolls back the steps after which requests became worse.
    async fn roll_back_worse(
        &self,
        plan: &[PlannedStep],
        (watch, made): (&mut StepWatch<'_>, &[MadeByStep]),
        why: &Failure,
        report: &mut Report<'_>,
    ) -> StepEnd {
        if why.reason == Reason::TooFewRequests {
            watch.ended(BatchOutcome::TooFewRequests, plan, made, report);
            return StepEnd::Own(Stands::Nothing);
        }
        let back = watch.open();
        let mut is_all_back = true;
        for index in &back {
            is_all_back &= self.roll_back(&made[*index], why.reason, report).await;
        }
        let outcome = if is_all_back { BatchOutcome::RolledBack } else { BatchOutcome::RollbackIncomplete };
        watch.ended(outcome, plan, made, report);
        StepEnd::ProvenWrong { back, is_all_back }
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
        back.retain(|index| made[*index].can_go_back());
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
            MadeByStep::Release(upgraded) => {
                let place = format!("{}/{}", upgraded.record.namespace, upgraded.record.name);
                let by_hand = gloo_rs("upgrade-values --remove --apply").with("-n", &*upgraded.record.namespace);
                report.trouble(&format!("release {place}: still upgraded"), &[], [by_hand.after("to roll back: ")]);
                false
            }
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
