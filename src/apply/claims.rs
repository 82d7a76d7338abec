//! What the API server notes as this program's in a bootstrap that is as its chart renders it, given up. A write that
//! takes something back is a write too, so this can only be one after it.

use crate::edit::patch;
use crate::kube::{ApiError, Cause, DryRun, Session};
use crate::model::{Object, ObjectRef, kinds};
use crate::plan::change::Change;
use crate::plan::sidecars::claims;

/// How often somebody else may write in between.
const TRIES: usize = 5;

/// Gives up a bootstrap as it was last seen; nothing where nothing is noted.
///
/// # Errors
/// Why it is noted still.
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
            Err(error) if error.cause == Cause::Conflict && tries < TRIES => {
                tries += 1;
                now = Object::new(kind, session.get(kind, &namespace, &name).await?);
            }
            answer => return answer.map(drop),
        }
    }
}

/// After a change was rolled back: what was not noted before it is not noted any more. Where that fails nothing is said,
/// for the object is as it was.
pub(crate) async fn left(session: &Session, change: &Change, now: Object) {
    let is_bootstrap = now.reference.kind == &kinds::CONFIG_MAP;
    if is_bootstrap && claims::on_bootstrap(&change.before.value).is_none() {
        drop(let_go(session, now).await);
    }
}
