//! Detects the style of a document's text, and writes values in that style.

use serde_json::Value;

use crate::yaml::{Node, Shape};

/// The style of inserted block lines.
#[derive(Debug, Clone, Copy)]
pub(super) struct Block {
    /// The indentation of a map relative to its key, in columns.
    pub step: usize,
    /// The indentation of a list's dashes relative to its key, in columns.
    pub dash: usize,
}

/// The style of inserted flow text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flow {
    /// Whether keys and strings are always quoted: in JSON, or next to a quoted neighbour.
    pub quoted: bool,
    /// Whether no space follows commas and colons.
    pub compact: bool,
}

/// The column of a byte: the number of characters from the start of its line.
pub(super) fn column(text: &str, at: usize) -> usize {
    text[line_start(text, at)..at].chars().count()
}

/// The offset of the first byte of the line.
pub(super) fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |newline| newline + 1)
}

/// The line ending used near the place of an insertion.
pub(super) fn newline(text: &str, at: usize) -> &'static str {
    let near = text[at..].find('\n').map(|offset| at + offset).or_else(|| text[..at].rfind('\n'));
    match near {
        Some(end) if text[..end].ends_with('\r') => "\r\n",
        _ => "\n",
    }
}

/// The block style at a node: that of its children, of the step that leads to it, of the document, or kubectl's.
pub(super) fn block(text: &str, root: &Node, node: &Node, holder: Option<usize>) -> Block {
    let own = (!matches!(node.shape, Shape::Map { flow: true, .. }))
        .then(|| holder.and_then(|key| column(text, node.content).checked_sub(column(text, key))))
        .flatten()
        .filter(|step| *step > 0 && matches!(node.shape, Shape::Map { .. }));
    let step = step_within(text, node).or(own).or_else(|| step_within(text, root)).unwrap_or(2);
    let dash = dash_within(text, node).or_else(|| dash_within(text, root)).unwrap_or(0);
    Block { step, dash }
}

fn step_within(text: &str, node: &Node) -> Option<usize> {
    let under = |key: usize, value: &Node| match &value.shape {
        Shape::Map { flow: false, .. } => column(text, value.content).checked_sub(column(text, key)),
        _ => None,
    };
    first(node, &under).filter(|step| *step > 0)
}

fn dash_within(text: &str, node: &Node) -> Option<usize> {
    first(node, &|key, value| match &value.shape {
        Shape::List { flow: false, .. } => column(text, value.content).checked_sub(column(text, key)),
        _ => None,
    })
}

/// The first result for a key and its value; keys near the top come first.
fn first(node: &Node, ask: &impl Fn(usize, &Node) -> Option<usize>) -> Option<usize> {
    match &node.shape {
        Shape::Map { entries, flow: false } => entries
            .iter()
            .find_map(|entry| ask(entry.start, &entry.value))
            .or_else(|| entries.iter().find_map(|entry| first(&entry.value, ask))),
        Shape::List { items, flow: false } => items.iter().find_map(|item| first(item, ask)),
        _ => None,
    }
}

/// Formats `key: value` as block lines, the first without its indentation.
pub(super) fn entry_lines(key: &str, value: &Value, indent: usize, style: Block) -> Vec<String> {
    let mut lines = value_lines(value, indent, style);
    lines[0].insert_str(0, &format!("{}:", scalar_text(key, false)));
    lines
}

/// Formats `- value` as block lines, the first without its indentation.
pub(super) fn item_lines(value: &Value, indent: usize, style: Block) -> Vec<String> {
    let nested = match value {
        Value::Object(map) if !map.is_empty() => map_lines(map, indent + 2, style),
        Value::Array(items) if !items.is_empty() => list_lines(items, indent + 2, style),
        _ => vec![flow(value, Flow { quoted: false, compact: false })],
    };
    let mut lines = nested;
    let first = lines[0].trim_start().to_owned();
    lines[0] = format!("- {first}");
    lines
}

