//! Upstreams that auto-mTLS covers need nothing of their own.

use super::step::{Act, Planned, Step};
use crate::kube::Session;
use crate::load::survey::Survey;
use crate::model::{Kind, Object};
use crate::options::Global;
use crate::plan::advice::Advice;
use crate::plan::effect::Wanted;
use crate::plan::gateway::AutoMtls;
use crate::plan::mtls::{Found, Policy, Surroundings, Wish};
use crate::plan::outcome::Decision;
use crate::plan::path::effect::{Effect, Turn};
use crate::plan::{PerObject, Wants, Words};

/// The step, told what encrypts without it once it is its turn.
pub async fn told(session: &Session, mut step: Step, before: &[Planned], global: &Global) -> Step {
    if let Act::Upstreams { policy: Policy { wish: Wish::Enable, .. }, spared_by, .. } = &mut step.act {
        *spared_by = auto_mtls(session, before, global).await;
    }
    step
}

/// What turns it on, if it is on by then: `auto-mTLS (step 1)`.
async fn auto_mtls(session: &Session, before: &[Planned], global: &Global) -> Option<String> {
    let turns = |effect: &Effect| if let Effect::AutoMtls(turn) = effect { Some(*turn) } else { None };
    let last = before
        .iter()
        .enumerate()
        .rev()
        .find_map(|(index, planned)| Some((index + 1, planned.effects.iter().find_map(turns)?)));
    match last {
        Some((number, Turn::On)) => Some(format!("auto-mTLS (step {number})")),
        Some((_, Turn::Off)) => None,
        None => {
            let is_on = Survey::new(session, global).auto_mtls().await == Ok(AutoMtls::On);
            is_on.then(|| "auto-mTLS (Settings)".to_owned())
        }
    }
}

/// `covered by auto-mTLS (step 1)`
pub fn message(by: &str) -> String {
    format!("covered by {by}")
}

/// `enable-mtls` that leaves alone what auto-mTLS covers.
pub struct Sparing<'s> {
    pub policy: Policy,
    /// `auto-mTLS (step 1)`
    pub by: &'s str,
}

fn is_covered(upstream: &Object) -> bool {
    upstream.value["spec"]["sslConfig"].is_null() && AutoMtls::On.covers(upstream)
}

impl PerObject for Sparing<'_> {
    fn kind(&self) -> &'static Kind {
        self.policy.kind()
    }

    fn words(&self) -> Words {
        self.policy.words()
    }

    fn risks(&self) -> Vec<&'static str> {
        self.policy.risks()
    }

    fn wants(&self) -> Wants {
        self.policy.wants()
    }

    fn decide(&self, object: &Object, found: Found, around: &Surroundings) -> Decision {
        match self.policy.decide(object, found, around) {
            Decision::Change { .. } if is_covered(object) => Decision::Unchanged { message: message(self.by) },
            decision => decision,
        }
    }

    fn by_hand(&self) -> Vec<String> {
        self.policy.by_hand()
    }

    fn expects(&self, before: &Object) -> Option<Wanted> {
        self.policy.expects(before)
    }

    fn advise(&self, object: &Object, around: &Surroundings) -> Vec<Advice> {
        if is_covered(object) { Vec::new() } else { self.policy.advise(object, around) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::model::kinds;
    use crate::plan::mtls::{Caution, Foreign};

    #[test]
    fn only_what_has_no_tls_of_its_own_and_no_opt_out_is_spared() {
        let policy = Policy { wish: Wish::Enable, foreign: Foreign::Keep, caution: Caution::Careful };
        let sparing = Sparing { policy, by: "auto-mTLS (step 1)" };
        let around = Surroundings::unseen();
        let decided = |spec: Value| {
            let upstream = Object::new(&kinds::UPSTREAM, json!({"metadata": {"name": "a"}, "spec": spec}));
            sparing.decide(&upstream, Found::Named, &around)
        };
        let covered = Decision::Unchanged { message: "covered by auto-mTLS (step 1)".to_owned() };
        assert_eq!(decided(json!({"kube": {}})), covered);
        assert!(matches!(decided(json!({"kube": {}, "disableIstioAutoMtls": true})), Decision::Change { .. }));
        assert!(matches!(decided(json!({"sslConfig": {"secretRef": {}}})), Decision::Refuse(_)));
    }
}
