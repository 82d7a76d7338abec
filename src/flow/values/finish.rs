//! Outputs the values: reports the changes, shows a diff, prints, writes, or returns them for Helm.

use serde_json::{Value, json};

use super::next;
use super::order::Upgrade;
use super::planned::PlannedValues;
use super::subject::ValuesSubject;
use crate::apply::files::{self as out, Print, Staging};
use crate::error::{Exit, Failure};
use crate::flow::report::Report;
use crate::kube::Session;
use crate::options::{Format, Global, UpgradeValues, ValuesDestination};
use crate::render::diff::Secrets;
use crate::render::proof;
use crate::render::values as shown;

/// Reports the changes and outputs the values as requested.
pub(super) fn finish(
    planned: &PlannedValues,
    session: Option<&Session>,
    task: &UpgradeValues,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<Option<Upgrade>, Failure> {
    planned.say(task, report);
    document(planned, task, report);
    if task.diff {
        report.diff(planned.diff(task.secrets));
    }
    if task.check && !planned.plan.is_empty() {
        report.ends(Exit::WouldChange);
    }
    if let ValuesDestination::Helm(_) = &task.destination {
        return Ok(planned.upgrade(task));
    }
    if task.diff || task.check {
        return Ok(None);
    }
    let PlannedValues { subject, after, text, .. } = planned;
    match &task.destination {
        ValuesDestination::Stdout if global.format == Format::Text => report.whole(text.as_bytes()),
        ValuesDestination::InPlace => write(subject, text, report)?,
        ValuesDestination::NewFile(file) => out::create_private(file, text.as_bytes())?,
        ValuesDestination::Stdout | ValuesDestination::Helm(_) => {}
    }
    let ValuesSubject { release, chart, .. } = subject;
    if let Some(found) = release {
        next::say((&found.record, after), chart.edition, session, task, global, report);
    }
    Ok(None)
}

fn write(subject: &ValuesSubject, new: &str, report: &Report<'_>) -> Result<(), Failure> {
    let Some((read, _)) = &subject.file else { return Ok(()) };
    let Some(file) = &read.file else { return Err(Failure::usage("--write cannot write to stdin")) };
    if *new == read.text {
        return Ok(());
    }
    let mut staging = Staging::default();
    staging.stage(file, new.as_bytes(), Print::of_bytes(read.text.as_bytes()))?;
    staging.commit(&|| report.interrupts().check()).map(drop).map_err(|halted| *halted.failure)
}

fn document(
    PlannedValues { subject, plan, proof, after, .. }: &PlannedValues,
    task: &UpgradeValues,
    report: &mut Report<'_>,
) {
    // If the values are the answer, they are shown completely.
    let is_answer = task.destination == ValuesDestination::Stdout && !task.diff && !task.check;
    let secrets = if is_answer { Secrets::Shown } else { task.secrets };
    let release = subject.release.as_ref().map(|found| {
        let record = &found.record;
        json!({
            "name": record.name, "namespace": record.namespace, "revision": record.revision,
            "status": record.status, "chart": record.chart, "chartVersion": record.chart_version,
        })
    });
    report.field("release", release.unwrap_or(Value::Null));
    report.field("chart", shown::chart(&subject.choice));
    report.field("changes", shown::value(&plan.changes, secrets));
    report.field("proof", proof::value(proof));
    report.field("values", secrets.shown(after));
}
