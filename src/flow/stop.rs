//! Why a bulk run starts no more objects.

use std::cell::Cell;
use std::rc::Rc;

/// Why nothing more is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// A signal was received.
    Asked,
    /// A second signal was received: requests in progress are dropped.
    AskedTwice,
    /// The API server no longer answers.
    NoAnswer,
}

/// Set when the bulk run must end.
#[derive(Clone, Default)]
pub(super) struct Stop(Rc<Cell<Option<Why>>>);

impl Stop {
    /// Whether nothing more should be started.
    pub(super) fn is_set(&self) -> bool {
        self.why().is_some()
    }

    /// The reason, if set.
    pub(super) fn why(&self) -> Option<Why> {
        self.0.get()
    }

    /// Sets the reason. Nothing more is started after that.
    pub(super) fn set(&self, why: Why) {
        self.0.set(Some(why));
    }
}
