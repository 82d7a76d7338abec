//! Argo CD: Application and `ApplicationSet`.
//!
//! Of the values of a chart, `parameters` beat `valuesObject`, which beats `values`, which beats `valueFiles`; a later
//! file wins. `values` are ignored where `valuesObject` is set. With `forceString`, and from a file, a parameter is
//! set after the others. Source: Argo CD's user guide, Helm, "Value precedence"; `helm template` orders `--set`,
//! `--set-string` and `--set-file`.

use serde_json::Value;

use super::document::ValuesDocument;
use super::home::{HomeChart, HomeName, ValuesHome, last_part};
use super::repository::Repository;
use super::source::{FileBase, FileReference, ParameterKind, Seat, SourceContent, ValuesSource, normalized};
use super::{in_text, is_template, set};
use crate::model::{FieldPath, Segment};

/// The homes of an Application: one for each source that renders a chart.
pub(super) fn application(document: &ValuesDocument) -> Vec<ValuesHome> {
    homes(document, &FieldPath::keys(&["spec"]))
}

/// The homes of an `ApplicationSet`: those of its template.
pub(super) fn application_set(document: &ValuesDocument) -> Vec<ValuesHome> {
    let mut homes = homes(document, &FieldPath::keys(&["spec", "template", "spec"]));
    let spec = &document.value["spec"];
    let patch = spec["templatePatch"].as_str().is_some_and(|patch| patch.contains("helm"));
    for home in &mut homes {
        if patch {
            let why = "a template that is merged over the Application";
            home.sources.push(ValuesSource::unread("spec.templatePatch", why));
        }
        if generates_helm(&spec["generators"]) {
            let why = "the template of a generator, which is merged over the Application";
            home.sources.push(ValuesSource::unread("spec.generators", why));
        }
    }
    homes
}

/// Whether a generator has a template of its own with values.
fn generates_helm(generators: &Value) -> bool {
    match generators {
        Value::Array(items) => items.iter().any(generates_helm),
        Value::Object(map) => map.iter().any(|(key, value)| match key.as_str() {
            "template" => ["source", "sources"].iter().any(|source| !value["spec"][*source].is_null()),
            _ => generates_helm(value),
        }),
        _ => false,
    }
}

fn homes(document: &ValuesDocument, spec: &FieldPath) -> Vec<ValuesHome> {
    let Some(there) = spec.get(&document.value) else { return Vec::new() };
    let single = there["source"].is_object().then(|| spec.then(Segment::Key("source".to_owned())));
    let several = there["sources"].as_array().map_or(0, Vec::len);
    let sources = spec.then(Segment::Key("sources".to_owned()));
    // Argo CD ignores `source` if there are `sources`.
    let paths: Vec<FieldPath> = match several {
        0 => single.into_iter().collect(),
        _ => (0..several).map(|index| sources.then(Segment::Index(index))).collect(),
    };
    let all = there["sources"].as_array().map(Vec::as_slice).unwrap_or_default();
    paths.iter().filter_map(|path| home(document, path, all)).collect()
}

/// The keys of a source whose directory is not rendered as a chart.
const OTHER_TOOLS: [&str; 3] = ["directory", "kustomize", "plugin"];

/// The home of one source. `all` are the sources that a `$ref` may name.
fn home(document: &ValuesDocument, path: &FieldPath, all: &[Value]) -> Option<ValuesHome> {
    let source = path.get(&document.value)?;
    let helm = path.then(Segment::Key("helm".to_owned()));
    let is_registry = source["repoURL"].as_str().is_some_and(|url| url.starts_with("oci://"));
    let is_possible = source["chart"].is_null() && !source["helm"].is_object() && !is_registry;
    if is_possible && (!source["path"].is_string() || OTHER_TOOLS.iter().any(|key| !source[*key].is_null())) {
        return None;
    }
    let chart = match (&source["chart"], source["repoURL"].as_str()) {
        (Value::Null, Some(url)) if is_registry => {
            HomeChart::new(&last_part(url).into(), &source["repoURL"], &source["targetRevision"])
        }
        (Value::Null, url) => HomeChart::in_git(source["path"].as_str().unwrap_or_default(), Repository::new(url)),
        (chart, _) => HomeChart::new(chart, &source["repoURL"], &source["targetRevision"]),
    };
    let mut notes = Vec::new();
    let files = files((source, all), &helm);
    let inline = inline(document, source, &helm, files.is_empty(), &mut notes);
    let mut sources: Vec<_> = chart.own_values().into_iter().chain(files).chain(inline).collect();
    sources.extend(parameters(document, source, &helm));
    let name = Some(HomeName::of(&document.value));
    Some(ValuesHome { name, text: document.text, chart, is_possible, sources, notes })
}

