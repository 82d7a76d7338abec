//! Reads YAML as kubectl reads it, and writes it so that kubectl reads the same value.
//!
//! This is the only module that uses the YAML crate. It handles one document at a time: streams are split by
//! `edit::manifest`. Values and positions come from the same parser, so that they always have the same structure.

pub(crate) mod aliases;
mod comments;

pub(crate) use comments::comments;

use serde_json::Value;
use serde_yaml::granit_parser::{Event, Parser, ScalarStyle, Span, StrInput, StructureStyle};

/// The limit of nesting, deeper than any manifest. The reader is recursive: in a debug build one level takes 20 KiB of
/// stack, and a thread has 2 MiB.
const DEPTH: usize = 64;
const DOCUMENTS: usize = 100_000;
const NODES: usize = 8_000_000;
/// The limit of alias expansion in one document: above any manifest, and it stops a YAML bomb within milliseconds.
const REPLAYED: usize = 100_000;

/// Why a text cannot be read as YAML, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The line, from 1; 0 if unknown.
    pub line: usize,
    /// The column, from 1; 0 if unknown.
    pub column: usize,
    pub message: String,
}

/// Parses one document; an empty one is null.
///
/// # Errors
/// Where and why it cannot be read: a syntax error, a duplicate key, several documents, a limit.
pub fn parse(text: &str) -> Result<Value, Problem> {
    check_aliases(text)?;
    serde_yaml::from_str_with_options(text, options()).map_err(|error| problem(&error))
}

/// Parses all documents of a text; an empty document is left out.
pub(crate) fn documents(text: &str) -> Result<Vec<Value>, Problem> {
    check_aliases(text)?;
    serde_yaml::from_multiple_with_options(text, options()).map_err(|error| problem(&error))
}

fn check_aliases(text: &str) -> Result<(), Problem> {
    match aliases::are_too_much(text) {
        true => Err(Problem { line: 0, column: 0, message: "its aliases expand to too much".to_owned() }),
        false => Ok(()),
    }
}

fn options() -> serde_yaml::Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! {
            max_depth: DEPTH,
            max_documents: DOCUMENTS,
            max_nodes: NODES,
            max_events: 2 * NODES,
            max_total_scalar_bytes: 1 << 30,
        },
        alias_limits: serde_yaml::alias_limits! { max_total_replayed_events: REPLAYED },
        legacy_octal_numbers: true,
    }
}

fn problem(error: &serde_yaml::Error) -> Problem {
    let place = error.location();
    let at = |number: Option<u64>| number.and_then(|number| usize::try_from(number).ok()).unwrap_or(0);
    let text = error.without_snippet().to_string();
    let message = if text.starts_with("budget breached") || text.starts_with("recursion limit") {
        "nested too deep, or too large"
    } else if text.starts_with("alias replay limit") {
        "its aliases expand to too much"
    } else {
        let line = text.lines().next().unwrap_or_default();
        let line = if line.starts_with("multiple") { "several documents where one is expected" } else { line };
        let line = line.rsplit_once(" at line ").map_or(line, |(before, _)| before);
        line.split_once(", set DuplicateKeyPolicy").map_or(line, |(before, _)| before)
    };
    Problem { line: at(place.map(|p| p.line())), column: at(place.map(|p| p.column())), message: message.to_owned() }
}

/// Writes the value as block YAML. Strings that a reader could read as something else are quoted.
#[must_use]
#[allow(clippy::missing_panics_doc, reason = "every JSON value can be written")]
pub(crate) fn write(value: &Value) -> String {
    let options = serde_yaml::ser_options! { indent_step: 2 };
    serde_yaml::to_string_with_options(value, options).expect("a JSON value has nothing that YAML cannot say")
}

/// The position of a node in its document's text, in bytes.
#[derive(Debug)]
pub(crate) struct Node {
    /// The offset of its first byte, including anchor and tag.
    pub start: usize,
    /// The offset of its first byte without anchor and tag: the brace, the first key, the first dash.
    pub content: usize,
    /// The offset after its last byte that is not white space.
    pub end: usize,
    /// The offset after the blank lines that belong to a block scalar at its end; otherwise `end`.
    pub raw_end: usize,
    /// Whether its last scalar is a block scalar.
    pub ends_in_block_scalar: bool,
    pub shape: Shape,
}

/// The kind of a node, with its children.
#[derive(Debug)]
pub(crate) enum Shape {
    /// An empty value: null.
    Empty,
    Scalar,
    Alias,
    List {
        items: Vec<Node>,
        flow: bool,
    },
    Map {
        entries: Vec<MapEntry>,
        flow: bool,
    },
}

/// A key and its value.
#[derive(Debug)]
pub(crate) struct MapEntry {
    pub key: String,
    pub start: usize,
    /// The offset after the key.
    pub end: usize,
    /// The offset after the colon; `None` if no colon follows the key on its line.
    pub colon: Option<usize>,
    pub value: Node,
}

impl Node {
    /// Whether the node has an anchor or a tag.
    #[must_use]
    pub(crate) fn is_marked(&self) -> bool {
        self.start < self.content
    }
}

