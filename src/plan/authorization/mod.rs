//! Whether the backend's sidecars admit the gateway: the `AuthorizationPolicy`s that apply to a pod, and what they say
//! about the identity that the gateway presents.
//!
//! Istio's order (its `AuthorizationPolicy` reference): a CUSTOM policy that matches asks another service, then a DENY
//! policy that matches denies, then, if there are ALLOW policies, one of them must match. A policy without rules never
//! matches, so an ALLOW policy without rules denies every request. What depends on the request itself (path, method,
//! header, token, address) is a condition, not a result.

mod matching;
mod read;

use std::fmt;
use std::sync::Arc;

use crate::plan::labels::selects;
use crate::plan::peer::PolicyRef;

pub(crate) use read::AuthorizationPolicy;

/// What a policy does with the requests that it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Action {
    Allow,
    Deny,
    /// Asks another service.
    Custom,
}

impl Action {
    /// Returns the name as a policy spells it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "ALLOW",
            Self::Deny => "DENY",
            Self::Custom => "CUSTOM",
        }
    }
}

/// Who sends a request, as a sidecar sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Caller<'c> {
    /// Without mutual TLS of the mesh there is no identity.
    Anonymous,
    Account {
        namespace: &'c str,
        name: &'c str,
    },
}

/// A policy that applies to a pod, as it is shown: `shop/deny-all, DENY`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PolicyInForce {
    pub policy: PolicyRef,
    pub action: Action,
}

impl fmt::Display for PolicyInForce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.policy, self.action.name())
    }
}

/// What the policies say about a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Admission {
    Allowed,
    /// Every request gets a 403.
    Denied {
        by: PolicyInForce,
        /// The verb after the policy: `does not admit`.
        does: &'static str,
    },
    /// It depends on the request.
    Depends {
        by: PolicyInForce,
        on: Vec<String>,
    },
}

/// All policies of the mesh, and the root namespace, whose policies apply to all namespaces.
#[derive(Debug, Clone, Copy)]
pub(crate) struct AuthorizationPolicies<'p> {
    pub all: &'p [Arc<AuthorizationPolicy>],
    pub root_namespace: &'p str,
}

impl AuthorizationPolicies<'_> {
    /// Returns the policies that apply to the pods with these labels.
    pub(crate) fn of_workload(&self, namespace: &str, pod_labels: &serde_json::Value) -> Vec<Arc<AuthorizationPolicy>> {
        let applies = |policy: &&Arc<AuthorizationPolicy>| {
            let home = &policy.reference.namespace;
            (home == namespace || home == self.root_namespace)
                && (policy.selector.is_empty() || selects(&policy.selector, pod_labels))
        };
        self.all.iter().filter(applies).cloned().collect()
    }
}

/// Who enforces the policies of a pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Enforcer {
    Sidecar,
    /// It sees connections, not requests. A rule of an ALLOW policy about requests matches nothing there, and one of a DENY
    /// policy matches whatever the request is (Istio, `ambient.convertAuthorizationPolicy`).
    Ztunnel,
}

impl Enforcer {
    fn sees(self, policy: &AuthorizationPolicy, matched: Match) -> Match {
        let Match::Depends(on) = matched else { return matched };
        let (of_requests, of_connections): (Vec<_>, Vec<_>) = on.into_iter().partition(|on| is_of_requests(on));
        match (self, policy.action) {
            (Self::Ztunnel, Action::Allow | Action::Deny) if !of_connections.is_empty() => {
                Match::Depends(of_connections)
            }
            (Self::Ztunnel, Action::Allow) => Match::No,
            (Self::Ztunnel, Action::Deny) => Match::Yes,
            _ => Match::Depends(of_requests.into_iter().chain(of_connections).collect()),
        }
    }
}

