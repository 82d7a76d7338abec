//! k3s and RKE2: `HelmChart`, and the `HelmChartConfig` of the same name that is merged over it.
//!
//! `valuesContent`, then `values`, then Secrets; those of the `HelmChartConfig` after those of the `HelmChart`; `set`
//! wins. Source: the pages "Helm" of the docs of K3s and RKE2, and the types of k3s-io/helm-controller.

use serde_json::{Map, Value};

use super::document::Document;
use super::home::{HomeChart, HomeName, Seat, ValuesHome, ValuesSource};
use super::{in_text, set};
use crate::model::FieldPath;

/// The home of a `HelmChart`, with its `HelmChartConfig` if that is there.
pub(super) fn chart(document: &Document, all: &[Document]) -> ValuesHome {
    let spec = &document.value["spec"];
    let name = HomeName::of(&document.value);
    let mut sources = content(document, "spec", true);
    if let Some(config) = all.iter().find(|other| is_pair(other, &name, "HelmChartConfig")) {
        sources.extend(content(config, "HelmChartConfig spec", false));
    }
    sources.extend(pairs(document));
    let chart = HomeChart::new(&spec["chart"], &spec["repo"], &spec["version"]);
    ValuesHome { name: Some(name), text: document.text, chart, sources, notes: Vec::new() }
}

/// The home of a `HelmChartConfig` whose `HelmChart` is not there. `None` if it is: then that is the home.
pub(super) fn config(document: &Document, all: &[Document]) -> Option<ValuesHome> {
    let name = HomeName::of(&document.value);
    if all.iter().any(|other| is_pair(other, &name, "HelmChart")) {
        return None;
    }
    let chart = format!("HelmChart {}", name.name);
    let mut sources = vec![ValuesSource::unread(format!("{chart} spec.valuesContent"), "not in the files")];
    sources.extend(content(document, "spec", true));
    let set = ValuesSource::unread(format!("{chart} spec.set"), "not in the files");
    // Its names are unknown, but parameters are for few values: they are told, and do not stop the change.
    let notes = vec![format!("{} wins over the HelmChartConfig, and was not read", set.origin)];
    Some(ValuesHome { name: Some(name), text: document.text, chart: HomeChart::default(), sources, notes })
}

fn is_pair(other: &Document, name: &HomeName, kind: &str) -> bool {
    let of_other = HomeName::of(&other.value);
    let is_same = |a: &str, b: &str| a == b || a.is_empty() || b.is_empty();
    of_other.kind == kind
        && of_other.group == name.group
        && of_other.name == name.name
        && is_same(&of_other.namespace, &name.namespace)
}

/// The values of one object. `is_main` says that new ones may be added there.
fn content(document: &Document, origin: &str, is_main: bool) -> Vec<ValuesSource> {
    let spec = &document.value["spec"];
    let mut found = Vec::new();
    let text = FieldPath::keys(&["spec", "valuesContent"]);
    if is_main || spec["valuesContent"].is_string() {
        let source = in_text(document, &text, spec["valuesContent"].as_str().unwrap_or_default());
        found.push(ValuesSource { origin: format!("{origin}.valuesContent"), ..source });
    }
    if spec["values"].is_object() {
        let seat = Seat::Map { place: document.place.clone(), path: FieldPath::keys(&["spec", "values"]) };
        found.push(ValuesSource::read(format!("{origin}.values"), spec["values"].clone(), document.text, seat));
    }
    for secret in spec["valuesSecrets"].as_array().into_iter().flatten() {
        let name = secret["name"].as_str().unwrap_or_default();
        found.push(ValuesSource::unread(format!("{origin}.valuesSecrets {name}"), "a Secret"));
    }
    found
}

fn pairs(document: &Document) -> Option<ValuesSource> {
    let path = FieldPath::keys(&["spec", "set"]);
    let pairs = document.value["spec"]["set"].as_object().filter(|pairs| !pairs.is_empty())?;
    let mut values = Value::Object(Map::new());
    for (name, value) in pairs {
        let value = value.as_str().map_or_else(|| value.clone(), set::typed);
        match set::path(name) {
            Some(path) => set::put(&mut values, &path, value),
            None => return Some(ValuesSource::unread("spec.set", "a name in it is not a path")),
        }
    }
    let seat = Seat::Pairs { place: document.place.clone(), path };
    Some(ValuesSource::read("spec.set", values, document.text, seat))
}
