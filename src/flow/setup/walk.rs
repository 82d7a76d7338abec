//! The steps made one after the other, until one fails.

use std::time::Instant;

use super::kept::{Before, Made};
use super::step::{Act, Planned};
use super::{Way, shown};
use crate::error::{Exit, Failure};
use crate::flow::interrupt::Stop;
use crate::flow::report::{Ended, Report};
use crate::flow::transact::interrupted;
use crate::plan::outcome::Outcome;
use crate::render::text::{count, seconds};

/// What became of the step that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Untouched,
    RolledBack,
    /// It looked at what earlier steps did, and that is taken back.
    ProvenWrong,
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
    pub async fn walk(&self, plan: &[Planned], stop: &Stop, report: &mut Report<'_>) -> Result<(), Failure> {
        let mut made: Vec<Made> = Vec::new();
        for (index, planned) in plan.iter().enumerate() {
            if stop.is_set() {
                return Err(shown::ended_before(self.word, plan, index, interrupted()));
            }
            if planned.is_already() && planned.spared.is_some() {
                made.push(Made::default());
                continue;
            }
            let head = format!("step {} of {}", index + 1, plan.len());
            report.ui.status(&format!("{head}: {} {}", planned.step.word, planned.step.what));
            let begun = Instant::now();
            // Also what is so already: a run that was killed may have left its rollout under way.
            let before = Before::of(planned, &self.session).await;
            let mut of_step = report.step();
            let outcome = planned.step.act.run(&self.global, &mut of_step).await;
            let ended = of_step.end();
            made.push(before.made(&self.session).await);
            if outcome.is_ok() && ended.exit == Exit::Done {
                report.take(ended);
                report.ui.status(&format!("{head}: done ({})", seconds(begun.elapsed())));
                continue;
            }
            let why = outcome.err().or_else(|| ended.failure.clone());
            // What objects have against it was said below each.
            let why = why.or_else(|| Some(Failure { details: Vec::new(), hints: Vec::new(), ..ended.why()? }));
            let why = why.unwrap_or_else(|| shown::unsaid(ended.exit));
            report.take(ended.clone());
            let state = self.take_back(&planned.step.act, &made, (&why, &ended), report).await;
            return Err(shown::stopped(self.word, plan, index, why, state));
        }
        report.line(&format!("{} done: {}", self.word, count(plan.len(), "step")));
        Ok(())
    }

    /// Takes back what of the last step stands, and what it proved wrong; most steps have done so themselves.
    async fn take_back(
        &self,
        act: &Act,
        made: &[Made],
        (why, ended): (&Failure, &Ended),
        report: &mut Report<'_>,
    ) -> State {
        if let Act::Verify { proves, .. } = act {
            let wrong: Vec<_> =
                proves.iter().rev().map(|index| &made[*index]).filter(|made| !made.is_empty()).collect();
            // A request that was not sent proves nothing.
            if wrong.is_empty() || why.exit != Exit::Unconfirmed {
                return State::Untouched;
            }
            let mut is_back = true;
            for made in wrong {
                is_back &= made.take_back(&self.session, why.reason, report).await;
            }
            return if is_back { State::ProvenWrong } else { State::HalfDone };
        }
        let has_ended = |exit: Exit| why.exit == exit || ended.rows.iter().any(|row| row.exit == exit);
        match made.last().filter(|made| !made.is_empty()) {
            _ if has_ended(Exit::HalfDone) => State::HalfDone,
            _ if has_ended(Exit::RolledBack) => State::RolledBack,
            _ if has_ended(Exit::Unconfirmed) => State::Unconfirmed,
            Some(made) if made.take_back(&self.session, why.reason, report).await => State::RolledBack,
            Some(_) => State::HalfDone,
            None if ended.changed().next().is_some() => State::InPart,
            None if ended.rows.iter().any(|row| row.outcome == Outcome::Failed) => State::RolledBack,
            None => State::Untouched,
        }
    }
}
