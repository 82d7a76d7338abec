//! The authorization policies that match a gateway's requests only before or only after a change. The change alters what
//! the gateway presents: its identity with mutual TLS of the mesh, nothing otherwise.

use std::collections::BTreeMap;
use std::fmt;

use super::Facts;
use super::pair::{caller, have_authorization, presented};
use crate::plan::authorization::{PolicyInForce, matching};

/// What a change does to the match of a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum MatchChange {
    Starts,
    Stops,
}

/// A policy that starts or stops to match the requests of a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SwitchedPolicy {
    pub policy: PolicyInForce,
    pub change: MatchChange,
    /// Its namespace and name.
    pub gateway: String,
}

/// Writes `policy shop/allow, ALLOW starts to match gateway gloo-system/gateway-proxy`.
impl fmt::Display for SwitchedPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let change = match self.change {
            MatchChange::Starts => "starts",
            MatchChange::Stops => "stops",
        };
        write!(f, "policy {} {change} to match gateway {}", self.policy, self.gateway)
    }
}

/// Returns the policies whose match differs between the same target before and after a change. A policy that depends on
/// the request may match. A pair of gateway and pod whose caller is unknown on one side is left out.
pub(crate) fn switched(before: &Facts, after: &Facts) -> Vec<SwitchedPolicy> {
    // In a mesh without such policies, ten thousand targets need no pairs.
    if !have_authorization(before) && !have_authorization(after) {
        return Vec::new();
    }
    let (was, is) = (matched(before), matched(after));
    let mut all = Vec::new();
    for (key @ (gateway, _), now) in &is {
        let Some(earlier) = was.get(key) else { continue };
        for (these, those, change) in [(now, earlier, MatchChange::Starts), (earlier, now, MatchChange::Stops)] {
            for policy in these.iter().filter(|policy| !those.contains(policy)) {
                let switched = SwitchedPolicy { policy: policy.clone(), change, gateway: gateway.clone() };
                if !all.contains(&switched) {
                    all.push(switched);
                }
            }
        }
    }
    all
}

/// The policies that match, or may match, the requests of each gateway to each pod.
fn matched(facts: &Facts) -> BTreeMap<(String, String), Vec<PolicyInForce>> {
    let pairs = presented(facts).filter_map(|(pod, proxy, state)| {
        let policies = pod.authorization.as_ref().ok()?;
        let caller = caller(proxy, &state)?;
        Some(((proxy.name.clone(), pod.to_string()), matching(policies, caller, pod.port)))
    });
    pairs.collect()
}
