//! Upstreams that auto-mTLS covers need nothing of their own.

use super::step::{Act, Planned};
use crate::error::Failure;
use crate::kube::Session;
use crate::load::survey::Survey;
use crate::model::{Object, ObjectRef};
use crate::options::{Global, Named, Objects, Selection};
use crate::plan::gateway::AutoMtls;
use crate::plan::mtls::Wish;
use crate::plan::outage::{Effect, Turn};
use crate::plan::outcome::Row;

/// Leaves out those of a step's Upstreams to which the gateway speaks mutual TLS by auto-mTLS, once it is their turn.
///
/// # Errors
/// One of them could not be read.
pub async fn spare(
    session: &Session,
    mut planned: Planned,
    before: &[Planned],
    global: &Global,
) -> Result<Planned, Failure> {
    let Act::Upstreams(policy, task) = &planned.step.act else { return Ok(planned) };
    if policy.wish != Wish::Enable || planned.changes.is_empty() {
        return Ok(planned);
    }
    let Some(because) = auto_mtls(session, before, global).await else { return Ok(planned) };
    let mut left = Vec::new();
    for row in &planned.changes {
        let value = session.get(row.object.kind, &row.object.namespace, &row.object.name).await;
        let value = value.map_err(|error| error.into_failure(session))?;
        if !AutoMtls::On.covers(&Object { reference: row.object.clone(), value }) {
            left.push(row.clone());
        }
    }
    if left.len() < planned.changes.len() {
        let named = |row: &Row| Named { namespace: Some(row.object.namespace.clone()), name: row.object.name.clone() };
        let selection = Selection::Named(left.iter().map(named).collect());
        planned.step.act = Act::Upstreams(*policy, Objects { selection, ..task.clone() });
        let is_left = |object: &ObjectRef| left.iter().any(|row| row.object == *object);
        planned.effects.retain(|effect| matches!(effect, Effect::Tls(object, _) if is_left(object)));
        planned.spared = Some(because);
        planned.changes = left;
    }
    Ok(planned)
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
            let is_on = *Survey::new(session, global).auto_mtls().await == Ok(AutoMtls::On);
            is_on.then(|| "auto-mTLS (Settings)".to_owned())
        }
    }
}