/// Whether a condition is about requests, not about connections.
fn is_of_requests(on: &str) -> bool {
    const FIELDS: [&str; 5] = ["hosts", "methods", "paths", "remoteIpBlocks", "requestPrincipals"];
    FIELDS.contains(&on) || on.starts_with("request.") || on == "remote.ip"
}

/// Returns whether these policies, all of which apply to a pod, admit the caller to its port. `port` is the container's
/// port, if it is known.
pub(crate) fn admission(
    policies: &[Arc<AuthorizationPolicy>],
    caller: Caller<'_>,
    port: Option<u64>,
    enforcer: Enforcer,
) -> Admission {
    let matches = |policy: &AuthorizationPolicy| enforcer.sees(policy, policy.matches(caller, port));
    let of = |action| policies.iter().filter(move |policy| policy.action == action);
    let depends = |policy: &AuthorizationPolicy, on: Vec<String>| Admission::Depends { by: in_force(policy), on };
    for policy in of(Action::Custom) {
        if matches(policy) != Match::No {
            return depends(policy, vec!["the service that it asks".to_owned()]);
        }
    }
    let mut condition = None;
    for policy in of(Action::Deny) {
        match matches(policy) {
            Match::Yes => return Admission::Denied { by: in_force(policy), does: "denies every request of" },
            Match::Depends(on) => condition = condition.or_else(|| Some(depends(policy, on))),
            Match::No => {}
        }
    }
    let mut allows = of(Action::Allow).peekable();
    let Some(first) = allows.peek().copied() else { return condition.unwrap_or(Admission::Allowed) };
    let mut maybe = None;
    for policy in allows {
        match matches(policy) {
            Match::Yes => return condition.unwrap_or(Admission::Allowed),
            Match::Depends(on) => maybe = maybe.or_else(|| Some(depends(policy, on))),
            Match::No => {}
        }
    }
    let is_one = of(Action::Allow).count() == 1;
    let does = if is_one { "does not admit" } else { "and other ALLOW policies do not admit" };
    maybe.unwrap_or_else(|| Admission::Denied { by: in_force(first), does })
}

/// Returns those of the policies that match, or may match, requests of the caller.
pub(crate) fn matching(
    policies: &[Arc<AuthorizationPolicy>],
    caller: Caller<'_>,
    port: Option<u64>,
) -> Vec<PolicyInForce> {
    let matches = policies.iter().filter(|policy| policy.matches(caller, port) != Match::No);
    matches.map(|policy| in_force(policy)).collect()
}

fn in_force(policy: &AuthorizationPolicy) -> PolicyInForce {
    PolicyInForce { policy: policy.reference.clone(), action: policy.action }
}

/// Whether a policy, or a part of it, matches a request of a caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Match {
    Yes,
    No,
    /// What it depends on: `methods`, `paths`.
    Depends(Vec<String>),
}

impl Match {
    fn known(is_match: bool) -> Self {
        if is_match { Self::Yes } else { Self::No }
    }

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            depends @ Self::Depends(_) => depends,
        }
    }

    /// All parts must match. One that does not decides.
    fn all(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::unless(&Self::No, Self::Yes, parts)
    }

    /// One part must match. One that does decides.
    fn any(parts: impl IntoIterator<Item = Self>) -> Self {
        Self::unless(&Self::Yes, Self::No, parts)
    }

    /// The part that decides, if there is one, else all conditions, else what is left.
    fn unless(deciding: &Self, otherwise: Self, parts: impl IntoIterator<Item = Self>) -> Self {
        let mut conditions = Vec::new();
        for part in parts {
            match part {
                Self::Depends(on) => add(&mut conditions, on),
                known if known == *deciding => return known,
                _ => {}
            }
        }
        if conditions.is_empty() { otherwise } else { Self::Depends(conditions) }
    }
}

fn add(conditions: &mut Vec<String>, more: Vec<String>) {
    for condition in more {
        if !conditions.contains(&condition) {
            conditions.push(condition);
        }
    }
}

#[cfg(test)]
mod tests;
