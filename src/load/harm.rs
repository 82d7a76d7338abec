//! Finds Upstreams that auto-mTLS may break: with TLS settings of their own, or with pods that accept no mutual TLS.

use super::survey::SurveyReader;
use super::traffic::each;
use crate::kube::Session;
use crate::model::{Object, kinds};
use crate::plan::advice::Advice;
use crate::plan::auto_mtls::{Disabled, harm, on_disabled, on_harm};
use crate::plan::gateway::AutoMtls;
use crate::plan::path::pair::{PairState, ends};
use crate::plan::path::{Cause, Sends};
use crate::plan::peer::Sent;
use crate::plan::policy::Picked;
use crate::plan::{GatewayNeed, Unread, Wants};

/// The warning that lists Upstreams with TLS settings of their own, or a note if they may not be listed.
pub(crate) async fn advice(session: &Session) -> Option<Advice> {
    let mut harmed = Vec::new();
    let read = each(session, &kinds::UPSTREAM, |upstream| harmed.extend(with_own_tls(&upstream))).await;
    on_own_tls(&harmed, read.err().as_ref())
}

/// Like [`advice`], and the warning that lists Upstreams whose pods accept only plaintext. If no policy requires
/// plaintext, no pod is read.
pub(crate) async fn with_peers(session: &Session, survey: &SurveyReader<'_>) -> Vec<Advice> {
    let refused = survey.may_be_refused(Sent::MutualTls).await;
    let mut harmed = Vec::new();
    let mut covered = Vec::new();
    let read = each(session, &kinds::UPSTREAM, |upstream| {
        harmed.extend(with_own_tls(&upstream));
        let has_own = !upstream.value["spec"]["sslConfig"].is_null();
        let is_looked_at = refused == Ok(true) && !has_own && AutoMtls::On.covers(&upstream);
        covered.extend(is_looked_at.then_some(upstream));
    });
    let read = read.await.err();
    let mut disabled = Vec::new();
    let mut unknown = refused.as_ref().err().copied().or(read.as_ref().filter(|_| refused == Ok(true))).cloned();
    for upstream in covered {
        match of_peers(survey, &upstream).await {
            Ok(found) => disabled.extend(found),
            Err(why) => unknown = Some(why),
        }
    }
    let note = unknown.map(|why| Advice::unknown("which peers take no mTLS is unknown", &why));
    on_own_tls(&harmed, read.as_ref()).into_iter().chain(on_disabled(&disabled)).chain(note).collect()
}

fn with_own_tls(upstream: &Object) -> Option<(String, &'static str)> {
    let name = format!("{}/{}", upstream.reference.namespace, upstream.reference.name);
    Some((name, harm(&upstream.value)?))
}

fn on_own_tls(harmed: &[(String, &'static str)], unread: Option<&Unread>) -> Option<Advice> {
    match unread {
        Some(why) => Some(Advice::unknown("which Upstreams auto-mTLS may harm is unknown", why)),
        None => on_harm(harmed),
    }
}

/// The policy because of which a pod behind the Upstream does not accept mutual TLS.
async fn of_peers(survey: &SurveyReader<'_>, upstream: &Object) -> Result<Option<Disabled>, Unread> {
    let wants = Wants { peer: Some(Sent::MutualTls), gateway: GatewayNeed::Never };
    let around = survey.around(upstream, Picked::Selected, wants).await;
    let around = around.map_err(|failure| Unread::from(failure.message))?;
    let Some(facts) = around.path().map(|facts| facts.sending(Sends::PerPod)) else { return Ok(None) };
    let mut unknown = None;
    for (pod, state) in ends(&facts) {
        match (state, &pod.demands) {
            (PairState::Broken { cause: Cause::DisabledPeer, .. }, Ok(effective)) => {
                let Some(policy) = effective.set_by() else { continue };
                let upstream = format!("{}/{}", upstream.reference.namespace, upstream.reference.name);
                let fix = policy.opened_by(&pod.namespace);
                return Ok(Some(Disabled { upstream, policy: policy.to_string(), fix }));
            }
            (PairState::Unknown { .. }, Err(why)) => unknown = Some(why.clone()),
            _ => {}
        }
    }
    unknown.map_or(Ok(None), Err)
}
