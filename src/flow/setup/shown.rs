//! Text and document values for a plan and its forecast.

use serde_json::{Value, json};

use super::step::PlannedStep;
use crate::flow::execute::short;
use crate::plan::path::forecast::{Doubt, Forecast, Outage};
use crate::plan::rollout::is_restart;
use crate::render::text::count;

/// The indent of lines below a step.
const INDENT: usize = 14;
/// Maximum number of route paths that are listed for one outage. The others are only counted.
const MOST: usize = 5;

/// The lines of a step: its head, what it changes, and how to undo it.
pub(super) fn lines(number: usize, planned: &PlannedStep) -> Vec<String> {
    let step = &planned.step;
    let head = format!("{number:>3} {:<9} {}", step.word, step.what);
    if planned.only_looks() {
        let how = planned.more().into_iter().map(|how| format!(": {how}"));
        return vec![std::iter::once(head).chain(how).collect()];
    }
    let head = match (&planned.spared, planned.is_already()) {
        (Some(spared), true) => format!("{head}: already: {}", spared.by),
        (None, true) => format!("{head}: already"),
        _ => head,
    };
    let restarts: Vec<_> = planned.restarts().collect();
    let of_object = planned.work.changes().map(|change| {
        let object = &change.before.reference;
        // A plan that only restarts a workload has that in its message.
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

/// The step for the document.
pub(super) fn value(number: usize, planned: &PlannedStep) -> Value {
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

/// The extent of the plan: `the release of Gloo and 3 objects, restarts its gateways and 1 workload`.
pub(super) fn amount(plan: &[PlannedStep]) -> String {
    let written: usize = plan.iter().map(|planned| planned.work.changes().count()).sum();
    let workloads = plan.iter().flat_map(PlannedStep::restarts).count();
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

/// The lines of the forecast: between which steps requests get 503s, grouped by what they share, and what is unknown.
pub(super) fn forecast(forecast: &Forecast) -> Vec<String> {
    let mut lines = match (forecast.outages.as_slice(), forecast.doubts.as_slice()) {
        ([], []) => vec!["expected downtime: none".to_owned()],
        ([], _) => vec!["expected downtime: none known".to_owned()],
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
    let mut lines = vec!["expected downtime:".to_owned()];
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
        (Some(begins), None) => format!("from step {begins} on, not ended by any step"),
        (None, None) => "now".to_owned(),
    }
}

/// An outage for the document.
pub(super) fn outage_value(outage: &Outage) -> Value {
    json!({"way": outage.shown, "fromStep": outage.begins, "untilStep": outage.ends, "why": outage.why})
}
