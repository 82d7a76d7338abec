//! Why a sweep begins nothing more.

use std::cell::Cell;
use std::rc::Rc;

/// Why nothing more is begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// A signal came.
    Asked,
    /// A second one came: requests under way are dropped.
    AskedTwice,
    /// The API server does not answer any more.
    NoAnswer,
}

/// Set once the sweep is to end.
#[derive(Clone, Default)]
pub(super) struct Stop(Rc<Cell<Option<Why>>>);

impl Stop {
    /// Whether nothing more should be begun.
    pub(super) fn is_set(&self) -> bool {
        self.why().is_some()
    }

    /// Why, if so.
    pub(super) fn why(&self) -> Option<Why> {
        self.0.get()
    }

    /// Begins nothing more.
    pub(super) fn set(&self, why: Why) {
        self.0.set(Some(why));
    }
}
