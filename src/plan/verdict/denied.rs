//! The policies behind a 403 of a sidecar.

use super::evidence::{Case, PodAuthorization};
use super::tls::TlsVerdict;
use crate::plan::authorization::{Admission, Caller, Enforcer, PolicyInForce, admission};

/// The body with which a sidecar answers a request that a policy denies (Envoy's RBAC filter).
const BODY: &str = "RBAC: access denied";

/// What is known about a 403 of a sidecar.
pub(super) enum Denial {
    /// This policy denies every request of the gateway.
    Proven { by: PolicyInForce, does: &'static str },
    /// These policies decide, each by parts of the request.
    Open(Vec<(PolicyInForce, Vec<String>)>),
    /// Why the policies are unknown.
    Unknown(String),
}

/// Returns what is known if a sidecar answered because of a policy. `None` for any other response.
pub(super) fn denial(case: &Case<'_>, tls: &TlsVerdict) -> Option<Denial> {
    if case.answer.status != 403 || case.answer.text().trim() != BODY {
        return None;
    }
    let is_mutual = match (tls, &case.evidence.upstream) {
        (TlsVerdict::Mutual(_), _) => true,
        (TlsVerdict::Plain(_), _) => false,
        (TlsVerdict::Unproven { .. }, Ok(upstream)) => upstream.sent.is_mutual(),
        (TlsVerdict::Unproven { .. }, Err(why)) => return Some(Denial::Unknown(why.to_string())),
    };
    let pods = match &case.evidence.authorization {
        Ok(pods) => pods,
        Err(why) => return Some(Denial::Unknown(why.to_string())),
    };
    let caller = match (is_mutual, &case.evidence.identity) {
        (false, _) => Caller::Anonymous,
        (true, Ok(identity)) => account(identity)?,
        (true, Err(why)) => return Some(Denial::Unknown(why.to_string())),
    };
    let mut open: Vec<(PolicyInForce, Vec<String>)> = Vec::new();
    for PodAuthorization { policies, port } in pods {
        // A ztunnel closes the connection: a 403 comes from a sidecar.
        match admission(policies, caller, *port, Enforcer::Sidecar) {
            Admission::Denied { by, does } => return Some(Denial::Proven { by, does }),
            Admission::Depends { by, on } if open.iter().all(|(known, _)| *known != by) => open.push((by, on)),
            Admission::Depends { .. } | Admission::Allowed => {}
        }
    }
    Some(Denial::Open(open))
}

/// Reads `/ns/gloo-system/sa/gateway-proxy`.
fn account(identity: &str) -> Option<Caller<'_>> {
    let (namespace, name) = identity.strip_prefix("/ns/")?.split_once("/sa/")?;
    Some(Caller::Account { namespace, name })
}
