//! Finds what would still refer to the sidecars' cluster when the sidecars are removed.

use super::step::{PlannedStep, StepAct};
use crate::command::flag;
use crate::error::Failure;
use crate::flow::sidecars::against;
use crate::kube::Session;
use crate::load::dangling;
use crate::model::{Object, ObjectRef, kinds};
use crate::options::{Global, Injection, UpstreamsTask};
use crate::plan::dangling::{find, of_settings, release};
use crate::plan::path::effect::{Effect, Turn};
use crate::plan::policy::Caution;

/// Refuses an uninject step for the same reason as the command itself: an object refers to the cluster, and no earlier
/// step removes that reference.
///
/// # Errors
/// What would still refer to the cluster, or could not be read.
pub(super) async fn refuse(
    session: &Session,
    before: &[PlannedStep],
    step: &PlannedStep,
    global: &Global,
) -> Result<(), Failure> {
    let StepAct::Sidecars(task) = &step.step.act else { return Ok(()) };
    if !matches!(task.act, Injection::Uninject { .. }) || step.is_already() {
        return Ok(());
    }
    let pointing = dangling::find(session, global.object_namespace()).await?;
    let is_let_go = |object: &ObjectRef| before.iter().any(|earlier| lets_go(earlier, object));
    let (upstreams, for_nobody): (Vec<_>, Vec<_>) = pointing.upstreams.iter().partition(|it| release(it).is_some());
    let (settings, others): (Vec<_>, Vec<_>) =
        pointing.others.into_iter().partition(|it| *it.object.kind == kinds::SETTINGS);
    let takeable = upstreams.into_iter().filter_map(find).chain(settings).filter(|it| !is_let_go(&it.object));
    let mut left: Vec<_> = takeable.collect();
    let hint = match for_nobody.is_empty() && others.is_empty() {
        true => flag("--all").text(" removes that as well"),
        false => "remove those fields, then run this again".into(),
    };
    left.extend(for_nobody.into_iter().filter_map(find).chain(others));
    let refused = against(&left, &pointing.hidden, UpstreamsTask::Left, Caution::Careful);
    refused.map_err(|why| if left.is_empty() { why } else { Failure { hints: vec![hint], ..why } })
}

/// Whether a step removes the reference to the sidecars' cluster from an object.
pub(super) fn lets_go(planned: &PlannedStep, object: &ObjectRef) -> bool {
    let points = |after: &Object| match after.reference.kind == &kinds::SETTINGS {
        true => of_settings(after).is_some(),
        false => find(after).is_some(),
    };
    let change = planned.work.changes().find(|change| change.before.reference == *object);
    // The Settings of the release change with its values.
    let goes_with_release = matches!(planned.step.act, StepAct::Values(_))
        && planned.effects.contains(&Effect::AutoMtls(Turn::Off))
        && *object.kind == kinds::SETTINGS;
    goes_with_release || change.is_some_and(|change| change.after().is_ok_and(|after| !points(&after)))
}
