//! Charts that are named near values, with their dependencies.

use super::chart::Edition;

/// A chart that is named near the values.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct NamedChart {
    /// Where it is named: `--chart`, `release gloo`, `HelmRelease gloo`.
    pub source: String,
    /// Its name, or a reference such as `oci://registry/gloo-ee`. Empty if only the repository is named.
    pub name: String,
    pub repository: Option<String>,
    pub version: Option<String>,
    pub dependencies: Vec<Dependency>,
}

/// A dependency of a chart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Dependency {
    pub name: String,
    pub alias: Option<String>,
    pub version: Option<String>,
    pub repository: Option<String>,
}

impl Dependency {
    /// Returns the edition if this is Gloo's chart. Helm records an alias as the name, so that only the repository shows
    /// the chart.
    pub(super) fn edition(&self) -> Option<Edition> {
        let is_alias = self.alias.as_ref() == Some(&self.name);
        let by_repository = || self.repository.as_deref().filter(|_| is_alias).and_then(Edition::of_repository);
        Edition::of_chart(&self.name).or_else(by_repository)
    }

    /// Returns the key of its values.
    pub(super) fn key(&self) -> &str {
        self.alias.as_deref().unwrap_or(&self.name)
    }
}

impl NamedChart {
    /// Returns the edition if this is Gloo's own chart.
    pub(super) fn edition(&self) -> Option<Edition> {
        let by_repository = || self.repository.as_deref().filter(|_| self.name.is_empty());
        Edition::of_chart(&self.name).or_else(|| by_repository().and_then(Edition::of_repository))
    }

    /// Returns its dependencies on Gloo's charts.
    pub(super) fn on_gloo(&self) -> Vec<(&Dependency, Edition)> {
        self.dependencies.iter().filter_map(|it| Some((it, it.edition()?))).collect()
    }

    /// Returns whether this is Gloo's chart, or one around it.
    pub(crate) fn is_gloos(&self) -> bool {
        self.edition().is_some() || !self.on_gloo().is_empty()
    }
}
