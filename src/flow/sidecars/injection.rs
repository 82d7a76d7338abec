//! `inject`: plans the change of each proxy, and then of Settings.

use super::{SidecarsPlan, of_proxies, refusal};
use crate::error::{Exit, Failure, Reason};
use crate::flow::execute::{Planned, now};
use crate::flow::notes::Notes;
use crate::kube::Session;
use crate::load::survey::SurveyReader;
use crate::load::{self, istio};
use crate::model::{Object, kinds};
use crate::options::{Global, Injection, Posture, SettingsSwitches, Sidecars};
use crate::plan::advice::{Advice, Code};
use crate::plan::auto_mtls;
use crate::plan::change::Change;
use crate::plan::istiod::Istiod;
use crate::plan::policy::Caution;
use crate::plan::sidecars::{self, Around, Flags, GatewayProxy, Security};

/// Plans every proxy before any is written. If one is refused, all are.
///
/// # Errors
/// No istiod can be selected, or something could not be read.
pub(super) async fn injection(
    session: &Session,
    task: &Sidecars,
    global: &Global,
    proxies: Vec<GatewayProxy>,
    notes: &mut dyn Notes,
) -> Result<Planned<SidecarsPlan>, Failure> {
    let (Injection::Inject { istio: wish, auto_mtls, .. }, Some(flags)) = (&task.act, flags_of(&task.act)) else {
        return Ok(Ok(SidecarsPlan::default()));
    };
    let istiods = known(istio::istiods(session, wish.namespace.as_deref()).await, &flags, notes)?;
    let gloo = istio::gloo(session, global.object_namespace()).await;
    let now = now();
    let mut planned = Vec::new();
    let mut refused = Vec::new();
    for proxy in proxies {
        let choice = sidecars::choose(&istiods, &flags, &proxy)?;
        let around = Around { istiods: &istiods, choice: choice.as_ref(), gloo: gloo.as_ref(), now: Some(&now) };
        match sidecars::inject(&proxy, &flags, &around) {
            Ok(plan) => {
                notes.advices(choice.into_iter().flat_map(|choice| choice.advice));
                for line in crate::render::provenance::lines(&plan.provenance) {
                    notes.status(&line);
                }
                planned.push((proxy, plan));
            }
            Err(why) => refused.push(refusal(&proxy, why)),
        }
    }
    if !refused.is_empty() {
        return Ok(Err(refused));
    }
    let last = match auto_mtls {
        SettingsSwitches::Alone => None,
        SettingsSwitches::On => Some(switches(session, global, notes).await?),
    };
    let mut plan = of_proxies(planned, task, notes);
    plan.changes.extend(last);
    Ok(Ok(plan))
}

/// The flags of `inject`, or `None` for `uninject`.
pub(super) fn flags_of(act: &Injection) -> Option<Flags> {
    let Injection::Inject { istio, sds_image, posture, .. } = act else { return None };
    Some(Flags {
        revision: istio.revision.clone(),
        in_use: istio.in_use.clone(),
        discovery_address: istio.discovery_address.clone(),
        mesh_id: istio.mesh_id.clone(),
        cluster_id: istio.cluster_id.clone(),
        sds_image: sds_image.clone(),
        proxy_image: istio.proxy_image.clone(),
        security: match posture {
            Posture::Usual => Security::OfThePod,
            Posture::Restricted => Security::Restricted,
        },
    })
}

/// Without permission to list istiod, the flags may be enough.
pub(super) fn known(
    found: Result<Vec<Istiod>, Failure>,
    flags: &Flags,
    notes: &mut dyn Notes,
) -> Result<Vec<Istiod>, Failure> {
    match found {
        Err(failure) if flags.discovery_address.is_some() && failure.exit == Exit::SaidNo => {
            notes.advice(Advice::note(Code::Unknown, format!("istiod could not be read: {}", failure.message)));
            Ok(Vec::new())
        }
        other => other,
    }
}

/// The change that turns on auto-mTLS in Settings after the gateways support it.
async fn switches(session: &Session, global: &Global, notes: &mut dyn Notes) -> Result<Change, Failure> {
    let survey = SurveyReader::new(session, global);
    let namespace = survey.gloo_namespace().await;
    let settings = session.get(&kinds::SETTINGS, namespace, "default").await;
    let before = Object::new(&kinds::SETTINGS, settings.map_err(|error| error.into_failure(session))?);
    // The proxies of this run get their sidecars first. A missing sidecar in others is no reason to refuse.
    let decision = auto_mtls::on_settings(
        &before,
        auto_mtls::AutoMtlsWish::Enable,
        &auto_mtls::GatewaysReadiness::Unseen,
        Caution::Forced,
    );
    notes.advices(load::harm::advice(session).await);
    decision.about(before).map_err(|row| {
        let reason = row.reason.unwrap_or(Reason::Unsafe);
        Failure::new(Exit::Failed, reason, format!("{}: {}", row.object, row.message))
    })
}
