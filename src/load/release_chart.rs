//! The chart of a release: what its record says about it.

use crate::helm::{self, Record};
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
