//! A comparison with a baseline: reads it before anything else, compares at the end, and writes the new one.

use std::path::PathBuf;

use crate::apply::files;
use crate::check::Severity;
use crate::check::results::{Threshold, Unseen};
use crate::error::{Exit, Failure, Reason};
use crate::file::MOST;
use crate::load::baseline;
use crate::options::{BaselineTask, Format};
use crate::posture::baseline::{Baseline, Comparison, DifferenceKind, Recorded};
use crate::render::answer::ClusterAnswer;
use crate::render::posture::comparison;
use crate::render::text::inert_json;

/// What a comparison treats as worse if no threshold was typed.
pub(super) const USUAL: Threshold = Threshold { severity: Severity::Error, unknown: Unseen::Passes };

/// The baseline of a run.
pub(super) struct BaselineRun {
    compare: Option<(PathBuf, Baseline)>,
    write: Option<PathBuf>,
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
        let read = |file: &PathBuf| baseline::read(file).map(|before| (file.clone(), before));
        let compare = task.compare.as_ref().map(read).transpose()?;
        if let Some(file) = &task.write {
            baseline::check_replaceable(file)?;
        }
        Ok(Self { compare, write: task.write.clone() })
    }

    /// Returns whether the exit code depends on the comparison alone.
    pub(super) fn compares(&self) -> bool {
        self.compare.is_some()
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
        if let Some(file) = &self.write {
            let new = Baseline { paths: now.paths, findings: now.findings, recorded: now.recorded };
            let text: String = new.lines().map(|line| inert_json(&line) + "\n").collect();
            if text.len() as u64 > MOST {
                let message = format!(
                    "--write-baseline {}: {} facts are too many for a file",
                    file.display(),
                    text.lines().count()
                );
                return Err(Failure::new(Exit::Failed, Reason::File, message)
                    .detail("no baseline above 16 MiB can be read again"));
            }
            files::write_whole(file, text.as_bytes())?;
            answer.status(format!("baseline written to {}", file.display()));
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
        let fails = |kind| !compared.of_kind(kind).is_empty();
        let is_open = threshold.unknown == Unseen::Fails && fails(DifferenceKind::NotComparable);
        if fails(DifferenceKind::Worse) || is_open {
            answer.ends(Exit::WouldChange);
        }
        answer.field("baseline", comparison::value(&compared, &file.display().to_string()));
        Ok(Some(compared))
    }
}

/// Prints the differences. A format that another program reads keeps stdout for itself.
pub(super) fn say(compared: Option<&Comparison>, format: Format, answer: &mut ClusterAnswer) {
    let Some(compared) = compared else { return };
    let is_for_people = matches!(format, Format::Text | Format::Table | Format::Wide);
    for line in comparison::lines(compared) {
        match is_for_people {
            true => answer.paragraph(line),
            false => answer.status(line),
        }
    }
}
