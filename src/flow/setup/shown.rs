//! How a plan and its end are said.

use serde_json::{Value, json};

use super::State;
use super::step::Planned;
use crate::error::{Exit, Failure, Reason};
use crate::flow::transact::short;

/// A step of the plan: its head, what it changes, and how it is undone.
pub fn lines(number: usize, planned: &Planned) -> Vec<String> {
    let step = &planned.step;
    let head = format!("{number:>3} {:<9} {}", step.word, step.what);
    if planned.only_looks() {
        return vec![head];
    }
    if planned.is_already() {
        return vec![format!("{head}: already")];
    }
    let of_object = planned.changes.iter().map(|row| format!("{} {}", short(&row.object), row.message));
    let changes = planned.more.iter().cloned().chain(of_object).map(|line| format!("{:13} {line}", ""));
    let undo = format!("{:13} undo: {}", "", step.undone_by);
    std::iter::once(head).chain(changes).chain([undo]).collect()
}

/// The same for the document.
pub fn value(number: usize, planned: &Planned) -> Value {
    let changes: Vec<_> = planned
        .changes
        .iter()
        .map(|row| {
            json!({
                "kind": row.object.kind.kind, "namespace": row.object.namespace, "name": row.object.name,
                "message": row.message,
            })
        })
        .collect();
    json!({
        "step": number, "command": planned.step.word, "what": planned.step.what,
        "already": planned.is_already(), "changes": changes, "undo": planned.step.undone_by,
    })
}

/// Which of the steps before this one stand.
pub fn stands(plan: &[Planned], failed: usize) -> Option<String> {
    let made: Vec<_> = (0..failed).filter(|index| !plan[*index].is_already()).map(|it| (it + 1).to_string()).collect();
    match made.as_slice() {
        [] => None,
        [one] => Some(format!("step {one} stands")),
        several => Some(format!("steps {} stand", several.join(", "))),
    }
}

/// A step that ended badly and did not say why.
pub fn unsaid(exit: Exit) -> Failure {
    Failure::new(exit, Reason::Rollout, "its command did not end well")
}

/// Why the way ended at a step, what stands, and how to go on.
pub fn stopped(word: &str, plan: &[Planned], failed: usize, why: Failure, state: State) -> Failure {
    let number = failed + 1;
    let (exit, what) = match state {
        State::Untouched => (why.exit, "changed nothing"),
        State::RolledBack => (why.exit.or(Exit::RolledBack), "is rolled back"),
        State::ProvenWrong => (why.exit.or(Exit::RolledBack), "proved the policies wrong: they are rolled back"),
        State::HalfDone => (why.exit.or(Exit::HalfDone), "is NOT fully rolled back"),
        State::Unconfirmed => (why.exit, "stands, and is not confirmed"),
        State::InPart => (why.exit, "stands in part"),
    };
    let is_back = matches!(state, State::RolledBack | State::ProvenWrong);
    let exit = if is_back && matches!(exit, Exit::Failed | Exit::Unconfirmed) { Exit::RolledBack } else { exit };
    let earlier = stands(plan, failed).map_or_else(String::new, |earlier| format!("; {earlier}"));
    let message = format!("step {number} failed: {}", why.message);
    let failure = Failure { exit, message, ..why }.detail(format!("step {number} {what}{earlier}"));
    let other = if word == "setup" { "teardown" } else { "setup" };
    failure.hint(format!("go on with the same command; go back with gloo-rs istio {other}"))
}
