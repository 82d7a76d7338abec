//! The values to change, from a file or a release.

use std::path::Path;

use serde_json::Value;

use crate::command::flag;
use crate::edit::json;
use crate::edit::manifest::Unsafe;
use crate::edit::values as text;
use crate::error::{Exit, Failure, Reason};
use crate::flow::notes::Notes;
use crate::flow::report::Report;
use crate::helm::Record;
use crate::load::chart::{self, AtHand};
use crate::load::files::{self, LoadedFile, SourceText};
use crate::load::release::FoundRelease;
use crate::load::release_chart;
use crate::options::UpgradeValues;
use crate::plan::advice::{Advice, Code};
use crate::plan::values::{self, Chart, ChartChoice, ChartVersion, ChartWish, NamedChart, ValuesPlan};
use crate::render::text::STDIN;

/// The values to change, with their chart and source.
pub(crate) struct ValuesSubject {
    pub values: Value,
    pub chart: Chart,
    /// Why it is this chart.
    pub choice: ChartChoice,
    /// The chart of `--chart`.
    pub at_hand: Option<AtHand>,
    pub file: Option<(SourceText, text::FoundValues)>,
    pub release: Option<FoundRelease>,
    /// Why Helm 4 would refuse an upgrade of a release that was made with server-side apply.
    pub conflict: Option<Advice>,
}

impl ValuesSubject {
    /// Applies the plan to the values.
    ///
    /// # Errors
    /// A key cannot be set.
    pub(crate) fn after(&self, plan: &ValuesPlan) -> Result<Value, Failure> {
        json::apply(&self.values, &plan.edits)
            .map_err(|path| Failure::new(Exit::Failed, Reason::BadValues, format!("{path} cannot be set")))
    }
}

/// Reads the values of a file.
///
/// # Errors
/// It cannot be read, or does not say which values to change.
pub(super) fn of_file(path: &Path, task: &UpgradeValues, report: &mut Report<'_>) -> Result<ValuesSubject, Failure> {
    let mut inputs = files::find(&files::sources_of(&[path.to_owned()])?)?;
    if !inputs.is_single() {
        return Err(Failure::usage(format!("--values {}: one file, or - for stdin", path.display())));
    }
    let read = match inputs.next(&mut report.interrupts().stdin()) {
        Some(Ok(LoadedFile::Text(read))) => read,
        Some(Ok(LoadedFile::Refused { name, why, .. } | LoadedFile::PassedOver { name, why })) => {
            return Err(Failure::new(Exit::Failed, Reason::File, format!("{name}: {why}")));
        }
        Some(Err(failure)) => return Err(failure),
        None => return Err(Failure::usage("--values: no file")),
    };
    let name = if read.name == STDIN { "stdin".to_owned() } else { read.name.clone() };
    let mut found = text::find(&read.text).map_err(|cannot| refusal(&name, cannot))?;
    let found = match (found.pop(), found.pop()) {
        (Some(one), None) => one,
        (None, _) => {
            let message = format!("{name}: a manifest that renders no chart");
            return Err(Failure::new(Exit::SaidNo, Reason::NotFound, message)
                .detail("looked for an Application or a HelmRelease with Gloo's chart"));
        }
        _ => {
            let message = format!("{name}: several charts, and none is named gloo or gloo-ee");
            return Err(Failure::new(Exit::Failed, Reason::Ambiguous, message).hint("remove the others from the file"));
        }
    };
    if found.has_header() {
        report.advice(Advice::note(
            Code::Header,
            format!("{name}: the first line, which helm get values prints, is skipped"),
        ));
    }
    let at_hand = at_hand(task)?;
    let beside = match read.file {
        Some(_) => chart::beside(path)?,
        None => None,
    };
    let named = [at_hand.as_ref().map(AtHand::named), of_home(&found), beside];
    let (chart, choice) = chosen(&found.values, named, at_hand.as_ref(), &Value::Null, task)?;
    report.ui.status(&choice.line());
    if let Some(object) = &found.object {
        report.ui.status(&format!("values of {object} in {name}"));
    }
    Ok(ValuesSubject {
        values: found.values.clone(),
        chart,
        choice,
        at_hand,
        file: Some((read, found)),
        release: None,
        conflict: None,
    })
}

