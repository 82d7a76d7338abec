//! Changes one namespace: first its label, then its workloads,
//! a limited number at a time, each waited for and verified.

use super::roll::{change, roll_all};
use super::run::{AGAIN, MadeInNamespace, Run, say_undone};
use super::settle::settle;
use crate::apply::caught::caught;
use crate::apply::transaction::{self, Unmade};
use crate::command::{gloo_rs, kubectl};
use crate::error::{Exit, Failure, Reason};
use crate::flow::execute::{Stopped, short};
use crate::flow::interrupt::interrupted;
use crate::flow::report::Report;
use crate::plan::advice::{Advice, Code};
use crate::plan::change::Change;
use crate::plan::enrolment::{Capturing, Goal, NamespacePlan};
use crate::plan::outcome::{Outcome, Row};
use crate::plan::rollout;
use crate::render::text;
use crate::verify::captured::{self, CaptureState};
use crate::verify::enrolment::{Tried, try_pod};
use crate::verify::rollout::complaints;

/// Reports what already has the wanted state.
fn say_unchanged(plan: &NamespacePlan, report: &mut Report<'_>) {
    let of_workloads = plan.workloads.iter().filter_map(|(workload, fate)| change(workload, fate, &plan.goal, ""));
    for change in std::iter::once(plan.label.clone()).chain(of_workloads).filter(Change::is_already) {
        report.row(Row::answer(change.before.reference, Outcome::Unchanged, change.message));
    }
}

/// Applies the plan.
///
/// # Errors
/// What failed. The failure says which changes were rolled back and which remain.
pub(super) async fn make(
    run: &Run<'_>,
    plan: &NamespacePlan,
    report: &mut Report<'_>,
) -> Result<MadeInNamespace, Stopped> {
    say_unchanged(plan, report);
    let mut made = MadeInNamespace::default();
    if !plan.label.is_already() {
        match transaction::make(run.session, plan.label.clone()).await {
            Ok(done) => {
                report.line_about(&plan.namespace.reference, &done.change.message, Outcome::Changed);
                made.label = Some(done);
            }
            Err(Unmade { error, perhaps }) => {
                made.label = perhaps;
                let failure = error.into_failure(run.session);
                return Err(back(run, made, failure, report).await);
            }
        }
    }
    let made = restarted(run, plan, made, report).await?;
    captured(run, plan, made, report).await
}

/// Restarts the workloads, if that is wanted.
async fn restarted(
    run: &Run<'_>,
    plan: &NamespacePlan,
    made: MadeInNamespace,
    report: &mut Report<'_>,
) -> Result<MadeInNamespace, Stopped> {
    let Some(pace) = run.pace else { return Ok(made) };
    let needs_pods = plan.changes() || plan.short_of_pods().next().is_some();
    if needs_pods
        && let Err(failure) = caught(tried(run, plan, report)).await.unwrap_or_else(|panicked| Err(panicked.into()))
    {
        return Err(back(run, made, failure, report).await);
    }
    let rolled = roll_all(run, plan, pace, made.label.is_none(), report).await;
    settle(run, plan, made, rolled, report).await
}

