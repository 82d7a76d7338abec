//! What a planner says while it plans: advice, and what it found.
//!
//! A command says it at once, through its report; a plan of several commands keeps the advice as values.

use super::report::Report;
use crate::plan::advice::Advice;

/// Takes what a planner says.
pub(super) trait Notes {
    /// A warning or a note.
    fn advice(&mut self, advice: Advice);

    /// What is going on, or was found, in a line.
    fn status(&mut self, line: &str);

    /// The same for who asked for more with `-v`.
    fn verbose(&mut self, line: &str);

    /// Which cluster this is about.
    fn context(&mut self, line: &str);
}

impl dyn Notes + '_ {
    /// Warnings and notes, in their order, or the one if there is one.
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

/// The advice alone.
impl Notes for Vec<Advice> {
    fn advice(&mut self, advice: Advice) {
        self.push(advice);
    }

    fn status(&mut self, _line: &str) {}

    fn verbose(&mut self, _line: &str) {}

    fn context(&mut self, _line: &str) {}
}
