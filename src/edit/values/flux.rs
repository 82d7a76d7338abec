//! Flux: `HelmRelease` of the Helm Controller, and of the older Helm Operator.
//!
//! `valuesFrom` is merged in its order, then `values` over it, also over single values with a `targetPath`. Source:
//! Flux's API reference, "Values"; `ChartValuesFromReferences` of its `pkg/chartutil` ends with the inline values.

use serde_json::Value;

use super::document::Document;
use super::documents::find;
use super::home::{FileBase, FileReference, HomeChart, HomeName, KeyReference, Seat, SourceContent, ValuesHome};
use super::home::{ValuesSource, last_part, normalized};
use super::set;
use crate::model::FieldPath;

/// The home of a `HelmRelease` of `helm.toolkit.fluxcd.io`.
pub(super) fn release(document: &Document, all: &[Document]) -> ValuesHome {
    let spec = &document.value["spec"];
    let name = HomeName::of(&document.value);
    let mut sources = chart_files(&spec["chart"]["spec"]);
    sources.extend(items(&spec["valuesFrom"]).map(|reference| of_reference(reference, &name.namespace)));
    sources.push(inline(document));
    let chart = chart(spec, &name.namespace, all);
    ValuesHome { name: Some(name), text: document.text, chart, sources, notes: Vec::new() }
}

/// The home of a `HelmRelease` of `helm.fluxcd.io/v1`.
pub(super) fn operator_release(document: &Document) -> ValuesHome {
    let spec = &document.value["spec"];
    let name = HomeName::of(&document.value);
    let chart = match spec["chart"]["name"].is_string() {
        true => HomeChart::new(&spec["chart"]["name"], &spec["chart"]["repository"], &spec["chart"]["version"]),
        false => HomeChart::new(&spec["chart"]["path"], &spec["chart"]["git"], &Value::Null),
    };
    let mut sources: Vec<_> =
        items(&spec["valuesFrom"]).map(|reference| of_operator_reference(reference, &name.namespace)).collect();
    sources.push(inline(document));
    ValuesHome { name: Some(name), text: document.text, chart, sources, notes: Vec::new() }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn inline(document: &Document) -> ValuesSource {
    let path = FieldPath::keys(&["spec", "values"]);
    let values = document.value["spec"]["values"].clone();
    ValuesSource::read("spec.values", values, document.text, Seat::Map { place: document.place.clone(), path })
}

fn chart(spec: &Value, home: &str, all: &[Document]) -> HomeChart {
    let chart = &spec["chart"]["spec"];
    if chart["chart"].is_string() {
        let source = find(all, &chart["sourceRef"], home).map_or(&Value::Null, |found| &found.value["spec"]["url"]);
        let is_repository = chart["sourceRef"]["kind"] == "HelmRepository";
        // In Git, the revision is not the version of the chart.
        let version = if is_repository { &chart["version"] } else { &Value::Null };
        return HomeChart::new(&chart["chart"], source, version);
    }
    let Some(found) = find(all, &spec["chartRef"], home).map(|found| &found.value) else {
        return HomeChart::default();
    };
    match found["kind"].as_str() {
        Some("OCIRepository") => {
            let url = text(&found["spec"]["url"]);
            let reference = &found["spec"]["ref"];
            let version = if reference["tag"].is_string() { &reference["tag"] } else { &reference["semver"] };
            HomeChart::new(&last_part(&url).into(), &found["spec"]["url"], version)
        }
        _ => HomeChart::new(&found["spec"]["chart"], &Value::Null, &found["spec"]["version"]),
    }
}

/// The files that take the place of the chart's own `values.yaml`.
fn chart_files(chart: &Value) -> Vec<ValuesSource> {
    let is_git = chart["sourceRef"]["kind"] == "GitRepository";
    let base = if is_git { FileBase::Repository } else { FileBase::Chart };
    let file = |name: &Value| {
        let name = text(name);
        let content = match normalized(&name) {
            Some(path) => SourceContent::File(FileReference { path, base }),
            None => SourceContent::Unread("it leads out of the repository".to_owned()),
        };
        ValuesSource { origin: format!("spec.chart.spec.valuesFiles {name}"), content, below: None }
    };
    items(&chart["valuesFiles"]).map(file).collect()
}

fn of_reference(reference: &Value, namespace: &str) -> ValuesSource {
    let key = reference["valuesKey"].as_str().unwrap_or("values.yaml");
    let target = reference["targetPath"].as_str();
    of_key((&text(&reference["kind"]), namespace, &text(&reference["name"]), key), target)
}

/// The source of a key of an object.
fn of_key((kind, namespace, name, key): (&str, &str, &str, &str), target: Option<&str>) -> ValuesSource {
    let content = SourceContent::Key(KeyReference {
        kind: kind.to_owned(),
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        key: key.to_owned(),
    });
    let below = target.and_then(set::path);
    ValuesSource { origin: format!("key {key} of {kind} {name}"), content, below }
}

fn of_operator_reference(reference: &Value, home: &str) -> ValuesSource {
    for (field, kind) in [("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")] {
        let key = &reference[field];
        if key.is_object() {
            let namespace = key["namespace"].as_str().unwrap_or(home);
            let of_key_name = key["key"].as_str().unwrap_or("values.yaml");
            return of_key((kind, namespace, &text(&key["name"]), of_key_name), None);
        }
    }
    if reference["chartFileRef"].is_object() {
        let path = text(&reference["chartFileRef"]["path"]);
        let origin = format!("spec.valuesFrom {path}");
        return match normalized(&path) {
            Some(path) => {
                let content = SourceContent::File(FileReference { path, base: FileBase::Chart });
                ValuesSource { origin, content, below: None }
            }
            None => ValuesSource::unread(origin, "it leads out of the chart"),
        };
    }
    let url = text(&reference["externalSourceRef"]["url"]);
    ValuesSource::unread(format!("spec.valuesFrom {url}"), "a URL")
}
