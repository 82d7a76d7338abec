//! k3s and RKE2: `HelmChart`, and the `HelmChartConfig` of the same name that is merged over it.
//!
//! `valuesContent`, then `values`, then Secrets; those of the `HelmChartConfig` after those of the `HelmChart`; `set`
//! wins. Source: the pages "Helm" of the docs of K3s and RKE2, and the types of k3s-io/helm-controller.

use serde_json::{Map, Value};

use super::document::ValuesDocument;
use super::documents::{PickedDocument, pick};
use super::home::{HomeChart, HomeName, ValuesHome};
use super::source::{Seat, ValuesSource};
use super::{in_text, is_template, set};
use crate::model::FieldPath;

/// The home of a `HelmChart`, with its `HelmChartConfig` if that is there.
pub(super) fn chart(document: &ValuesDocument, all: &[ValuesDocument]) -> ValuesHome {
    let spec = &document.value["spec"];
    let name = HomeName::of(&document.value);
    let mut sources = content(document, "spec", true);
    match pair(document, &name, "HelmChartConfig", all) {
        PickedDocument::One(config) => sources.extend(content(config, "HelmChartConfig spec", false)),
        PickedDocument::Several(files) => {
            let why = format!("several objects of this name: {files}");
            sources.push(ValuesSource::unread(format!("HelmChartConfig {}", name.name), why));
        }
        PickedDocument::Nothing => {}
    }
    sources.extend(pairs(document));
    let chart = HomeChart::new(&spec["chart"], &spec["repo"], &spec["version"]);
    let (text, notes) = (document.text, Vec::new());
    ValuesHome { name: Some(name), text, chart, is_possible: false, sources, notes }
}

/// The home of a `HelmChartConfig` whose `HelmChart` is not there. `None` if it is: then that is the home.
pub(super) fn config(document: &ValuesDocument, all: &[ValuesDocument]) -> Option<ValuesHome> {
    let name = HomeName::of(&document.value);
    let why = match pair(document, &name, "HelmChart", all) {
        PickedDocument::One(_) => return None,
        PickedDocument::Several(files) => format!("several objects of this name: {files}"),
        PickedDocument::Nothing => "not in the files".to_owned(),
    };
    let chart = format!("HelmChart {}", name.name);
    let mut sources = vec![ValuesSource::missing(format!("{chart} spec.valuesContent"), why)];
    sources.extend(content(document, "spec", true));
    // Its names are unknown, but parameters are for few values: they are told, and do not stop the change.
    let notes = vec![format!("{chart} spec.set wins over the HelmChartConfig, and was not read")];
    let (text, chart) = (document.text, HomeChart::default());
    Some(ValuesHome { name: Some(name), text, chart, is_possible: false, sources, notes })
}

fn pair<'d>(home: &ValuesDocument, name: &HomeName, kind: &str, all: &'d [ValuesDocument]) -> PickedDocument<'d> {
    let is_it = |object: &Value| {
        let HomeName { group, kind: of_object, .. } = HomeName::of(object);
        of_object == kind && group == name.group
    };
    pick(all, home, (&name.namespace, &name.name), &is_it)
}

/// The values of one object. `is_main` says that new ones may be added there.
fn content(document: &ValuesDocument, origin: &str, is_main: bool) -> Vec<ValuesSource> {
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

fn pairs(document: &ValuesDocument) -> Option<ValuesSource> {
    let path = FieldPath::keys(&["spec", "set"]);
    let pairs = document.value["spec"]["set"].as_object().filter(|pairs| !pairs.is_empty())?;
    let mut values = Value::Object(Map::new());
    for (name, value) in pairs {
        let value = value.as_str().map_or_else(|| value.clone(), set::typed);
        match set::path(name).filter(|_| !is_template(name)) {
            Some(path) => set::put(&mut values, &path, value),
            None => return Some(ValuesSource::unread("spec.set", "a name in it is not a path")),
        }
    }
    let seat = Seat::Pairs { place: document.place.clone(), path };
    Some(ValuesSource::read("spec.set", values, document.text, seat))
}
