//! A comparison of several clusters with a file that has a part for each context. A cluster that was not read is neither
//! better nor gone, and no file is written without it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use super::Fleet;
use crate::error::{Exit, Failure, Reason};
use crate::flow::baseline::{self, BaselineRun, Before, Destination};
use crate::load::baseline as file;
use crate::options::BaselineTask;
use crate::posture::baseline::{Baseline, Baselines, Comparison, Difference, DifferenceKind};
use crate::render::text::count;

/// The subject of what is said of a context itself.
const WHOLE: &str = "the whole cluster";
/// What a context is now if it has no facts.
const NOT_READ: &str = "not read";
const NOT_SELECTED: &str = "not selected";

/// The baseline of a run on several clusters.
pub(in crate::flow) struct ContextBaselines {
    compare: Option<(PathBuf, BTreeMap<String, Baseline>)>,
    write: Option<NewFile>,
}

struct NewFile {
    path: PathBuf,
    /// The contexts that the file has now.
    has: BTreeSet<String>,
}

/// What came of each selected context: its facts, or none if it was not read.
pub(in crate::flow) type FactsByContext = BTreeMap<String, Option<Baseline>>;

impl ContextBaselines {
    /// Reads the baseline, and checks that the new one may be written.
    ///
    /// # Errors
    /// A file is not a baseline of several contexts, or cannot be read.
    pub(in crate::flow) fn begin(task: &BaselineTask) -> Result<Self, Failure> {
        let read = |path: &PathBuf| match file::read(path)? {
            Baselines::OfContexts(before) => Ok((path.clone(), before)),
            Baselines::One(_) => {
                let message = format!("--baseline {}: it is of one cluster and names no context", path.display());
                Err(Failure::new(Exit::Failed, Reason::File, message)
                    .hint("compare without --contexts, or write one of these contexts: --write-baseline FILE"))
            }
        };
        let compare = task.compare.as_ref().map(read).transpose()?;
        let replaced = |path: &PathBuf| {
            let has = match file::replaced(path)? {
                Some(Baselines::OfContexts(all)) => all.into_keys().collect(),
                _ => BTreeSet::new(),
            };
            Ok::<_, Failure>(NewFile { path: path.clone(), has })
        };
        Ok(Self { compare, write: task.write.as_ref().map(replaced).transpose()? })
    }

    /// The part of a context.
    pub(in crate::flow) fn of(&self, context: Option<&str>) -> BaselineRun {
        let before = |all: &BTreeMap<String, Baseline>| {
            context.and_then(|context| all.get(context)).cloned().map_or(Before::NewContext, Before::Known)
        };
        let compare = self.compare.as_ref().map(|(path, all)| (path.clone(), before(all)));
        let is_wanted = compare.is_some() || self.write.is_some();
        BaselineRun::of_context(compare, if is_wanted { Destination::Answer } else { Destination::Nowhere })
    }

    /// The file that is compared with.
    pub(in crate::flow) fn file(&self) -> Option<String> {
        self.compare.as_ref().map(|(path, _)| path.display().to_string())
    }

    /// What differs about the contexts themselves. `None` if nothing is compared.
    pub(in crate::flow) fn compared(&self, fleet: &Fleet, now: &FactsByContext) -> Option<Comparison> {
        let (_, before) = self.compare.as_ref()?;
        let mut all = Comparison::default();
        for name in before.keys().chain(now.keys()).collect::<BTreeSet<_>>() {
            let old = before.get(name).map(facts);
            let (kind, new) = match (&old, now.get(name)) {
                (Some(_), Some(Some(_))) => continue,
                (_, Some(None)) => (DifferenceKind::NotComparable, Some(NOT_READ.to_owned())),
                (None, Some(Some(new))) => (DifferenceKind::New, Some(facts(new))),
                (_, None) if fleet.knows(name) => (DifferenceKind::NotComparable, Some(NOT_SELECTED.to_owned())),
                (_, None) => (DifferenceKind::Removed, None),
            };
            let context = Some(name.clone());
            all.add(
                Some(kind),
                Difference { context, subject: WHOLE.to_owned(), gateway: None, before: old, now: new },
            );
        }
        Some(all)
    }

    /// Writes the new file, if all contexts were read. Returns the line that says so.
    ///
    /// # Errors
    /// A context was not read, or the file cannot be written.
    pub(in crate::flow) fn write(self, now: FactsByContext) -> Result<Option<String>, Failure> {
        let Some(NewFile { path, has }) = self.write else { return Ok(None) };
        let unread: Vec<_> = now.iter().filter(|(_, facts)| facts.is_none()).map(|(name, _)| name.as_str()).collect();
        if !unread.is_empty() {
            let message = format!("--write-baseline {}: not written", path.display());
            return Err(Failure::new(Exit::Done, Reason::Unknown, message)
                .detail(format!("not read: {}", unread.join(", ")))
                .hint("--contexts without them writes the others"));
        }
        let new: BTreeMap<_, _> = now.into_iter().filter_map(|(name, facts)| Some((name, facts?))).collect();
        let lost: Vec<_> = has.into_iter().filter(|name| !new.contains_key(name)).collect();
        let contexts = count(new.len(), "context");
        let said = baseline::write(&path, &Baselines::OfContexts(new))?;
        Ok(Some(match lost.is_empty() {
            true => format!("{said}: {contexts}"),
            false => format!("{said}: {contexts}; no longer in it: {}", lost.join(", ")),
        }))
    }
}

/// `12 paths, 3 findings`
fn facts(baseline: &Baseline) -> String {
    let Baseline { recorded, .. } = baseline;
    let paths = recorded.paths.as_ref().map(|all| count(all.len(), "path"));
    let findings = recorded.findings.as_ref().map(|all| count(all.len(), "finding"));
    paths.into_iter().chain(findings).collect::<Vec<_>>().join(", ")
}
