//! Paths counted and grouped: by verdict, by namespace, by gateway, by cause.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use super::PathRecord;
use crate::command::Hint;
use crate::plan::path::Verdict;

/// The number of paths of each verdict.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct VerdictCounts(BTreeMap<Verdict, usize>);

impl VerdictCounts {
    /// Counts these paths.
    pub(super) fn of(paths: &[PathRecord]) -> Self {
        let mut counts = Self::default();
        for path in paths {
            counts.add(path.verdict);
        }
        counts
    }

    fn add(&mut self, verdict: Verdict) {
        *self.0.entry(verdict).or_default() += 1;
    }

    /// The number of paths with this verdict.
    pub(crate) fn of_verdict(&self, verdict: Verdict) -> usize {
        self.0.get(&verdict).copied().unwrap_or_default()
    }

    /// The number of all paths.
    pub(crate) fn total(&self) -> usize {
        self.0.values().sum()
    }
}

/// All six numbers by the name of the verdict, also those that are 0.
impl Serialize for VerdictCounts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Verdict::ALL.len()))?;
        for verdict in Verdict::ALL {
            map.serialize_entry(verdict.name(), &self.of_verdict(verdict))?;
        }
        map.end()
    }
}

/// The paths of one namespace or of one gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PathTotals {
    pub name: String,
    pub counts: VerdictCounts,
}

/// Counts the paths by a name, in the order of the names.
pub(super) fn totals<'p>(paths: &'p [PathRecord], name: impl Fn(&'p PathRecord) -> &'p str) -> Vec<PathTotals> {
    let mut all: BTreeMap<&str, VerdictCounts> = BTreeMap::new();
    for path in paths {
        all.entry(name(path)).or_default().add(path.verdict);
    }
    all.into_iter().map(|(name, counts)| PathTotals { name: name.to_owned(), counts }).collect()
}

/// The paths with the same verdict, cause and deciding object: one problem, or one reason why they work.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PathCause {
    pub verdict: Verdict,
    pub cause: Option<&'static str>,
    pub decided_by: String,
    /// The reason of the first of them.
    pub why: String,
    /// The command that fixes the first of them.
    pub fix: Option<Hint>,
    pub count: usize,
    /// Which of the paths belong to it, in their order.
    #[serde(skip)]
    pub members: Vec<usize>,
}

/// Collects the paths one by one, with their causes.
#[derive(Debug, Default)]
pub(super) struct PathLedger {
    found: Vec<(PathRecord, usize)>,
    causes: Vec<PathCause>,
    known: HashMap<(Verdict, Option<&'static str>, String), usize>,
}

impl PathLedger {
    /// Adds a path with its fix.
    pub(super) fn add(&mut self, path: PathRecord, fix: Option<Hint>) {
        let key = (path.verdict, path.cause, path.decided_by.clone());
        let index = *self.known.entry(key).or_insert_with(|| {
            self.causes.push(PathCause {
                verdict: path.verdict,
                cause: path.cause,
                decided_by: path.decided_by.clone(),
                why: path.why.clone(),
                fix,
                count: 0,
                members: Vec::new(),
            });
            self.causes.len() - 1
        });
        self.found.push((path, index));
    }

    /// Returns the paths by namespace, name and gateway, and their causes: the worst verdict first, then the largest.
    pub(super) fn finish(self) -> (Vec<PathRecord>, Vec<PathCause>) {
        let Self { mut found, mut causes, .. } = self;
        found.sort_by(|(one, _), (other, _)| place(one).cmp(&place(other)));
        let mut paths = Vec::with_capacity(found.len());
        for (path, index) in found {
            if let Some(cause) = causes.get_mut(index) {
                cause.count += 1;
                cause.members.push(paths.len());
            }
            paths.push(path);
        }
        causes.sort_by_key(|cause| (urgency(cause.verdict), Reverse(cause.count), cause.decided_by.clone()));
        (paths, causes)
    }
}

fn place(path: &PathRecord) -> (&str, &str, &str, Option<u64>, Option<&str>) {
    (path.kind, &path.namespace, &path.name, path.port, path.gateway.as_deref())
}

/// The place of a verdict among the causes: what fails first, what works last.
fn urgency(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Broken => 0,
        Verdict::Unknown => 1,
        Verdict::Plaintext => 2,
        Verdict::Mixed => 3,
        Verdict::Tls => 4,
        Verdict::Mtls => 5,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str, verdict: Verdict, cause: Option<&'static str>, decided_by: &str) -> PathRecord {
        PathRecord {
            kind: "Upstream",
            namespace: "gloo-system".to_owned(),
            name: name.to_owned(),
            port: None,
            backend: "shop".to_owned(),
            gateway: Some("gloo-system/gateway-proxy".to_owned()),
            verdict,
            cause,
            decided_by: decided_by.to_owned(),
            why: format!("why of {name}"),
        }
    }

    #[test]
    fn paths_are_in_order_and_the_worst_cause_with_the_most_paths_comes_first() {
        let mut ledger = PathLedger::default();
        for (name, verdict, cause, decided_by) in [
            ("d", Verdict::Mtls, None, "namespace shop"),
            ("c", Verdict::Broken, Some("strictPeer"), "policy shop/b"),
            ("b", Verdict::Broken, Some("strictPeer"), "policy shop/a"),
            ("a", Verdict::Broken, Some("strictPeer"), "policy shop/a"),
            ("e", Verdict::Plaintext, None, "namespace shop"),
            ("f", Verdict::Unknown, None, "namespace shop"),
        ] {
            ledger.add(path(name, verdict, cause, decided_by), None);
        }
        let (paths, causes) = ledger.finish();
        let names: Vec<_> = paths.iter().map(|path| path.name.as_str()).collect();
        assert_eq!(names, ["a", "b", "c", "d", "e", "f"]);
        let shown: Vec<_> = causes
            .iter()
            .map(|cause| {
                let members: String = cause.members.iter().map(|index| paths[*index].name.as_str()).collect();
                (cause.verdict.name(), members, cause.count)
            })
            .collect();
        let wanted =
            [("broken", "ab", 2), ("broken", "c", 1), ("unknown", "f", 1), ("plaintext", "e", 1), ("mtls", "d", 1)];
        assert_eq!(shown, wanted.map(|(verdict, members, count)| (verdict, members.to_owned(), count)));
        assert_eq!(VerdictCounts::of(&paths).total(), 6);
        let totals = totals(&paths, |path| &path.backend);
        assert_eq!((totals.len(), totals[0].counts.of_verdict(Verdict::Broken)), (1, 3));
    }
}
