//! What a teardown removes, and what it skips.

use super::step::Step;
use crate::command::{CommandLine, Hint, TypedTarget};
use crate::options::Marks;

/// The steps of a teardown, and what is skipped because this program did not make it.
#[derive(Default)]
pub(super) struct Removal {
    pub steps: Vec<Step>,
    pub left: Vec<Left>,
}

/// Something that is skipped, and the command that removes it anyway.
#[derive(Debug, Clone)]
pub(super) struct Left(Hint);

impl Left {
    /// The text with the command in parentheses.
    pub(super) fn new(what: &str, command: CommandLine) -> Self {
        Self(command.after(format!("{what} (")).text(")"))
    }

    /// The text for the cluster from the command line.
    pub(super) fn on(&self, target: &TypedTarget) -> String {
        self.0.clone().on(target).to_string()
    }
}

impl From<String> for Left {
    fn from(what: String) -> Self {
        Self(what.into())
    }
}

impl Removal {
    /// Whether it is removed. What is not is added to `left`.
    pub(super) fn sort(&mut self, marks: Marks, is_ours: bool, left: impl FnOnce() -> Left) -> bool {
        let goes = is_ours || marks == Marks::Ignored;
        if !goes {
            self.left.push(left());
        }
        goes
    }
}
