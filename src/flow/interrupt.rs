//! Ctrl-C: what has begun is finished, nothing more is begun, and the run says what was done.

use std::cell::Cell;
use std::pin::pin;
use std::rc::Rc;

use tokio::signal::unix::{SignalKind, signal};

use crate::error::{Exit, Failure, Reason};

/// Set once somebody wants the run to end.
#[derive(Clone, Default)]
pub struct Stop(Rc<Cell<bool>>);

impl Stop {
    /// Whether nothing more should be begun.
    pub fn is_set(&self) -> bool {
        self.0.get()
    }

    /// Begins nothing more.
    pub fn set(&self) {
        self.0.set(true);
    }
}

/// Runs what only reads: Ctrl-C ends it where it is.
///
/// # Errors
/// Those of the work, or that it was interrupted.
pub async fn or<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    tokio::select! {
        biased;
        () = asked() => Err(Failure::new(Exit::Interrupted, Reason::Interrupted, "interrupted")),
        done = work => done,
    }
}

/// Runs what must end by itself, such as a transaction: Ctrl-C sets `stop`, and the work looks at it.
pub async fn told<T>(stop: &Stop, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    let mut asked = pin!(asked());
    loop {
        tokio::select! {
            biased;
            () = &mut asked, if !stop.is_set() => stop.set(),
            done = &mut work => return done,
        }
    }
}

/// Comes back when the user or the system asks the run to end.
pub async fn asked() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
