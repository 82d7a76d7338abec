//! Releases the field ownership of this program in a bootstrap that is again as its chart renders it. A write that
//! restores a field also records ownership, so the release must be a later write.

use crate::edit::patch;
use crate::kube::{ApiCause, ApiError, DryRun, Session};
use crate::model::{Object, ObjectRef, kinds};
use crate::plan::change::Change;
use crate::plan::sidecars::claims;

/// How many concurrent writes are tolerated.
const TRIES: usize = 5;

/// Releases the ownership of a bootstrap in the state last seen. Does nothing if there is none.
///
/// # Errors
/// Why the ownership remains.
pub(crate) async fn let_go(session: &Session, bootstrap: Object) -> Result<(), ApiError> {
    let ObjectRef { kind, namespace, name } = bootstrap.reference.clone();
    let mut now = bootstrap;
    let mut tries = 0;
    loop {
        let release = claims::release(&now.value);
        let Ok(operations) = patch::guarded(&now, &release) else { return Ok(()) };
        if release.is_empty() {
            return Ok(());
        }
        match session.patch(kind, &namespace, &name, &operations, DryRun::No).await {
            Err(error) if error.cause == ApiCause::Conflict && tries < TRIES => {
                tries += 1;
                now = Object::new(kind, session.get(kind, &namespace, &name).await?);
            }
            answer => return answer.map(drop),
        }
    }
}

/// Releases ownership after a rollback, if there was none before the change. A failure is not reported, because the
/// object has its earlier content.
pub(crate) async fn left(session: &Session, change: &Change, now: Object) {
    let is_bootstrap = now.reference.kind == &kinds::CONFIG_MAP;
    if is_bootstrap && claims::on_bootstrap(&change.before.value).is_none() {
        drop(let_go(session, now).await);
    }
}
