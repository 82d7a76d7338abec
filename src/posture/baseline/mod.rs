//! A baseline: the facts of a posture that a later run is compared with. Nothing in it changes from run to run while the
//! cluster stays the same: no times, no names of pods, no sentences.

mod compare;
mod text;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use compare::{Comparison, Difference, DifferenceKind};
pub(crate) use text::{Baseline, Baselines};

use super::PathRecord;
use crate::check::results::Results;
use crate::check::{Finding, Ran, Severity};
use crate::model::{Unknown, kinds};
use crate::plan::path::Verdict;

/// The word for the paths among what was not read.
pub(crate) const PATHS: &str = "paths";

/// What a path is recognized by.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct PathKey {
    /// `upstream gloo-system/cart`
    pub path: String,
    pub gateway: Option<String>,
}

/// The state of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PathFact {
    pub verdict: Verdict,
    pub cause: Option<String>,
    pub decided_by: String,
}

/// What a finding is recognized by. Its sentence is not part of it, because sentences have numbers and times.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FindingKey {
    pub code: String,
    /// `Upstream gloo-system/cart`. For a pod, the object that causes it: a new pod has a new name.
    pub object: String,
}

/// What a finding is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FindingFact {
    pub severity: Severity,
    /// The object that causes it.
    pub cause: String,
}

/// The facts of one run. `None` for what the command does not look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Recorded {
    pub paths: Option<BTreeMap<PathKey, PathFact>>,
    pub findings: Option<BTreeMap<FindingKey, FindingFact>>,
    /// What could not be read or was not asked for: [`PATHS`], and checks by their words.
    pub not_read: BTreeSet<String>,
}

impl Recorded {
    /// Adds the paths of a run.
    pub(crate) fn add_paths<'p>(&mut self, paths: impl IntoIterator<Item = &'p PathRecord>) {
        let all = self.paths.get_or_insert_default();
        all.extend(paths.into_iter().map(|path| {
            let key = PathKey { path: path.subject(), gateway: path.gateway.clone() };
            let cause = path.cause.map(str::to_owned);
            (key, PathFact { verdict: path.verdict, cause, decided_by: path.decided_by.clone() })
        }));
    }

    /// Adds the results of checks. Of two findings with the same code and object, the more severe one counts.
    pub(crate) fn add_results(&mut self, results: &Results) {
        let all = self.findings.get_or_insert_default();
        for finding in results.findings() {
            let fact = FindingFact { severity: finding.severity, cause: shown(&finding.decided_by) };
            let known = all.entry(key(finding)).or_insert_with(|| fact.clone());
            if (fact.severity, &fact.cause) < (known.severity, &known.cause) {
                *known = fact;
            }
        }
        let unread = results.ran.iter().filter(|ran| is_incomplete(ran));
        self.not_read.extend(unread.map(|ran| ran.check.word.to_owned()));
        let has_run = |word: &str| results.ran.iter().any(|ran| ran.check.word == word);
        let excluded = crate::check::CHECKS.iter().filter(|check| !has_run(check.word));
        self.not_read.extend(excluded.map(|check| check.word.to_owned()));
    }

    /// A record of the same extent in which nothing stands.
    pub(crate) fn without_facts(&self) -> Self {
        Self {
            paths: self.paths.as_ref().map(|_| BTreeMap::new()),
            findings: self.findings.as_ref().map(|_| BTreeMap::new()),
            not_read: BTreeSet::new(),
        }
    }

    /// Records that something could not be read.
    pub(crate) fn not_read(&mut self, what: &str) {
        self.not_read.insert(what.to_owned());
    }
}

fn is_incomplete(ran: &Ran) -> bool {
    ran.skipped.is_some() || !ran.unknown.iter().all(Unknown::is_of_files)
}

fn key(finding: &Finding) -> FindingKey {
    let is_pod = *finding.object.kind == kinds::POD;
    let object = if is_pod { &finding.decided_by } else { &finding.object };
    FindingKey { code: finding.code.id.to_owned(), object: shown(object) }
}

fn shown(object: &crate::model::ObjectRef) -> String {
    super::findings::PostureObject::from(object).to_string()
}

#[cfg(test)]
mod tests;
