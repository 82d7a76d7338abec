//! How a plan and its end are said.

use serde_json::{Value, json};

use super::step::{Act, Planned};
use super::walk::State;
use crate::command::{CommandLine, Hint};
use crate::error::{Exit, Failure, Reason};
use crate::flow::execute::{Stands, short};
use crate::flow::interrupt::UNTOUCHED;
use crate::plan::path::forecast::{Doubt, Forecast, Outage};
use crate::plan::rollout::is_restart;
use crate::render::text::count;

/// Below the words of a step.
const INDENT: usize = 14;
/// More ways than these of one kind are counted.
const MOST: usize = 5;

/// A step of the plan: its head, what it changes, and how it is undone.
pub(super) fn lines(number: usize, planned: &Planned) -> Vec<String> {
    let step = &planned.step;
    let head = format!("{number:>3} {:<9} {}", step.word, step.what);
    if planned.only_looks() {
        return vec![head];
    }
    let head = match (&planned.spared, planned.is_already()) {
        (Some(spared), true) => format!("{head}: already: {}", spared.by),
        (None, true) => format!("{head}: already"),
        _ => head,
    };
    let restarts: Vec<_> = planned.restarts().collect();
    let of_object = planned.work.changes().map(|change| {
        let object = &change.before.reference;
        // A plan that restarts alone says so itself.
        let says_so = change.edits.iter().all(is_restart) || !restarts.contains(&object);
        format!("{} {}{}", short(object), change.message, if says_so { "" } else { ", restarted" })
    });
    let of_spared =
        planned.spared.iter().filter(|_| !planned.is_already()).flat_map(|spared| {
            spared.upstreams.iter().map(|object| format!("{} already: {}", short(object), spared.by))
        });
    let undo = (!planned.is_already()).then(|| format!("undo: {}", step.undone_by));
    let below = planned.more().into_iter().chain(of_object).chain(of_spared).chain(undo);
    std::iter::once(head).chain(below.map(|line| format!("{:INDENT$}{line}", ""))).collect()
}

/// The same for the document.
pub(super) fn value(number: usize, planned: &Planned) -> Value {
    let changes: Vec<_> = planned
        .rows()
        .map(|row| {
            json!({
                "kind": row.object.kind.kind, "namespace": row.object.namespace, "name": row.object.name,
                "message": row.message,
            })
        })
        .collect();
    json!({
        "step": number, "command": planned.step.word, "what": planned.step.what,
        "already": planned.is_already() && !planned.only_looks(), "changes": changes, "notes": planned.more(), "undo": planned.step.undone_by,
    })
}

/// `the release of Gloo and 3 objects, restarts its gateways and 1 workload`
pub(super) fn amount(plan: &[Planned]) -> String {
    let written: usize = plan.iter().map(|planned| planned.work.changes().count()).sum();
    let workloads = plan.iter().flat_map(Planned::restarts).count();
    let has_release = plan.iter().any(|planned| planned.work.release().is_some());
    let both = |of_release: &str, number: usize, noun: &str| {
        let of_release = has_release.then(|| of_release.to_owned());
        let of_others = (number > 0).then(|| count(number, noun));
        of_release.into_iter().chain(of_others).collect::<Vec<_>>().join(" and ")
    };
    let restarts = both("its gateways", workloads, "workload");
    let changes = both("the release of Gloo", written, "object");
    if restarts.is_empty() { changes } else { format!("{changes}, restarts {restarts}") }
}

/// Between which steps requests are 503, by what they share, and of which it is not known.
pub(super) fn forecast(forecast: &Forecast) -> Vec<String> {
    let mut lines = match (forecast.outages.as_slice(), forecast.doubts.as_slice()) {
        ([], []) => vec!["requests that are 503 meanwhile: none".to_owned()],
        ([], _) => vec!["requests that are 503 meanwhile: none that is known".to_owned()],
        (outages, _) => self::outages(outages),
    };
    let is_first =
        |(index, doubt): &(usize, &Doubt)| !forecast.doubts[..*index].iter().any(|it| it.shown == doubt.shown);
    lines.extend(forecast.doubts.iter().enumerate().filter(is_first).take(MOST).map(|(_, it)| doubt(it)));
    lines
}

fn doubt(doubt: &Doubt) -> String {
    format!("  unknown from step {} on: {}: {}", doubt.step, doubt.shown, doubt.why)
}

