//! Kustomize patches of a home: a patch sets values after all that the home itself sets.
//!
//! A strategic merge patch has the kind and the name of the object; of a custom resource, maps are merged. Source: the
//! pages "patches" and "patchesStrategicMerge" of Kustomize's reference.

use serde_json::Value;

use super::document::ValuesDocument;
use super::documents::distance;
use super::home::{HomeName, ValuesHome};
use super::kustomize;
use super::source::{Seat, SourceContent, ValuesSource, normalized};
use crate::model::FieldPath;
use crate::yaml;

/// The fields of a kind that have its values: those that are maps of values, and the others.
struct ValueFields {
    kind: &'static str,
    maps: &'static [&'static [&'static str]],
    others: &'static [&'static [&'static str]],
}

const FIELDS: [ValueFields; 5] = [
    ValueFields { kind: "HelmRelease", maps: &[&["spec", "values"]], others: &[&["spec", "valuesFrom"]] },
    ValueFields {
        kind: "Application",
        maps: &[&["spec", "source", "helm", "valuesObject"]],
        others: &[
            &["spec", "source", "helm", "values"],
            &["spec", "source", "helm", "parameters"],
            &["spec", "source", "helm", "valueFiles"],
            &["spec", "source", "helm", "fileParameters"],
            &["spec", "sources"],
        ],
    },
    ValueFields { kind: "ApplicationSet", maps: &[], others: &[&["spec", "template"], &["spec", "generators"]] },
    ValueFields {
        kind: "HelmChart",
        maps: &[&["spec", "values"]],
        others: &[&["spec", "valuesContent"], &["spec", "set"], &["spec", "valuesSecrets"]],
    },
    ValueFields {
        kind: "HelmChartConfig",
        maps: &[&["spec", "values"]],
        others: &[&["spec", "valuesContent"], &["spec", "valuesSecrets"]],
    },
];

/// The fields that each full object of these kinds has: one of them names the chart.
const CHART_FIELDS: [(&str, &[&[&str]]); 3] = [
    ("HelmRelease", &[&["spec", "chart"], &["spec", "chartRef"]]),
    (
        "Application",
        &[
            &["spec", "source", "repoURL"],
            &["spec", "source", "chart"],
            &["spec", "source", "path"],
            &["spec", "sources"],
        ],
    ),
    ("HelmChart", &[&["spec", "chart"], &["spec", "chartContent"]]),
];

/// Whether the document is a patch: it lacks what every full object of its kind has.
pub(super) fn is_patch(object: &Value) -> bool {
    let fields = CHART_FIELDS.iter().find(|(kind, _)| object["kind"] == *kind);
    fields.is_some_and(|(_, fields)| fields.iter().all(|field| get(object, field).is_none()))
}

fn get<'v>(object: &'v Value, keys: &[&str]) -> Option<&'v Value> {
    FieldPath::keys(keys).get(object).filter(|value| !value.is_null())
}

/// Whether both objects have the same kind and name.
pub(super) fn is_same(a: &Value, b: &Value) -> bool {
    let (a, b) = (HomeName::of(a), HomeName::of(b));
    let is_same_namespace = a.namespace == b.namespace || a.namespace.is_empty() || b.namespace.is_empty();
    (&a.group, &a.kind, &a.name) == (&b.group, &b.kind, &b.name) && is_same_namespace
}

/// Adds the patches of a home to its sources.
pub(super) fn add(home: &mut ValuesHome, of_home: &ValuesDocument, all: &[ValuesDocument]) {
    if is_patch(&of_home.value) {
        let kind = of_home.value["kind"].as_str().unwrap_or_default();
        home.sources.insert(0, ValuesSource::missing(format!("the {kind} that this patches"), "not in the files"));
        return;
    }
    for document in all {
        if is_patch(&document.value) && is_same(&document.value, &of_home.value) && document.is_given {
            let origin = format!("patch {}", document.file);
            home.sources.extend(sources(&origin, &document.value, Some(document)));
        }
        let is_near = document.is_given || distance(&document.file, &of_home.file) == 0;
        if is_near && kustomize::is_kustomization(&document.file, &document.value) {
            for entry in entries(&document.value) {
                home.sources.extend(of_entry(&entry, document, of_home, all));
            }
        }
    }
}

/// One patch that a kustomization names.
struct Entry<'k> {
    target: &'k Value,
    /// The patch itself, or the path of its file.
    text: &'k str,
}

