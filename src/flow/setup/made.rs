//! What a step wrote, and what follows it.

use crate::apply::transaction::Done;
use crate::flow::values;
use crate::flow::watch::done_of_mark;
use crate::model::ObjectRef;
use crate::options::UpgradeValues;
use crate::plan::change::Change;
use crate::plan::observe::mark;

/// What a step wrote that can be rolled back if a later step proves it wrong.
pub(super) enum MadeByStep {
    Nothing,
    Objects(Vec<Done>),
    /// A release whose upgrade turned on auto-mTLS, and the task of the upgrade.
    AutoMtls(Box<values::Upgraded>, Box<UpgradeValues>),
    /// Another upgrade of a release, which is not rolled back.
    Release(Box<values::Upgraded>),
}

/// What follows a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Follows {
    NextStep,
    /// Requests are watched. Until then, what was changed has a mark.
    Observation,
}

impl MadeByStep {
    /// Whether the step changed something.
    pub(super) fn is_changed(&self) -> bool {
        match self {
            Self::Nothing => false,
            Self::Objects(done) => !done.is_empty(),
            Self::AutoMtls(..) | Self::Release(_) => true,
        }
    }

    /// Whether there is something that can be rolled back.
    pub(super) fn can_go_back(&self) -> bool {
        self.is_changed() && !matches!(self, Self::Release(_))
    }

    /// The objects that were changed.
    pub(super) fn objects(&self) -> Vec<ObjectRef> {
        match self {
            Self::Nothing => Vec::new(),
            Self::Objects(done) => done.iter().map(|done| done.after.reference.clone()).collect(),
            Self::AutoMtls(upgraded, _) | Self::Release(upgraded) => vec![upgraded.row().object],
        }
    }
}

impl Follows {
    /// The changes with their marks, and what an earlier run left with one.
    pub(super) fn marked(self, changes: Vec<Change>) -> (Vec<Done>, Vec<Change>) {
        match self {
            Self::NextStep => (Vec::new(), changes),
            Self::Observation => {
                let already = changes.iter().filter(|change| change.is_already());
                let left = already.filter_map(|change| done_of_mark(&change.before)).collect();
                (left, changes.into_iter().map(mark::marked).collect())
            }
        }
    }
}
