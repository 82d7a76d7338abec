//! The steps made one after the other, until one fails.

use std::time::Instant;

use super::kept::{Before, Made};
use super::step::{Act, Planned, upgraded};
use super::wrong::proven_wrong;
use super::{Way, hints, shown};
use crate::apply::caught::caught;
use crate::error::{Exit, Failure, Reason};
use crate::flow::interrupt::{Interrupts, interrupted};
use crate::flow::report::{Ended, Report};
use crate::plan::outcome::Outcome;
use crate::render::text::{count, seconds};

/// What became of the step that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    Untouched,
    RolledBack,
    /// It looked at what earlier steps did, and that is taken back.
    ProvenWrong {
        /// Those steps, by their places in the plan, the last first.
        back: Vec<usize>,
        is_all_back: bool,
    },
    HalfDone,
    /// It stands, and whether it works is not known.
    Unconfirmed,
    /// Part of it stands, for it is not one transaction.
    InPart,
}

impl Way {
    /// Makes them.
    ///
    /// # Errors
    /// Which step failed, what stands, and how to go on.
    pub async fn walk(&self, plan: &[Planned], stop: &Interrupts, report: &mut Report<'_>) -> Result<(), Failure> {
        let mut made: Vec<Made> = Vec::new();
        for (index, planned) in plan.iter().enumerate() {
            if stop.is_set() {
                return Err(shown::ended_before(self.way_back(), plan, index, interrupted()));
            }
            let head = format!("step {} of {}", index + 1, plan.len());
            if let (true, Some(spared)) = (planned.is_already(), &planned.spared) {
                report
                    .ui
                    .status(&format!("{head}: {} {}: already: {}", planned.step.word, planned.step.what, spared.by));
                made.push(Made::default());
                continue;
            }
            report.ui.status(&format!("{head}: {} {}", planned.step.word, planned.step.what));
            let begun = Instant::now();
            // Also what is so already: a run that was killed may have left its rollout under way.
            let before = Before::of(planned, &self.session).await;
            let mut of_step = report.step();
            let outcome = caught(Box::pin(planned.step.act.run(&self.global, &mut of_step))).await;
            let outcome = outcome.unwrap_or_else(|panicked| Err(panicked.into_failure()));
            let ended = of_step.end();
            made.push(before.made(&ended, &self.session).await);
            if outcome.is_ok() && ended.exit == Exit::Done {
                if let Some(release) = upgraded(&ended) {
                    report.record(release);
                }
                report.take(ended);
                report.ui.status(&format!("{head}: done ({})", seconds(begun.elapsed())));
                continue;
            }
            let why = outcome.err().or_else(|| ended.failure.clone());
            // What objects have against it was said below each.
            let why = why.or_else(|| Some(Failure { details: Vec::new(), hints: Vec::new(), ..ended.why()? }));
            let why = why.unwrap_or_else(|| shown::unsaid(ended.exit));
            report.take(ended.clone());
            let state = match &planned.step.act {
                act @ Act::Verify { .. } => self.take_wrong_back(plan, act, &made, &why, report).await,
                _ => self.take_back(&made, (&why, &ended), report).await,
            };
            let why = hints::told(why, self.word, &planned.step.act, &self.typed);
            return Err(shown::stopped(self.way_back(), plan, index, why, &state));
        }
        report.line(&format!("{} done: {}", self.word, count(plan.len(), "step")));
        Ok(())
    }

    /// Takes back what a request proved wrong.
    async fn take_wrong_back(
        &self,
        plan: &[Planned],
        act: &Act,
        made: &[Made],
        why: &Failure,
        report: &mut Report<'_>,
    ) -> State {
        let back = proven_wrong(plan, act, made, &self.global);
        // A request that was not sent proves nothing, nor does one that its route or the backend itself failed.
        if back.is_empty() || (why.exit, why.reason) != (Exit::Unconfirmed, Reason::Unproven) {
            return State::Untouched;
        }
        let mut is_all_back = true;
        for index in &back {
            is_all_back &= made[*index].take_back(&self.session, why.reason, &self.global, report).await;
        }
        State::ProvenWrong { back, is_all_back }
    }

    /// Takes back what of the last step stands; most steps have done so themselves.
    async fn take_back(&self, made: &[Made], (why, ended): (&Failure, &Ended), report: &mut Report<'_>) -> State {
        let has_ended =
            |exit: Exit| [why.exit, ended.exit].contains(&exit) || ended.rows.iter().any(|row| row.exit == exit);
        match made.last().filter(|made| !made.is_empty()) {
            _ if has_ended(Exit::HalfDone) => State::HalfDone,
            _ if has_ended(Exit::RolledBack) => State::RolledBack,
            _ if has_ended(Exit::Unconfirmed) => State::Unconfirmed,
            Some(made) if made.take_back(&self.session, why.reason, &self.global, report).await => State::RolledBack,
            Some(_) => State::HalfDone,
            None if ended.changed().next().is_some() => State::InPart,
            None if ended.rows.iter().any(|row| row.outcome == Outcome::Failed) => State::RolledBack,
            None => State::Untouched,
        }
    }
}
