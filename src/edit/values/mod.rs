//! Helm values as text, in each home that they have: values files, and manifests of Argo CD, Flux, k3s and Kustomize.
//!
//! A document with `apiVersion` and `kind` is a known home or it is refused; keys are never added at its root.

mod argo;
mod document;
mod documents;
mod edits;
mod flux;
mod foreign;
mod home;
mod k3s;
mod kustomize;
mod layers;
mod plain;
mod set;

use super::manifest;
use super::mask;
use crate::model::FieldPath;
use crate::yaml;

pub(crate) use document::Document;
pub(crate) use documents::{may_have, resolve};
pub(crate) use edits::{Refusal, edited};
pub(crate) use foreign::Refused;
pub(crate) use home::{FileBase, FileReference, HomeChart, HomeName, Seat, SourceContent, ValuesHome, ValuesSource};
pub(crate) use layers::{Decided, Misplaced, decided, merged, placed};

/// A text with the name of its file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NamedText<'t> {
    pub name: &'t str,
    pub text: &'t str,
}

/// What texts contain.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct FoundHomes {
    pub homes: Vec<ValuesHome>,
    pub documents: Vec<Document>,
    /// What is neither a home nor values.
    pub refused: Vec<Refused>,
    /// Indices of the texts that are values files.
    pub plain: Vec<usize>,
    /// Documents that cannot be read.
    pub broken: Vec<Refusal>,
    /// Documents that cannot be read, and may be a home, templates among them.
    pub suspects: Vec<Refusal>,
}

/// The homes of values in the texts.
pub(crate) fn find(texts: &[NamedText]) -> FoundHomes {
    let mut found = FoundHomes::default();
    for (index, NamedText { name, text }) in texts.iter().copied().enumerate() {
        match foreign::text(index, name, text) {
            Some(refused) => found.refused.push(refused),
            None => found.text(index, text),
        }
    }
    let documents = std::mem::take(&mut found.documents);
    for document in &documents {
        found.document(texts[document.text].name, document, &documents);
    }
    found.documents = documents;
    for home in &mut found.homes {
        resolve(home, &found.documents);
    }
    found
}

/// The kinds of homes, and the key of one without a kind: words that a document must have to be one.
const WORDS: [&str; 5] = ["Application", "HelmRelease", "HelmChart", "Kustomization", "helmCharts"];

impl FoundHomes {
    /// Takes the documents of a text. A text without any is a values file.
    fn text(&mut self, index: usize, text: &str) {
        // Helm's output is not a manifest, and its header may be no YAML.
        let located = if has_header(text) { Vec::new() } else { manifest::located(text) };
        if located.is_empty() {
            self.plain.push(index);
        }
        for located in located {
            let (range, cannot) = match located {
                Ok(manifest::LocatedDocument { value, place }) => {
                    self.documents.push(Document { text: index, value, place });
                    continue;
                }
                Err(broken) => broken,
            };
            let document = &text[range];
            if document.contains("kind") && WORDS.iter().any(|word| document.contains(word)) {
                self.suspects.push((index, cannot.clone()));
            }
            match document.contains("{{") {
                true => self.refused.push(foreign::template(index, cannot.line)),
                false => self.broken.push((index, cannot)),
            }
        }
    }

    fn document(&mut self, file: &str, document: &Document, all: &[Document]) {
        let Some(homes) = homes(file, document, all) else {
            return match foreign::document(file, document) {
                Some(refused) => self.refused.push(refused),
                None if self.plain.contains(&document.text) => {}
                None => self.plain.push(document.text),
            };
        };
        if homes.is_empty() {
            self.refused.push(foreign::without_chart(document));
        }
        self.homes.extend(homes);
    }
}

/// The homes in a document. `None` if it is of no kind of homes.
fn homes(file: &str, document: &Document, all: &[Document]) -> Option<Vec<ValuesHome>> {
    if !document.is_object() {
        return kustomize::is_kustomization(file, &document.value).then(|| kustomize::kustomization(document));
    }
    let HomeName { group, kind, .. } = HomeName::of(&document.value);
    Some(match (group.as_str(), kind.as_str()) {
        ("argoproj.io", "Application") => argo::application(document),
        ("argoproj.io", "ApplicationSet") => argo::application_set(document),
        ("helm.toolkit.fluxcd.io", "HelmRelease") => vec![flux::release(document, all)],
        ("helm.fluxcd.io", "HelmRelease") => vec![flux::operator_release(document)],
        ("helm.cattle.io", "HelmChart") => vec![k3s::chart(document, all)],
        // If its HelmChart is there, it is a source of that.
        ("helm.cattle.io", "HelmChartConfig") => k3s::config(document, all).into_iter().collect(),
        (kustomize::GROUP, "Kustomization") => kustomize::kustomization(document),
        ("", "HelmChartInflationGenerator") => kustomize::generator(document).into_iter().collect(),
        _ => return None,
    })
}

/// The home that values files are together, the last one winning.
///
/// # Errors
/// Which text cannot be read, and why.
pub(crate) fn of_files(texts: &[NamedText], indices: &[usize]) -> Result<ValuesHome, Refusal> {
    let mut sources = Vec::new();
    for index in indices {
        sources.push(of_file(*index, texts[*index])?);
    }
    let text = indices.first().copied().unwrap_or_default();
    Ok(ValuesHome { name: None, text, chart: HomeChart::default(), sources, notes: Vec::new() })
}

/// The source that a values file is.
///
/// # Errors
/// Where the text cannot be read, and why.
pub(crate) fn of_file(index: usize, NamedText { name, text }: NamedText) -> Result<ValuesSource, Refusal> {
    let (start, values) = plain::read(text).map_err(|cannot| (index, cannot))?;
    Ok(ValuesSource::read(name, values, index, Seat::Plain { start }))
}

/// Whether Helm's header stands above the values of a values file. It is not part of them.
pub(crate) fn has_header(text: &str) -> bool {
    plain::header(text) > 0
}

/// The text without Helm's header.
pub(crate) fn without_header(text: &str) -> &str {
    &text[plain::header(text)..]
}

/// The source that YAML text in a field is.
fn in_text(document: &Document, path: &FieldPath, inner: &str) -> ValuesSource {
    let seat = Seat::Text { place: document.place.clone(), path: path.clone() };
    match yaml::parse(inner) {
        Ok(values) if values.is_object() || values.is_null() => {
            ValuesSource::read(path.to_string(), values, document.text, seat)
        }
        Ok(_) => ValuesSource::unread(path.to_string(), "it is not a map"),
        Err(_) if inner.contains("{{") => ValuesSource::unread(path.to_string(), "it is a template ({{ }})"),
        Err(problem) => {
            ValuesSource::unread(path.to_string(), format!("line {} of it: {}", problem.line, problem.message))
        }
    }
}

/// The text with its secrets masked. Helm's header above it is not YAML.
#[must_use]
pub(crate) fn masked(text: &str) -> String {
    let (header, values) = text.split_at(plain::header(text));
    format!("{header}{}", mask::masked_manifest(values))
}

#[cfg(test)]
mod tests;
