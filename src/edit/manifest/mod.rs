//! Manifests as text: finds the objects in a text, and edits them without any other change.
//!
//! A text is a YAML stream, JSON, or both. Each document is parsed separately. The text of an edit is made from the
//! positions of the nodes (`place`), in the style of their neighbours (`style`). An edit is accepted only if the
//! document then reads exactly as [`super::json::apply`] says. Every other edit is refused, with the change to make by
//! hand.

mod anchors;
mod comments;
mod cut;
mod guess;
mod items;
mod located;
mod members;
mod place;
mod renamed;
mod scalar;
mod split;
mod steps;
mod style;

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

pub(crate) use comments::lost_comments;
pub(crate) use items::{insert_item, remove_item};
pub(crate) use located::{LocatedDocument, located};
pub(crate) use members::{ManifestObject, members, objects};

use self::place::{Task, task};
use self::split::TextDocument;
use self::steps::reads_as;
use super::encrypted::{self, Encryption};
use super::{Edit, Op};
use crate::model::FieldPath;
use crate::yaml;

/// The place of an object in a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ManifestPlace {
    document: TextDocument,
    /// The path inside the document: empty, or an item of a `List`.
    item: FieldPath,
}

impl ManifestPlace {
    /// The line on which the object's document starts, from 1.
    #[must_use]
    pub(crate) fn line(&self) -> usize {
        self.document.line
    }
}

/// A range of the text and its replacement. Nothing outside the range changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Splice {
    pub range: Range<usize>,
    pub replacement: String,
}

/// Why an object cannot be edited in its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unsafe {
    /// The line in the whole text, from 1.
    pub line: usize,
    pub why: String,
    /// The change to make by hand, line by line.
    pub manual: Vec<String>,
}

/// The edits of one object.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job<'j> {
    pub place: &'j ManifestPlace,
    pub edits: &'j [Edit],
    /// The object as it was read from this text, if the caller still has it: its document is then not parsed again.
    pub object: Option<&'j Value>,
}

impl<'j> Job<'j> {
    /// The whole document, if that is the object.
    fn document(&self) -> Option<&'j Value> {
        self.object.filter(|_| self.place.item == FieldPath::root())
    }
}

/// The one splice of the text that applies these edits to the object.
///
/// # Errors
/// Why the edit is not safe, and the change to make by hand.
#[allow(clippy::missing_panics_doc, reason = "edit_all answers each job")]
pub(crate) fn edit(text: &str, place: &ManifestPlace, edits: &[Edit]) -> Result<Splice, Unsafe> {
    edit_all(text, &[Job { place, edits, object: None }]).pop().expect("one answer for each job")
}

/// The splices for many objects of one text, one result for each job. A `List` with many objects is parsed once.
pub(crate) fn edit_all(text: &str, jobs: &[Job]) -> Vec<Result<Splice, Unsafe>> {
    if let Some(by) = encryption(text) {
        let why = format!("{by}; {}", by.advice());
        return jobs.iter().map(|job| Err(refusal(job, job.place.line(), &why))).collect();
    }
    let same = |a: &Job, b: &Job| a.place.document == b.place.document;
    jobs.chunk_by(same).flat_map(|jobs| edit_document(text, jobs)).collect()
}

/// The documents of a text that can be read.
#[must_use]
pub(crate) fn values(text: &str) -> Vec<Value> {
    let mut stream = yaml::aliases::Stream::default();
    split::documents(text).into_iter().filter_map(|document| stream.parse(&text[document.range]).ok()).collect()
}

/// The encryption of a text: as a whole, or of one of its documents.
pub(crate) fn encryption(text: &str) -> Option<Encryption> {
    // Most texts have neither mark, and are not parsed.
    let may_be = text.contains("sops") || text.contains("ENC[");
    let of_a_document = || may_be.then(|| values(text).iter().find_map(encrypted::of_document)).flatten();
    encrypted::of_bytes(text.as_bytes()).or_else(of_a_document)
}

