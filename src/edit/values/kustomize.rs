//! Kustomize: the `helmCharts` of a kustomization, and the generator that they stand for.
//!
//! `valuesInline` is merged over `valuesFile` (`valuesMerge: override`, the default), under it (`merge`), or takes its
//! place (`replace`). `additionalValuesFiles` win over both. Source: `HelmChart` in Kustomize's `api/types`, and its
//! `HelmChartInflationGenerator`.

use serde_json::Value;

use super::document::ValuesDocument;
use super::home::{HomeChart, HomeName, ValuesHome};
use super::source::{FileBase, FileReference, Seat, SourceContent, ValuesSource, normalized};
use crate::model::{FieldPath, Segment};

/// The group of Kustomize's own kinds.
pub(super) const GROUP: &str = "kustomize.config.k8s.io";

/// The homes of a kustomization: one for each chart.
pub(super) fn kustomization(document: &ValuesDocument) -> Vec<ValuesHome> {
    let charts = document.value["helmCharts"].as_array().map_or(0, Vec::len);
    let path = |index| FieldPath::keys(&["helmCharts"]).then(Segment::Index(index));
    let homes = |value: &Value| value.as_str().unwrap_or("charts").to_owned();
    let chart_home = homes(&document.value["helmGlobals"]["chartHome"]);
    (0..charts).filter_map(|index| home(document, &path(index), &chart_home, "Kustomization")).collect()
}

/// The home of a `HelmChartInflationGenerator`.
pub(super) fn generator(document: &ValuesDocument) -> Option<ValuesHome> {
    let chart_home = document.value["chartHome"].as_str().unwrap_or("charts");
    home(document, &FieldPath::root(), chart_home, "HelmChartInflationGenerator")
}

/// Whether the value is a kustomization, with or without `apiVersion` and `kind`.
pub(super) fn is_kustomization(file: &str, value: &Value) -> bool {
    if value["kind"].is_string() {
        return HomeName::of(value).group == GROUP;
    }
    let name = file.rsplit('/').next().unwrap_or(file);
    let is_named = matches!(name, "kustomization.yaml" | "kustomization.yml" | "Kustomization");
    value.is_object() && (is_named || value["helmCharts"].is_array())
}

/// The home of one chart. Without `repo`, the chart is in `chart_home`.
fn home(document: &ValuesDocument, path: &FieldPath, chart_home: &str, kind: &str) -> Option<ValuesHome> {
    let chart = path.get(&document.value)?;
    let directory = || {
        let path = normalized(&format!("{chart_home}/{}", chart["name"].as_str()?))?;
        chart["repo"].is_null().then_some(FileReference { path, base: FileBase::Directory(document.text) })
    };
    let of_chart =
        HomeChart { directory: directory(), ..HomeChart::new(&chart["name"], &chart["repo"], &chart["version"]) };
    let below = |key: &str| path.then(Segment::Key(key.to_owned()));
    let file = |name: &Value, key: &str| {
        let name = name.as_str()?;
        let base = FileBase::Directory(document.text);
        let content = match normalized(name) {
            _ if name.contains("://") => SourceContent::Unread("a URL".to_owned()),
            Some(path) => SourceContent::File(FileReference { path, base: base.clone() }),
            None => SourceContent::Unread("it is outside of the kustomization's directory".to_owned()),
        };
        Some(ValuesSource { origin: format!("{} {name}", below(key)), content, below: None })
    };
    let merge = chart["valuesMerge"].as_str().unwrap_or("override");
    let values = chart["valuesInline"].clone();
    let has_inline = values.as_object().is_some_and(|map| !map.is_empty());
    let file_is_used = !(has_inline && merge == "replace");
    let values_file = file(&chart["valuesFile"], "valuesFile").filter(|_| file_is_used);
    let mut sources: Vec<_> = values_file.into_iter().collect();
    // A new map would be another file's values, or take their place: it is only added where there is no file.
    if has_inline || sources.is_empty() {
        let seat = Seat::Map { place: document.place.clone(), path: below("valuesInline") };
        let inline = ValuesSource::read(below("valuesInline").to_string(), values, document.text, seat);
        let at = if merge == "merge" { 0 } else { sources.len() };
        sources.insert(at, inline);
    }
    // The chart's own values take the place of a file.
    let own = of_chart.own_values().filter(|_| chart["valuesFile"].is_null() && file_is_used);
    match (merge == "merge", own) {
        (true, None) if chart["valuesFile"].is_null() => {
            let why = "it wins over valuesInline with valuesMerge: merge";
            sources.push(ValuesSource::unread("the chart's own values.yaml", why));
        }
        (true, own) => sources.extend(own),
        (false, own) => sources.splice(0..0, own).for_each(drop),
    }
    let more = chart["additionalValuesFiles"].as_array().into_iter().flatten();
    sources.extend(more.filter_map(|name| file(name, "additionalValuesFiles")));
    let name = ["releaseName", "name"].iter().find_map(|key| chart[*key].as_str()).unwrap_or_default();
    let name = HomeName {
        group: GROUP.to_owned(),
        kind: kind.to_owned(),
        namespace: chart["namespace"].as_str().unwrap_or_default().to_owned(),
        name: name.to_owned(),
    };
    let (text, notes) = (document.text, Vec::new());
    Some(ValuesHome { name: Some(name), text, chart: of_chart, is_possible: false, sources, notes })
}

/// The file of a generated `ConfigMap`'s key, if the kustomization generates this one: `KEY=PATH`, or `PATH`.
pub(super) fn generated(document: &ValuesDocument, name: &str, key: &str) -> Option<FileReference> {
    let generators = document.value["configMapGenerator"].as_array()?;
    let generator = generators.iter().find(|generator| generator["name"] == name)?;
    let files = generator["files"].as_array()?.iter().filter_map(Value::as_str);
    let mut paths = files.map(|file| {
        let usual = || (file.rsplit('/').next().unwrap_or(file), file);
        file.split_once('=').unwrap_or_else(usual)
    });
    let (_, path) = paths.find(|(of_file, _)| *of_file == key)?;
    Some(FileReference { path: normalized(path)?, base: FileBase::Directory(document.text) })
}