/// Waits until ztunnel captures the pods, or no longer does. Otherwise, rolls back what was made.
async fn captured(
    run: &Run<'_>,
    plan: &NamespacePlan,
    mut made: MadeInNamespace,
    report: &mut Report<'_>,
) -> Result<MadeInNamespace, Stopped> {
    let Some(capturing) = plan.capturing() else { return Ok(made) };
    let name = &plan.namespace.reference.name;
    let Some(pace) = run.pace else {
        let what = format!("only the label of {name} was changed: what ztunnel captures was not waited for");
        report.advice(Advice::note(Code::StalePods, what).about(&plan.namespace.reference));
        return Ok(made);
    };
    let (awaited, verified) = match capturing {
        Capturing::Begins => ("ztunnel captures the pods of", "ztunnel captures"),
        Capturing::Ends => ("ztunnel no longer captures the pods of", "ztunnel no longer captures"),
    };
    report.ui.status(format!("waiting until {awaited} {name}"));
    let stop = run.stop.clone();
    let waited = caught(captured::wait(run.session, name, capturing, pace.patience, &|| stop.is_set())).await;
    let failure = match waited {
        Ok(CaptureState::AsWanted(pods)) => {
            report.ui.status(format!("verified: {verified} {}", text::count(pods, "pod")));
            return Ok(made);
        }
        Ok(CaptureState::Otherwise(wrong)) => {
            let message = format!("the annotations of pods do not show that {awaited} {name}");
            let failure = Failure::new(Exit::Failed, Reason::Rollout, message);
            let cni = kubectl("get daemonsets -A -l k8s-app=istio-cni-node");
            wrong.into_iter().fold(failure, Failure::detail).hint(cni.then(" shows whether istio-cni is ready"))
        }
        Ok(CaptureState::Unknown(failure)) => {
            let message = format!("whether {awaited} {name} is unknown: {}", failure.message);
            made.unconfirmed.push(Failure { exit: Exit::Unconfirmed, message, ..failure });
            return Ok(made);
        }
        Ok(CaptureState::Interrupted) => interrupted(),
        Err(panicked) => panicked.into(),
    };
    // This run did not change the label, so a rollback would not help.
    if made.label.is_none() && made.restarted.is_empty() {
        if failure.reason != Reason::Rollout {
            return Err(failure.into());
        }
        made.unconfirmed.push(Failure { exit: Exit::Unconfirmed, ..failure });
        return Ok(made);
    }
    report.ui.status("rolling back");
    Err(back(run, made, failure, report).await)
}

/// Tests the injection with one pod before any pod is replaced.
async fn tried(run: &Run<'_>, plan: &NamespacePlan, report: &mut Report<'_>) -> Result<(), Failure> {
    let name = &plan.namespace.reference.name;
    let stop = run.stop.clone();
    match try_pod(run.session, name, plan.goal.revision(), &|| stop.is_set()).await {
        _ if run.stop.is_set() => Err(interrupted()),
        Tried::AsWanted => Ok(()),
        Tried::Unknown(advice) => {
            report.advice(advice);
            Ok(())
        }
        Tried::Otherwise(why) => {
            let otherwise = match &plan.goal {
                Goal::Bound(target) => format!("not get the sidecar of {}", target.revision),
                Goal::Ambient | Goal::Free => "still get a sidecar".to_owned(),
            };
            let message = format!("new pods of {name} would {otherwise}: no workload was restarted");
            let failure = Failure::new(Exit::Failed, Reason::Rollout, message).detail(why);
            let failure = short_of_pods(run, plan).await.into_iter().fold(failure, Failure::detail);
            Err(failure.hint(gloo_rs("istio revisions").then(" shows whether istiod is ready")))
        }
    }
}

/// Describes the workloads that had too few pods already, with the reasons.
async fn short_of_pods(run: &Run<'_>, plan: &NamespacePlan) -> Vec<String> {
    const SHOWN: usize = 3;
    let mut lines = Vec::new();
    for workload in plan.short_of_pods().take(SHOWN) {
        let numbers = rollout::shortfall(&workload.value).unwrap_or_default();
        lines.push(format!("{} before this run: {numbers}", short(&workload.reference)));
        let reasons = complaints(run.session, &workload.reference, &workload.value).await;
        lines.extend(reasons.into_iter().map(|reason| format!("  {reason}")));
    }
    lines
}

/// Rolls back what was made of the namespace.
async fn back(run: &Run<'_>, made: MadeInNamespace, cause: Failure, report: &mut Report<'_>) -> Stopped {
    let undone = made.undo(run.session).await;
    for (object, state) in &undone {
        say_undone(object, state, &cause, report);
    }
    Stopped::undone(cause, &undone, AGAIN)
}
