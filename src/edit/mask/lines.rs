//! Masks texts that cannot be parsed, line by line: comments, templates, scripts. Everything that may be a secret is
//! masked.

use super::MASK;
use super::rules::{self, Below};

/// A line: the spaces, dashes and comment signs at its start, its body, and its end.
#[derive(Clone, Copy)]
struct Line<'t> {
    lead: &'t str,
    body: &'t str,
    end: &'t str,
}

/// A key and its value on the same line.
struct Pair<'t> {
    key: &'t str,
    /// The offset after the `:` or `=`.
    at: usize,
    value: &'t str,
}

/// A key whose value may continue on the lines below.
struct Open {
    column: usize,
    below: Below,
    /// Whether items of a list may stand at the same column as the key.
    is_empty: bool,
}

/// The text with the values of secret keys replaced, and the lines below those keys.
pub(super) fn masked(text: &str) -> String {
    let lines: Vec<_> = text.split_inclusive('\n').map(Line::parse).collect();
    let names: Vec<bool> = lines.iter().map(|line| line.names_a_secret()).collect();
    let is_secret = lines.iter().any(|line| line.is_kind_secret());
    let mut open: Option<Open> = None;
    let mut shown = String::with_capacity(text.len());
    for (number, line) in lines.iter().enumerate() {
        if line.body.is_empty() {
            line.write(line.body, &mut shown);
            continue;
        }
        open = open.filter(|open| line.is_below(open));
        if open.as_ref().is_some_and(|open| open.below == Below::All || line.pairs().next().is_none()) {
            line.write(MASK, &mut shown);
            continue;
        }
        let is_named = number.checked_sub(1).and_then(|before| names.get(before)) == Some(&true)
            || names.get(number + 1) == Some(&true)
            || names[number];
        let below = |key: &str| match rules::below(key) {
            Below::ByRule if is_named && key == "value" => Below::All,
            Below::ByRule if is_secret && rules::is_of_a_secret(key) => Below::All,
            below => below,
        };
        let found = line.pairs().find_map(|pair| match below(pair.key) {
            Below::ByRule => None,
            _ if matches!(pair.value, "true" | "false" | "null") => None,
            below => Some((pair, below)),
        });
        let Some((pair, below)) = found else {
            line.write(line.body, &mut shown);
            continue;
        };
        let is_empty = pair.value.is_empty();
        // Lines that continue below a value belong to it.
        open = Some(Open { column: line.column(), below: if is_empty { below } else { Below::All }, is_empty });
        let (head, tail) = line.body.split_at(pair.at);
        let blank = if head.ends_with(':') { " " } else { "" };
        match is_empty {
            true => line.write(&format!("{head}{tail}"), &mut shown),
            false => line.write(&format!("{head}{blank}{MASK}"), &mut shown),
        }
    }
    shown
}

impl<'t> Line<'t> {
    fn parse(line: &'t str) -> Self {
        let text = line.trim_end_matches(['\n', '\r']);
        let body = text.trim_start_matches([' ', '\t', '#']);
        let (text_len, body_len) = (text.len(), body.len());
        Self { lead: &text[..text_len - body_len], body, end: &line[text_len..] }
    }

    fn write(&self, body: &str, shown: &mut String) {
        shown.extend([self.lead, body, self.end]);
    }

    /// The column of the first key.
    fn column(&self) -> usize {
        self.lead.len() + self.body.len() - self.body.trim_start_matches(['-', ' ']).len()
    }

    fn is_below(&self, open: &Open) -> bool {
        let column = self.lead.len();
        column > open.column || (open.is_empty && column == open.column && self.body.starts_with("- "))
    }

    /// Each `key: value`, `"key":value` and `key=value`, with the value up to the end of the line.
    fn pairs(self) -> impl Iterator<Item = Pair<'t>> {
        self.body.match_indices([':', '=']).filter_map(move |(at, sign)| {
            let (before, after) = (self.body[..at].trim_end(), &self.body[at + 1..]);
            let is_pair =
                sign == "=" || before.ends_with(['"', '\'']) || after.is_empty() || after.starts_with([' ', '\t']);
            let word = before.trim_end_matches(['"', '\'']);
            let start = word.rfind(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_')));
            let key =
                start.map_or(word, |start| word[start..].trim_start_matches(|c: char| !c.is_ascii_alphanumeric()));
            (is_pair && !key.is_empty()).then(|| Pair { key, at: at + 1, value: after.trim() })
        })
    }

    fn names_a_secret(self) -> bool {
        let unquoted = |value: &'t str| value.trim_matches(['"', '\'', ',', '}', ' ']);
        self.pairs().any(|pair| {
            let name = unquoted(pair.value).split([',', '"', '\'']).next().unwrap_or_default();
            rules::is_naming(pair.key) && rules::is_secret_name(name)
        })
    }

    fn is_kind_secret(self) -> bool {
        self.pairs().any(|pair| pair.key == "kind" && pair.value.trim_matches(['"', '\'', ',']) == "Secret")
    }
}
