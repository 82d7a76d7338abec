//! What a change does to the requests for a target: each pair of a gateway and a pod, before it and after it.

use std::collections::HashMap;

use super::pair::{Pair, State, pairs};
use super::{Behind, Cause, Facts, Sends};
use crate::plan::Unread;

/// What a change does to the requests for a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Harm {
    /// No pair is answered with 503 that was not before.
    None,
    /// A pair is answered with 503 afterwards that is not known to be so now.
    Broken { cause: Cause, why: String },
    /// Whether one is cannot be known.
    Unknown(Unread),
}

/// Compares the same target before and after a change. A pair that is answered with 503 already is not harmed, nor is
/// one of which nothing changes.
pub fn harm(before: &Facts, after: &Facts) -> Harm {
    match &after.behind {
        Behind::Pods { .. } => of_pods(before, after),
        Behind::Unknown(why) => Harm::Unknown(why.clone()),
        Behind::ByHand { service } => {
            Harm::Unknown(format!("service {service} selects no pods, so who answers there is not known").into())
        }
        Behind::Outside { kind } if !before.sends.is_same_as(&after.sends) => {
            Harm::Unknown(format!("what a {kind} host accepts is not known").into())
        }
        _ => Harm::None,
    }
}

/// Where only Settings tell what is sent and they are not known, a change that harms neither way is harmless.
fn of_pods(before: &Facts, after: &Facts) -> Harm {
    let (Some(either), Sends::Unknown(why)) = (after.sends_either(), &after.sends) else {
        return of_pairs(before, after);
    };
    let is_same = before.sends.is_same_as(&after.sends);
    let was = |sends: &Sends| if is_same { before.sending(sends.clone()) } else { before.clone() };
    let is_harmless = either.iter().all(|after| of_pairs(&was(&after.sends), after) == Harm::None);
    if is_harmless { Harm::None } else { Harm::Unknown(why.clone()) }
}

fn of_pairs(before: &Facts, after: &Facts) -> Harm {
    let key = |pair: &Pair<'_>| (pair.proxy.map(|proxy| proxy.name.clone()), pair.pod.name.clone());
    let was: HashMap<_, _> = pairs(before).into_iter().map(|pair| (key(&pair), pair)).collect();
    let mut harm = Harm::None;
    for pair in pairs(after) {
        let earlier = was.get(&key(&pair));
        let is_same = |earlier: &Pair<'_>| {
            let inputs = before.sends.is_same_as(&after.sends) && earlier.pod.accepts_as(pair.pod);
            let outcome = earlier.ends == pair.ends && !matches!(pair.ends, State::Unknown { .. });
            let lacks = |pair: &Pair<'_>| pair.proxy.map(|proxy| proxy.lacks.clone());
            (inputs || outcome) && lacks(earlier) == lacks(&pair)
        };
        if earlier.is_some_and(|earlier| matches!(earlier.state, State::Broken { .. }) || is_same(earlier)) {
            continue;
        }
        match pair.state {
            State::Broken { cause, why } => return Harm::Broken { cause, why },
            State::Unknown { why, rule, .. } => harm = Harm::Unknown(Unread { why, rule, failure: None }),
            State::Mtls | State::Tls | State::Plaintext => {}
        }
    }
    harm
}