/// Formats the text after `key:`: ` value`, or nothing and then indented lines.
pub(super) fn value_lines(value: &Value, indent: usize, style: Block) -> Vec<String> {
    let mut lines = vec![String::new()];
    match value {
        Value::Object(map) if !map.is_empty() => lines.extend(map_lines(map, indent + style.step, style)),
        Value::Array(items) if !items.is_empty() => lines.extend(list_lines(items, indent + style.dash, style)),
        Value::String(text) if is_literal(text) => lines = literal_lines(text, indent + style.step),
        _ => lines[0] = format!(" {}", flow(value, Flow { quoted: false, compact: false })),
    }
    lines
}

/// Whether a text of several lines can be written as a literal block (`|`) and keeps each character.
fn is_literal(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    let is_printed =
        |c: char| c == '\n' || c == '\t' || !(c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}'));
    text.contains('\n')
        && !body.ends_with('\n')
        && body.starts_with(|c: char| !c.is_whitespace())
        && text.chars().all(is_printed)
        && !body.lines().any(|line| line.trim().is_empty() && !line.is_empty())
}

/// Formats a literal block: the header, then the lines of the text.
fn literal_lines(text: &str, indent: usize) -> Vec<String> {
    let header = if text.ends_with('\n') { " |" } else { " |-" };
    let pad = " ".repeat(indent);
    let line = |line: &str| if line.is_empty() { String::new() } else { format!("{pad}{line}") };
    std::iter::once(header.to_owned()).chain(text.lines().map(line)).collect()
}

fn map_lines(map: &serde_json::Map<String, Value>, indent: usize, style: Block) -> Vec<String> {
    map.iter().flat_map(|(key, value)| indented(entry_lines(key, value, indent, style), indent)).collect()
}

fn list_lines(items: &[Value], indent: usize, style: Block) -> Vec<String> {
    items.iter().flat_map(|item| indented(item_lines(item, indent, style), indent)).collect()
}

fn indented(mut lines: Vec<String>, indent: usize) -> Vec<String> {
    lines[0].insert_str(0, &" ".repeat(indent));
    lines
}

/// Formats a value on one line.
pub(super) fn flow(value: &Value, style: Flow) -> String {
    let comma = if style.compact { "," } else { ", " };
    match value {
        Value::String(text) => scalar_text(text, style.quoted),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(|item| flow(item, style)).collect::<Vec<_>>().join(comma))
        }
        Value::Object(map) => {
            let entries: Vec<_> = map.iter().map(|(key, value)| flow_entry(key, &flow(value, style), style)).collect();
            format!("{{{}}}", entries.join(comma))
        }
        other => other.to_string(),
    }
}

/// Formats `key: value` in flow style.
pub(super) fn flow_entry(key: &str, value: &str, style: Flow) -> String {
    let colon = if style.compact { ":" } else { ": " };
    format!("{}{colon}{value}", scalar_text(key, style.quoted))
}

/// Formats a value as indented JSON. `indent` is the indentation of the line on which it starts.
pub(super) fn pretty(value: &Value, indent: &str, unit: &str, newline: &str) -> String {
    let json = Flow { quoted: true, compact: false };
    let inner = format!("{indent}{unit}");
    let below = |value: &Value| pretty(value, &inner, unit, newline);
    let parts: Vec<_> = match value {
        Value::Object(map) => map.iter().map(|(key, value)| flow_entry(key, &below(value), json)).collect(),
        Value::Array(items) => items.iter().map(below).collect(),
        _ => Vec::new(),
    };
    if parts.is_empty() {
        return flow(value, json);
    }
    let (open, close) = if value.is_array() { ('[', ']') } else { ('{', '}') };
    format!("{open}{newline}{inner}{}{newline}{indent}{close}", parts.join(&format!(",{newline}{inner}")))
}

/// Formats a string. It is unquoted only if no reader of any YAML version could read it as something else.
pub(super) fn scalar_text(text: &str, quoted: bool) -> String {
    if quoted || !is_plain(text) { quote(text) } else { text.to_owned() }
}

/// Words that YAML 1.1 readers read as a boolean, null or number.
const RESERVED: [&str; 10] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan"];