fn outages(all: &[Outage]) -> Vec<String> {
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
pub(super) fn outage_value(outage: &Outage) -> Value {
    json!({"way": outage.shown, "fromStep": outage.begins, "untilStep": outage.ends, "why": outage.why})
}

/// Which of the steps before this one stand, but for those that were taken back; of Helm's that is auto-mTLS alone.
pub(super) fn stands(plan: &[Planned], failed: usize, back: &[usize]) -> Option<String> {
    let in_part = |index: &usize| back.contains(index) && is_release(&plan[*index]);
    let stands = |index: &usize| !plan[*index].is_already() && (!back.contains(index) || in_part(index));
    let made: Vec<_> = (0..failed).filter(stands).collect();
    let without: Vec<_> = made.iter().copied().filter(in_part).collect();
    let stand = match made.as_slice() {
        [] => return None,
        [one] if without.contains(one) => return Some(format!("{} stands without auto-mTLS", named(&without))),
        [_] => format!("{} stands", named(&made)),
        _ => format!("{} stand", named(&made)),
    };
    Some(if without.is_empty() { stand } else { format!("{stand}, {} without auto-mTLS", named(&without)) })
}

fn is_release(planned: &Planned) -> bool {
    matches!(planned.step.act, Act::Values(_))
}

/// `step 3`, `steps 1, 2`
fn named(steps: &[usize]) -> String {
    let numbers: Vec<_> = steps.iter().map(|index| (index + 1).to_string()).collect();
    let noun = if numbers.len() == 1 { "step" } else { "steps" };
    format!("{noun} {}", numbers.join(", "))
}

/// `proved auto-mTLS of step 1 wrong: it is rolled back`
fn wrong(plan: &[Planned], back: &[usize], is_all_back: bool) -> String {
    let mut back = back.to_vec();
    back.sort_unstable();
    let what = match back.as_slice() {
        [one] if is_release(&plan[*one]) => format!("auto-mTLS of {}", named(&back)),
        steps => named(steps),
    };
    let are = if back.len() == 1 { "it is" } else { "they are" };
    format!("proved {what} wrong: {are} {}rolled back", if is_all_back { "" } else { "NOT fully " })
}

/// Why the way ended at a step, what stands, and how to go on.
pub(super) fn stopped(way_back: CommandLine, plan: &[Planned], failed: usize, why: Failure, state: &State) -> Failure {
    let number = failed + 1;
    let (exit, what) = match state {
        State::Own(Stands::Nothing) if why.reason == Reason::UnexpectedAnswer => {
            (why.exit, "proved no step before it wrong".to_owned())
        }
        State::Own(Stands::Nothing) => (why.exit, "changed nothing".to_owned()),
        State::Own(Stands::RolledBack) => (why.exit.or(Exit::RolledBack), "is rolled back".to_owned()),
        State::ProvenWrong { back, is_all_back } => {
            let exit = if *is_all_back { Exit::RolledBack } else { Exit::HalfDone };
            (why.exit.or(exit), wrong(plan, back, *is_all_back))
        }
        State::Own(Stands::HalfDone) => (why.exit.or(Exit::HalfDone), "is NOT fully rolled back".to_owned()),
        State::Own(Stands::Unconfirmed) => (why.exit, "stands, and is not confirmed".to_owned()),
        State::Own(Stands::Part) => (why.exit, "stands in part".to_owned()),
    };
    let back = match state {
        State::ProvenWrong { back, is_all_back: true } => back.as_slice(),
        _ => &[],
    };
    let earlier = stands(plan, failed, back);
    let hint = both_ways(way_back, *state != State::Own(Stands::Nothing) || earlier.is_some());
    let earlier = earlier.map_or_else(String::new, |earlier| format!("; {earlier}"));
    let message = format!("step {number} ({}) failed: {}", plan[failed].step.word, why.message);
    let failure = Failure { exit, message, ..why }.detail(format!("step {number} {what}{earlier}"));
    failure.hint(hint)
}

/// Why the way ended between two steps.
pub(super) fn ended_before(way_back: CommandLine, plan: &[Planned], next: usize, why: Failure) -> Failure {
    let stands = stands(plan, next, &[]);
    let hint = both_ways(way_back, stands.is_some());
    why.detail(stands.as_deref().unwrap_or(UNTOUCHED)).hint(hint)
}

/// Back there is only where something stands.
fn both_ways(way_back: CommandLine, something_stands: bool) -> Hint {
    let on = Hint::from("go on with the same command");
    if something_stands { on.text("; go back with ").command(way_back) } else { on }
}
