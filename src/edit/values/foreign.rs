//! Files that have or make values, but are not edited: each is refused by its name, with what to do instead.

use serde_json::Value;

use super::document::ValuesDocument;
use super::home::{HomeChart, HomeName, last_part};
use crate::model::FieldPath;

/// A text or document that is not edited.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refused {
    /// The index of the text.
    pub text: usize,
    /// The line, from 1.
    pub line: usize,
    /// What it is: `a Fleet bundle (fleet.yaml)`, `upstream.gloo.solo.io/x`.
    pub what: String,
    pub instead: String,
    /// The values in it, as far as they are known.
    pub values: Value,
    /// The chart of Gloo's that it names, if it names one.
    pub chart: Option<String>,
}

/// The chart of Gloo's that a text names: `chart = "gloo-ee"`, `chart: 'glooe/gloo-ee'`. `None` if it names several.
fn chart_in_text(text: &str) -> Option<String> {
    let lower = text.to_lowercase();
    let name = |(at, word): (usize, &str)| {
        let rest = lower[at + word.len()..].trim_start_matches(['"', '\'', ' ', '\t']);
        let value = rest.strip_prefix([':', '='])?.trim_start_matches(['"', '\'', ' ', '\t']);
        let is_part = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
        Some(last_part(&value[..value.find(|c| !is_part(c)).unwrap_or(value.len())]))
    };
    only_gloos(lower.match_indices("chart").filter_map(name))
}

/// The chart of Gloo's that a value names in a field `chart`.
fn chart_in_value(value: &Value) -> Option<String> {
    fn walk(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| walk(item, found)),
            Value::Object(map) => {
                for (key, value) in map {
                    match value.as_str().filter(|_| key.eq_ignore_ascii_case("chart")) {
                        Some(chart) => found.push(last_part(chart)),
                        None => walk(value, found),
                    }
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, &mut found);
    only_gloos(found.into_iter())
}

fn only_gloos(names: impl Iterator<Item = String>) -> Option<String> {
    let mut gloos: Vec<_> = names.filter(|name| HomeChart::is_gloos(name)).collect();
    gloos.dedup();
    if gloos.len() == 1 { gloos.pop() } else { None }
}

/// Why a file is refused: what it is, and what to do instead.
struct Kind {
    what: &'static str,
    instead: &'static str,
    /// The path of values in it.
    values: &'static [&'static str],
}

const FLEET: Kind = Kind {
    what: "a Fleet bundle",
    instead: "add the values to helm.values, or to a file of helm.valuesFiles, which --values edits",
    values: &["helm", "values"],
};
const HELMFILE: Kind = Kind {
    what: "a helmfile",
    instead: "add the values to a file that the release's values name, which --values edits",
    values: &[],
};
const TERRAFORM: Kind = Kind {
    what: "Terraform",
    instead: "add the values to those of the helm_release, or to a file that it reads, which --values edits",
    values: &[],
};
const CDK: Kind = Kind {
    what: "the output of a CDK or of CloudFormation",
    instead: "add the values to the chart in the program that makes this file",
    values: &[],
};
const PULUMI: Kind =
    Kind { what: "a Pulumi program", instead: "add the values to the Release or Chart resource", values: &[] };
const CHART: Kind =
    Kind { what: "the description of a chart (Chart.yaml)", instead: "name the file of its values", values: &[] };
const PROGRAM: Kind = Kind {
    what: "a program",
    instead: "add the values to the chart in it, or name the file of its values",
    values: &[],
};
const TEMPLATE: Kind =
    Kind { what: "a template", instead: "add the values to the template, or edit what it renders to", values: &[] };

/// The kind of a file by its name or its text, if it is no YAML or would be misread as values.
fn of_text(file: &str, text: &str) -> Option<&'static Kind> {
    let name = file.rsplit('/').next().unwrap_or(file);
    let ends = |endings: &[&str]| endings.iter().any(|ending| name.ends_with(ending));
    let starts = |words: &[&str]| text.lines().any(|line| words.iter().any(|word| line.starts_with(word)));
    if ends(&[".tf", ".tf.json", ".tfvars", ".hcl"]) || starts(&["resource \"", "module \"", "terraform {"]) {
        return Some(&TERRAFORM);
    }
    if name.starts_with("helmfile.") {
        return Some(&HELMFILE);
    }
    if ends(&[".ts", ".js", ".py", ".go", ".java", ".cs", ".kt", ".jsonnet", ".cue", ".dhall", ".ncl", ".nix", ".sh"]) {
        return Some(&PROGRAM);
    }
    ends(&[".gotmpl", ".tmpl", ".tpl", ".j2", ".erb", ".mustache"]).then_some(&TEMPLATE)
}