/// The positions of all nodes in one document; `None` if it is empty.
///
/// # Errors
/// As for [`parse`], which must be called first because it enforces the limits.
pub(crate) fn outline(text: &str) -> Result<Option<Node>, Problem> {
    let options = serde_yaml::granit_parser::options! {
        emit_anchor_events: true,
        emit_comments: false,
        block_nesting_limit: DEPTH,
    };
    let mut reader = Outliner { text, parser: Parser::new_from_str_with_options(text, options) };
    loop {
        match reader.next()? {
            (Event::StreamStart | Event::DocumentStart(..) | Event::Comment(..), _) => {}
            (Event::DocumentEnd | Event::StreamEnd, _) => return Ok(None),
            (event, span) => return reader.node(&event, span).map(Some),
        }
    }
}

struct Outliner<'t> {
    text: &'t str,
    parser: Parser<'t, StrInput<'t>>,
}

impl<'t> Outliner<'t> {
    fn next(&mut self) -> Result<(Event<'t>, Span), Problem> {
        match self.parser.next_event() {
            Some(Ok(next)) => Ok(next),
            Some(Err(error)) => {
                let at = error.marker();
                Err(Problem { line: at.line(), column: at.col() + 1, message: error.info().clone() })
            }
            None => Err(Problem { line: 0, column: 0, message: "the text ends too early".to_owned() }),
        }
    }

    fn node(&mut self, event: &Event<'t>, span: Span) -> Result<Node, Problem> {
        let at = range(span);
        let mut node = Node {
            start: at.start,
            content: at.start,
            end: at.end,
            raw_end: at.end,
            ends_in_block_scalar: false,
            shape: Shape::Scalar,
        };
        if let Some(tag) = span.tag_span() {
            node.start = node.start.min(range(tag).start);
            node.end = node.end.max(range(tag).end);
        }
        if let Some(Ok((Event::Anchor(..), anchor))) = self.parser.peek() {
            node.start = node.start.min(range(*anchor).start);
            node.end = node.end.max(range(*anchor).end);
            self.next()?;
        }
        match event {
            Event::Alias(_) => node.shape = Shape::Alias,
            Event::Scalar(_, style, ..) => self.scalar(&mut node, *style),
            Event::SequenceStart(style, ..) => {
                if *style != StructureStyle::Flow {
                    self.back_to_dash(&mut node);
                }
                let (items, end) = self.items()?;
                (node.end, node.raw_end) = (end, end);
                node.shape = Shape::List { items, flow: *style == StructureStyle::Flow };
            }
            Event::MappingStart(style, ..) => {
                let (entries, end) = self.entries()?;
                (node.end, node.raw_end) = (end, end);
                node.shape = Shape::Map { entries, flow: *style == StructureStyle::Flow };
            }
            _ => return Err(Problem { line: span.start.line(), column: 0, message: "no node here".to_owned() }),
        }
        Self::close(&mut node);
        Ok(node)
    }

    /// Corrects the start of a list whose dashes are in the column of its key: the parser reports it after its first
    /// dash.
    fn back_to_dash(&self, node: &mut Node) {
        let before = self.text[..node.content].trim_end_matches([' ', '\t', '\r', '\n']);
        if !node.is_marked() && !self.text[node.content..].starts_with('-') && before.ends_with('-') {
            node.content = before.len() - 1;
            node.start = node.content;
        }
    }

    fn scalar(&self, node: &mut Node, style: ScalarStyle) {
        if matches!(style, ScalarStyle::Literal | ScalarStyle::Folded) {
            let raw = &self.text[..node.end];
            node.raw_end = raw.trim_end_matches([' ', '\t']).len();
            node.end = raw.trim_end().len();
            node.content = node.content.min(node.end);
            // A block scalar without lines ends before the place where its first line would be.
            node.start = node.start.min(node.content);
            node.ends_in_block_scalar = true;
        } else if node.content == node.raw_end {
            node.shape = Shape::Empty;
            node.content = node.content.max(node.end);
        }
        node.raw_end = node.raw_end.max(node.end);
    }

    /// Sets the end of a collection: after its bracket in flow style, after its last child in block style.
    fn close(node: &mut Node) {
        let (last, flow) = match &node.shape {
            Shape::List { items, flow } => (items.last().map(|item| (item, item.end)), *flow),
            Shape::Map { entries, flow } => {
                (entries.last().map(|entry| (&entry.value, entry.value.end.max(entry.colon.unwrap_or(0)))), *flow)
            }
            _ => return,
        };
        if flow {
            return;
        }
        if let Some((last, end)) = last {
            node.end = end.max(node.content);
            node.raw_end = last.raw_end.max(node.end);
            node.ends_in_block_scalar = last.ends_in_block_scalar;
        }
    }

    fn items(&mut self) -> Result<(Vec<Node>, usize), Problem> {
        let mut items = Vec::new();
        loop {
            match self.next()? {
                (Event::SequenceEnd, end) => return Ok((items, range(end).end)),
                (event, span) => items.push(self.node(&event, span)?),
            }
        }
    }

