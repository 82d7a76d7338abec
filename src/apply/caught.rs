//! A panic is a fault of this program. It ends the part that met it, and what was written is still rolled back.

use std::panic::{AssertUnwindSafe, catch_unwind};

use futures_util::FutureExt as _;

use crate::error::{Exit, Failure, Reason};

/// The work ended in a panic; the panic hook has said where.
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
/// What the work was changing is not looked at after a panic, except for lists of what was done, and those are added to
/// whole entries at a time: hence `AssertUnwindSafe`.
///
/// # Errors
/// It panicked.
pub(crate) async fn caught<T>(work: impl Future<Output = T>) -> Result<T, Panicked> {
    AssertUnwindSafe(work).catch_unwind().await.map_err(|_| Panicked)
}

/// The same for work that does not wait.
///
/// # Errors
/// It panicked.
pub(crate) fn caught_now<T>(work: impl FnOnce() -> T) -> Result<T, Panicked> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|_| Panicked)
}
