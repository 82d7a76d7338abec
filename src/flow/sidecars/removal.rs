//! `uninject`: plans the changes of objects that refer to the sidecars, and then of each proxy.

use super::{SidecarsPlan, of_proxies, refusal};
use crate::error::Failure;
use crate::flow::execute::{Planned, now};
use crate::flow::guard::{self, Harms};
use crate::flow::notes::Notes;
use crate::kube::Session;
use crate::load::dangling;
use crate::load::survey::SurveyReader;
use crate::model::Object;
use crate::options::{Global, Sidecars, UpstreamsTask};
use crate::plan::advice::{Advice, Code};
use crate::plan::change::Change;
use crate::plan::dangling::Dangling;
use crate::plan::mtls::{MtlsWish, Policy};
use crate::plan::path::effect::{Effect, Turn};
use crate::plan::policy::{Caution, OtherTls, Picked};
use crate::plan::sidecars::{self, Around, GatewayProxy};
use crate::plan::{self, PerObject};

/// Plans every proxy before any is written. If one is refused, all are.
///
/// # Errors
/// Something would still refer to the cluster, or could not be read.
pub(super) async fn removal(
    session: &Session,
    task: &Sidecars,
    (upstreams, caution): (UpstreamsTask, Caution),
    global: &Global,
    proxies: Vec<GatewayProxy>,
    notes: &mut dyn Notes,
) -> Result<Planned<SidecarsPlan>, Failure> {
    let now = now();
    let around = Around { now: Some(&now), ..Around::default() };
    let mut planned = Vec::new();
    let mut refused = Vec::new();
    for proxy in proxies {
        match sidecars::uninject(&proxy, &around) {
            Ok(plan) => planned.push((proxy, plan)),
            Err(why) => refused.push(refusal(&proxy, why)),
        }
    }
    if !refused.is_empty() {
        return Ok(Err(refused));
    }
    let pointing = dangling::find(session, global.object_namespace()).await?;
    let (first, left) = release(pointing.upstreams, upstreams);
    // If nothing is removed, no reference is left without a target.
    let is_taken = planned.iter().any(|(_, plan)| plan.writes());
    let left: Vec<_> = left.into_iter().chain(pointing.others).collect();
    let is_left = is_taken && !left.is_empty();
    if is_taken {
        against(&left, &pointing.hidden, upstreams, caution)?;
    }
    let survey = SurveyReader::new(session, global);
    let workloads = planned.iter().map(|(proxy, _)| proxy.workload.reference.clone()).collect();
    let released = first.iter().map(|change| Effect::Tls(change.before.reference.clone(), Turn::Off));
    let effects: Vec<_> = released.chain([Effect::Certificates(workloads, Turn::Off)]).collect();
    // Nothing else depends on the sidecars.
    if !first.is_empty() || is_left {
        let harms = Box::pin(Harms::read(session, &survey, &effects, None)).await?;
        if let Some(why) = guard::unless_forced(&harms, caution, notes) {
            return Err(why.into_failure());
        }
    }
    for change in &first {
        notes.advices(advise_on_release(&survey, &change.before).await);
    }
    let mut plan = of_proxies(planned, task, notes);
    plan.changes.splice(0..0, first);
    Ok(Ok(plan))
}

/// Refuses to leave references to a removed cluster, unless this was requested.
///
/// # Errors
/// What would still refer to the cluster.
pub(crate) fn against(
    left: &[Dangling],
    hidden: &[String],
    upstreams: UpstreamsTask,
    caution: Caution,
) -> Result<(), Failure> {
    let with = match upstreams {
        UpstreamsTask::Left => plan::dangling::UpstreamsKept::Refuse,
        UpstreamsTask::Included => plan::dangling::UpstreamsKept::Include,
    };
    match plan::dangling::against(left, hidden, with) {
        Some(why) if caution == Caution::Careful => Err(why.into_failure()),
        _ => Ok(()),
    }
}

/// With `--include-upstreams`, plans the removal of references that consist only of Istio's `sslConfig`.
pub(super) fn release(upstreams: Vec<Object>, wanted: UpstreamsTask) -> (Vec<Change>, Vec<Dangling>) {
    let mut released = Vec::new();
    let mut left = Vec::new();
    for before in upstreams {
        match (wanted == UpstreamsTask::Included).then(|| plan::dangling::release(&before)).flatten() {
            Some(change) => released.push(change),
            None => left.extend(plan::dangling::find(&before)),
        }
    }
    (released, left)
}

/// Advice for an Upstream without its mTLS: behind a STRICT policy it answers 503.
async fn advise_on_release(survey: &SurveyReader<'_>, upstream: &Object) -> Vec<Advice> {
    let policy = Policy { wish: MtlsWish::Disable, other_tls: OtherTls::Keep, caution: Caution::Careful };
    match survey.around(upstream, Picked::Named, policy.wants()).await {
        Ok(around) => policy.advise(upstream, &around),
        Err(failure) => vec![
            Advice::note(
                Code::Unknown,
                format!("whether the peer of {} is STRICT is unknown", upstream.reference.name),
            )
            .details([failure.message]),
        ],
    }
}