/// The kind of a document that is not an object of Kubernetes.
fn of_value(file: &str, value: &Value) -> Option<&'static Kind> {
    let name = file.rsplit('/').next().unwrap_or(file);
    let helm = &value["helm"];
    let has_chart = ["chart", "repo", "releaseName", "values", "valuesFiles", "valuesFrom"];
    if matches!(name, "fleet.yaml" | "fleet.yml") || has_chart.iter().any(|key| !helm[*key].is_null()) {
        return Some(&FLEET);
    }
    let is_release = |release: &Value| release["chart"].is_string();
    if value["releases"].as_array().is_some_and(|releases| releases.iter().any(is_release)) {
        return Some(&HELMFILE);
    }
    let has = |key: &str| value[key].is_object();
    if (has("resource") && has("terraform")) || !value["resource"]["helm_release"].is_null() {
        return Some(&TERRAFORM);
    }
    let is_stack = |resource: &Value| resource["Type"].is_string();
    if value["AWSTemplateFormatVersion"].is_string()
        || value["Resources"].as_object().is_some_and(|resources| resources.values().any(is_stack))
    {
        return Some(&CDK);
    }
    let is_pulumi = |resource: &Value| resource["type"].as_str().is_some_and(|kind| kind.contains(':'));
    if !value["runtime"].is_null() && value["resources"].as_object().is_some_and(|all| all.values().any(is_pulumi)) {
        return Some(&PULUMI);
    }
    let is_chart = value["apiVersion"].is_string() && value["name"].is_string() && value["version"].is_string();
    is_chart.then_some(&CHART)
}

/// Whether a text is refused as a whole.
pub(super) fn text(index: usize, file: &str, text: &str) -> Option<Refused> {
    let kind = of_text(file, text)?;
    Some(Refused {
        text: index,
        line: 1,
        what: kind.what.to_owned(),
        instead: kind.instead.to_owned(),
        values: Value::Null,
        chart: chart_in_text(text),
    })
}

/// The refusal of a template that cannot be read as YAML.
pub(super) fn template(index: usize, line: usize, text: &str) -> Refused {
    let Kind { what, instead, .. } = TEMPLATE;
    let what = format!("{what} ({{{{ }}}})");
    let chart = chart_in_text(text);
    Refused { text: index, line, what, instead: instead.to_owned(), values: Value::Null, chart }
}

/// Why a document is refused that is neither a home nor values.
pub(super) fn document(document: &ValuesDocument) -> Option<Refused> {
    let line = document.place.line();
    if document.is_object() {
        return Some(object(document, line));
    }
    let kind = of_value(&document.file, &document.value)?;
    let values = FieldPath::keys(kind.values).get(&document.value).filter(|_| !kind.values.is_empty());
    let values = values.cloned().unwrap_or_default();
    let (what, instead) = (kind.what.to_owned(), kind.instead.to_owned());
    Some(Refused { text: document.text, line, what, instead, values, chart: chart_in_value(&document.value) })
}

/// The refusal of a home that renders no chart.
pub(super) fn without_chart(document: &ValuesDocument) -> Refused {
    let is_object = document.is_object();
    let what = if is_object { HomeName::of(&document.value).to_string() } else { "a kustomization".to_owned() };
    Refused {
        text: document.text,
        line: document.place.line(),
        what: format!("{what}, which renders no chart"),
        instead: "give the manifest that installs Gloo's chart".to_owned(),
        values: Value::Null,
        chart: None,
    }
}

/// Advice for objects that people take for a home of values.
const OBJECTS: [(&str, &str, &str); 7] = [
    ("", "Secret", "add the values to the file or tool that makes the Secret"),
    ("bitnami.com", "SealedSecret", "add the values to the Secret, and seal it again with kubeseal"),
    ("external-secrets.io", "ExternalSecret", "add the values in the store that it reads"),
    ("", "ConfigMap", "give the HelmRelease that reads it as well: --values FILE, repeated"),
    ("source.toolkit.fluxcd.io", "HelmChart", "give the HelmRelease instead"),
    ("kustomize.toolkit.fluxcd.io", "Kustomization", "give the HelmRelease that it applies instead"),
    ("helm.crossplane.io", "Release", "add the values to spec.forProvider.values"),
];

fn object(document: &ValuesDocument, line: usize) -> Refused {
    let name = HomeName::of(&document.value);
    let known = OBJECTS.iter().find(|(group, kind, _)| *group == name.group && *kind == name.kind);
    let usual = "its values are not known: give the manifest that installs Gloo's chart, or a values file";
    Refused {
        text: document.text,
        line,
        what: name.to_string(),
        instead: known.map_or(usual, |(_, _, instead)| instead).to_owned(),
        values: Value::Null,
        chart: chart_in_value(&document.value["spec"]),
    }
}
