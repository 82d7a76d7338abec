//! Finds the texts of secrets anywhere in a text, in one pass.

use std::ops::Range;

use aho_corasick::{AhoCorasick, AhoCorasickKind};
use serde_json::Value;

use super::MASK;
use super::cover::{Leaf, cover};
use crate::edit::manifest::documents;
use crate::yaml;

/// The length in characters from which a secret is masked anywhere; a shorter one is masked only as a value.
const LONG: usize = 4;

/// The limit for texts inside texts: a values file in an Application in a ConfigMap has the depth two.
const DEPTH: usize = 4;
/// The depth of a value that is not inside a text.
pub(super) const OUTERMOST: usize = 0;

/// The secret texts of one or several documents.
#[derive(Clone, Default)]
pub(crate) struct SecretTexts {
    /// `None` if there are none.
    finder: Option<AhoCorasick>,
}

impl SecretTexts {
    /// The secrets of a value.
    #[must_use]
    pub(crate) fn of_value(value: &Value) -> Self {
        Self::of_all(std::iter::once(value))
    }

    /// The secrets of these values.
    pub(super) fn of_all<'v>(values: impl IntoIterator<Item = &'v Value>) -> Self {
        let mut found = Vec::new();
        values.into_iter().for_each(|value| collect(value, OUTERMOST, &mut found));
        found.sort_unstable();
        found.dedup();
        if found.is_empty() {
            return Self::default();
        }
        // A table for each state would take longer to build than to use: most texts are short.
        let built = AhoCorasick::builder().kind(Some(AhoCorasickKind::ContiguousNFA)).build(&found);
        Self { finder: Some(built.expect("a text that was read has fewer bytes than the finder has states")) }
    }

    /// Masks the secrets in the output of another program, short ones only where they are a value.
    #[must_use]
    pub(crate) fn masked(&self, text: &str) -> String {
        self.replaced(text, |text, at| is_long(&text[at.clone()]) || is_value(text, at))
    }

    /// Masks the long secrets in a part of a manifest. Short ones are masked there by their place.
    pub(super) fn masked_long(&self, text: &str) -> String {
        self.replaced(text, |text, at| is_long(&text[at.clone()]))
    }

    fn replaced(&self, text: &str, is_hidden: impl Fn(&str, &Range<usize>) -> bool) -> String {
        let Some(finder) = &self.finder else { return text.to_owned() };
        let mut found: Vec<Range<usize>> =
            finder.find_overlapping_iter(text).map(|found| found.range()).filter(|at| is_hidden(text, at)).collect();
        found.sort_unstable_by_key(|at| at.start);
        let mut shown = String::with_capacity(text.len());
        let mut end = 0;
        for at in found {
            if at.start >= end {
                shown.push_str(&text[end..at.start]);
                shown.push_str(MASK);
            }
            end = end.max(at.end);
        }
        shown.push_str(&text[end..]);
        shown
    }
}

/// The documents inside a text, if it is YAML or JSON and more than a single word.
pub(super) fn embedded(text: &str, depth: usize) -> Vec<Value> {
    let is_document = text.contains(": ") || text.contains(":\n") || text.trim_start().starts_with(['{', '[']);
    if depth >= DEPTH || !is_document {
        return Vec::new();
    }
    let values = documents(text).into_iter().filter_map(|range| yaml::parse(&text[range]).ok());
    values.filter(|value| value.is_object() || value.is_array()).collect()
}

fn collect(value: &Value, depth: usize, found: &mut Vec<String>) {
    cover(value, &mut |leaf| {
        match leaf {
            Leaf::Secret(Value::String(text)) => pieces(text, found),
            Leaf::Secret(other) => found.push(other.to_string()),
            Leaf::Text(text) => embedded(text, depth).iter().for_each(|inner| collect(inner, depth + 1, found)),
        }
        None
    });
}

/// Collects the lines of a secret, plain and quoted. In a text of several lines, a short line is more likely a brace.
fn pieces(text: &str, found: &mut Vec<String>) {
    let is_one_line = !text.trim().contains('\n');
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && (is_one_line || is_long(line))) {
        let quoted = Value::from(line).to_string();
        found.extend(quoted.get(1..quoted.len() - 1).filter(|quoted| *quoted != line).map(str::to_owned));
        found.push(line.to_owned());
    }
}

fn is_long(text: &str) -> bool {
    text.chars().nth(LONG - 1).is_some()
}

/// Whether the word is in quotes, or follows `:` or `=`.
fn is_value(text: &str, at: &Range<usize>) -> bool {
    let (before, after) = (&text[..at.start], &text[at.end..]);
    let is_quoted = ['"', '\'', '`'].iter().any(|quote| before.ends_with(*quote) && after.starts_with(*quote));
    let is_last = |after: &str| after.is_empty() || after.starts_with(['\n', '\r', ',', ';', ')', ']', '}', '"', '\'']);
    let is_assigned = before.ends_with('=') && (is_last(after) || after.starts_with([' ', '\t']));
    // `Error: a value` has a word after a colon that is not a value.
    let is_given = before.trim_end_matches(' ').ends_with([':', '=']) && is_last(after.trim_start_matches([' ', '\t']));
    is_quoted || is_assigned || is_given
}
