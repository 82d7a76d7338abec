//! `istio setup`, `istio teardown`: commands that are there already, in their order, one at a time.
//!
//! Nothing is decided here. Each step is asked by a preview of its own command what it would do, and is made by that
//! command: what a rerun finds done it leaves, so there is nothing to remember between two runs.

mod backward;
mod forward;
mod shown;
mod step;

use serde_json::Value;

use self::step::{Act, Planned, Step};
use super::interrupt::{self, Stop};
use super::report::{Ended, Report};
use super::transact::interrupted;
use super::{consent, open, place};
use crate::error::{Exit, Failure};
use crate::options::{Consent, DryRun, Extent, Global, Preview, Setup, Teardown};
use crate::render::text::count;

/// From a plain gateway to mutual TLS.
///
/// # Errors
/// Why nothing was begun, or which step failed, what stands, and how to go on.
pub async fn setup(task: &Setup, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let session = begin(task.extent, global, report).await?;
    let steps = interrupt::or(forward::steps(&session, task, global)).await?;
    go("setup", steps, task.extent, &place(&session), global, report).await
}

/// And back.
///
/// # Errors
/// The same.
pub async fn teardown(task: Teardown, global: &Global, report: &mut Report<'_>) -> Result<(), Failure> {
    let session = begin(task.extent, global, report).await?;
    let found = interrupt::or(backward::steps(&session, task.marks, global)).await?;
    report.field("left", found.left.iter().map(|left| Value::from(left.as_str())).collect());
    for left in &found.left {
        report.line(&format!("left: {left}"));
    }
    go("teardown", found.steps, task.extent, &place(&session), global, report).await
}

async fn begin(extent: Extent, global: &Global, report: &mut Report<'_>) -> Result<crate::kube::Session, Failure> {
    let session = open(global, report).await?;
    let dry_run = (extent == Extent::PlanAlone).then_some(DryRun::Client);
    report.form_for_cluster(Preview { dry_run, ..Preview::default() });
    Ok(session)
}

async fn go(
    word: &str,
    steps: Vec<Step>,
    extent: Extent,
    place: &str,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    report.line(&format!("plan for {place}"));
    // Asked for the whole once, no step asks by itself; and each step's Gloo is this one's.
    let gloo_namespace = global.gloo_namespace.clone().or_else(|| global.namespace.clone());
    let inner = Global { consent: Consent::Given, gloo_namespace, ..global.clone() };
    let mut plan = Vec::new();
    for step in steps {
        let number = plan.len() + 1;
        let planned = interrupt::or(step.plan(&inner, report)).await.map_err(|why| {
            let message = format!("step {number} is refused: {}", why.message);
            Failure { message, ..why }.detail("nothing was changed")
        })?;
        for line in shown::lines(number, &planned) {
            report.line(&line);
        }
        plan.push(planned);
    }
    report.field("plan", plan.iter().enumerate().map(|(index, it)| shown::value(index + 1, it)).collect());
    let restarts = plan.iter().flat_map(Planned::restarts).count();
    let written: usize = plan.iter().map(|planned| planned.changes.len()).sum();
    let is_as_wanted = plan.iter().all(Planned::is_already);
    let only_looks = plan.iter().any(Planned::only_looks);
    if is_as_wanted {
        report.line("nothing to change");
    }
    if is_as_wanted && (extent == Extent::PlanAlone || !only_looks) {
        return Ok(());
    }
    let amount = format!("{}, {} of them restarted", count(written, "object"), count(restarts, "workload"));
    if !is_as_wanted {
        report.line(&format!("changes {amount}"));
    }
    if extent == Extent::PlanAlone {
        return Ok(());
    }
    let risks = if is_as_wanted { Vec::new() } else { vec![amount] };
    consent::ask(&format!("{word} changes"), &risks, place, global, report)?;
    let stop = Stop::default();
    interrupt::told(&stop, walk(word, &plan, &stop, &inner, report)).await
}

/// The steps in their order, until one fails.
async fn walk(
    word: &str,
    plan: &[Planned],
    stop: &Stop,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    for (index, planned) in plan.iter().enumerate() {
        let number = index + 1;
        if stop.is_set() {
            return Err(shown::stands(plan, index).into_iter().fold(interrupted(), Failure::detail));
        }
        report.ui.status(&format!("step {number} of {}: {} {}", plan.len(), planned.step.word, planned.step.what));
        let mut made = report.step();
        let outcome = planned.step.act.run(global, &mut made).await;
        let ended = made.end();
        if outcome.is_ok() && ended.exit == Exit::Done {
            report.take(ended);
            continue;
        }
        let why = outcome.err().or_else(|| ended.why()).unwrap_or_else(|| shown::unsaid(ended.exit));
        let state = back(plan, index, (&why, &ended), global, report).await;
        report.take(ended);
        return Err(shown::stopped(word, plan, index, why, state));
    }
    report.line(&format!("{word} done: {}", count(plan.len(), "step")));
    Ok(())
}

/// What became of the step that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Untouched,
    RolledBack,
    /// It looked at what an earlier step did, and that is taken back.
    ProvenWrong,
    HalfDone,
    /// It stands, and whether it works is not known.
    Unconfirmed,
    /// Part of it stands, for it is not one transaction.
    InPart,
}

/// Takes back what of a failed step stands; most have done so themselves.
async fn back(
    plan: &[Planned],
    failed: usize,
    (why, ended): (&Failure, &Ended),
    global: &Global,
    report: &mut Report<'_>,
) -> State {
    let stands = ended.changed().next().is_some();
    if let Act::Verify { proves, .. } = &plan[failed].step.act {
        let made = plan[..failed].iter().rev().filter(|it| proves.iter().any(|act| act.is_same(&it.step.act)));
        let undo: Vec<_> = made.filter_map(|planned| planned.undo.as_ref()).collect();
        return match (undo.is_empty(), take_back(&undo, global, report).await) {
            (true, _) => State::Untouched,
            (false, true) => State::ProvenWrong,
            (false, false) => State::HalfDone,
        };
    }
    match (why.exit.or(ended.exit), &plan[failed].undo) {
        (Exit::HalfDone, _) => State::HalfDone,
        (Exit::RolledBack, _) => State::RolledBack,
        (Exit::Unconfirmed, _) => State::Unconfirmed,
        (_, Some(undo)) if stands => match take_back(&[undo], global, report).await {
            true => State::RolledBack,
            false => State::HalfDone,
        },
        (_, None) if stands => State::InPart,
        _ => State::Untouched,
    }
}

/// Whether all of it could be taken back.
async fn take_back(undo: &[&Act], global: &Global, report: &mut Report<'_>) -> bool {
    let mut all = true;
    for act in undo {
        report.ui.status("rolling back");
        let mut undone = report.step();
        let outcome = act.run(global, &mut undone).await;
        let end = undone.end();
        all &= outcome.is_ok() && end.exit == Exit::Done;
        report.take(end);
        if let Err(failure) = outcome {
            report.ui.failure(&failure);
        }
    }
    all
}
