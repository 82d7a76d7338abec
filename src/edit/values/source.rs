//! A source of the values of a chart: what it sets, and where it is edited.

use serde_json::Value;

use super::repository::Repository;
use crate::edit::manifest::ManifestPlace;
use crate::model::FieldPath;

/// One source of the values of a chart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ValuesSource {
    /// What it is, for a person: `spec.source.helm.valuesObject`, `$ref/values.yaml`.
    pub origin: String,
    pub content: SourceContent,
    /// The path of the only value that it sets, if it sets only one.
    pub below: Option<FieldPath>,
}

/// What is known of a source.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SourceContent {
    /// It was read.
    Read {
        /// Null if the source does not exist yet, but can be added.
        values: Value,
        /// Where it is edited; `None` if it is not.
        seat: Option<(usize, Seat)>,
    },
    /// A file of values.
    File(FileReference),
    /// A key of a `ConfigMap` or a Secret.
    Key(KeyReference),
    /// Why it was not found. It can be given.
    Missing(String),
    /// Why it was not read.
    Unread(String),
}

/// Where values are in a text.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Seat {
    /// The whole text from this offset on.
    Plain { start: usize },
    /// A map in a manifest.
    Map { place: ManifestPlace, path: FieldPath },
    /// YAML text in a manifest.
    Text { place: ManifestPlace, path: FieldPath },
    /// The items of this kind in a list of `name` and `value`: Argo CD's `parameters`.
    Parameters { place: ManifestPlace, path: FieldPath, kind: ParameterKind },
    /// A map of names as in `--set`: `spec.set` of a `HelmChart`.
    Pairs { place: ManifestPlace, path: FieldPath },
}

impl Seat {
    /// The object in a manifest.
    pub(super) fn place(&self) -> Option<&ManifestPlace> {
        match self {
            Self::Plain { .. } => None,
            Self::Map { place, .. }
            | Self::Text { place, .. }
            | Self::Parameters { place, .. }
            | Self::Pairs { place, .. } => Some(place),
        }
    }
}

/// How Helm reads the value of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParameterKind {
    /// As `--set` does: `true` is a boolean.
    Typed,
    /// As `--set-string` does (`forceString`), after all others.
    Text,
}

impl ParameterKind {
    /// Both kinds, the stronger one last.
    pub(super) const ALL: [Self; 2] = [Self::Typed, Self::Text];

    /// The kind of an item of `parameters`.
    pub(super) fn new(parameter: &Value) -> Self {
        if parameter["forceString"] == true { Self::Text } else { Self::Typed }
    }
}

impl Seat {
    /// Whether new values may be put there. Parameters are for single values.
    pub(crate) fn takes_new_values(&self) -> bool {
        matches!(self, Self::Plain { .. } | Self::Map { .. } | Self::Text { .. })
    }
}

/// A file that a home names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FileReference {
    /// The path below the base, with `/` and without `..`. Empty for the base itself.
    pub path: String,
    pub base: FileBase,
}

impl FileReference {
    /// A file in this directory.
    pub(crate) fn below(&self, name: &str) -> Self {
        let path = if self.path.is_empty() { name.to_owned() } else { format!("{}/{name}", self.path) };
        Self { path, base: self.base.clone() }
    }
}

/// What the path of a file is relative to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileBase {
    /// The root of a Git repository.
    Repository(Repository),
    /// The directory of the text with this index.
    Directory(usize),
    /// The chart.
    Chart,
}

/// A key of an object that a home names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct KeyReference {
    /// `ConfigMap` or `Secret`.
    pub kind: String,
    pub namespace: String,
    pub name: String,
    pub key: String,
}

impl ValuesSource {
    pub(super) fn read(origin: impl Into<String>, values: Value, text: usize, seat: Seat) -> Self {
        let content = SourceContent::Read { values, seat: Some((text, seat)) };
        Self { origin: origin.into(), content, below: None }
    }

    pub(super) fn missing(origin: impl Into<String>, why: impl Into<String>) -> Self {
        Self { origin: origin.into(), content: SourceContent::Missing(why.into()), below: None }
    }

    pub(super) fn unread(origin: impl Into<String>, why: impl Into<String>) -> Self {
        Self { origin: origin.into(), content: SourceContent::Unread(why.into()), below: None }
    }

    /// The values, if they were read.
    pub(crate) fn values(&self) -> Option<&Value> {
        match &self.content {
            SourceContent::Read { values, .. } => Some(values),
            _ => None,
        }
    }

    /// Whether it sets values, or was not read.
    pub(crate) fn may_set_values(&self) -> bool {
        self.values().is_none_or(|values| !values.is_null())
    }

    /// Where it is edited, with the index of the text.
    pub(crate) fn seat(&self) -> Option<&(usize, Seat)> {
        match &self.content {
            SourceContent::Read { seat, .. } => seat.as_ref(),
            _ => None,
        }
    }

    /// Whether it was not read, and may set the value at this path.
    pub(crate) fn may_set(&self, path: &FieldPath) -> bool {
        let reaches = |below: &FieldPath| {
            let (short, long) = match below.segments().len() < path.segments().len() {
                true => (below, path),
                false => (path, below),
            };
            long.segments().starts_with(short.segments())
        };
        self.values().is_none() && self.below.as_ref().is_none_or(reaches)
    }
}

/// The path without `.` and `..`, empty for the base itself; `None` if it leads out of it.
pub(super) fn normalized(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
