//! Flux: `HelmRelease` of the Helm Controller, and of the older Helm Operator.
//!
//! `valuesFrom` is merged in its order, then `values` over it, also over single values with a `targetPath`. Source:
//! Flux's API reference, "Values"; `ChartValuesFromReferences` of its `pkg/chartutil` ends with the inline values.

use serde_json::Value;

use super::document::ValuesDocument;
use super::documents::referred;
use super::home::{HomeChart, HomeName, ValuesHome, last_part};
use super::repository::Repository;
use super::set;
use super::source::{FileBase, FileReference, KeyReference, Seat, SourceContent, ValuesSource, normalized};
use crate::model::FieldPath;

/// The home of a `HelmRelease` of `helm.toolkit.fluxcd.io`.
pub(super) fn release(document: &ValuesDocument, all: &[ValuesDocument]) -> ValuesHome {
    let spec = &document.value["spec"];
    let name = HomeName::of(&document.value);
    let (chart, mut sources) = chart(spec, document, all);
    sources.extend(items(&spec["valuesFrom"]).map(|reference| of_reference(reference, &name.namespace)));
    sources.push(inline(document));
    let (text, notes) = (document.text, Vec::new());
    ValuesHome { name: Some(name), text, chart, is_possible: false, sources, notes }
}

/// The home of a `HelmRelease` of `helm.fluxcd.io/v1`.
///
/// The older `valueFileSecrets` come before `valuesFrom`. Source: `GetValuesFromSources` in the Helm Operator's API.
pub(super) fn operator_release(document: &ValuesDocument) -> ValuesHome {
    let spec = &document.value["spec"];
    let name = HomeName::of(&document.value);
    let of_chart = &spec["chart"];
    let chart = match of_chart["git"].as_str() {
        Some(url) => HomeChart::in_git(&text(&of_chart["path"]), Repository::new(Some(url))),
        None => HomeChart::new(&of_chart["name"], &of_chart["repository"], &of_chart["version"]),
    };
    let mut sources: Vec<_> = chart.own_values().into_iter().collect();
    let secrets = items(&spec["valueFileSecrets"]).map(|secret| text(&secret["name"]));
    sources.extend(secrets.map(|secret| of_key(("Secret", &name.namespace, &secret, VALUES_KEY), None)));
    let of_reference = |reference| of_operator_reference(reference, &name.namespace, &chart);
    sources.extend(items(&spec["valuesFrom"]).map(of_reference));
    sources.push(inline(document));
    let (text, notes) = (document.text, Vec::new());
    ValuesHome { name: Some(name), text, chart, is_possible: false, sources, notes }
}

/// The key of a `ConfigMap` or a Secret with values, unless another one is named.
const VALUES_KEY: &str = "values.yaml";

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn inline(document: &ValuesDocument) -> ValuesSource {
    let path = FieldPath::keys(&["spec", "values"]);
    let values = document.value["spec"]["values"].clone();
    ValuesSource::read("spec.values", values, document.text, Seat::Map { place: document.place.clone(), path })
}

/// The chart of a release, and the files of values that belong to it.
fn chart(spec: &Value, home: &ValuesDocument, all: &[ValuesDocument]) -> (HomeChart, Vec<ValuesSource>) {
    let template = &spec["chart"]["spec"];
    if template["chart"].is_string() {
        return of_template(template, home, all);
    }
    let Some(found) = referred(all, home, &spec["chartRef"]) else { return (HomeChart::default(), Vec::new()) };
    let spec = &found.value["spec"];
    match found.value["kind"].as_str() {
        Some("OCIRepository") => {
            let reference = &spec["ref"];
            let version = if reference["tag"].is_string() { &reference["tag"] } else { &reference["semver"] };
            (HomeChart::new(&last_part(&text(&spec["url"])).into(), &spec["url"], version), Vec::new())
        }
        _ => of_template(spec, found, all),
    }
}

/// The chart that a `HelmChart` of Flux, or the template of one, names. Its `valuesFiles` take the place of the chart's
/// own `values.yaml`.
fn of_template(template: &Value, home: &ValuesDocument, all: &[ValuesDocument]) -> (HomeChart, Vec<ValuesSource>) {
    let url = referred(all, home, &template["sourceRef"]).map_or(&Value::Null, |found| &found.value["spec"]["url"]);
    let kind = template["sourceRef"]["kind"].as_str();
    let (chart, base) = match kind {
        Some("GitRepository") => {
            let repository = Repository::new(url.as_str());
            let base = FileBase::Repository(repository.clone());
            (HomeChart::in_git(&text(&template["chart"]), repository), base)
        }
        // The chart is a path in it, which names nothing.
        Some("Bucket") => (HomeChart::default(), FileBase::Chart),
        _ => (HomeChart::new(&template["chart"], url, &template["version"]), FileBase::Chart),
    };
    let file = |name: &Value| {
        let name = text(name);
        let content = match normalized(&name) {
            Some(path) => SourceContent::File(FileReference { path, base: base.clone() }),
            None => SourceContent::Unread("it leads out of the repository".to_owned()),
        };
        ValuesSource { origin: format!("spec.chart.spec.valuesFiles {name}"), content, below: None }
    };
    let mut files: Vec<_> = items(&template["valuesFiles"]).map(file).collect();
    if files.is_empty() {
        files.extend(chart.own_values());
    }
    (chart, files)
}

fn of_reference(reference: &Value, namespace: &str) -> ValuesSource {
    let key = reference["valuesKey"].as_str().unwrap_or(VALUES_KEY);
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

fn of_operator_reference(reference: &Value, home: &str, chart: &HomeChart) -> ValuesSource {
    for (field, kind) in [("configMapKeyRef", "ConfigMap"), ("secretKeyRef", "Secret")] {
        let key = &reference[field];
        if key.is_object() {
            let namespace = key["namespace"].as_str().unwrap_or(home);
            let of_key_name = key["key"].as_str().unwrap_or(VALUES_KEY);
            return of_key((kind, namespace, &text(&key["name"]), of_key_name), None);
        }
    }
    if reference["chartFileRef"].is_object() {
        let path = text(&reference["chartFileRef"]["path"]);
        let origin = format!("spec.valuesFrom {path}");
        return match normalized(&path) {
            Some(path) => {
                let in_chart = || FileReference { path: path.clone(), base: FileBase::Chart };
                let file = chart.directory.as_ref().map_or_else(in_chart, |directory| directory.below(&path));
                ValuesSource { origin, content: SourceContent::File(file), below: None }
            }
            None => ValuesSource::unread(origin, "it leads out of the chart"),
        };
    }
    let url = text(&reference["externalSourceRef"]["url"]);
    ValuesSource::unread(format!("spec.valuesFrom {url}"), "a URL")
}
