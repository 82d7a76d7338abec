//! The certificates that the gateways present to the mesh.

use serde::Serialize;

use crate::plan::path::{ProxyState, ShownCertificate, Survey, missing};
use crate::rights::Rule;

/// The certificates of one gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct GatewayCertificates {
    /// `gloo-system/gateway-proxy`
    pub gateway: String,
    /// `None` if they are unknown.
    pub certificates: Option<Vec<PresentedCertificate>>,
    /// Why there are none, or why they are unknown.
    pub why: Option<String>,
    /// The rule that would make them known.
    pub rule: Option<Rule>,
}

/// A certificate as the Envoy of a pod reports it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PresentedCertificate {
    pub pod: String,
    pub id: String,
    pub valid_to: String,
    pub is_expired: bool,
    /// Whether its root is the mesh's. `None` if that is unknown.
    pub mesh_root: Option<bool>,
}

/// Returns the certificates of every gateway. `unasked` is why no Envoy was asked.
pub(super) fn of_gateways(survey: &Survey<'_>, unasked: &str) -> Vec<GatewayCertificates> {
    survey.proxies().iter().map(|proxy| of_gateway(proxy, unasked)).collect()
}

fn of_gateway(proxy: &ProxyState, unasked: &str) -> GatewayCertificates {
    let answer = |certificates, why: Option<String>, rule| GatewayCertificates {
        gateway: proxy.name.clone(),
        certificates,
        why,
        rule,
    };
    match (&proxy.lacks, &proxy.certificates) {
        (_, Some(Ok(shown))) => {
            let none = shown.is_empty().then(|| "Envoy gets one for the first cluster that needs it".to_owned());
            answer(Some(shown.iter().map(presented).collect()), none, None)
        }
        (_, Some(Err(why))) | (Err(why), None) => answer(None, Some(why.why.clone()), why.rule.as_deref().cloned()),
        (Ok(lacks), None) if !lacks.is_empty() => {
            answer(Some(Vec::new()), Some(format!("the gateway lacks {}", missing(lacks))), None)
        }
        (Ok(_), None) => answer(None, Some(unasked.to_owned()), None),
    }
}

fn presented(certificate: &ShownCertificate) -> PresentedCertificate {
    PresentedCertificate {
        pod: format!("{}/{}", certificate.namespace, certificate.pod),
        id: certificate.id.clone(),
        valid_to: certificate.ends.clone(),
        is_expired: certificate.left <= 0,
        mesh_root: certificate.is_of_the_mesh,
    }
}
