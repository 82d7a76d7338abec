//! Decides which changes in a namespace remain after its workloads were restarted, and which are rolled back.
//!
//! If some workloads fail, their pod templates are rolled back and the label remains for the others. If all fail, the
//! label is rolled back first, so that the pods from the old templates are as they were before, and then the templates.

use super::roll::{End, Rolled, roll_back};
use super::run::{AGAIN, MadeInNamespace, Run, say_undone};
use crate::apply::transaction::{Done, Undone};
use crate::error::{Exit, Failure, Reason};
use crate::flow::execute::{Stands, Stopped, short};
use crate::flow::interrupt::interrupted;
use crate::flow::report::Report;
use crate::kube::Session;
use crate::model::ObjectRef;
use crate::plan::enrolment::{Goal, NamespacePlan};
use crate::plan::outcome::{Objection, Outcome, Row};
use crate::render::text;

/// Decides what remains, rolls back the rest, and reports both.
pub(super) async fn settle(
    run: &Run<'_>,
    plan: &NamespacePlan,
    mut made: MadeInNamespace,
    rolled: Vec<Rolled<'_>>,
    report: &mut Report<'_>,
) -> Result<MadeInNamespace, Stopped> {
    for object in not_begun(plan, &rolled) {
        let why = Objection::new(Reason::Interrupted, "not started");
        report.row(Row::left(object.clone(), Outcome::Skipped, why));
    }
    let cause = cause(run, plan, &rolled);
    let (failed, fine): (Vec<_>, Vec<_>) = rolled.into_iter().partition(|rolled| rolled.failure().is_some());
    let label = if fine.is_empty() { made.label.take() } else { None };
    for rolled in fine {
        made.restarted.extend(rolled.done);
        if let End::Unconfirmed(failure) = rolled.end {
            made.unconfirmed.push(failure);
        }
    }
    let Some(cause) = cause else {
        made.label = made.label.or(label);
        return Ok(made);
    };
    report.ui.status("rolling back");
    let undone = roll_back_all(run.session, label, failed, &cause, report).await;
    let shown = made.shown();
    for Failure { message, details, hints, .. } in made.finish(report) {
        report.trouble(&message, &details, hints);
    }
    let is_part = Stands::after(&undone) != Stands::HalfDone && !shown.is_empty();
    let stopped = match is_part {
        true => {
            let rolled_back = format!("{} rolled back", text::count(undone.len(), "template"));
            Stopped::new(cause.detail(rolled_back).hint(AGAIN), Stands::Part)
        }
        false => Stopped::undone(cause, &undone, AGAIN),
    };
    Err(shown.into_iter().fold(stopped, Stopped::detail))
}

/// Rolls back the label, if given, and then the templates. Reports each.
async fn roll_back_all(
    session: &Session,
    label: Option<Done>,
    failed: Vec<Rolled<'_>>,
    cause: &Failure,
    report: &mut Report<'_>,
) -> Vec<(ObjectRef, Undone)> {
    let mut undone = Vec::new();
    if let Some((object, state)) = roll_back(session, label.as_ref()).await {
        say_undone(&object, &state, cause, report);
        undone.push((object, state));
    }
    for Rolled { workload, done, end, undone: at_once } in failed {
        let End::Failed(why) = end else { continue };
        let state = match at_once {
            Some(state) => Some(state),
            None => roll_back(session, done.as_ref()).await,
        };
        let Some((object, state)) = state else {
            let objection = Objection { details: why.details, ..Objection::new(why.reason, why.message) };
            report.record(Row::left(workload.reference.clone(), Outcome::Failed, objection));
            continue;
        };
        say_undone(&object, &state, &why, report);
        undone.push((object, state));
    }
    undone
}

fn not_begun<'p>(plan: &'p NamespacePlan, rolled: &[Rolled<'_>]) -> Vec<&'p ObjectRef> {
    let is_begun = |object: &ObjectRef| rolled.iter().any(|rolled| rolled.workload.reference == *object);
    plan.restarts().map(|workload| &workload.reference).filter(|object| !is_begun(object)).collect()
}

/// Why the run of this namespace failed, or `None`.
fn cause(run: &Run<'_>, plan: &NamespacePlan, rolled: &[Rolled<'_>]) -> Option<Failure> {
    let failed: Vec<_> = rolled.iter().filter(|rolled| rolled.failure().is_some()).collect();
    let is_whole = failed.is_empty() && not_begun(plan, rolled).is_empty();
    if is_whole {
        return None;
    }
    if run.stop.is_set() {
        return Some(interrupted());
    }
    let names: Vec<_> = failed.iter().map(|rolled| short(&rolled.workload.reference)).collect();
    let reason = failed.iter().find_map(|rolled| rolled.failure()).map_or(Reason::Rollout, |failure| failure.reason);
    let way = if matches!(plan.goal, Goal::Free) { "out of" } else { "into" };
    let all = text::count(rolled.len(), "workload");
    let what = format!("{} of {all} in {} did not come {way} the mesh", failed.len(), plan.namespace.reference.name);
    Some(Failure::new(Exit::Failed, reason, format!("{what}: {}", names.join(", "))))
}
