//! The values to change, from a file or a release.

use std::path::PathBuf;

use serde_json::Value;

use super::files::{self, ValuesFiles};
use super::{homes, plan_of_file, refused, sources};
use crate::command::flag;
use crate::edit::json;
use crate::edit::values as text;
use crate::error::{Exit, Failure, Reason};
use crate::flow::notes::Notes;
use crate::flow::report::Report;
use crate::helm::Record;
use crate::load::chart::{self, AtHand};
use crate::load::release::FoundRelease;
use crate::load::release_chart;
use crate::options::UpgradeValues;
use crate::plan::advice::{Advice, Code};
use crate::plan::values::{self, Chart, ChartChoice, ChartVersion, ChartWish, NamedChart, ValuesPlan};

/// The values to change, with their chart and source.
pub(crate) struct ValuesSubject {
    pub values: Value,
    pub chart: Chart,
    /// Why it is this chart.
    pub choice: ChartChoice,
    /// The chart of `--chart`.
    pub at_hand: Option<AtHand>,
    pub file: Option<ValuesFiles>,
    pub release: Option<FoundRelease>,
    /// Why Helm 4 would refuse an upgrade of a release that was made with server-side apply.
    pub conflict: Option<Advice>,
}

impl ValuesSubject {
    /// Whether the values are in a file that is not edited.
    pub(super) fn is_denied(&self) -> bool {
        self.file.as_ref().is_some_and(|files| files.denied.is_some())
    }

    /// Applies the plan to the values.
    ///
    /// # Errors
    /// A key cannot be set.
    pub(crate) fn after(&self, plan: &ValuesPlan) -> Result<Value, Failure> {
        json::apply(&self.values, &plan.edits)
            .map_err(|path| Failure::new(Exit::Failed, Reason::BadValues, format!("{path} cannot be set")))
    }
}

/// Reads the values of files.
///
/// # Errors
/// They cannot be read, or do not say which values to change.
pub(super) fn of_files(
    (paths, home): (&[PathBuf], Option<&str>),
    task: &UpgradeValues,
    report: &mut Report<'_>,
) -> Result<ValuesSubject, Failure> {
    let files = homes::of_files(paths, home, &report.interrupts())?;
    for text in files.texts.iter().take(files.named).filter(|text| text::has_header(&text.text)) {
        let name = files::shown(text);
        report.advice(Advice::note(
            Code::Header,
            format!("{name}: the first line, which helm get values prints, is skipped"),
        ));
    }
    let values = text::merged(&files.home.sources);
    let at_hand = at_hand(task)?;
    let named = [at_hand.as_ref().map(AtHand::named), files.chart.clone(), of_home(&files.home), beside(&files)?];
    let named: Vec<_> = named.into_iter().flatten().collect();
    let (chart, choice) = match (chosen(&values, &named, at_hand.as_ref(), &Value::Null, task), &files.denied) {
        // Which values to set is unknown, but not why nothing is edited.
        (Err(undecided), Some(denied)) => {
            let plans = values::Edition::ALL.map(|edition| {
                let chart = Chart { edition, below: None, version: None, defaults: Value::Null };
                (edition, plan_of_file(&values, &chart, task).unwrap_or_default().edits)
            });
            return Err(refused::undecided(denied, &plans).detail(undecided.message));
        }
        (found, _) => found?,
    };
    report.ui.status(choice.line());
    if let Some(name) = &files.home.name {
        report.ui.status(format!("values of {name} in {}", files::shown(&files.texts[files.home.text])));
    }
    sources::say(&files, report);
    Ok(ValuesSubject { values, chart, choice, at_hand, file: Some(files), release: None, conflict: None })
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
    let named: Vec<_> = at_hand.as_ref().map(AtHand::named).into_iter().chain([recorded]).collect();
    let (chart, choice) = chosen(&values, &named, at_hand.as_ref(), &record.defaults, task)?;
    notes.status(&choice.line());
    Ok(ValuesSubject { values, chart, choice, at_hand, file: None, release: Some(found), conflict: None })
}

/// Chooses the chart among the named ones. `recorded` are the default values of a release's chart.
///
/// # Errors
/// It is not clear which chart reads the values.
fn chosen(
    values: &Value,
    named: &[NamedChart],
    at_hand: Option<&AtHand>,
    recorded: &Value,
    task: &UpgradeValues,
) -> Result<(Chart, ChartChoice), Failure> {
    let choice = values::choose(values, named, task.chart_wish())?;
    // The version of another chart, or of one around Gloo's, says nothing about Gloo's.
    let gloos = named.iter().find(|chart| chart.is_gloos() && choice.below.is_none());
    let of_first = || gloos.and_then(|chart| chart.version.as_deref());
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
fn of_home(home: &text::ValuesHome) -> Option<NamedChart> {
    let text::HomeChart { name, repository, version, directory } = home.chart.clone();
    let source = match (home.name.as_ref()?, &name, directory) {
        (home, None, Some(directory)) => format!("{home} (chart in {})", directory.path),
        (home, ..) => home.to_string(),
    };
    Some(NamedChart { source, name: name.unwrap_or_default(), repository, version, ..NamedChart::default() })
}

/// The chart in whose directory the values file is.
fn beside(files: &ValuesFiles) -> Result<Option<NamedChart>, Failure> {
    match &files.texts[files.home.text].file {
        Some(path) if files.home.name.is_none() => chart::beside(path),
        _ => Ok(None),
    }
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
