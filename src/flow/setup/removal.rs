//! What a teardown takes away, and what it leaves.

use super::step::Step;
use crate::command::{CommandLine, Hint, TypedTarget};
use crate::options::Marks;

/// What goes, and what is not ours to take.
#[derive(Default)]
pub(super) struct Removal {
    pub steps: Vec<Step>,
    pub left: Vec<Left>,
}

/// What is left, and the command that takes it all the same.
#[derive(Debug, Clone)]
pub(super) struct Left(Hint);

impl Left {
    /// With the command in brackets.
    pub(super) fn new(what: &str, command: CommandLine) -> Self {
        Self(command.after(format!("{what} (")).text(")"))
    }

    /// The same on the cluster that was typed.
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
    /// Whether it goes; what does not is noted as left.
    pub(super) fn sort(&mut self, marks: Marks, is_ours: bool, left: impl FnOnce() -> Left) -> bool {
        let goes = is_ours || marks == Marks::Ignored;
        if !goes {
            self.left.push(left());
        }
        goes
    }
}
