//! The effect of a change on the requests for a target: compares each pair of a gateway and a pod before and after it.

use std::collections::HashMap;

use super::pair::{Pair, PairState, first_broken, outside_host, pairs};
use super::{Behind, Cause, Facts, Sends};
use crate::plan::Unread;

/// The effect of a change on the requests for a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Harm {
    /// No pair becomes broken.
    None,
    /// A pair is broken afterwards that is not known to be broken now.
    Broken { cause: Cause, why: String },
    /// It is unknown whether a pair becomes broken.
    Unknown(Unread),
}

/// Compares the same target before and after a change. A pair that already is broken is not harmed. Neither is an
/// unchanged pair.
pub(crate) fn harm(before: &Facts, after: &Facts) -> Harm {
    match &after.behind {
        Behind::Pods { .. } => of_pods(before, after),
        Behind::Unknown(why) => Harm::Unknown(why.clone()),
        Behind::ByHand { service } => {
            Harm::Unknown(format!("service {service} selects no pods, so who answers there is unknown").into())
        }
        Behind::Outside { kind } if !before.sends.is_same_as(&after.sends) => {
            Harm::Unknown(format!("what {} accepts is unknown", outside_host(kind)).into())
        }
        _ => Harm::None,
    }
}

/// Compares the pairs. If only Settings decide what is sent and they are unknown, a change is harmless if it is
/// harmless both with and without auto-mTLS.
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
    let key = |pair: &Pair<'_>| (pair.proxy.map(|proxy| proxy.name.clone()), pair.pod.to_string());
    let was: HashMap<_, _> = pairs(before).into_iter().map(|pair| (key(&pair), pair)).collect();
    let is_new = |pair: &Pair<'_>| {
        let Some(earlier) = was.get(&key(pair)) else { return true };
        let captured = |pair: &Pair<'_>| pair.proxy.map(|proxy| proxy.captured.clone());
        let is_admitted_alike = earlier.pod.authorization == pair.pod.authorization;
        let is_accepted_alike = earlier.pod.accepts_as(pair.pod) && captured(earlier) == captured(pair);
        let inputs = before.sends.is_same_as(&after.sends) && is_accepted_alike;
        let outcome = is_admitted_alike && earlier.ends == pair.ends && !matches!(pair.ends, PairState::Unknown { .. });
        let lacks = |pair: &Pair<'_>| pair.proxy.map(|proxy| proxy.lacks.clone());
        let is_same = (inputs || outcome) && lacks(earlier) == lacks(pair);
        !is_same && !matches!(earlier.state, PairState::Broken { .. })
    };
    let new: Vec<_> = pairs(after).into_iter().filter(is_new).collect();
    if let Some((cause, why)) = first_broken(&new) {
        return Harm::Broken { cause, why: why.to_owned() };
    }
    let unknown = new.into_iter().find_map(|pair| match pair.state {
        PairState::Unknown { why, rule, .. } => Some(Harm::Unknown(Unread { why, rule, failure: None })),
        _ => None,
    });
    unknown.unwrap_or(Harm::None)
}
