//! Whether a ztunnel carries the request: in mutual TLS that neither Envoy's counters nor an echo show.

use crate::plan::Unread;
use crate::plan::path::{Captured, Membership, Pod};
use crate::plan::peer::{Effective, Mode};

/// What the pods behind the Upstream show about the ambient mesh.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TunnelEnd {
    /// No pod is in it.
    Outside,
    /// Each is captured by a ztunnel. `strict` is the policy if all accept only mutual TLS.
    Captured { strict: Option<String> },
    /// Some are, or may be.
    Partly,
    /// They could not be read.
    Unread(Unread),
}

/// Whether a ztunnel carries the gateway's requests to the pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Tunnel {
    No,
    /// From each pod of the gateway to each pod behind the Upstream.
    Yes {
        strict: Option<String>,
    },
    Unknown(Unread),
}

impl TunnelEnd {
    /// Reads the pods that get requests.
    pub(crate) fn of_pods(pods: &[Pod]) -> Self {
        let ready: Vec<_> = pods.iter().filter(|pod| pod.ready != Ok(false)).collect();
        let is_captured = |pod: &&Pod| pod.membership == Membership::Ambient;
        let may_be = |pod: &&Pod| is_captured(pod) || pod.membership == Membership::Labelled || pod.accepts_hbone;
        if !ready.iter().any(may_be) {
            return Self::Outside;
        }
        if !ready.iter().all(is_captured) {
            return Self::Partly;
        }
        let demands = || ready.iter().filter_map(|pod| pod.demands.as_ref().ok());
        let is_strict = demands().filter(|effective| effective.mode == Mode::Strict).count() == ready.len();
        let by = demands().find_map(Effective::set_by).filter(|_| is_strict);
        Self::Captured {
            strict: by.map(|source| format!("PeerAuthentication {} ({})", source.policy, source.level.name())),
        }
    }

    /// Combines both ends. `gateway` is asked only if the pods show the ambient mesh.
    pub(crate) fn from(&self, gateway: &Captured) -> Tunnel {
        match (self, gateway) {
            (Self::Outside, _) | (_, Captured::No) => Tunnel::No,
            (_, Captured::Unproven(why) | Captured::Unread(why)) | (Self::Unread(why), Captured::Yes) => {
                Tunnel::Unknown(why.clone())
            }
            (Self::Captured { strict }, Captured::Yes) => Tunnel::Yes { strict: strict.clone() },
            (Self::Partly, Captured::Yes) => Tunnel::Unknown("not every pod behind it is known to be captured".into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::path::fixture::{meshed, plain, pod};

    #[test]
    fn only_two_captured_ends_are_a_tunnel() {
        let captured = |mode| pod("shop/a", Membership::Ambient, mode);
        let labelled = || pod("shop/l", Membership::Labelled, Mode::Strict);
        let strict = || Some("PeerAuthentication shop/a (namespace)".to_owned());
        let why = || Unread::from("it could not be read");
        for (pods, end) in [
            (vec![captured(Mode::Strict); 2], TunnelEnd::Captured { strict: strict() }),
            (vec![captured(Mode::Strict), captured(Mode::Permissive)], TunnelEnd::Captured { strict: None }),
            (vec![captured(Mode::Strict), plain("shop/p")], TunnelEnd::Partly),
            (vec![labelled()], TunnelEnd::Partly),
            (vec![Pod { accepts_hbone: true, ..meshed(Mode::Strict) }], TunnelEnd::Partly),
            (vec![meshed(Mode::Strict), plain("shop/p")], TunnelEnd::Outside),
            (Vec::new(), TunnelEnd::Outside),
        ] {
            assert_eq!(TunnelEnd::of_pods(&pods), end, "{pods:?}");
        }
        let both = TunnelEnd::Captured { strict: strict() };
        assert_eq!(both.from(&Captured::Yes), Tunnel::Yes { strict: strict() });
        assert_eq!(both.from(&Captured::No), Tunnel::No);
        assert_eq!(both.from(&Captured::Unproven(why())), Tunnel::Unknown(why()));
        assert_eq!(TunnelEnd::Outside.from(&Captured::Unread(why())), Tunnel::No);
        assert!(matches!(TunnelEnd::Partly.from(&Captured::Yes), Tunnel::Unknown(_)));
    }
}
