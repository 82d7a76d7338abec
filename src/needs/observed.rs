//! What is read to watch a change: the counters of all gateways, and what a request to a quiet Upstream needs.

use super::declaration::{Declaration, LIST};
use super::istio;
use crate::model::kinds;
use crate::options::{Global, Named, Observation, OnSilence, Preview, Selection, VerifyTask};

/// A change of single Upstreams.
pub(super) fn of_upstreams(
    (observation, preview): (Option<Observation>, Preview),
    selection: &Selection,
    global: &Global,
    all: &mut Declaration,
) {
    let named = match selection {
        Selection::Named(names) => names.as_slice(),
        Selection::Sweep { .. } => &[],
    };
    let Some(observation) = observation.filter(|_| !preview.is_on()) else { return };
    all.found(global).counters();
    let any = [Named { namespace: None, name: String::new() }];
    if observation.silence == OnSilence::Verify {
        for upstream in if named.is_empty() { &any } else { named } {
            istio::verify(&VerifyTask::to_upstream(upstream.clone()), global, all);
        }
    }
}

/// A change that affects all Upstreams, or those that lead to a namespace.
pub(super) fn of_all((observation, preview): (Option<Observation>, Preview), global: &Global, all: &mut Declaration) {
    of_upstreams((observation, preview), &Selection::Named(Vec::new()), global, all);
    if observation.is_some() && !preview.is_on() {
        all.everywhere(LIST, &[&kinds::UPSTREAM]);
    }
}