/// The ranges of the documents of a text.
pub(crate) fn documents(text: &str) -> Vec<Range<usize>> {
    split::documents(text).into_iter().map(|document| document.range).collect()
}

/// The place of the only document of a text; `None` if there are several or none.
#[must_use]
pub(crate) fn whole(text: &str) -> Option<ManifestPlace> {
    let mut documents = split::documents(text);
    let document = documents.pop()?;
    documents.is_empty().then(|| ManifestPlace { document, item: FieldPath::root() })
}

/// The splice that removes the whole document of a place; `None` if it contains more than the object.
#[must_use]
pub(crate) fn without(place: &ManifestPlace) -> Option<Splice> {
    let is_alone = place.item == FieldPath::root();
    is_alone.then(|| Splice { range: place.document.range.clone(), replacement: String::new() })
}

/// The splice that appends a document; `None` if the text is JSON, which has only one document.
#[must_use]
pub(crate) fn appended(text: &str, document: &Value) -> Option<Splice> {
    if text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let marker = match text.trim().is_empty() {
        true => "",
        false if text.ends_with('\n') => "---\n",
        false => "\n---\n",
    };
    let mut replacement = format!("{marker}{}", yaml::write(document));
    if text.contains("\r\n") {
        replacement = replacement.replace('\n', "\r\n");
    }
    Some(Splice { range: text.len()..text.len(), replacement })
}

/// The line on which the value at a path of an object is, from 1: that of its key. In a block scalar, line N of the
/// value is N lines below.
pub(crate) fn line_of(text: &str, place: &ManifestPlace, path: &FieldPath) -> usize {
    let slice = &text[place.document.range.clone()];
    let at = yaml::outline(slice).ok().flatten().and_then(|root| anchors::offset(&root, &place.item.join(path)));
    place.document.line + slice[..at.unwrap_or(0)].matches('\n').count()
}

/// The object at a place.
#[must_use]
pub(crate) fn value_at(text: &str, place: &ManifestPlace) -> Option<Value> {
    let value = yaml::parse(text.get(place.document.range.clone())?).ok()?;
    place.item.get(&value).cloned()
}

/// Applies splices that do not overlap, in any order.
#[must_use]
pub(crate) fn splice(text: &str, splices: &[Splice]) -> String {
    let mut sorted: Vec<_> = splices.iter().collect();
    sorted.sort_by_key(|splice| splice.range.start);
    let mut after =
        String::with_capacity(text.len() + splices.iter().map(|splice| splice.replacement.len()).sum::<usize>());
    let mut at = 0;
    for splice in sorted {
        let start = splice.range.start.max(at);
        after.push_str(&text[at..start]);
        after.push_str(&splice.replacement);
        at = splice.range.end.max(start);
    }
    after.push_str(&text[at..]);
    after
}

fn edit_document(text: &str, jobs: &[Job]) -> Vec<Result<Splice, Unsafe>> {
    let document = &jobs[0].place.document;
    let slice = &text[document.range.clone()];
    let jobs: Vec<(Vec<Edit>, &Job)> = jobs.iter().map(|job| (from_top(job), job)).collect();
    let read = match jobs[0].1.document() {
        Some(value) => Ok(Cow::Borrowed(value)),
        None => yaml::parse(slice).map(Cow::Owned),
    };
    let value = match read {
        Ok(value) => value,
        Err(problem) => {
            return jobs
                .iter()
                .map(|(_, job)| Err(refusal(job, document.line + problem.line.saturating_sub(1), &problem.message)))
                .collect();
        }
    };
    if let [_, _, ..] = jobs[..] {
        if let Some(cuts) = together(slice, &value, &jobs) {
            return cuts.into_iter().map(|cut| Ok(splice_of(slice, document.range.start, &cut))).collect();
        }
        if jobs.len() > 1 {
            return halves(text, &jobs);
        }
    }
    jobs.iter()
        .map(|(edits, job)| {
            let after = steps::edited(slice, &value, edits)
                .map_err(|(lines, why)| refusal(job, document.line + lines, &why))?;
            Ok(splice_of(slice, document.range.start, &Splice { range: 0..slice.len(), replacement: after }))
        })
        .collect()
}

