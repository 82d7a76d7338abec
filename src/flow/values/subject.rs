//! The values to change, from a file or a release.

use std::path::PathBuf;

use serde_json::Value;

use super::files::{self, ValuesFiles};
use super::{homes, sources};
use crate::command::flag;
use crate::edit::json;
use crate::edit::values as text;
use crate::error::{Exit, Failure, Reason};
use crate::flow::notes::Notes;
use crate::flow::report::Report;
use crate::helm::Record;
use crate::load::chart;
use crate::load::release::FoundRelease;
use crate::options::UpgradeValues;
use crate::plan::advice::{Advice, Code};
use crate::plan::values::{self, Chart, ChartVersion, Edition, ValuesPlan};

/// The values to change, with their chart and source.
pub(crate) struct ValuesSubject {
    pub values: Value,
    pub chart: Chart,
    /// The chart of `--chart`.
    pub at_hand: Option<chart::AtHand>,
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
    let named = &files.home.chart;
    let at_hand = at_hand(task)?;
    let name_of_chart = at_hand.as_ref().map(|chart| chart.name.as_str()).or(named.name.as_deref());
    let of_name = name_of_chart.and_then(Edition::of_chart);
    let edition = task.edition.or(of_name).unwrap_or_else(|| Edition::of_shape(&values));
    let version = at_hand.as_ref().map(|chart| chart.version.as_str());
    let version = version.or(task.to_version.as_deref()).or(named.version.as_deref());
    let defaults = at_hand.as_ref().map_or(Value::Null, |chart| chart.defaults.clone());
    let chart = Chart { edition, version: version.and_then(ChartVersion::parse), defaults };
    if let Some(name) = &files.home.name {
        report.ui.status(&format!("values of {name} in {}", files::shown(&files.texts[files.home.text])));
    }
    sources::say(&files, report);
    Ok(ValuesSubject { values, chart, at_hand, file: Some(files), release: None, conflict: None })
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
    let Some(edition) = task.edition.or_else(|| Edition::of_chart(&record.chart)) else {
        let message = format!("release {}: its chart is {}, not Gloo's", record.name, record.chart);
        return Err(Failure::new(Exit::Failed, Reason::NoRelease, message)
            .hint(flag("--edition").text(" oss or --edition enterprise says which keys a chart of another name has")));
    };
    let at_hand = at_hand(task)?;
    let version = at_hand.as_ref().map(|chart| chart.version.as_str()).or(task.to_version.as_deref());
    let defaults = at_hand.as_ref().map_or(&record.defaults, |chart| &chart.defaults).clone();
    let version = ChartVersion::parse(version.unwrap_or(&record.chart_version));
    let chart = Chart { edition, version, defaults };
    let values = values::sorted(&record.values);
    Ok(ValuesSubject { values, chart, at_hand, file: None, release: Some(found), conflict: None })
}

fn at_hand(task: &UpgradeValues) -> Result<Option<chart::AtHand>, Failure> {
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
