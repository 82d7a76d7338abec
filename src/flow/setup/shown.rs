//! How a plan and its end are said.

use serde_json::{Value, json};

use super::step::{Act, Planned};
use super::walk::State;
use crate::apply::transaction::ALL_BACK;
use crate::error::{Exit, Failure, Reason};
use crate::flow::transact::short;
use crate::plan::outage::Outage;
use crate::render::text::count;

/// Below the words of a step.
const INDENT: usize = 14;
/// More ways than these of one kind are counted.
const MOST: usize = 5;

/// A step of the plan: its head, what it changes, and how it is undone.
pub fn lines(number: usize, planned: &Planned) -> Vec<String> {
    let step = &planned.step;
    let head = format!("{number:>3} {:<9} {}", step.word, step.what);
    if planned.only_looks() {
        return vec![head];
    }
    let head = match (&planned.spared, planned.is_already()) {
        (Some(why), true) => format!("{head}: already: {why}"),
        (None, true) => format!("{head}: already"),
        _ => head,
    };
    let restarts: Vec<_> = planned.restarts().collect();
    let of_object = planned.changes.iter().map(|row| {
        let says_so = row.message.starts_with("restarted") || !restarts.contains(&&row.object);
        format!("{} {}{}", short(&row.object), row.message, if says_so { "" } else { ", restarted" })
    });
    let undo = (!planned.is_already()).then(|| format!("undo: {}", step.undone_by));
    let below = planned.more.iter().cloned().chain(of_object).chain(undo);
    std::iter::once(head).chain(below.map(|line| format!("{:INDENT$}{line}", ""))).collect()
}

/// `global.istioIntegration.enabled: (unset) -> true`, of a change as the document has it.
pub fn value_line(change: &Value) -> String {
    let text = |value: &Value| match value {
        Value::Null => "(unset)".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    format!("  {}: {} -> {}", change["path"].as_str().unwrap_or_default(), text(&change["old"]), text(&change["new"]))
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
        "already": planned.is_already(), "changes": changes, "notes": planned.more, "undo": planned.step.undone_by,
    })
}

/// `the release of Gloo and 3 objects, restarts its gateways and 1 workload`
pub fn amount(plan: &[Planned]) -> String {
    let written: usize = plan.iter().map(|planned| planned.changes.len()).sum();
    let workloads = plan.iter().flat_map(Planned::restarts).count();
    let has_release = plan.iter().any(|planned| planned.changes.is_empty() && !planned.is_already());
    let both = |of_release: &str, number: usize, noun: &str| {
        let of_release = has_release.then(|| of_release.to_owned());
        let of_others = (number > 0).then(|| count(number, noun));
        of_release.into_iter().chain(of_others).collect::<Vec<_>>().join(" and ")
    };
    let restarts = both("its gateways", workloads, "workload");
    let changes = both("the release of Gloo", written, "object");
    if restarts.is_empty() { changes } else { format!("{changes}, restarts {restarts}") }
}

/// Between which steps requests are 503, by what they share.
pub fn outages(all: &[Outage]) -> Vec<String> {
    if all.is_empty() {
        return vec!["requests that are 503 meanwhile: none".to_owned()];
    }
    let mut lines = vec!["requests that are 503 meanwhile:".to_owned()];
    let mut kinds: Vec<(&Outage, Vec<&str>)> = Vec::new();
    for outage in all {
        let is_same =
            |other: &Outage| (other.begins, other.ends, &other.why) == (outage.begins, outage.ends, &outage.why);
        match kinds.iter_mut().find(|(other, _)| is_same(other)) {
            Some((_, ways)) => ways.push(&outage.shown),
            None => kinds.push((outage, vec![&outage.shown])),
        }
    }
    for (outage, ways) in kinds {
        lines.push(format!("  {}: {}", span(outage), outage.why));
        lines.extend(ways.iter().take(MOST).map(|way| format!("    {way}")));
        lines.extend((ways.len() > MOST).then(|| format!("    and {} more", ways.len() - MOST)));
    }
    lines
}

fn span(outage: &Outage) -> String {
    match (outage.begins, outage.ends) {
        (Some(begins), Some(ends)) => format!("from step {begins} until step {ends}"),
        (None, Some(ends)) => format!("now, until step {ends}"),
        (Some(begins), None) => format!("from step {begins} on, and no step ends it"),
        (None, None) => "now".to_owned(),
    }
}

/// An outage for the document.
pub fn outage_value(outage: &Outage) -> Value {
    json!({"way": outage.shown, "fromStep": outage.begins, "untilStep": outage.ends, "why": outage.why})
}

/// Which of the steps before this one stand, but for those that were taken back.
pub fn stands(plan: &[Planned], failed: usize, back: &[usize]) -> Option<String> {
    let stands = |index: &usize| !plan[*index].is_already() && !back.contains(index);
    let made: Vec<_> = (0..failed).filter(stands).map(|it| (it + 1).to_string()).collect();
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
        State::ProvenWrong => (why.exit.or(Exit::RolledBack), "proved the steps before it wrong: they are rolled back"),
        State::HalfDone => (why.exit.or(Exit::HalfDone), "is NOT fully rolled back"),
        State::Unconfirmed => (why.exit, "stands, and is not confirmed"),
        State::InPart => (why.exit, "stands in part"),
    };
    let back = match (&plan[failed].step.act, state) {
        (Act::Verify { proves, .. }, State::ProvenWrong) => proves.as_slice(),
        _ => &[],
    };
    let earlier = stands(plan, failed, back).map_or_else(String::new, |earlier| format!("; {earlier}"));
    let message = format!("step {number} ({}) failed: {}", plan[failed].step.word, why.message);
    // Of its own step alone is that true; the line below says it, and what stands of the others.
    let details = why.details.into_iter().filter(|detail| detail != ALL_BACK).collect();
    let failure = Failure { exit, message, details, ..why }.detail(format!("step {number} {what}{earlier}"));
    failure.hint(both_ways(word))
}

/// Why the way ended between two steps.
pub fn ended_before(word: &str, plan: &[Planned], next: usize, why: Failure) -> Failure {
    let failure = match stands(plan, next, &[]) {
        Some(earlier) => why.detail(earlier),
        None => why.detail("nothing was changed"),
    };
    failure.hint(both_ways(word))
}

fn both_ways(word: &str) -> String {
    let other = if word == "setup" { "teardown" } else { "setup" };
    format!("go on with the same command; go back with gloo-rs istio {other}")
}
