//! The end of a run at a step: what failed, what remains, how to continue.

use super::step::{PlannedStep, StepAct};
use crate::command::{CommandLine, Hint};
use crate::error::{Exit, Failure, Reason};
use crate::flow::execute::Stands;
use crate::flow::interrupt::UNTOUCHED;

/// What the failed step left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StepEnd {
    Own(Stands),
    /// It checked earlier steps, which are rolled back.
    ProvenWrong {
        /// The indexes of those steps in the plan, the last first.
        back: Vec<usize>,
        is_all_back: bool,
    },
}

/// Which of the earlier steps remain, except for those that were
/// rolled back. Of a Helm step, only auto-mTLS is rolled back.
pub(super) fn stands(plan: &[PlannedStep], failed: usize, back: &[usize]) -> Option<String> {
    let in_part = |index: &usize| back.contains(index) && is_release(&plan[*index]);
    let stands = |index: &usize| !plan[*index].is_already() && (!back.contains(index) || in_part(index));
    let made: Vec<_> = (0..failed).filter(stands).collect();
    let without: Vec<_> = made.iter().copied().filter(in_part).collect();
    let stand = match made.as_slice() {
        [] => return None,
        [one] if without.contains(one) => {
            return Some(format!("{} remains in place without auto-mTLS", named(&without)));
        }
        [_] => format!("{} remains in place", named(&made)),
        _ => format!("{} remain in place", named(&made)),
    };
    Some(if without.is_empty() { stand } else { format!("{stand}, {} without auto-mTLS", named(&without)) })
}

fn is_release(planned: &PlannedStep) -> bool {
    matches!(planned.step.act, StepAct::Values(_))
}

/// The steps by number: `step 3`, `steps 1, 2`.
fn named(steps: &[usize]) -> String {
    let numbers: Vec<_> = steps.iter().map(|index| (index + 1).to_string()).collect();
    let noun = if numbers.len() == 1 { "step" } else { "steps" };
    format!("{noun} {}", numbers.join(", "))
}

/// The message for earlier steps that were rolled back: `found auto-mTLS of step 1 not working: it is rolled back`.
fn wrong(plan: &[PlannedStep], back: &[usize], is_all_back: bool) -> String {
    let mut back = back.to_vec();
    back.sort_unstable();
    let what = match back.as_slice() {
        [one] if is_release(&plan[*one]) && plan[*one].turns_on_auto_mtls() => {
            format!("auto-mTLS of {}", named(&back))
        }
        steps => named(steps),
    };
    let are = if back.len() == 1 { "it is" } else { "they are" };
    format!("found {what} not working: {are} {}rolled back", if is_all_back { "" } else { "NOT fully " })
}

/// Why the run ended at a step, what remains, and how to continue.
pub(super) fn stopped(
    way_back: CommandLine,
    plan: &[PlannedStep],
    failed: usize,
    why: Failure,
    state: &StepEnd,
) -> Failure {
    let number = failed + 1;
    let (exit, what) = match state {
        StepEnd::Own(Stands::Nothing) if why.reason == Reason::UnexpectedAnswer => {
            (why.exit, "gives no reason to roll back an earlier step".to_owned())
        }
        StepEnd::Own(Stands::Nothing) => (why.exit, "changed nothing".to_owned()),
        StepEnd::Own(Stands::RolledBack) => (why.exit.prevailing(Exit::RolledBack), "is rolled back".to_owned()),
        StepEnd::ProvenWrong { back, is_all_back } => {
            let exit = if *is_all_back { Exit::RolledBack } else { Exit::HalfDone };
            (why.exit.prevailing(exit), wrong(plan, back, *is_all_back))
        }
        StepEnd::Own(Stands::HalfDone) => (why.exit.prevailing(Exit::HalfDone), "is NOT fully rolled back".to_owned()),
        StepEnd::Own(Stands::Unconfirmed) => (why.exit, "is applied, not verified".to_owned()),
        StepEnd::Own(Stands::Part) => (why.exit, "is partly applied".to_owned()),
    };
    let back = match state {
        StepEnd::ProvenWrong { back, is_all_back: true } => back.as_slice(),
        _ => &[],
    };
    let earlier = stands(plan, failed, back);
    // A run that a fault of this program ends is not as it was planned, and nothing rolls back its steps.
    let is_half_done = why.reason == Reason::Bug && earlier.is_some();
    let exit = if is_half_done { exit.prevailing(Exit::HalfDone) } else { exit };
    let hint = both_ways(way_back, *state != StepEnd::Own(Stands::Nothing) || earlier.is_some());
    let earlier = earlier.map_or_else(String::new, |earlier| format!("; {earlier}"));
    let message = format!("step {number} ({}) failed: {}", plan[failed].step.word, why.message);
    let failure = Failure { exit, message, ..why }.detail(format!("step {number} {what}{earlier}"));
    failure.hint(hint)
}

/// Why the run ended between two steps.
pub(super) fn ended_before(way_back: CommandLine, plan: &[PlannedStep], next: usize, why: Failure) -> Failure {
    let stands = stands(plan, next, &[]);
    let hint = both_ways(way_back, stands.is_some());
    why.detail(stands.as_deref().unwrap_or(UNTOUCHED)).hint(hint)
}

/// The hint to continue. It includes the undo command only if changes remain.
fn both_ways(way_back: CommandLine, something_stands: bool) -> Hint {
    let on = Hint::from("run the same command again to continue");
    if something_stands { on.text("; undo with ").command(way_back) } else { on }
}
