//! Outputs the values: reports the changes, shows a diff, prints, writes, or returns them for Helm.

use serde_json::{Value, json};

use super::files::{ValuesFiles, shown};
use super::order::Upgrade;
use super::planned::PlannedValues;
use super::subject::ValuesSubject;
use super::{next, sources};
use crate::apply::files::{self as out, Print, Staging};
use crate::command::flag;
use crate::edit::values;
use crate::error::{Exit, Failure, Reason};
use crate::flow::report::Report;
use crate::kube::Session;
use crate::load::files::SourceText;
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
    if task.check {
        match (planned.plan.is_empty(), &planned.subject.file) {
            (false, _) => report.ends(Exit::WouldChange),
            (true, Some(files)) => sources::check_is_whole(files, (&planned.after, &planned.subject.chart))?,
            (true, None) => {}
        }
    }
    if let ValuesDestination::Helm(_) = &task.destination {
        return Ok(planned.upgrade(task));
    }
    if task.diff || task.check {
        return Ok(None);
    }
    let PlannedValues { subject, after, text, .. } = planned;
    match (&task.destination, &subject.file) {
        (ValuesDestination::Stdout, _) if global.format != Format::Text => {}
        (ValuesDestination::Stdout, Some(files)) => print(files, &planned.edited, report),
        (ValuesDestination::Stdout, None) => report.whole(text.as_bytes()),
        (ValuesDestination::InPlace, Some(files)) => write(files, &planned.edited, report)?,
        (ValuesDestination::NewFile(file), Some(files)) => {
            out::create_private(file, &only(files, &planned.edited)?)?;
        }
        (ValuesDestination::NewFile(file), None) => out::create_private(file, text.as_bytes())?,
        (ValuesDestination::InPlace, None) | (ValuesDestination::Helm(_), _) => {}
    }
    let ValuesSubject { release, chart, .. } = subject;
    if let Some(found) = release {
        next::say((&found.record, after), chart.edition, session, task, global, report);
    }
    Ok(None)
}

/// Prints the text of a single file, or else the files that change, each after its name.
fn print(files: &ValuesFiles, edited: &[(usize, String)], report: &mut Report<'_>) {
    if let Some(bytes) = single(files, edited) {
        return report.whole(&bytes);
    }
    for (index, new) in edited {
        let text = &files.texts[*index];
        let new = new.trim_start_matches('\u{feff}');
        let newline = if new.ends_with('\n') { "" } else { "\n" };
        report.whole(format!("---\n# Source: {}\n{new}{newline}", shown(text)).as_bytes());
    }
}

/// The bytes of the only file, in its encoding, edited or not. `None` if there are several, or another one changes.
fn single(files: &ValuesFiles, edited: &[(usize, String)]) -> Option<Vec<u8>> {
    let [text, ..] = &files.texts[..] else { return None };
    match edited {
        [] if files.named == 1 => Some(text.encoding.bytes(whole(text)).into_owned()),
        [(0, new)] if files.named == 1 => Some(text.encoding.bytes(new).into_owned()),
        _ => None,
    }
}

/// A text without Helm's header, as it is printed.
fn whole(text: &SourceText) -> &str {
    values::without_header(&text.text)
}

/// The bytes of the only file that is printed, for a new file.
fn only(files: &ValuesFiles, edited: &[(usize, String)]) -> Result<Vec<u8>, Failure> {
    if let Some(bytes) = single(files, edited) {
        return Ok(bytes);
    }
    match edited {
        [(index, new)] => Ok(files.texts[*index].encoding.bytes(new).into_owned()),
        [] => Err(Failure::usage("--output-file: nothing changes in several files, so there is no text to write")),
        _ => {
            let message = "--output-file: several files change, and one cannot have all of them";
            let failure = Failure::usage(message).hint(flag("--write").text(" changes each in place"));
            let names = edited.iter().map(|(index, _)| shown(&files.texts[*index]));
            Err(names.fold(failure, Failure::detail))
        }
    }
}

fn write(files: &ValuesFiles, edited: &[(usize, String)], report: &Report<'_>) -> Result<(), Failure> {
    let mut staging = Staging::default();
    for (index, new) in edited {
        let SourceText { name, file, text, encoding } = &files.texts[*index];
        if *index >= files.named {
            let message = format!("{name}: not written, because only the files of --values are");
            return Err(Failure::new(Exit::Failed, Reason::Unsafe, message).hint(files.named_with(name)));
        }
        let Some(file) = file else { return Err(Failure::usage("--write cannot write to stdin")) };
        staging.stage(file, &encoding.bytes(new), Print::of_bytes(&encoding.bytes(text)))?;
    }
    if edited.is_empty() {
        return Ok(());
    }
    staging.commit(&|| report.interrupts().check()).map(drop).map_err(|halted| *halted.failure)
}

fn document(planned: &PlannedValues, task: &UpgradeValues, report: &mut Report<'_>) {
    let PlannedValues { subject, plan, proof, after, .. } = planned;
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
    let changes = match &subject.file {
        Some(files) => sources::changes(files, plan, secrets),
        None => shown::value(&plan.changes, secrets),
    };
    report.field("changes", changes);
    report.field("proof", proof::value(proof));
    if let Some(files) = &subject.file {
        report.field("home", sources::home(files));
        report.field("sources", sources::all(files));
    }
    report.field("values", secrets.shown(after));
}
