//! Catches panics. A panic is a bug of this program. It ends
//! the current part, and what was written is still rolled back.

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt as _;

use crate::error::{Exit, Failure, Reason};

/// The work ended in a panic. The panic hook has printed where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Panicked;

impl From<Panicked> for Failure {
    fn from(_: Panicked) -> Self {
        Failure::new(Exit::Failed, Reason::Bug, "an internal error in gloo-rs ended the run")
            .hint("please report it, with this output and the version")
    }
}

/// Runs the work to its end or to its panic.
///
/// After a panic, the state that the work was changing is not used, except for lists of completed writes. Those lists
/// only grow by complete entries: hence `AssertUnwindSafe`.
///
/// # Errors
/// It panicked.
pub(crate) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|_| Panicked)
}

/// Like [`caught`], for work that is not async.
///
/// # Errors
/// It panicked.
pub(crate) fn caught_now<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panicked)
}