fn entries(kustomization: &Value) -> Vec<Entry<'_>> {
    let list = |key: &str| kustomization[key].as_array().map(Vec::as_slice).unwrap_or_default();
    let of_map = |entry| {
        let entry: &Value = entry;
        let text = ["patch", "path"].iter().find_map(|key| entry[*key].as_str())?;
        Some(Entry { target: &entry["target"], text })
    };
    let merges = list("patchesStrategicMerge").iter().filter_map(Value::as_str);
    let merges = merges.map(|text| Entry { target: &Value::Null, text });
    list("patches").iter().chain(list("patchesJson6902")).filter_map(of_map).chain(merges).collect()
}

fn of_entry(
    entry: &Entry<'_>,
    by: &ValuesDocument,
    of_home: &ValuesDocument,
    all: &[ValuesDocument],
) -> Vec<ValuesSource> {
    let is_target = may_be(entry.target, &of_home.value);
    let is_inline = entry.text.contains('\n') || entry.text.contains(": ");
    let origin = match is_inline {
        true => format!("a patch in {}", by.file),
        false => format!("patch {} of {}", entry.text, by.file),
    };
    if is_inline {
        let patch = yaml::parse(entry.text).unwrap_or_default();
        return of_patch(&origin, &patch, None, (is_target, of_home));
    }
    let directory = by.file.rsplit_once('/').map_or("", |(directory, _)| directory);
    let path = normalized(&format!("{directory}/{}", entry.text));
    let is_it = |document: &&ValuesDocument| normalized(&document.file) == path;
    let mut found = all.iter().filter(is_it).peekable();
    if found.peek().is_none() && is_target && !entry.target.is_null() {
        return vec![ValuesSource::missing(origin, "not in the files")];
    }
    // A patch that is given was added as such.
    let is_new = |document: &&ValuesDocument| !(document.is_given && is_same(&document.value, &of_home.value));
    found.filter(is_new).flat_map(|it| of_patch(&origin, &it.value, Some(it), (is_target, of_home))).collect()
}

/// Whether the target of a patch may be this object. Its name is a regular expression.
fn may_be(target: &Value, object: &Value) -> bool {
    let is = |key: &str, value: &Value| target[key].is_null() || target[key] == *value;
    let name = target["name"].as_str().unwrap_or_default();
    let is_name = name.is_empty() || object["metadata"]["name"] == name || name.contains(['*', '.', '|', '[', '(']);
    is("kind", &object["kind"]) && is_name
}

fn of_patch(
    origin: &str,
    patch: &Value,
    place: Option<&ValuesDocument>,
    (is_target, of_home): (bool, &ValuesDocument),
) -> Vec<ValuesSource> {
    let Some(operations) = patch.as_array() else {
        let is_it = is_same(patch, &of_home.value) || (is_target && patch["kind"] == of_home.value["kind"]);
        return if is_it { sources(origin, patch, place) } else { Vec::new() };
    };
    let fields = FIELDS.iter().find(|fields| of_home.value["kind"] == fields.kind);
    let pointers = || fields.into_iter().flat_map(|fields| fields.maps.iter().chain(fields.others));
    let touches = |operation: &Value| {
        let target = operation["path"].as_str().unwrap_or_default();
        pointers().any(|keys| {
            let pointer = format!("/{}", keys.join("/"));
            target.starts_with(&pointer) || pointer.starts_with(target)
        })
    };
    match is_target && operations.iter().any(touches) {
        true => vec![ValuesSource::unread(origin, "a JSON patch")],
        false => Vec::new(),
    }
}

/// The values that a strategic merge patch sets. They are edited if it is a document of its own.
fn sources(origin: &str, patch: &Value, place: Option<&ValuesDocument>) -> Vec<ValuesSource> {
    let Some(fields) = FIELDS.iter().find(|fields| patch["kind"] == fields.kind) else { return Vec::new() };
    let map = |keys: &&[&str]| {
        let field = FieldPath::keys(keys);
        let values = field.get(patch).filter(|values| values.is_object())?.clone();
        let seat = place.map(|document| (document.text, Seat::Map { place: document.place.clone(), path: field }));
        // The file of a source that is edited is told with it.
        let origin = if seat.is_some() { "patch" } else { origin };
        let origin = format!("{origin} {}", keys.join("."));
        Some(ValuesSource { origin, content: SourceContent::Read { values, seat }, below: None })
    };
    let other = |keys: &&[&str]| {
        get(patch, keys).map(|_| ValuesSource::unread(format!("{origin} {}", keys.join(".")), "a Kustomize patch"))
    };
    let maps = fields.maps.iter().filter_map(map);
    maps.chain(fields.others.iter().filter_map(other)).collect()
}