/// Jobs that cannot be done together are done for each half, so that an unsafe object refuses only its own job.
fn halves(text: &str, jobs: &[(Vec<Edit>, &Job)]) -> Vec<Result<Splice, Unsafe>> {
    let jobs: Vec<Job> = jobs.iter().map(|(_, job)| **job).collect();
    let (first, second) = jobs.split_at(jobs.len() / 2);
    let mut answers = edit_document(text, first);
    answers.extend(edit_document(text, second));
    answers
}

/// The edits of a job, with paths from the top of its document.
fn from_top(job: &Job) -> Vec<Edit> {
    let located = |edit: &Edit| Edit { path: job.place.item.join(&edit.path), op: edit.op.clone() };
    job.edits.iter().map(located).collect()
}

/// A splice for each job, if all of them together give the planned document.
fn together(slice: &str, value: &Value, jobs: &[(Vec<Edit>, &Job)]) -> Option<Vec<Splice>> {
    let root = yaml::outline(slice).ok()??;
    let mut chosen = Vec::with_capacity(jobs.len());
    for (edits, _) in jobs {
        let [edit] = &edits[..] else { return None };
        let nothing = Splice { range: 0..0, replacement: String::new() };
        chosen.push(match task(&root, value, edit).ok()? {
            Task::Nothing => nothing,
            task => cut::cuts(slice, &root, &task).into_iter().next()?,
        });
    }
    let mut in_order: Vec<_> =
        chosen.iter().filter(|cut| !(cut.range.is_empty() && cut.replacement.is_empty())).collect();
    in_order.sort_by_key(|cut| cut.range.start);
    if in_order.windows(2).any(|pair| pair[0].range.end > pair[1].range.start) {
        return None;
    }
    let splices: Vec<_> = in_order.iter().map(|cut| splice_of(slice, 0, cut)).collect();
    let all: Vec<Edit> = jobs.iter().flat_map(|(edits, _)| edits.clone()).collect();
    let expected = super::json::apply(value, &all).ok()?;
    reads_as(slice, &splice(slice, &splices), &expected).then_some(chosen)
}

/// The splice without the unchanged text at both ends.
fn splice_of(text: &str, offset: usize, cut: &Splice) -> Splice {
    let old = &text[cut.range.clone()];
    let new = cut.replacement.as_str();
    let prefix = old.char_indices().zip(new.chars()).find(|((_, a), b)| a != b).map(|((at, _), _)| at);
    let prefix = prefix.unwrap_or_else(|| old.len().min(new.len()));
    let (old, new) = (&old[prefix..], &new[prefix..]);
    let suffix: usize =
        old.chars().rev().zip(new.chars().rev()).take_while(|(a, b)| a == b).map(|(a, _)| a.len_utf8()).sum();
    let start = offset + cut.range.start + prefix;
    Splice { range: start..start + old.len() - suffix, replacement: new[..new.len() - suffix].to_owned() }
}

fn refusal(job: &Job, line: usize, why: &str) -> Unsafe {
    Unsafe { line, why: why.to_owned(), manual: job.edits.iter().flat_map(by_hand).collect() }
}

/// The edit as instructions for a person.
fn by_hand(edit: &Edit) -> Vec<String> {
    match &edit.op {
        Op::Remove => vec![format!("remove {}", edit.path)],
        Op::Set(value) => {
            let style = style::Block { step: 2, dash: 0 };
            let lines = style::value_lines(value, 0, style);
            let head = format!("set {} to{}", edit.path, lines[0]);
            std::iter::once(head).chain(lines.into_iter().skip(1)).collect()
        }
    }
}

#[cfg(test)]
mod tests;
