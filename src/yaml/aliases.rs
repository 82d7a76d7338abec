//! Counts the expansion of YAML aliases before anything is expanded, for a whole stream of documents.

use std::collections::HashMap;

use serde_json::Value;
use serde_yaml::granit_parser::{Event, Parser};

use super::{DEPTH, Problem, parse};

/// The limit of nodes for the aliases of one stream: above any set of manifests, and it stops a bomb within
/// milliseconds.
const NODES: usize = 100_000;
/// The limit of bytes in their scalars: a few aliases of one long text are a bomb too.
const BYTES: usize = 16 << 20;
const TOO_MUCH: &str = "its aliases expand to too much";

/// Reads the documents of one stream. The expansion of their aliases is counted for all of them together.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    expanded: Size,
}

impl Stream {
    /// Parses the next document.
    ///
    /// # Errors
    /// As for [`parse`]; or the aliases of the stream have expanded to too much.
    pub(crate) fn parse(&mut self, text: &str) -> Result<Value, Problem> {
        let expanded = self.expanded.plus(expansion(text));
        if expanded.is_too_much() {
            return Err(Problem { line: 0, column: 0, message: TOO_MUCH.to_owned() });
        }
        self.expanded = expanded;
        parse(text)
    }
}

/// Whether the aliases of this one document expand to too much.
pub(super) fn are_too_much(text: &str) -> bool {
    expansion(text).is_too_much()
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Size {
    nodes: usize,
    bytes: usize,
}

impl Size {
    fn plus(self, other: Self) -> Self {
        Self { nodes: self.nodes.saturating_add(other.nodes), bytes: self.bytes.saturating_add(other.bytes) }
    }

    fn is_too_much(self) -> bool {
        self.nodes > NODES || self.bytes > BYTES
    }
}

/// The expansion of all aliases in a document. A text that cannot be parsed is counted up to the error: it is not
/// expanded.
fn expansion(text: &str) -> Size {
    let mut all = Size::default();
    // Without both characters there are no aliases. Most texts have neither.
    if !(text.contains('&') && text.contains('*')) {
        return all;
    }
    let options = serde_yaml::granit_parser::options! { emit_comments: false, block_nesting_limit: DEPTH };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut anchors: HashMap<usize, Size> = HashMap::new();
    let mut open: Vec<(usize, Size)> = Vec::new();
    while let Some(Ok((event, _))) = parser.next_event() {
        let (anchor, size) = match event {
            Event::Scalar(text, _, anchor, ..) => (anchor, Size { nodes: 1, bytes: text.len() }),
            Event::Alias(anchor) => {
                let size = anchors.get(&anchor).copied().unwrap_or_default();
                all = all.plus(size);
                (0, size)
            }
            Event::SequenceStart(_, anchor, ..) | Event::MappingStart(_, anchor, ..) => {
                open.push((anchor, Size { nodes: 1, bytes: 0 }));
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(closed) => closed,
                None => break,
            },
            _ => continue,
        };
        if anchor > 0 {
            anchors.insert(anchor, size);
        }
        if let Some((_, around)) = open.last_mut() {
            *around = around.plus(size);
        }
        if all.is_too_much() {
            break;
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_alias_counts_as_what_the_parser_expands_it_to() {
        let size = |nodes, bytes| Size { nodes, bytes };
        assert_eq!(expansion("a: &a x\nb: c\n"), size(0, 0));
        assert_eq!(expansion("a: &a xyz\nb: *a\nc: *a\n"), size(2, 6));
        // The list and its items; then twice as many, plus one list.
        assert_eq!(expansion("a: &a [x, y]\nb: &b [*a, *a]\nc: *b\n"), size(3 + 3 + 7, 2 + 2 + 4));
        assert_eq!(expansion("a: '*b & c'\n"), size(0, 0));
        assert_eq!(expansion("<<: &a {x: 1}\nb: {<<: *a}\n"), size(3, 2));
    }

    #[test]
    fn a_long_text_that_is_repeated_is_a_bomb_as_well() {
        let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), ["*a"; 20].join(", "));
        assert_eq!(parse(&text).unwrap_err().message, TOO_MUCH);
        let text = format!("a: &a {}\nb: [{}]\n", "x".repeat(1 << 20), ["*a"; 10].join(", "));
        assert_eq!(parse(&text).unwrap()["b"].as_array().unwrap().len(), 10);
    }

    #[test]
    fn the_aliases_of_all_documents_of_a_stream_are_counted_together() {
        let items = vec!["x"; 1000].join(", ");
        let document = format!("a: &a [{items}]\nb: [{}]\n", ["*a"; 30].join(", "));
        let mut stream = Stream::default();
        for _ in 0..3 {
            assert!(stream.parse(&document).is_ok());
        }
        assert_eq!(stream.parse(&document).unwrap_err().message, TOO_MUCH);
        // A document without aliases costs nothing.
        assert_eq!(stream.parse("a: 1\n").unwrap(), json!({"a": 1}));
    }

    #[test]
    fn a_broken_text_is_counted_and_is_no_panic() {
        for text in ["a: &a [*a", "&a [*a, *b]", "]&*", "&a *a", "--- &a\n*a", "{&a b: *a, ? *a : c}"] {
            expansion(text);
            let _ = Stream::default().parse(text);
        }
    }
}
