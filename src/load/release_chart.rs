//! The chart of a release: what its record says about it, and its files.

use crate::error::{Exit, Failure, Reason};
use crate::helm::{self, File, Record, RecordProblem, Storage};
use crate::kube::Session;
use crate::model::kinds;
use crate::plan::values::{self, Chart, ChartVersion, ChartWish, Dependency, NamedChart};

/// The chart of a release, as it is recorded.
pub(crate) fn named_chart(record: &Record) -> NamedChart {
    let dependency = |it: &helm::ChartDependency| Dependency {
        name: it.name.clone(),
        alias: it.alias.clone(),
        version: it.version.clone(),
        repository: it.repository.clone(),
    };
    NamedChart {
        source: format!("release {}", record.name),
        name: record.chart.clone(),
        repository: None,
        version: Some(record.chart_version.clone()),
        dependencies: record.dependencies.iter().map(dependency).collect(),
    }
}

/// The chart of a release that was found by its chart. `None` if it is not clear which values are Gloo's.
pub(crate) fn chart(record: &Record) -> Option<Chart> {
    let choice = values::choose(&record.values, &[named_chart(record)], ChartWish::default()).ok()?;
    Some(Chart {
        edition: choice.edition,
        below: choice.below,
        version: choice.version.as_deref().and_then(ChartVersion::parse),
        defaults: record.defaults.clone(),
    })
}

/// The files of the chart in the record of this release. They are read apart, because only few commands need them.
///
/// # Errors
/// The record cannot be read any more.
pub(crate) async fn files(session: &Session, record: &Record) -> Result<Vec<File>, Failure> {
    let kind = match record.storage {
        Storage::Secret => &kinds::SECRET,
        Storage::ConfigMap => &kinds::CONFIG_MAP,
    };
    let name = helm::object_name(&record.name, record.revision);
    let object = session.get(kind, &record.namespace, &name).await.map_err(|error| error.into_failure(session))?;
    let data = object["data"]["release"].as_str().unwrap_or_default();
    helm::chart_files(data, record.storage).map_err(|RecordProblem(why)| {
        Failure::new(Exit::Failed, Reason::BadRecord, format!("{kind}/{name}: not a record of Helm's: {why}"))
    })
}
