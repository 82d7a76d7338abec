//! A comparison with a baseline: reads it before anything else, compares at the end, and writes the new one.

use std::path::{Path, PathBuf};

use crate::apply::files;
use crate::check::Severity;
use crate::check::results::{Threshold, Unseen};
use crate::command::flag;
use crate::error::{Exit, Failure, Reason};
use crate::file::MOST;
use crate::load::baseline;
use crate::options::{BaselineTask, Format};
use crate::posture::baseline::{Baseline, Baselines, Comparison, DifferenceKind, Recorded};
use crate::render::answer::ClusterAnswer;
use crate::render::line::Line;
use crate::render::posture::comparison;
use crate::render::text::inert_json;

/// What a comparison treats as worse if no threshold was typed.
pub(super) const USUAL: Threshold = Threshold { severity: Severity::Error, unknown: Unseen::Passes };

/// The baseline of a run on one cluster.
pub(super) struct BaselineRun {
    compare: Option<(PathBuf, Before)>,
    write: Destination,
}

/// What a run is compared with.
pub(super) enum Before {
    Known(Baseline),
    /// The file has other contexts, and not this one.
    NewContext,
}

/// Where the new baseline goes.
pub(super) enum Destination {
    Nowhere,
    File(PathBuf),
    /// Into the answer: those of several clusters are in one file.
    Answer,
}

/// What a run found: the facts, and what they are about.
pub(super) struct Scoped {
    /// Which paths: `all namespaces`.
    pub paths: Option<String>,
    /// Which findings: `Gloo in gloo-system`.
    pub findings: Option<String>,
    pub recorded: Recorded,
}

impl BaselineRun {
    /// Reads the baseline, and checks that the new one may be written.
    ///
    /// # Errors
    /// A file is not a baseline, or cannot be read.
    pub(super) fn begin(task: &BaselineTask) -> Result<Self, Failure> {
        let read = |file: &PathBuf| of_one(file).map(|before| (file.clone(), Before::Known(before)));
        let compare = task.compare.as_ref().map(read).transpose()?;
        let write = match &task.write {
            None => Destination::Nowhere,
            Some(file) => {
                baseline::replaced(file)?;
                Destination::File(file.clone())
            }
        };
        Ok(Self { compare, write })
    }

    /// The part of a run on several clusters.
    pub(super) fn of_context(compare: Option<(PathBuf, Before)>, write: Destination) -> Self {
        Self { compare, write }
    }

    /// Returns whether the exit code depends on the comparison alone.
    pub(super) fn compares(&self) -> bool {
        self.compare.is_some()
    }

    /// Returns whether the run has anything to do with a baseline.
    pub(super) fn is_wanted(&self) -> bool {
        self.compares() || !matches!(self.write, Destination::Nowhere)
    }

    /// Compares, sets the exit code, and writes the new baseline.
    ///
    /// # Errors
    /// The baseline is about something else than this run, or the new one cannot be written.
    pub(super) fn end(
        &self,
        now: Scoped,
        threshold: Threshold,
        answer: &mut ClusterAnswer,
    ) -> Result<Option<Comparison>, Failure> {
        let compared = self.compared(&now, threshold, answer)?;
        let new = Baseline { paths: now.paths, findings: now.findings, recorded: now.recorded };
        match &self.write {
            Destination::Nowhere => {}
            Destination::File(file) => answer.status(write(file, &Baselines::One(new))?),
            Destination::Answer => answer.recorded = Some(new),
        }
        Ok(compared)
    }

    fn compared(
        &self,
        now: &Scoped,
        threshold: Threshold,
        answer: &mut ClusterAnswer,
    ) -> Result<Option<Comparison>, Failure> {
        let Some((file, before)) = &self.compare else { return Ok(None) };
        let empty;
        let before = match before {
            Before::Known(before) => before,
            Before::NewContext => {
                empty = Baseline {
                    paths: now.paths.clone(),
                    findings: now.findings.clone(),
                    recorded: now.recorded.without_facts(),
                };
                &empty
            }
        };
        for (what, wanted, has) in [("paths", &now.paths, &before.paths), ("findings", &now.findings, &before.findings)]
        {
            if let Some(wanted) = wanted.as_ref().filter(|_| wanted != has) {
                let has =
                    has.as_ref().map_or_else(|| format!("it has no {what}"), |has| format!("its {what} are of {has}"));
                let message = format!("--baseline {}: {has}; this run is about {wanted}", file.display());
                return Err(Failure::new(Exit::Failed, Reason::File, message)
                    .hint("compare with the file of the same selection, or write one: --write-baseline FILE"));
            }
        }
        let compared = Comparison::of(&before.recorded, &now.recorded, threshold.severity);
        answer.ends(exit(&compared, threshold));
        answer.field("baseline", comparison::value(&compared, &file.display().to_string()));
        Ok(Some(compared))
    }
}

/// How a run ends by what differs.
pub(super) fn exit(compared: &Comparison, threshold: Threshold) -> Exit {
    let has = |kind| !compared.of_kind(kind).is_empty();
    let is_open = threshold.unknown == Unseen::Fails && has(DifferenceKind::NotComparable);
    if has(DifferenceKind::Worse) || is_open { Exit::WouldChange } else { Exit::Done }
}

/// The baseline of one cluster.
fn of_one(file: &Path) -> Result<Baseline, Failure> {
    match baseline::read(file)? {
        Baselines::One(before) => Ok(before),
        Baselines::OfContexts(_) => {
            let message = format!("--baseline {}: it has a part for each of several contexts", file.display());
            Err(Failure::new(Exit::Failed, Reason::File, message)
                .hint(flag("--contexts").text(" NAME compares one of them")))
        }
    }
}

/// Writes the file. Returns the line that says so.
///
/// # Errors
/// It cannot be written, or is too large to be read again.
pub(super) fn write(file: &Path, new: &Baselines) -> Result<String, Failure> {
    let text: String = new.lines().map(|line| inert_json(&line) + "\n").collect();
    if text.len() as u64 > MOST {
        let facts = text.lines().count();
        let message = format!("--write-baseline {}: {facts} facts are too many for a file", file.display());
        return Err(
            Failure::new(Exit::Failed, Reason::File, message).detail("no baseline above 16 MiB can be read again")
        );
    }
    files::write_whole(file, text.as_bytes())?;
    Ok(format!("baseline written to {}", file.display()))
}

/// Prints the differences. A format that another program reads keeps stdout for itself.
pub(super) fn say(compared: Option<&Comparison>, format: Format, answer: &mut ClusterAnswer) {
    let Some(compared) = compared else { return };
    say_lines(comparison::lines(compared), format, answer);
}

/// Prints lines about differences.
pub(super) fn say_lines(lines: Vec<Line>, format: Format, answer: &mut ClusterAnswer) {
    let is_for_people = matches!(format, Format::Text | Format::Table | Format::Wide);
    for line in lines {
        match is_for_people {
            true => answer.paragraph(line),
            false => answer.status(line),
        }
    }
}