/// Takes the values of a release.
///
/// # Errors
/// Its chart is not Gloo's, or the chart of `--chart` cannot be read.
pub(super) fn of_release(
    found: FoundRelease,
    task: &UpgradeValues,
    notes: &mut dyn Notes,
) -> Result<ValuesSubject, Failure> {
    let record = &found.record;
    notes.status(&release_line(record));
    notes.advices(found.advice.iter().cloned());
    let recorded = release_chart::named_chart(record);
    let at_hand = at_hand(task)?;
    let is_known = recorded.is_gloos() || at_hand.as_ref().is_some_and(|chart| chart.named().is_gloos());
    if task.chart_wish() == ChartWish::default() && !is_known {
        let message = format!("release {}: its chart is {}, not Gloo's", record.name, record.chart);
        return Err(Failure::new(Exit::Failed, Reason::NoRelease, message).hint(
            flag("--edition").text(" open-source or --edition enterprise says which keys a chart of another name has"),
        ));
    }
    let values = values::sorted(&record.values);
    let named = [at_hand.as_ref().map(AtHand::named), Some(recorded), None];
    let (chart, choice) = chosen(&values, named, at_hand.as_ref(), &record.defaults, task)?;
    notes.status(&choice.line());
    Ok(ValuesSubject { values, chart, choice, at_hand, file: None, release: Some(found), conflict: None })
}

/// Chooses the chart among the named ones. `recorded` are the default values of a release's chart.
///
/// # Errors
/// It is not clear which chart reads the values.
fn chosen(
    values: &Value,
    named: [Option<NamedChart>; 3],
    at_hand: Option<&AtHand>,
    recorded: &Value,
    task: &UpgradeValues,
) -> Result<(Chart, ChartChoice), Failure> {
    let named: Vec<_> = named.into_iter().flatten().collect();
    let choice = values::choose(values, &named, task.chart_wish())?;
    // The version of a chart around Gloo's says nothing about Gloo's.
    let of_first = || named.first().and_then(|chart| chart.version.as_deref()).filter(|_| choice.below.is_none());
    let wanted = task.to_version.as_deref().filter(|_| at_hand.is_none() && choice.below.is_none());
    let version = wanted.or(choice.version.as_deref()).or_else(of_first);
    let chart = Chart {
        edition: choice.edition,
        below: choice.below.clone(),
        version: version.and_then(ChartVersion::parse),
        defaults: at_hand.map_or(recorded, |chart| &chart.defaults).clone(),
    };
    Ok((chart, choice))
}

/// The chart that a manifest names for its values.
fn of_home(found: &text::FoundValues) -> Option<NamedChart> {
    let source = found.object.as_ref()?.to_string();
    let name = found.chart.clone().unwrap_or_default();
    Some(NamedChart { source, name, version: found.version.clone(), ..NamedChart::default() })
}

fn at_hand(task: &UpgradeValues) -> Result<Option<AtHand>, Failure> {
    let chart = task.chart.as_deref().map(chart::read).transpose()?;
    match (&chart, &task.to_version) {
        (Some(chart), Some(wanted)) if chart.version.trim_start_matches('v') != wanted.trim_start_matches('v') => {
            let message = format!("--to-version {wanted}: the given chart is {}-{}", chart.name, chart.version);
            Err(Failure::usage(message).hint("omit --to-version, or give the chart of that version"))
        }
        _ => Ok(chart),
    }
}

fn release_line(record: &Record) -> String {
    let Record { name, namespace, revision, status, chart, chart_version, .. } = record;
    format!("release {namespace}/{name}, revision {revision}, {status}, chart {chart}-{chart_version}")
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
