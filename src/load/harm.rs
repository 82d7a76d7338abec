//! Upstreams that auto-mTLS may harm: with TLS of their own, or before peers that take no mutual TLS.

use super::survey::{Survey, why};
use super::traffic::each;
use crate::kube::{Query, Scope, Session};
use crate::model::kinds;
use crate::plan::advice::{Advice, Code};
use crate::plan::auto_mtls::{Disabled, harm, on_disabled, on_harm};
use crate::plan::gateway::AutoMtls;
use crate::plan::mtls::Found;
use crate::plan::path::{Facts, Membership};
use crate::plan::peer::{Mode, Sent};
use crate::plan::{Gateways, Unread, Wants};

/// The warning that lists them; a note where they may not be listed.
pub async fn advice(session: &Session) -> Option<Advice> {
    let mut harmed = Vec::new();
    let mut pages = session.pages(&kinds::UPSTREAM, Scope::All, Query::default());
    loop {
        match pages.next().await {
            Ok(Some(page)) => harmed.extend(page.items.iter().filter_map(|upstream| {
                let text = |key: &str| upstream["metadata"][key].as_str().unwrap_or_default();
                Some((format!("{}/{}", text("namespace"), text("name")), harm(upstream)?))
            })),
            Ok(None) => return on_harm(&harmed),
            Err(error) => {
                let what = format!("which Upstreams auto-mTLS may harm is unknown: {}", why(&error));
                return Some(Advice::note(Code::Unknown, what));
            }
        }
    }
}

/// The warning that lists those whose pods take plaintext alone, and what may be another of them. Where no policy says
/// so, only the policies are read.
pub async fn of_disabled_peers(session: &Session, survey: &Survey<'_>) -> Vec<Advice> {
    let mut disabled = Vec::new();
    let mut unknown = None;
    let read = async {
        if !survey.may_be_refused(Sent::MutualTls).await.map_err(Unread::clone)? {
            return Ok(());
        }
        let mut covered = Vec::new();
        each(session, &kinds::UPSTREAM, |upstream| {
            let has_own = !upstream.value["spec"]["sslConfig"].is_null();
            covered.extend((!has_own && AutoMtls::On.covers(&upstream)).then_some(upstream));
        })
        .await?;
        let wants = Wants { peer: Some(Sent::MutualTls), gateway: Gateways::Never };
        for upstream in covered {
            let around = survey.around(&upstream, Found::Swept, wants).await;
            let around = around.map_err(|failure| Unread::from(failure.message))?;
            for pod in around.path().and_then(Facts::pods).unwrap_or_default() {
                if pod.membership != Membership::Sidecar {
                    continue;
                }
                match &pod.demands {
                    Ok(effective) => {
                        let Some(policy) = effective.setting(Mode::Disable) else { continue };
                        let mend = policy.opened_by(pod.name.split('/').next().unwrap_or_default());
                        let upstream = format!("{}/{}", upstream.reference.namespace, upstream.reference.name);
                        disabled.push(Disabled { upstream, policy: policy.to_string(), mend });
                        break;
                    }
                    Err(why) => unknown = Some(why.clone()),
                }
            }
        }
        Ok::<_, Unread>(())
    };
    let unknown = read.await.err().or(unknown);
    let note = unknown.map(|why| Advice::unknown("which peers take no mTLS is unknown", &why));
    on_disabled(&disabled).into_iter().chain(note).collect()
}
