//! What is said where values are not edited, with what to do instead.

use serde_json::Value;

use crate::command::{Hint, flag};
use crate::edit::manifest::Unsafe;
use crate::edit::{Edit, Op, json as applied};
use crate::error::{Exit, Failure, Reason};
use crate::plan::values::Edition;
use crate::yaml;

/// Why the home is not edited.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Denied {
    /// The file, with the line if it has one.
    pub place: String,
    pub why: String,
    pub instead: String,
}

/// How to have another source read.
pub(super) fn give() -> Hint {
    flag("--values").text(" FILE, repeated, gives the file as well")
}

/// Why the text cannot be edited.
pub(super) fn refusal(name: &str, cannot: Unsafe) -> Failure {
    let Unsafe { line, why, manual } = cannot;
    let mut failure = Failure::new(Exit::Failed, Reason::Unsafe, format!("{name}:{line}: {why}; nothing changed"));
    if !manual.is_empty() {
        failure.details = crate::flow::files::by_hand(manual);
    }
    failure
}

/// The refusal of a file that is not edited, with the values to set in another way.
pub(super) fn denial(denied: &Denied, edits: &[Edit]) -> Failure {
    by_hand(edits).into_iter().fold(not_edited(denied), Failure::detail)
}

/// The same, if it is unknown which chart reads the values: they are given for each.
pub(super) fn undecided(denied: &Denied, plans: &[(Edition, Vec<Edit>)]) -> Failure {
    plans.iter().fold(not_edited(denied), |failure, (edition, edits)| {
        let lines = by_hand(edits).into_iter();
        lines.fold(failure, |failure, line| match line.starts_with(' ') {
            true => failure.detail(line),
            false => failure.detail(format!("with chart {}, {line}", edition.chart())),
        })
    })
}

fn not_edited(denied: &Denied) -> Failure {
    let Denied { place, why, instead } = denied;
    let failure = Failure::new(Exit::Failed, Reason::Unsafe, format!("{place}: {why}; nothing changed"));
    failure.hint(instead.as_str())
}

/// The values to set and to remove, as lines to paste.
pub(super) fn by_hand(edits: &[Edit]) -> Vec<String> {
    let sets: Vec<Edit> = edits.iter().filter(|edit| matches!(edit.op, Op::Set(_))).cloned().collect();
    let mut lines = Vec::new();
    if let (false, Ok(values)) = (sets.is_empty(), applied::apply(&Value::Null, &sets)) {
        lines.push("the values to set:".to_owned());
        lines.extend(yaml::write(&values).lines().map(|line| format!("  {line}")));
    }
    let removed: Vec<_> = edits.iter().filter(|edit| edit.op == Op::Remove).collect();
    if !removed.is_empty() {
        lines.push("the values to remove:".to_owned());
        lines.extend(removed.iter().map(|edit| format!("  {}", edit.path)));
    }
    lines
}
