//! What a planner reports while it plans: advice and findings.
//!
//! A command prints them at once through its report. A plan of several commands keeps the advice as values.

use super::report::Report;
use crate::plan::advice::Advice;

/// Receives what a planner reports.
pub(super) trait Notes {
    /// A warning or a note.
    fn advice(&mut self, advice: Advice);

    /// A status line: progress, or a finding.
    fn status(&mut self, line: &str);

    /// A status line that is shown only with `-v`.
    fn verbose(&mut self, line: &str);

    /// The line that says which cluster is used.
    fn context(&mut self, line: &str);
}

impl dyn Notes + '_ {
    /// Several warnings and notes in order, or an optional one.
    pub(super) fn advices(&mut self, advice: impl IntoIterator<Item = Advice>) {
        advice.into_iter().for_each(|advice| self.advice(advice));
    }
}

impl Notes for Report<'_> {
    fn advice(&mut self, advice: Advice) {
        Report::advice(self, advice);
    }

    fn status(&mut self, line: &str) {
        self.ui.status(line);
    }

    fn verbose(&mut self, line: &str) {
        self.ui.verbose(line);
    }

    fn context(&mut self, line: &str) {
        Report::context(self, line);
    }
}

/// Keeps only the advice.
impl Notes for Vec<Advice> {
    fn advice(&mut self, advice: Advice) {
        self.push(advice);
    }

    fn status(&mut self, _line: &str) {}

    fn verbose(&mut self, _line: &str) {}

    fn context(&mut self, _line: &str) {}
}