fn below(helm: &FieldPath, key: &str) -> FieldPath {
    helm.then(Segment::Key(key.to_owned()))
}

fn files((source, all): (&Value, &[Value]), helm: &FieldPath) -> Vec<ValuesSource> {
    let names = source["helm"]["valueFiles"].as_array().map(Vec::as_slice).unwrap_or_default();
    let file = |name: &Value| {
        let name = name.as_str().unwrap_or_default();
        let content = reference(name, source, all).map_or_else(SourceContent::Unread, SourceContent::File);
        ValuesSource { origin: format!("{} {name}", below(helm, "valueFiles")), content, below: None }
    };
    names.iter().map(file).collect()
}

fn reference(name: &str, source: &Value, all: &[Value]) -> Result<FileReference, String> {
    if is_template(name) {
        return Err("its name is a template".to_owned());
    }
    if name.contains("://") {
        return Err("a URL".to_owned());
    }
    if name.contains(['*', '?']) {
        return Err("a pattern".to_owned());
    }
    let of = |source: &Value| FileBase::Repository(Repository::new(source["repoURL"].as_str()));
    let (path, base) = match (name.strip_prefix('$'), name.strip_prefix('/'), source["path"].as_str()) {
        (Some(name), ..) => {
            let (of_ref, path) = name.split_once('/').ok_or("it names no file")?;
            let named = all.iter().find(|source| source["ref"] == of_ref);
            (path.to_owned(), of(named.ok_or_else(|| format!("no source has the ref {of_ref}"))?))
        }
        (_, _, None) => (name.to_owned(), FileBase::Chart),
        (_, Some(path), _) => (path.to_owned(), of(source)),
        (_, None, Some(directory)) => (format!("{directory}/{name}"), of(source)),
    };
    Ok(FileReference { path: normalized(&path).ok_or("it leads out of the repository")?, base })
}

/// The values in the Application itself. `is_alone` says that no file has values: only then a new map may be added,
/// because it would override what is in the files.
fn inline(
    document: &ValuesDocument,
    source: &Value,
    helm: &FieldPath,
    is_alone: bool,
    notes: &mut Vec<String>,
) -> Option<ValuesSource> {
    let (object, text) = (below(helm, "valuesObject"), below(helm, "values"));
    let place = document.place.clone();
    let has_text = source["helm"]["values"].as_str().is_some_and(|text| !text.trim().is_empty());
    let values = &source["helm"]["valuesObject"];
    match (values.is_null(), source["helm"]["values"].as_str()) {
        (false, _) => {
            if has_text {
                notes.push(format!("{text} has no effect: {object} is set"));
            }
            let seat = Seat::Map { place, path: object.clone() };
            Some(ValuesSource::read(object.to_string(), values.clone(), document.text, seat))
        }
        (true, Some(inner)) if is_alone || has_text => Some(in_text(document, &text, inner)),
        (true, _) => is_alone.then(|| {
            let seat = Seat::Map { place, path: object.clone() };
            ValuesSource::read(object.to_string(), Value::Null, document.text, seat)
        }),
    }
}

/// The parameters: those that Helm reads by type, then those that are always text, then those from files.
fn parameters(document: &ValuesDocument, source: &Value, helm: &FieldPath) -> Vec<ValuesSource> {
    let path = below(helm, "parameters");
    let list = source["helm"]["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut found = Vec::new();
    for kind in ParameterKind::ALL {
        let mut values = Value::Null;
        for parameter in list.iter().filter(|parameter| ParameterKind::new(parameter) == kind) {
            let (name, value) = (parameter["name"].as_str(), parameter["value"].as_str().unwrap_or_default());
            let value = match kind {
                ParameterKind::Typed => set::typed(value),
                ParameterKind::Text => value.into(),
            };
            match name.map(|name| (is_template(name), set::path(name))) {
                Some((false, Some(path))) => set::put(&mut values, &path, value),
                Some((true, _)) => found.push(ValuesSource::unread(path.to_string(), "a name in it is a template")),
                _ => found.push(ValuesSource::unread(path.to_string(), "a name in it is not a path")),
            }
        }
        if !values.is_null() {
            let seat = Seat::Parameters { place: document.place.clone(), path: path.clone(), kind };
            let origin = match kind {
                ParameterKind::Typed => path.to_string(),
                ParameterKind::Text => format!("{path} (forceString)"),
            };
            found.push(ValuesSource::read(origin, values, document.text, seat));
        }
    }
    let files = source["helm"]["fileParameters"].as_array().map(Vec::as_slice).unwrap_or_default();
    for parameter in files {
        let path = parameter["name"].as_str().and_then(set::path);
        let origin = below(helm, "fileParameters").to_string();
        found.push(ValuesSource { below: path, ..ValuesSource::unread(origin, "a value from a file") });
    }
    found
}
