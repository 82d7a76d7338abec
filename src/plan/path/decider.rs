//! The object that decides a verdict: paths with the same cause and the same decider are one problem.

use super::pair::{self, PairState};
use super::{Behind, Cause, Described, Facts, NoPort, ProxyState};
use crate::plan::peer::PolicyRef;
use crate::plan::routes::RouteTarget;

/// The object that must change, or whose change would help all paths of the same cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Decider {
    Policy(PolicyRef),
    Authorization(PolicyRef),
    /// `gloo-system/gateway-proxy`
    Gateway(String),
    /// The namespace of the backend. Empty if it is outside of the cluster.
    Namespace(String),
}

/// Writes `policy shop/default`.
impl std::fmt::Display for Decider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Policy(policy) | Self::Authorization(policy) => write!(f, "policy {policy}"),
            Self::Gateway(name) => write!(f, "gateway {name}"),
            Self::Namespace(name) => write!(f, "namespace {name}"),
        }
    }
}

impl Described {
    /// Returns the policy or the gateway that causes the verdict, or else the backend's namespace.
    pub(crate) fn decider(&self) -> Decider {
        let decider = self.judged.cause.and_then(|cause| match cause {
            Cause::StrictPeer | Cause::StrictAmbient | Cause::DisabledPeer | Cause::OwnTls | Cause::OwnCertificate => {
                policy(&self.facts, cause).map(Decider::Policy)
            }
            Cause::NoGateway | Cause::NoSecret | Cause::CertificateInvalid | Cause::GatewayNotTrusted => {
                gateway(&self.facts, cause).map(Decider::Gateway)
            }
            Cause::Denied => pair::denying(&self.facts).map(Decider::Authorization),
            _ => None,
        });
        decider.unwrap_or_else(|| Decider::Namespace(self.backend_namespace().to_owned()))
    }

    /// Returns the namespace of the pods, or else that of the target. Empty if it has none.
    pub(crate) fn backend_namespace(&self) -> &str {
        backend_namespace(&self.facts)
    }
}

/// Returns the policy that sets the mode of the first pod with this cause.
fn policy(facts: &Facts, cause: Cause) -> Option<PolicyRef> {
    let has_cause = |state: &PairState| match state {
        PairState::Broken { cause: other, .. } => *other == cause,
        PairState::Unknown { cause: other, .. } => *other == Some(cause),
        _ => false,
    };
    let (pod, _) = pair::ends(facts).into_iter().find(|(_, state)| has_cause(state))?;
    Some(pod.demands.as_ref().ok()?.set_by()?.policy.clone())
}

/// Returns the first gateway with this cause. Whatever the pods accept, a gateway is judged by the certificate that
/// mutual TLS needs.
fn gateway(facts: &Facts, cause: Cause) -> Option<String> {
    let mut proxies = facts.proxies.iter().flatten();
    if cause == Cause::NoGateway {
        return proxies.next().map(|proxy| proxy.name.clone());
    }
    let active: Vec<_> = proxies.filter(|proxy| !proxy.is_idle).collect();
    let breaks = |ends: PairState, proxy: &ProxyState| match pair::from_gateway(&facts.sends, proxy, ends) {
        PairState::Broken { cause: other, .. } => other == cause,
        _ => false,
    };
    let of_mtls = active.iter().find(|proxy| breaks(PairState::Mtls, proxy));
    let found = of_mtls.or_else(|| active.iter().find(|proxy| breaks(PairState::Tls, proxy)));
    found.map(|proxy| proxy.name.clone())
}

fn backend_namespace(facts: &Facts) -> &str {
    let service = match &facts.behind {
        Behind::Pods { service, .. }
        | Behind::NoService { service }
        | Behind::NoPort(NoPort { service, .. })
        | Behind::ByHand { service } => service.split_once('/').map(|(namespace, _)| namespace),
        _ => None,
    };
    service.unwrap_or(match &facts.target {
        RouteTarget::Upstream { namespace, .. } | RouteTarget::Service { namespace, .. } => namespace,
        RouteTarget::Other(_) => "",
    })
}
