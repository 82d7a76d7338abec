//! Splits a stream into documents, as byte ranges.
//!
//! A line that starts with `---`, followed by white space or nothing, always ends a document, even in block scalars and
//! quoted strings (YAML 1.2, `c-forbidden`). So it is enough to look at lines.

use std::ops::Range;

/// One document: a slice of the stream. The slices are contiguous; only byte order marks are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TextDocument {
    pub range: Range<usize>,
    /// The line of the stream on which the document starts, from 1.
    pub line: usize,
}

const BOM: &str = "\u{feff}";

/// The documents of a stream, in order, including those that contain only comments.
pub(super) fn documents(text: &str) -> Vec<TextDocument> {
    let mut found = Vec::new();
    let mut open = TextDocument { range: 0..0, line: 1 };
    let mut content = false;
    let mut at = 0;
    for (number, line) in text.split_inclusive('\n').enumerate() {
        let bare = line.strip_prefix(BOM).unwrap_or(line);
        if is_marker(bare, "---") {
            if content {
                close(&mut found, &mut open, text, at, number + 1);
            }
            content = true;
        } else if is_marker(bare, "...") {
            close(&mut found, &mut open, text, at + line.len(), number + 2);
            content = false;
        } else if !content {
            let start = bare.trim_start();
            content = !(start.is_empty() || start.starts_with('#') || bare.starts_with('%'));
        }
        at += line.len();
    }
    if at > open.range.start {
        close(&mut found, &mut open, text, at, 0);
    }
    found
}

fn close(found: &mut Vec<TextDocument>, open: &mut TextDocument, text: &str, end: usize, next_line: usize) {
    let mark = if text[open.range.start..end].starts_with(BOM) { BOM.len() } else { 0 };
    found.push(TextDocument { range: open.range.start + mark..end, line: open.line });
    *open = TextDocument { range: end..end, line: next_line };
}

fn is_marker(line: &str, marker: &str) -> bool {
    line.strip_prefix(marker).is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n']))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &str) -> Vec<(&str, usize)> {
        documents(text).into_iter().map(|document| (&text[document.range], document.line)).collect()
    }

    #[test]
    fn markers_alone_with_a_comment_or_with_content_start_a_document() {
        assert_eq!(
            split("a: 1\n---\nb: 2\n--- # c\nc: 3\n--- !t\nd: 4\n---- no\n"),
            [("a: 1\n", 1), ("---\nb: 2\n", 2), ("--- # c\nc: 3\n", 4), ("--- !t\nd: 4\n---- no\n", 6)]
        );
    }

    #[test]
    fn what_stands_before_the_first_marker_belongs_to_the_first_document() {
        assert_eq!(split("# licence\n\n---\na: 1\n---\n"), [("# licence\n\n---\na: 1\n", 1), ("---\n", 5)]);
        assert_eq!(split("%YAML 1.2\n---\na: 1\n"), [("%YAML 1.2\n---\na: 1\n", 1)]);
    }

    #[test]
    fn an_end_marker_closes_and_directives_after_it_belong_to_the_next() {
        assert_eq!(split("a: 1\n...\n%YAML 1.2\n---\nb: 2\n"), [("a: 1\n...\n", 1), ("%YAML 1.2\n---\nb: 2\n", 3)]);
    }

    #[test]
    fn carriage_returns_byte_order_marks_and_a_missing_last_newline_stay() {
        assert_eq!(split("\u{feff}a: 1\r\n---\r\nb: 2"), [("a: 1\r\n", 1), ("---\r\nb: 2", 2)]);
        assert_eq!(split("\u{feff}---\na: 1\n"), [("---\na: 1\n", 1)]);
    }

    #[test]
    fn a_marker_ends_a_block_scalar_only_at_the_first_column() {
        assert_eq!(split("a: |\n  ---\n---\nb: 1\n"), [("a: |\n  ---\n", 1), ("---\nb: 1\n", 3)]);
    }

    #[test]
    fn nothing_has_no_documents() {
        assert_eq!(split(""), []);
    }
}
