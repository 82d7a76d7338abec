//! Helm values as text, in each home that they have: values files, and manifests of Argo CD, Flux, k3s and Kustomize.
//!
//! A document with `apiVersion` and `kind` is a known home or it is refused; keys are never added at its root.

mod argo;
mod document;
mod documents;
mod edits;
mod flux;
mod foreign;
mod given;
mod home;
mod k3s;
mod kustomize;
mod layers;
mod patches;
mod plain;
mod repository;
mod set;
mod source;
mod templates;

use super::manifest;
use super::mask;
use crate::model::FieldPath;
use crate::yaml;

pub(crate) use document::ValuesDocument;
pub(crate) use documents::{may_have, resolve};
pub(crate) use edits::{Refusal, edited};
pub(crate) use foreign::Refused;
pub(crate) use given::{Clash, alike, assigned};
pub(crate) use home::{HomeChart, HomeName, ValuesHome};
pub(crate) use layers::{Decided, Misplaced, decided, merged, placed};
pub(crate) use repository::{RepositoryProof, local, remotes};
pub(crate) use source::{FileBase, FileReference, Seat, SourceContent, ValuesSource};
pub(crate) use templates::{has_template_key, is_template};

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
    pub documents: Vec<ValuesDocument>,
    /// What is neither a home nor values.
    pub refused: Vec<Refused>,
    /// Indices of the texts that are values files.
    pub plain: Vec<usize>,
    /// Documents that cannot be read.
    pub broken: Vec<Refusal>,
    /// Documents that cannot be read, and may be a home, templates among them.
    pub suspects: Vec<Refusal>,
}

/// The homes of values in the texts. The command line names the first `given` of them.
pub(crate) fn find(texts: &[NamedText], given: usize) -> FoundHomes {
    let mut found = FoundHomes::default();
    for (index, named) in texts.iter().copied().enumerate() {
        match foreign::text(index, named.name, named.text) {
            Some(refused) => found.refused.push(refused),
            None => found.text(index, named, index < given),
        }
    }
    let documents = std::mem::take(&mut found.documents);
    for document in &documents {
        found.document(document, &documents);
    }
    found.documents = documents;
    for home in &mut found.homes {
        resolve(home, &found.documents);
    }
    found
}

/// The index of a home among all homes, after more texts were read. A patch and a `HelmChartConfig` are then sources of
/// the object that they belong to.
pub(crate) fn again(before: &[ValuesHome], index: usize, after: &[ValuesHome]) -> Option<usize> {
    let home = before.get(index)?;
    let is_it = |other: &ValuesHome| other.text == home.text && other.name == home.name;
    let earlier = before[..index].iter().filter(|other| is_it(other)).count();
    let positions = |is_it: &dyn Fn(&ValuesHome) -> bool| {
        let all = after.iter().enumerate().filter(|(_, other)| is_it(other));
        all.map(|(index, _)| index).collect::<Vec<_>>()
    };
    let is_owner = |other: &ValuesHome| match (&home.name, &other.name) {
        (Some(name), Some(other)) => name.is_of(other),
        _ => false,
    };
    let same = positions(&is_it).into_iter().nth(earlier);
    same.or_else(|| positions(&is_owner).into_iter().next())
}

/// The kinds of homes, and the key of one without a kind: words that a document must have to be one.
const WORDS: [&str; 5] = ["Application", "HelmRelease", "HelmChart", "Kustomization", "helmCharts"];

impl FoundHomes {
    /// Takes the documents of a text. A text without any is a values file.
    fn text(&mut self, index: usize, NamedText { name, text }: NamedText, is_given: bool) {
        // Helm's output is not a manifest, and its header may be no YAML.
        let located = if has_header(text) { Vec::new() } else { manifest::located(text) };
        if located.is_empty() {
            self.plain.push(index);
        }
        for located in located {
            let (range, cannot) = match located {
                Ok(manifest::LocatedDocument { value, place }) => {
                    self.documents.push(ValuesDocument { text: index, file: name.to_owned(), is_given, value, place });
                    continue;
                }
                Err(broken) => broken,
            };
            let document = &text[range];
            if document.contains("kind") && WORDS.iter().any(|word| document.contains(word)) {
                self.suspects.push((index, cannot.clone()));
            }
            match document.contains("{{") {
                true => self.refused.push(foreign::template(index, cannot.line, document)),
                false => self.broken.push((index, cannot)),
            }
        }
    }

    fn document(&mut self, document: &ValuesDocument, all: &[ValuesDocument]) {
        let Some(mut homes) = homes(document, all) else {
            return match foreign::document(document) {
                Some(refused) => self.refused.push(refused),
                None if self.plain.contains(&document.text) => {}
                None => self.plain.push(document.text),
            };
        };
        if homes.is_empty() && !patches::is_patch(&document.value) {
            self.refused.push(foreign::without_chart(document));
        }
        for home in &mut homes {
            patches::add(home, document, all);
        }
        self.homes.extend(homes);
    }
}

/// The homes in a document. `None` if it is of no kind of homes.
fn homes(document: &ValuesDocument, all: &[ValuesDocument]) -> Option<Vec<ValuesHome>> {
    if !document.is_object() {
        let is_it = kustomize::is_kustomization(&document.file, &document.value);
        return is_it.then(|| kustomize::kustomization(document));
    }
    // A patch of an object that is there is one of its sources.
    let is_patched =
        |other: &ValuesDocument| !patches::is_patch(&other.value) && patches::is_same(&other.value, &document.value);
    if patches::is_patch(&document.value) && all.iter().any(is_patched) {
        return Some(Vec::new());
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
    let (chart, notes) = (HomeChart::default(), Vec::new());
    Ok(ValuesHome { name: None, text, chart, is_possible: false, sources, notes })
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
fn in_text(document: &ValuesDocument, path: &FieldPath, inner: &str) -> ValuesSource {
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
