//! What became of the facts of a baseline. Only what is known on both sides is better or worse.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{FindingFact, FindingKey, PATHS, PathFact, PathKey, Recorded};
use crate::check::{CHECKS, Severity};
use crate::plan::path::Verdict;

/// How a fact differs from the baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum DifferenceKind {
    /// A path that is less protected or broken, or a finding at the threshold that is new or more severe.
    Worse,
    Better,
    /// It is not in the baseline, and is neither broken nor a finding at the threshold.
    New,
    /// It is in the baseline alone.
    Removed,
    /// The state is the same for another reason.
    Changed,
    /// It is unknown now, or was unknown in the baseline.
    NotComparable,
}

impl DifferenceKind {
    /// All kinds, in the order of the output.
    pub(crate) const ALL: [Self; 6] =
        [Self::Worse, Self::NotComparable, Self::New, Self::Changed, Self::Removed, Self::Better];

    /// The name in the JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Worse => "worse",
            Self::Better => "better",
            Self::New => "new",
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::NotComparable => "notComparable",
        }
    }

    /// The words for people.
    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::NotComparable => "not comparable",
            other => other.name(),
        }
    }
}

/// One fact that differs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Difference {
    /// The context of its cluster, if the run compares several.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The path `upstream gloo-system/cart`, or the finding `GRS101 Upstream gloo-system/cart`.
    pub subject: String,
    pub gateway: Option<String>,
    /// What the baseline says: `mtls`, `broken (strictPeer, policy shop/default)`, `warning`.
    pub before: Option<String>,
    pub now: Option<String>,
}

/// Every difference, by kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Comparison(BTreeMap<DifferenceKind, Vec<Difference>>);

impl Comparison {
    /// Compares a run with a baseline. Only what both have is compared: a command that looks at no paths says nothing
    /// about the paths of the file. New findings of this severity and above are worse.
    pub(crate) fn of(before: &Recorded, now: &Recorded, threshold: Severity) -> Self {
        let mut comparison = Self::default();
        if let (Some(old), Some(new)) = (&before.paths, &now.paths) {
            for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
                let gone = now.not_read.contains(PATHS);
                comparison.add(path(old.get(key), new.get(key), gone), path_difference(key, old, new));
            }
        }
        if let (Some(old), Some(new)) = (&before.findings, &now.findings) {
            for key in old.keys().chain(new.keys()).collect::<BTreeSet<_>>() {
                let kind = finding(old.get(key), new.get(key), is_unread(&key.code, now), threshold);
                comparison.add(kind, finding_difference(key, old, new));
            }
        }
        comparison
    }

    /// Adds a difference. It is none without a kind.
    pub(crate) fn add(&mut self, kind: Option<DifferenceKind>, difference: Difference) {
        if let Some(kind) = kind {
            self.0.entry(kind).or_default().push(difference);
        }
    }

    /// Adds what differs in the cluster of a context.
    pub(crate) fn take(&mut self, context: &str, mut other: Self) {
        other.0.values_mut().flatten().for_each(|it| it.context = Some(context.to_owned()));
        self.extend(other);
    }

    /// Adds other differences.
    pub(crate) fn extend(&mut self, other: Self) {
        for (kind, mut differences) in other.0 {
            self.0.entry(kind).or_default().append(&mut differences);
        }
    }

    /// The differences of a kind: paths, then findings.
    pub(crate) fn of_kind(&self, kind: DifferenceKind) -> &[Difference] {
        self.0.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// Whether the run is as the baseline says.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// Whether a check that could report the code did not run, or could not read everything.
fn is_unread(code: &str, now: &Recorded) -> bool {
    let mut checks = CHECKS.iter().filter(|check| check.codes.iter().any(|known| known.id == code));
    checks.any(|check| now.not_read.contains(check.word))
}

/// How little a verdict protects. `None` if it is unknown.
fn exposure(verdict: Verdict) -> Option<u8> {
    match verdict {
        Verdict::Mtls => Some(0),
        Verdict::Tls => Some(1),
        Verdict::Mixed => Some(2),
        Verdict::Plaintext => Some(3),
        Verdict::Broken => Some(4),
        Verdict::Unknown => None,
    }
}

fn path(before: Option<&PathFact>, now: Option<&PathFact>, may_be_unread: bool) -> Option<DifferenceKind> {
    match (before, now) {
        (None, None) => None,
        (Some(_), None) if may_be_unread => Some(DifferenceKind::NotComparable),
        (Some(_), None) => Some(DifferenceKind::Removed),
        (None, Some(now)) if now.verdict == Verdict::Broken => Some(DifferenceKind::Worse),
        (None, Some(_)) => Some(DifferenceKind::New),
        (Some(before), Some(now)) if before == now => None,
        (Some(before), Some(now)) => Some(match (exposure(before.verdict), exposure(now.verdict)) {
            // Whatever it was: it does not work now.
            (None, Some(_)) if now.verdict == Verdict::Broken => DifferenceKind::Worse,
            (Some(before), Some(now)) if now > before => DifferenceKind::Worse,
            (Some(before), Some(now)) if now < before => DifferenceKind::Better,
            (Some(_), Some(_)) | (None, None) => DifferenceKind::Changed,
            (None, Some(_)) | (Some(_), None) => DifferenceKind::NotComparable,
        }),
    }
}

fn finding(
    before: Option<&FindingFact>,
    now: Option<&FindingFact>,
    may_be_unread: bool,
    threshold: Severity,
) -> Option<DifferenceKind> {
    match (before, now) {
        (None, None) => None,
        (Some(_), None) if may_be_unread => Some(DifferenceKind::NotComparable),
        (Some(_), None) => Some(DifferenceKind::Better),
        // The most severe one is the smallest.
        (None, Some(now)) if now.severity <= threshold => Some(DifferenceKind::Worse),
        (None, Some(_)) => Some(DifferenceKind::New),
        (Some(before), Some(now)) if before == now => None,
        (Some(before), Some(now)) if now.severity < before.severity && now.severity <= threshold => {
            Some(DifferenceKind::Worse)
        }
        (Some(before), Some(now)) if now.severity > before.severity => Some(DifferenceKind::Better),
        (Some(_), Some(_)) => Some(DifferenceKind::Changed),
    }
}

fn path_difference(key: &PathKey, old: &BTreeMap<PathKey, PathFact>, new: &BTreeMap<PathKey, PathFact>) -> Difference {
    let shown = |fact: &PathFact| match &fact.cause {
        Some(cause) => format!("{} ({cause}, {})", fact.verdict, fact.decided_by),
        None => fact.verdict.name().to_owned(),
    };
    Difference {
        context: None,
        subject: key.path.clone(),
        gateway: key.gateway.clone(),
        before: old.get(key).map(shown),
        now: new.get(key).map(shown),
    }
}

fn finding_difference(
    key: &FindingKey,
    old: &BTreeMap<FindingKey, FindingFact>,
    new: &BTreeMap<FindingKey, FindingFact>,
) -> Difference {
    let shown = |fact: &FindingFact| format!("{} ({})", fact.severity.name(), fact.cause);
    Difference {
        context: None,
        subject: format!("{} {}", key.code, key.object),
        gateway: None,
        before: old.get(key).map(shown),
        now: new.get(key).map(shown),
    }
}
