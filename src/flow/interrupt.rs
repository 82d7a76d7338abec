//! Ctrl-C: what has begun is finished, nothing more is begun, and the run says what was done.

use std::cell::Cell;
use std::rc::Rc;

use tokio::signal::unix::{SignalKind, signal};

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
