//! The expected downtime of a plan: between which of its steps requests through the gateway get 503s.
//!
//! A plan that changes one end of a path first breaks the path until the other end is changed too. The steps are
//! applied one after the other to the state that was read. After each step, the path model judges the target of each
//! route.

use super::effect::{Effect, PlannedWorld};
use super::harm::{Harm, harm};
use super::pair::{first_broken, pairs};
use super::routed::RouteWay;
use super::survey::Surveys;
use super::{ClosedGateway, Facts};
use crate::plan::Unread;

/// The steps between which requests get 503s.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outage {
    pub shown: String,
    /// The step after which it begins, from 1. `None` if it is so before the first step.
    pub begins: Option<usize>,
    /// The step that ends it. `None` if no step does.
    pub ends: Option<usize>,
    /// The reason: `plaintext: it accepts only mutual TLS (STRICT, istio-system/default, mesh)`.
    pub why: String,
}

/// A route for which it is unknown whether requests succeed after a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Doubt {
    pub shown: String,
    /// The number of the step, from 1.
    pub step: usize,
    pub why: Unread,
}

/// The outages and doubts of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Forecast {
    pub outages: Vec<Outage>,
    pub doubts: Vec<Doubt>,
    /// The gateways that clients outside of the mesh reach before the first step and not after the last.
    pub closed: Vec<ClosedGateway>,
}

/// Applies the steps, each with its effects. A path that is broken both before and after all steps is not reported,
/// because the plan does not cause it. Neither is a doubt that existed before.
pub(crate) fn forecast(mut world: PlannedWorld, ways: &[RouteWay], steps: &[Vec<Effect>]) -> Forecast {
    let mut states = vec![facts(&world.surveys(), ways)];
    let was_closed = world.surveys().closed();
    for effects in steps {
        for effect in effects {
            world.take(effect);
        }
        states.push(facts(&world.surveys(), ways));
    }
    let mut found = Forecast { closed: world.surveys().closed_since(&was_closed), ..Forecast::default() };
    for (index, way) in ways.iter().enumerate() {
        let of_way: Vec<_> = states.iter().map(|state| &state[index]).collect();
        found.outages.extend(outages(way, &of_way));
        found.doubts.extend(doubts(way, &of_way));
    }
    found
}

fn facts(surveys: &Surveys<'_>, ways: &[RouteWay]) -> Vec<Facts> {
    ways.iter().map(|way| way.facts(surveys)).collect()
}

fn outages(way: &RouteWay, states: &[&Facts]) -> Vec<Outage> {
    let mut found = Vec::new();
    let mut open: Option<Outage> = None;
    for (step, facts) in states.iter().enumerate() {
        match (broken(facts), &mut open) {
            (Some(why), None) => {
                let begins = (step > 0).then_some(step);
                open = Some(Outage { shown: way.shown.clone(), begins, ends: None, why });
            }
            (None, Some(outage)) => {
                outage.ends = Some(step);
                found.extend(open.take());
            }
            _ => {}
        }
    }
    found.extend(open.filter(|outage| outage.begins.is_some()));
    found
}

/// Returns a text about the first pair whose requests get 503s.
fn broken(facts: &Facts) -> Option<String> {
    first_broken(&pairs(facts)).map(|(cause, why)| format!("{}: {why}", facts.sends.words(cause)))
}

fn doubts<'w>(way: &'w RouteWay, states: &'w [&Facts]) -> impl Iterator<Item = Doubt> + 'w {
    states.windows(2).enumerate().filter_map(|(index, both)| match harm(both[0], both[1]) {
        Harm::Unknown(why) => Some(Doubt { shown: way.shown.clone(), step: index + 1, why }),
        Harm::None | Harm::Broken { .. } => None,
    })
}
