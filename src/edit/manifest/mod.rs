//! Manifests as text: finds the objects in a text, and edits them without any other change.
//!
//! A text is a YAML stream, JSON, or both. Each document is parsed separately. The text of an edit is made from the
//! positions of the nodes (`place`), in the style of their neighbours (`style`). An edit is accepted only if the
//! document then reads exactly as [`super::json::apply`] says. Every other edit is refused, with the change to make by
//! hand.

mod cut;
mod guess;
mod items;
mod members;
mod place;
mod scalar;
mod split;
mod style;

use std::ops::Range;

use serde_json::Value;

pub(crate) use items::{insert_item, remove_item};
pub(crate) use members::{ManifestObject, members, objects};

use self::place::{Task, task};
use self::split::TextDocument;
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
}

/// The one splice of the text that applies these edits to the object.
///
/// # Errors
/// Why the edit is not safe, and the change to make by hand.
#[allow(clippy::missing_panics_doc, reason = "edit_all answers each job")]
pub(crate) fn edit(text: &str, place: &ManifestPlace, edits: &[Edit]) -> Result<Splice, Unsafe> {
    edit_all(text, &[Job { place, edits }]).pop().expect("one answer for each job")
}

/// The splices for many objects of one text, one result for each job. A `List` with many objects is parsed once.
pub(crate) fn edit_all(text: &str, jobs: &[Job]) -> Vec<Result<Splice, Unsafe>> {
    let same = |a: &Job, b: &Job| a.place.document == b.place.document;
    jobs.chunk_by(same).flat_map(|jobs| edit_document(text, jobs)).collect()
}

/// The documents of a text that can be read.
#[must_use]
pub(crate) fn values(text: &str) -> Vec<Value> {
    let mut stream = yaml::aliases::Stream::default();
    split::documents(text).into_iter().filter_map(|document| stream.parse(&text[document.range]).ok()).collect()
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
    let jobs: Vec<(Vec<Edit>, &Job)> = jobs.iter().map(|job| (located(job), job)).collect();
    let value = match yaml::parse(slice) {
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
            let after = one_by_one(slice, &value, edits).map_err(|(at, why)| {
                let line = document.line + slice[..at].matches('\n').count();
                refusal(job, line, &why)
            })?;
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
fn located(job: &Job) -> Vec<Edit> {
    let from_top = |edit: &Edit| Edit { path: job.place.item.join(&edit.path), op: edit.op.clone() };
    job.edits.iter().map(from_top).collect()
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

/// The document after the edits of one job; or the position and the reason of the failure.
fn one_by_one(slice: &str, value: &Value, edits: &[Edit]) -> Result<String, (usize, String)> {
    let mut text = slice.to_owned();
    let mut value = value.clone();
    for edit in edits {
        let expected = super::json::apply(&value, std::slice::from_ref(edit))
            .map_err(|path| (0, format!("{path} leads through a value that is neither a map nor a list")))?;
        if expected != value {
            text = step(&text, &value, edit, &expected)?;
        }
        value = expected;
    }
    Ok(text)
}

fn step(text: &str, value: &Value, edit: &Edit, expected: &Value) -> Result<String, (usize, String)> {
    let root = yaml::outline(text).map_err(|problem| (0, problem.message))?;
    let root = root.ok_or((0, "the document is empty".to_owned()))?;
    let task = task(&root, value, edit).map_err(|why| (root.content, why))?;
    let ways = cut::cuts(text, &root, &task);
    let at = ways.first().map_or(root.content, |cut| cut.range.start);
    ways.into_iter()
        .map(|cut| splice(text, &[splice_of(text, 0, &cut)]))
        .find(|after| reads_as(text, after, expected))
        .ok_or_else(|| (at, "no change of the text gives the planned result".to_owned()))
}

/// Whether the text reads as planned. A document that was JSON must stay JSON.
fn reads_as(before: &str, after: &str, expected: &Value) -> bool {
    let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
    yaml::parse(after).as_ref() == Ok(expected)
        && split::documents(after).len() == split::documents(before).len()
        && (!before.trim_start().starts_with('{') || !is_json(before) || is_json(after))
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