    fn entries(&mut self) -> Result<(Vec<MapEntry>, usize), Problem> {
        let mut entries = Vec::new();
        loop {
            let (event, span) = self.next()?;
            let key = match &event {
                Event::MappingEnd => return Ok((entries, range(span).end)),
                Event::Scalar(text, ..) => text.to_string(),
                Event::Alias(_) => String::new(),
                _ => {
                    let column = span.start.col() + 1;
                    return Err(Problem { line: span.start.line(), column, message: "a key is not a text".to_owned() });
                }
            };
            let name = self.node(&event, span)?;
            let after = &self.text[name.end..];
            let gap = after.len() - after.trim_start_matches([' ', '\t']).len();
            let colon = after[gap..].starts_with(':').then_some(name.end + gap + 1);
            let (event, span) = self.next()?;
            let mut value = self.node(&event, span)?;
            if matches!(value.shape, Shape::Empty) && !value.is_marked() {
                let end = colon.unwrap_or(name.end);
                (value.start, value.content, value.end, value.raw_end) = (end, end, end, end);
            }
            entries.push(MapEntry { key, start: name.start, end: name.end, colon, value });
        }
    }
}

fn range(span: Span) -> std::ops::Range<usize> {
    span.byte_range().expect("the parser reads a string, where every span has bytes")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_words_and_numbers_are_read_as_kubectl_reads_them() {
        let text = "a: yes\nb: off\nc: 010\nd: 0o10\ne: 1_000\nf: 12:30:45\ng: 2001-01-01\nh: ~\ni: 1.5\n";
        let value = json!({"a": true, "b": false, "c": 8, "d": 8, "e": 1000, "f": "12:30:45", "g": "2001-01-01",
            "h": null, "i": 1.5});
        assert_eq!(parse(text).unwrap(), value);
    }

    #[test]
    fn large_numbers_keep_every_digit_and_keys_their_order() {
        let value = parse("z: 18446744073709551615\na: -9223372036854775808\n").unwrap();
        assert_eq!(value.to_string(), r#"{"z":18446744073709551615,"a":-9223372036854775808}"#);
    }

    #[test]
    fn merge_keys_are_applied() {
        let value = parse("base: &b {x: 1}\nuse:\n  <<: *b\n  y: 2\n").unwrap();
        assert_eq!(value["use"], json!({"x": 1, "y": 2}));
    }

    #[test]
    fn a_duplicate_key_is_a_problem_with_its_line() {
        let problem = parse("a: 1\nb: 2\na: 3\n").unwrap_err();
        assert_eq!((problem.line, problem.column), (3, 1));
        assert_eq!(problem.message, "duplicate mapping key: a");
    }

    #[test]
    fn an_alias_bomb_and_a_bottomless_list_are_refused() {
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..9 {
            let below = vec![format!("*a{}", level - 1); 9].join(", ");
            bomb = format!("{bomb}a{level}: &a{level} [{below}]\n");
        }
        assert!(parse(&bomb).is_err());
        assert!(parse(&"[".repeat(100_000)).is_err());
        assert!(parse(&"- ".repeat(100_000)).is_err());
        assert!(parse(&("[".repeat(300) + &"]".repeat(300))).is_err());
    }

    #[test]
    fn a_large_list_is_within_the_limits() {
        let text = "- {a: 1, b: 2}\n".repeat(100_000);
        assert_eq!(parse(&text).unwrap().as_array().unwrap().len(), 100_000);
    }

    #[test]
    fn what_a_reader_would_take_for_something_else_is_quoted() {
        for word in
            ["yes", "on", "y", "N", "off", "1_000", "012", "0x1f", "1e3", "null", "~", "", " a", "a: b", "#c", "-"]
        {
            let text = write(&json!({ "k": word, word: "v" }));
            assert_eq!(parse(&text).unwrap(), json!({ "k": word, word: "v" }), "{text}");
            assert!(text.contains('"') || text.contains('\''), "{text}");
        }
        assert_eq!(write(&json!({"a": {"b": ["istio"]}, "c": {}, "d": []})), "a:\n  b:\n  - istio\nc: {}\nd: []\n");
    }

    fn values() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "[ -~]{0,12}",
            "[a-z0-9:#\\-_. \n\t'\"{}\\[\\]&*!|>%@`,?~=<]{0,16}",
            "\\PC{0,6}",
            prop::sample::select(vec!["yes", "on", "y", "0b1", "0o7", "1:30", "<<", "---", "...", ".inf", "=", "+1"])
                .prop_map(str::to_owned),
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1e15f64..1e15).prop_map(Value::from),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((text.clone(), inner), 0..5)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        #[test]
        fn what_is_written_is_read_back_the_same(value in values()) {
            let text = write(&value);
            prop_assert_eq!(parse(&text), Ok(value), "{}", text);
        }

        #[test]
        fn any_text_is_read_or_refused(text in "[ -~\n\t]{0,80}") {
            let _ = parse(&text).map(|_| outline(&text));
        }
    }
}
