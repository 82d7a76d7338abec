//! The policies that decide what the pods behind the paths accept and admit.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use crate::plan::path::{Facts, Membership};
use crate::plan::peer::PolicyRef;

/// A policy, and the number of targets for which it decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DecidingPolicy {
    /// `PeerAuthentication` or `AuthorizationPolicy`.
    pub kind: &'static str,
    pub namespace: String,
    pub name: String,
    /// `mesh`, `namespace`, `workload` or `port`. `None` of an `AuthorizationPolicy`.
    pub level: Option<&'static str>,
    /// The mode that it sets, or the action that it takes: `STRICT`, `DENY`.
    pub effect: &'static str,
    pub targets: usize,
}

/// Writes `PeerAuthentication shop/default`.
impl std::fmt::Display for DecidingPolicy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

type Key = (&'static str, String, String, Option<&'static str>, &'static str);

/// Counts the targets of each policy.
#[derive(Debug, Default)]
pub(super) struct PolicyTally(BTreeMap<Key, usize>);

impl PolicyTally {
    /// Counts a target for each policy that decides for one of its pods.
    pub(super) fn add(&mut self, facts: &Facts) {
        let key = |kind, policy: &PolicyRef, level, effect| {
            (kind, policy.namespace.clone(), policy.name.clone(), level, effect)
        };
        let mut deciding: BTreeSet<Key> = BTreeSet::new();
        let in_mesh = facts.pods().into_iter().flatten().filter(|pod| pod.membership != Membership::Outside);
        for pod in in_mesh {
            let source = pod.demands.as_ref().ok().and_then(|effective| Some((effective.set_by()?, effective.mode)));
            deciding.extend(source.map(|(source, mode)| {
                key("PeerAuthentication", &source.policy, Some(source.level.name()), mode.name())
            }));
            let enforced = pod.authorization.iter().flatten();
            deciding.extend(
                enforced.map(|policy| key("AuthorizationPolicy", &policy.reference, None, policy.action.name())),
            );
        }
        for key in deciding {
            *self.0.entry(key).or_default() += 1;
        }
    }

    /// Returns the policies by kind, namespace and name.
    pub(super) fn finish(self) -> Vec<DecidingPolicy> {
        let policy = |((kind, namespace, name, level, effect), targets)| DecidingPolicy {
            kind,
            namespace,
            name,
            level,
            effect,
            targets,
        };
        self.0.into_iter().map(policy).collect()
    }
}
