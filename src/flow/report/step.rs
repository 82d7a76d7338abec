//! The report of one step of a longer way: said as it goes, and taken into the way's own at its end.

use serde_json::{Map, Value};

use super::{Keeps, Report};
use crate::error::{Exit, Failure, Reason};
use crate::options::GLOO_SYSTEM;
use crate::plan::advice::{Advice, Code};
use crate::plan::outcome::{Outcome, Row};
use crate::render::text;
use crate::ui::Ui;

/// What one step of a longer way came to.
#[derive(Debug, Clone)]
pub struct Ended {
    pub exit: Exit,
    pub rows: Vec<Row>,
    pub failure: Option<Failure>,
    pub fields: Map<String, Value>,
    pub advice: Vec<Advice>,
    /// What `--diff` would have printed that is no row's.
    pub diffs: Vec<String>,
    said: Vec<(Code, String)>,
}

impl Ended {
    /// The objects that are otherwise now, or would be.
    pub fn changed(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.outcome == Outcome::Changed)
    }

    /// What there is against objects beside the first, a line each.
    pub fn others(&self) -> impl Iterator<Item = String> + '_ {
        let rows = self.rows.iter().filter(|row| row.exit != Exit::Done);
        rows.skip(usize::from(self.failure.is_none())).map(|row| text::trouble(row, GLOO_SYSTEM))
    }

    /// Why it did not end well: the run's own reason, else the first object's.
    pub fn why(&self) -> Option<Failure> {
        let of_row = |row: &Row| {
            let message = text::trouble(row, GLOO_SYSTEM);
            let mut failure = Failure::new(row.exit, row.reason.unwrap_or(Reason::Rollout), message);
            failure.details.clone_from(&row.details);
            failure.hints.extend(row.hint.clone());
            failure
        };
        self.failure.clone().or_else(|| self.rows.iter().find(|row| row.exit != Exit::Done).map(of_row))
    }
}

impl Report<'_> {
    /// The report of one step of this way: said as it goes, kept until [`Report::take`].
    pub fn step(&mut self) -> Report<'_> {
        let (said, context, session) = (self.said.clone(), self.context.clone(), self.session());
        let (interrupts, target) = (self.interrupts(), self.target.clone());
        let new = Report::new(self.ui, self.words, self.format);
        Report { keeps: Keeps::All, said, context, session, interrupts, target, ..new }
    }

    /// The same for a step that is only tried: nothing is said of it, and `ui` is a silent one.
    pub fn unheard_step<'u>(&self, ui: &'u mut Ui) -> Report<'u> {
        let (session, interrupts, target) = (self.session(), self.interrupts(), self.target.clone());
        Report { keeps: Keeps::All, session, interrupts, target, ..Report::new(ui, &[], self.format) }
    }

    /// What a step came to, without printing a document of it.
    pub fn end(self) -> Ended {
        self.ui.end_progress();
        let Self { exit, rows, failure, fields, advice, diffs, said, .. } = self;
        Ended { exit, rows, failure, fields, advice, diffs, said }
    }

    /// Makes what a step came to part of this report; how the way ends is the way's own.
    pub fn take(&mut self, step: Ended) {
        for row in &step.rows {
            *self.counts.entry(row.outcome.name()).or_default() += 1;
        }
        if self.is_document() {
            self.rows.extend(step.rows);
            self.advice.extend(step.advice);
            self.add_verdicts(step.fields);
        }
        self.said = step.said;
    }

    /// Each request of a longer way has a verdict.
    fn add_verdicts(&mut self, mut fields: Map<String, Value>) {
        if let Some(Value::Array(verdicts)) = fields.remove("verdicts") {
            let all = self.fields.entry("verdicts").or_insert_with(|| Value::Array(Vec::new()));
            all.as_array_mut().into_iter().for_each(|all| all.extend(verdicts.iter().cloned()));
        }
    }

    /// An object that was changed by an earlier step, and is as before again: that is its end.
    pub fn taken_back(&mut self, row: Row) {
        let is_it = |earlier: &Row| earlier.object == row.object && earlier.outcome == Outcome::Changed;
        let earlier = self.rows.len();
        self.rows.retain(|earlier| !is_it(earlier));
        if let Some(count) = self.counts.get_mut(Outcome::Changed.name()) {
            *count = count.saturating_sub(earlier - self.rows.len());
        }
        self.record(row);
    }
}
