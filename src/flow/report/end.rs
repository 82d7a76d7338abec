//! The end of a run: the summary of a bulk run, or the document.

use super::{Report, SkippedLines, Sweep};
use crate::error::Exit;
use crate::options::Loudness;
use crate::plan::outcome::Outcome;
use crate::render::document::Document;
use crate::render::line::Line;
use crate::render::text::{self, Mark};
use crate::render::tone::Tone;

/// With more names than this, the line is too long to copy.
const MOST_AGAIN: usize = 50;

impl Report<'_> {
    /// Prints the end of the output and returns the exit code.
    pub(crate) fn finish(mut self) -> Exit {
        self.ui.end_progress();
        if let Some(sweep) = self.sweep.take() {
            self.summary(&sweep);
        }
        if self.is_document() && !self.printed {
            self.document();
        }
        if let Some(failure) = self.ui.lost_answer() {
            self.failure(failure);
        }
        self.exit
    }

    fn summary(&mut self, sweep: &Sweep) {
        let done = match self.mark {
            Mark::Written => sweep.done.to_owned(),
            Mark::ClientDryRun | Mark::ServerDryRun => format!("would be {}", sweep.done),
        };
        let total: usize = self.counts.values().sum();
        let parts: Vec<_> = [
            (Outcome::Changed, done.as_str()),
            (Outcome::Unchanged, "already"),
            (Outcome::Skipped, "skipped"),
            (Outcome::Refused, "refused"),
            (Outcome::NotFound, "not found"),
            (Outcome::Failed, "failed"),
        ]
        .into_iter()
        .filter(|(outcome, _)| self.count(*outcome) > 0)
        .collect();
        if parts.is_empty() {
            return;
        }
        let took = self.begun.elapsed().as_secs_f64();
        let mut line = Line::default();
        for (number, (outcome, word)) in parts.iter().enumerate() {
            let between = if number == 0 { "" } else { ", " };
            line = line.text(between).toned(format!("{} {word}", self.count(*outcome)), outcome);
        }
        if self.unconfirmed > 0 {
            line = line.text("; ").toned(format!("{} not verified", self.unconfirmed), &Tone::Bad);
        }
        self.ui.status(line.text(format!(" ({}, {took:.1}s)", text::count(total, sweep.noun))));
        if !self.skipped.is_empty() {
            let reasons: Vec<_> =
                self.skipped.iter().map(|(reason, number)| format!("{number} {}", text::brief(*reason))).collect();
            self.ui.status(format!("skipped: {}", reasons.join(", ")));
            let are_listed = sweep.skipped == SkippedLines::Always || self.ui.loudness() >= Loudness::Verbose;
            if !are_listed && !self.is_document() {
                self.ui.status("  list them with -v or -o json");
            }
        }
        if !self.failed.is_empty() && self.mark == Mark::Written {
            self.ui.status("to retry the failed ones:");
            let name = |object| text::short_name(object, &sweep.namespace);
            match self.failed.len() <= MOST_AGAIN {
                true => {
                    let names: Vec<_> = self.failed.iter().map(name).collect();
                    let again = sweep.again.clone().value(names.join(",")).on(&self.target);
                    self.ui.status(Line::from("  ").whole(again));
                }
                false => self.ui.status("  run the same command again: the others are already done"),
            }
        }
    }

    fn document(&mut self) {
        let dry_run = match self.mark {
            Mark::Written => None,
            Mark::ClientDryRun => Some("client"),
            Mark::ServerDryRun => Some("server"),
        };
        let context = self.session.as_ref().map(|session| session.context().to_string());
        let document = Document {
            kind: self.kind,
            command: self.words,
            context: context.as_deref(),
            server: self.session.as_ref().map(|session| session.server()),
            dry_run,
            rows: &self.rows,
            advice: &self.advice,
            failure: self.failure.as_ref(),
            fields: std::mem::take(&mut self.fields),
            exit: self.exit,
        }
        .value();
        self.value(&document);
    }
}
