//! What becomes of the values: said, shown as a diff, printed, written, or handed over.

use serde_json::{Value, json};

use super::apply::Upgrade;
use super::next;
use super::subject::{Subject, refusal};
use crate::apply::files::{self as out, Print, Staging};
use crate::edit::mask::{self, SecretTexts};
use crate::edit::values as text;
use crate::error::{Exit, Failure};
use crate::flow::report::Report;
use crate::kube::Session;
use crate::load::release::Found;
use crate::options::{Format, Global, UpgradeValues, ValuesDestination};
use crate::plan::advice::{Advice, Code};
use crate::plan::values::{self, Plan, findings};
use crate::render::diff::{self, Secrets};
use crate::render::text::STDIN;
use crate::render::values as shown;
use crate::yaml;

/// Says what becomes of the values and puts them where they are wanted.
pub fn finish(
    subject: &Subject,
    plan: &Plan,
    session: Option<&Session>,
    task: &UpgradeValues,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<Option<Upgrade>, Failure> {
    let after = subject.after(plan)?;
    let new = match &subject.file {
        Some((read, found)) => {
            text::edit(&read.text, found, &plan.edits).map_err(|cannot| refusal(&read.name, cannot))?
        }
        None => match values::sorted(&after) {
            Value::Null => "{}\n".to_owned(),
            after => yaml::write(&after),
        },
    };
    say(subject, plan, &after, task.secrets, report);
    document(subject, plan, &after, task, report);
    let running = subject.release.as_ref().map(|found| found.record.chart_version.as_str());
    if let Some(advice) = next::crds(running, subject.chart.edition, subject.at_hand.as_ref(), task) {
        report.advice(advice);
    }
    if task.diff {
        report.diff(diff_of(subject, &after, &new, task.secrets));
    }
    if task.check && !plan.is_empty() {
        report.ends(Exit::WouldChange);
    }
    if let ValuesDestination::Helm(_) = &task.destination {
        return Ok(upgrade(subject, plan, new, task));
    }
    if task.diff || task.check {
        return Ok(None);
    }
    match &task.destination {
        ValuesDestination::Stdout if global.format == Format::Text => report.whole(new.as_bytes()),
        ValuesDestination::InPlace => write(subject, &new, report)?,
        ValuesDestination::NewFile(file) => out::create_private(file, new.as_bytes())?,
        ValuesDestination::Stdout | ValuesDestination::Helm(_) => {}
    }
    let Subject { release, chart, .. } = subject;
    if let Some(found) = release {
        next::say((&found.record, &after), chart.edition, session, task, global, report);
    }
    Ok(None)
}

fn diff_of(subject: &Subject, after: &Value, new: &str, secrets: Secrets) -> String {
    let Some((read, _)) = &subject.file else {
        let shown = |values: &Value| match values {
            Value::Null => String::new(),
            values => yaml::write(&secrets.of(&values::sorted(values))),
        };
        return diff::unified("values", "values", &shown(&subject.values), &shown(after));
    };
    let name = if read.name == STDIN { "stdin" } else { &read.name };
    let shown = |text: &str| match secrets {
        Secrets::Shown => text.to_owned(),
        Secrets::Masked => text::masked(text),
    };
    diff::unified(name, name, &shown(&read.text), &shown(new))
}

/// What Helm is given; nothing where the release is so already.
fn upgrade(subject: &Subject, plan: &Plan, values: String, task: &UpgradeValues) -> Option<Upgrade> {
    let Found { record, history, .. } = subject.release.as_ref()?;
    let at_hand = subject.at_hand.as_ref().map(|chart| &chart.version);
    let version = at_hand.or(task.to_version.as_ref()).unwrap_or(&record.chart_version);
    if plan.is_empty() && *version == record.chart_version {
        return None;
    }
    let newest = history.first().map_or((record.revision, record.status.clone()), |entry| {
        (entry.revision, entry.status.clone().unwrap_or_default())
    });
    Some(Upgrade {
        record: record.clone(),
        edition: subject.chart.edition,
        values,
        changes: plan.changes.len(),
        secrets: SecretTexts::of(&subject.values),
        conflict: subject.conflict.clone(),
        newest,
    })
}

fn write(subject: &Subject, new: &str, report: &Report<'_>) -> Result<(), Failure> {
    let Some((read, _)) = &subject.file else { return Ok(()) };
    let Some(file) = &read.file else { return Err(Failure::usage("--write cannot write to stdin")) };
    if *new == read.text {
        return Ok(());
    }
    let mut staging = Staging::default();
    staging.stage(file, new.as_bytes(), Print::of(read.text.as_bytes()))?;
    staging.commit(&|| report.interrupts().check()).map(drop).map_err(|halted| *halted.failure)
}

fn say(subject: &Subject, plan: &Plan, after: &Value, secrets: Secrets, report: &mut Report<'_>) {
    if let Some(istiod) = &plan.istiod {
        report.ui.status(istiod);
    }
    let touched = plan.changes.iter().filter(|change| matches!(change.old, values::Old::Set(_))).count();
    let others = values::leaves(&subject.values).saturating_sub(touched);
    for line in shown::changes(&plan.changes, others, secrets) {
        report.ui.status(&line);
    }
    for advice in plan.advice.iter().cloned().chain(findings::of_values(&subject.values, after, &subject.chart)) {
        report.advice(advice);
    }
    if let Some(chart) = &subject.at_hand {
        let name = format!("{}-{}", chart.name, chart.version);
        for advice in chart.known.advise(&subject.values, subject.chart.edition, &name) {
            report.advice(advice);
        }
    }
    let secrets = mask::secret_paths(after);
    if !secrets.is_empty() {
        report.advice(Advice::note(Code::Secret, shown::secrets(&secrets)));
    }
}

fn document(subject: &Subject, plan: &Plan, after: &Value, task: &UpgradeValues, report: &mut Report<'_>) {
    // The values are shown whole where they are the answer.
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
    report.field("changes", shown::value(&plan.changes, secrets));
    report.field("values", secrets.of(after));
}
