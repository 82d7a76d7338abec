//! What a home of values is: a manifest or a file that says with which values a chart is rendered.

use std::fmt;

use serde_json::Value;

use super::repository::Repository;
use super::source::{FileBase, FileReference, SourceContent, ValuesSource, normalized};

/// The chart that a home names, as far as it names one.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct HomeChart {
    /// Its name, without repository and directories.
    pub name: Option<String>,
    /// The URL of the Helm repository, the registry, or the Git repository.
    pub repository: Option<String>,
    /// A version or a range.
    pub version: Option<String>,
    /// The directory of a chart in a repository. Its `Chart.yaml` names the chart, not the directory.
    pub directory: Option<FileReference>,
}

impl HomeChart {
    /// The chart of these texts. Of a name with a repository (`solo/gloo`), the last part counts.
    pub(super) fn new(name: &Value, repository: &Value, version: &Value) -> Self {
        let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
        let (name, repository) = (text(name).map(|name| last_part(&name)), text(repository));
        Self { name, repository, version: text(version), directory: None }
    }

    /// The chart in a directory of a Git repository. The revision there is not the version of the chart.
    pub(super) fn in_git(path: &str, repository: Repository) -> Self {
        let url = repository.url.clone();
        let directory = normalized(path).map(|path| FileReference { path, base: FileBase::Repository(repository) });
        Self { name: None, repository: url, version: None, directory }
    }

    /// The source that the chart's own `values.yaml` is, if the chart is in a directory.
    pub(crate) fn own_values(&self) -> Option<ValuesSource> {
        let directory = self.directory.as_ref()?;
        let reference = directory.below("values.yaml");
        let origin = format!("the chart's own {}", reference.path);
        Some(ValuesSource { origin, content: SourceContent::File(reference), below: None })
    }

    /// Whether it is one of Gloo's charts.
    pub(crate) fn is_gloo(&self) -> bool {
        self.name.as_deref().is_some_and(Self::is_gloos)
    }

    /// Whether this is the name of one of Gloo's charts.
    pub(super) fn is_gloos(name: &str) -> bool {
        matches!(name, "gloo" | "gloo-ee")
    }
}

/// The last part of a path or URL, without the ending of a packed chart: `gloo` of `solo/gloo`.
pub(super) fn last_part(path: &str) -> String {
    let path = path.trim_end_matches('/');
    let last = path.rsplit('/').next().unwrap_or(path);
    last.strip_suffix(".tgz").unwrap_or(last).to_owned()
}

/// The object that is a home.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HomeName {
    pub group: String,
    pub kind: String,
    /// Empty if the manifest has none.
    pub namespace: String,
    pub name: String,
}

impl HomeName {
    /// The name of an object of this kind, from its `metadata`.
    pub(super) fn of(object: &Value) -> Self {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let api_version = text(&object["apiVersion"]);
        Self {
            group: api_version.split_once('/').map_or("", |(group, _)| group).to_owned(),
            kind: text(&object["kind"]),
            namespace: text(&object["metadata"]["namespace"]),
            name: text(&object["metadata"]["name"]),
        }
    }

    /// Whether it is a kind of k3s, which may have a second object of its name.
    pub(super) fn is_of_k3s(&self) -> bool {
        self.group == "helm.cattle.io"
    }

    /// Whether it is a kind of Flux, which refers to the source of its chart.
    pub(super) fn is_of_flux(&self) -> bool {
        self.group == "helm.toolkit.fluxcd.io"
    }

    /// Whether an object of this name belongs to the other one: the same, or that of a `HelmChartConfig`.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        let is_same_namespace =
            self.namespace == other.namespace || self.namespace.is_empty() || other.namespace.is_empty();
        let is_kind = self.kind == other.kind || self.kind.strip_suffix("Config") == Some(other.kind.as_str());
        is_kind && is_same_namespace && (&self.group, &self.name) == (&other.group, &other.name)
    }

    /// Whether `KIND/NAME` or `KIND/NAMESPACE/NAME` names it.
    pub(crate) fn is_named_by(&self, wanted: &str) -> bool {
        let parts: Vec<&str> = wanted.split('/').collect();
        let is_kind = |kind: &str| {
            let full = format!("{}.{}", self.kind, self.group);
            kind.eq_ignore_ascii_case(&self.kind) || kind.eq_ignore_ascii_case(&full)
        };
        match parts[..] {
            [kind, name] => is_kind(kind) && name == self.name,
            [kind, namespace, name] => is_kind(kind) && namespace == self.namespace && name == self.name,
            _ => false,
        }
    }

    /// The shortest text that names it in `--home`.
    pub(crate) fn for_flag(&self) -> String {
        let kind = self.kind.to_lowercase();
        match self.namespace.as_str() {
            "" => format!("{kind}/{}", self.name),
            namespace => format!("{kind}/{namespace}/{}", self.name),
        }
    }
}

/// Formats the name as kubectl does: `application.argoproj.io/edge`.
impl fmt::Display for HomeName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind.to_lowercase();
        match self.group.as_str() {
            "" => write!(f, "{kind}/{}", self.name),
            group => write!(f, "{kind}.{group}/{}", self.name),
        }
    }
}

/// A home of values.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ValuesHome {
    /// `None` for values files that no manifest names.
    pub name: Option<HomeName>,
    /// The index of its text.
    pub text: usize,
    pub chart: HomeChart,
    /// Whether it may render no chart: only the directory that it names shows it.
    pub is_possible: bool,
    /// All sources of its values: a later one wins.
    pub sources: Vec<ValuesSource>,
    /// What an operator should know about the sources, such as one that has no effect.
    pub notes: Vec<String>,
}
