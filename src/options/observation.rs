//! How a change is watched, and whether it is made in batches.

use std::num::NonZeroUsize;
use std::time::Duration;

use crate::plan::observe::Limits;

/// The time without `--observe` if `--batch` was typed.
pub(crate) const USUAL_WINDOW: Duration = Duration::from_mins(1);

/// The options of a change that is watched through Envoy's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Observation {
    /// Without it, all objects are one batch.
    pub batch: Option<BatchSize>,
    /// How long the counters are watched, before the first batch and after each. Zero if they do not decide.
    pub window: Duration,
    pub limits: Limits,
    pub silence: OnSilence,
    pub failure: OnWorse,
}

impl Observation {
    /// One object at a time, each proven by a request instead of by counters.
    pub(crate) fn by_request(failure: OnWorse) -> Self {
        Self {
            batch: Some(BatchSize::Objects(NonZeroUsize::MIN)),
            window: Duration::ZERO,
            limits: Limits { max_5xx: None, min_requests: 1 },
            silence: OnSilence::Verify,
            failure,
        }
    }

    /// Whether a request proves each change. Then there is no window.
    pub(crate) fn is_by_request(self) -> bool {
        self.window.is_zero()
    }
}

/// The number of objects in a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BatchSize {
    Objects(NonZeroUsize),
    /// A percentage from 1 to 100 of the objects that would change, rounded up.
    Percent(u8),
}

impl BatchSize {
    /// The number of objects per batch if so many change in all.
    pub(crate) fn of(self, all: usize) -> usize {
        match self {
            Self::Objects(number) => number.get(),
            Self::Percent(percent) => (all * usize::from(percent)).div_ceil(100).max(1),
        }
    }
}

/// What happens if an object gets too few requests to be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum OnSilence {
    /// The batch stays, and the run ends.
    #[default]
    Stop,
    Continue,
    /// A request is sent to it, as `istio verify` does.
    Verify,
}

/// What happens if requests to an object of a batch became worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum OnWorse {
    /// The whole batch is rolled back, and the run ends.
    #[default]
    Stop,
    /// Only the objects that became worse are rolled back, and the next batch follows.
    Continue,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_rounded_up() {
        let sizes = |percent| [1, 9, 10, 11, 200].map(|all| BatchSize::Percent(percent).of(all));
        assert_eq!(sizes(10), [1, 1, 1, 2, 20]);
        assert_eq!(sizes(100), [1, 9, 10, 11, 200]);
        assert_eq!(BatchSize::Objects(NonZeroUsize::new(5).unwrap()).of(3), 5);
    }
}