fn is_plain(text: &str) -> bool {
    is_word(text) || is_ipv4(text) || is_duration(text)
}

/// Whether the text is an IPv4 address. No reader takes four numbers with dots for a number.
fn is_ipv4(text: &str) -> bool {
    let is_number = |part: &str| part.bytes().all(|b| b.is_ascii_digit()) && part.parse::<u8>().is_ok();
    text.split('.').count() == 4 && text.split('.').all(is_number)
}

/// Whether the text is a duration as protobuf writes it, such as `0.25s`.
fn is_duration(text: &str) -> bool {
    text.strip_suffix('s').is_some_and(|number| {
        number.starts_with(|c: char| c.is_ascii_digit()) && number.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    })
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/'))
        && !RESERVED.iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Formats a JSON string, which is also valid YAML, with unprintable characters escaped.
fn quote(text: &str) -> String {
    let json = Value::from(text).to_string();
    let mut quoted = String::with_capacity(json.len());
    for c in json.chars() {
        match c {
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                let code = format!("\\u{:04x}", u32::from(c));
                quoted.push_str(&code);
            }
            _ => quoted.push(c),
        }
    }
    quoted
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_words_that_are_nothing_else_are_bare() {
        for word in ["istio", "istio_server_cert", "docker.io/istio/proxyv2", "a-b", "127.0.0.1", "0.25s"] {
            assert_eq!(scalar_text(word, false), word);
        }
        for word in [
            "127.0.0.1:8234",
            "yes",
            "ON",
            "y",
            "1_000",
            "012",
            "",
            "-",
            "~",
            "a b",
            "a:b",
            "\u{85}",
            "1.1",
            "0.25",
            "1e3",
        ] {
            assert!(scalar_text(word, false).starts_with('"'), "{word}");
        }
        assert_eq!(scalar_text("a\u{85}\"", false), r#""a\u0085\"""#);
    }

    #[test]
    fn blocks_follow_step_and_dash() {
        let value = json!({"a": ["x", {"k": 1, "l": []}], "b": {"c": null}});
        let text = |step, dash| entry_lines("v", &value, 2, Block { step, dash }).join("\n");
        assert_eq!(text(2, 0), "v:\n    a:\n    - x\n    - k: 1\n      l: []\n    b:\n      c: null");
        assert_eq!(
            text(4, 2),
            "v:\n      a:\n        - x\n        - k: 1\n          l: []\n      b:\n          c: null"
        );
        let yaml = |text: &str| crate::yaml::parse(text).unwrap();
        assert_eq!(yaml(&text(4, 2))["v"], value);
    }

    #[test]
    fn a_text_of_several_lines_is_a_literal_block() {
        let read = |text: &str| {
            let lines = entry_lines("v", &text.into(), 0, Block { step: 2, dash: 0 }).join("\n");
            (lines.clone(), crate::yaml::parse(&format!("{lines}\n")).unwrap()["v"].clone())
        };
        for text in ["a: 1\nb:\n  c: 2\n", "a\n\nb", "# c\n\ta\n"] {
            let (lines, value) = read(text);
            assert!(lines.starts_with("v: |"), "{lines}");
            assert_eq!(value, text);
        }
        for text in [" a\nb\n", "\na\n", "a\n\n", "a\r\nb\n", "a\n  \nb\n", "\n", "a\u{85}\nb"] {
            let (lines, value) = read(text);
            assert!(lines.starts_with("v: \""), "{lines}");
            assert_eq!(value, text);
        }
    }

    #[test]
    fn flow_and_json_say_the_same() {
        let value = json!({"a": ["x", {}], "b": {"c": "127.0.0.1:1"}});
        assert_eq!(flow(&value, Flow { quoted: false, compact: false }), r#"{a: [x, {}], b: {c: "127.0.0.1:1"}}"#);
        assert_eq!(flow(&value, Flow { quoted: true, compact: true }), r#"{"a":["x",{}],"b":{"c":"127.0.0.1:1"}}"#);
        assert_eq!(pretty(&value, "", "  ", "\n"), serde_json::to_string_pretty(&value).unwrap());
    }
}
