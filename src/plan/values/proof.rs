//! What is proven about the effect of changed values.

use super::rendered::RenderedSettings;
use crate::model::FieldPath;

/// What is proven, and which keys the chart does not read.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Proof {
    pub state: ProofState,
    /// Keys that were to be set, and have no effect. They are left out of the plan.
    pub unread: Vec<FieldPath>,
}

/// How far the effect of the changes is proven.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) enum ProofState {
    /// Nothing changes.
    #[default]
    NoChange,
    NotProven {
        why: String,
    },
    /// The templates of the chart name every changed key.
    Named {
        chart: String,
    },
    /// Helm rendered the chart with the values before and after.
    Rendered {
        chart: String,
        before: RenderedSettings,
        after: RenderedSettings,
    },
}

impl Proof {
    /// Returns a proof that failed.
    pub(crate) fn not_proven(why: String) -> Self {
        Self { state: ProofState::NotProven { why }, unread: Vec::new() }
    }
}
