//! What a request that failed proves wrong.

use super::kept::Made;
use super::step::{Act, Planned};
use crate::model::ObjectRef;
use crate::options::Global;

/// The steps that are to be taken back, the last first: those of which the request is the proof, as far as they
/// changed something and the request rests on it. An Upstream's own TLS decides before auto-mTLS.
pub fn proven_wrong(plan: &[Planned], act: &Act, made: &[Made], global: &Global) -> Vec<usize> {
    let Act::Verify { request, proves } = act else { return Vec::new() };
    let is_asked = |object: &ObjectRef| {
        request.upstream.as_ref().is_some_and(|named| {
            named.name == object.name
                && named.namespace.as_deref().unwrap_or(global.object_namespace()) == object.namespace
        })
    };
    let by_auto_mtls = plan.iter().filter_map(|it| it.spared.as_ref()).any(|it| it.upstreams.iter().any(is_asked));
    let carries = |index: &usize| match &plan[*index].step.act {
        Act::Values(_) | Act::Switches(..) => by_auto_mtls,
        Act::Upstreams { .. } => !by_auto_mtls,
        _ => true,
    };
    proves.iter().rev().copied().filter(carries).filter(|index| !made[*index].is_empty()).collect()
}
