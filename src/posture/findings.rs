//! The findings of a posture, by code and cause.

use std::cmp::Reverse;

use serde::Serialize;

use crate::check::groups::{self, FindingGroup};
use crate::check::results::Results;
use crate::check::{Finding, Section, Severity};
use crate::command::Hint;
use crate::model::ObjectRef;

/// The findings with the same code and the same deciding object.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct FindingCause {
    pub code: &'static str,
    pub severity: &'static str,
    /// The name of its section: `brokenNow`.
    pub section: &'static str,
    pub title: &'static str,
    /// The object that causes it.
    pub cause: PostureObject,
    /// The sentence about the first object.
    pub message: String,
    pub fix: Option<Hint>,
    pub objects: Vec<PostureObject>,
}

/// An object by kind, namespace and name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PostureObject {
    pub kind: &'static str,
    pub namespace: String,
    pub name: String,
}

impl From<&ObjectRef> for PostureObject {
    fn from(object: &ObjectRef) -> Self {
        Self { kind: object.kind.kind, namespace: object.namespace.clone(), name: object.name.clone() }
    }
}

/// Writes `Upstream gloo-system/cart`.
impl std::fmt::Display for PostureObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.namespace.as_str() {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {namespace}/{}", self.kind, self.name),
        }
    }
}

/// Returns the causes: errors first, in each what is broken now first, then the largest.
pub(super) fn causes(results: &Results) -> Vec<FindingCause> {
    let codes = groups::by_check(results);
    let mut groups: Vec<_> = codes.iter().flat_map(|code| &code.groups).collect();
    groups.sort_by_key(|group| urgency(group));
    groups.into_iter().map(cause).collect()
}

fn urgency(group: &FindingGroup<'_>) -> (Severity, Reverse<Section>, Reverse<usize>, &'static str) {
    let Finding { severity, section, code, .. } = group.first;
    (*severity, Reverse(*section), Reverse(group.len()), code.id)
}

fn cause(group: &FindingGroup<'_>) -> FindingCause {
    let first = group.first;
    FindingCause {
        code: first.code.id,
        severity: first.severity.name(),
        section: first.section.name(),
        title: first.code.title,
        cause: (&first.decided_by).into(),
        message: first.message.clone(),
        fix: first.hint.clone(),
        objects: group.findings().map(|finding| (&finding.object).into()).collect(),
    }
}
