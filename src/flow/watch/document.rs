//! A batch of changes in the document, and how it ended.

use serde_json::{Value, json};

use super::Observed;
use crate::apply::transaction::Undone;
use crate::model::ObjectRef;
use crate::options::Observation;

/// Who changes the objects of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::flow) enum Origin {
    ThisRun,
    /// A run that ended before it had observed its change.
    EarlierRun,
}

/// How a batch ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::flow) enum BatchOutcome {
    /// It is only shown.
    Planned,
    NotChanged,
    Passed,
    /// It stays, and too few requests passed to judge it.
    TooFewRequests,
    SomeRolledBack,
    RolledBack,
    RollbackIncomplete,
}

impl BatchOutcome {
    /// The outcome of a batch after a rollback with these results.
    pub(in crate::flow) fn after_rollback(undone: &[(ObjectRef, Undone)]) -> Self {
        match undone {
            [] => Self::NotChanged,
            all if all.iter().all(|(_, state)| *state == Undone::Back) => Self::RolledBack,
            _ => Self::RollbackIncomplete,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::NotChanged => "notChanged",
            Self::Passed => "passed",
            Self::TooFewRequests => "tooFewRequests",
            Self::SomeRolledBack => "someRolledBack",
            Self::RolledBack => "rolledBack",
            Self::RollbackIncomplete => "rollbackIncomplete",
        }
    }
}

/// A batch of changes in the document.
pub(in crate::flow) struct BatchDocument<'d> {
    pub number: usize,
    pub outcome: BatchOutcome,
    pub objects: Vec<&'d ObjectRef>,
    pub origin: Origin,
    pub observation: Observation,
    pub observed: &'d [Observed],
}

impl BatchDocument<'_> {
    pub(in crate::flow) fn value(&self) -> Value {
        let object = |object: &&ObjectRef| json!({"namespace": object.namespace, "name": object.name});
        json!({
            "number": self.number,
            "outcome": self.outcome.name(),
            "objects": self.objects.iter().map(object).collect::<Vec<_>>(),
            "changedByEarlierRun": self.origin == Origin::EarlierRun,
            "windowSeconds": self.observation.window.as_secs_f64(),
            "max5xx": self.observation.limits.max_5xx.map(|most| most.to_string()),
            "minRequests": self.observation.limits.min_requests,
            "counters": self.observed.iter().flat_map(Observed::document).collect::<Vec<_>>(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::kinds;

    #[test]
    fn a_batch_is_rolled_back_only_if_every_object_is() {
        let object = || ObjectRef::new(&kinds::UPSTREAM, "gloo-system", "a");
        let stands = || Undone::Stands("changed by others".to_owned());
        for (undone, outcome) in [
            (vec![], BatchOutcome::NotChanged),
            (vec![Undone::Back, Undone::Back], BatchOutcome::RolledBack),
            (vec![Undone::Back, stands()], BatchOutcome::RollbackIncomplete),
        ] {
            let undone: Vec<_> = undone.into_iter().map(|state| (object(), state)).collect();
            assert_eq!(BatchOutcome::after_rollback(&undone), outcome, "{undone:?}");
        }
    }
}
