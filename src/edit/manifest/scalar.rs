//! Changes a long string in place: lines of a literal block, or characters between double quotes.
//!
//! A bootstrap in a `ConfigMap` is such a string. Only the differences are replaced, so the rest keeps its bytes.

use serde_json::Value;

use super::Splice;
use super::style::{self, line_start, newline};
use crate::yaml::{MapEntry, Node, Shape};

/// The splice that changes the entry's string to `new`; `None` if it is written in another style.
pub(super) fn cut(text: &str, entry: &MapEntry, new: &Value) -> Option<Splice> {
    let (node, new) = (&entry.value, new.as_str()?);
    if !matches!(node.shape, Shape::Scalar) {
        return None;
    }
    if node.ends_in_block_scalar {
        return literal(text, entry.colon?, node, new);
    }
    text[node.content..].starts_with('"').then(|| quoted(text, node, new)).flatten()
}

/// A line of a literal block: its start, and its text without indentation.
struct Line<'t> {
    start: usize,
    text: &'t str,
}

fn literal(text: &str, colon: usize, node: &Node, new: &str) -> Option<Splice> {
    let body = colon + text[colon..].find('\n')? + 1;
    let rest = text.get(node.raw_end..).unwrap_or_default();
    let rest = if text[..node.raw_end].ends_with('\n') { 0 } else { rest.find('\n').unwrap_or(rest.len()) };
    let raw: Vec<(usize, &str)> = lines(text, body, node.raw_end + rest);
    let is_blank = |line: &str| line.trim_matches([' ', '\r']).is_empty();
    let first = raw.iter().find(|(_, line)| !is_blank(line))?.1;
    // An explicit indentation, a tag, an anchor or a folded block is left to the other splices.
    let header = text[colon..body].split(" #").next().unwrap_or_default().trim();
    if !matches!(header, "|" | "|-" | "|+") {
        return None;
    }
    let indent = first.len() - first.trim_start_matches(' ').len();
    // Spaces beyond the indentation are text, and `|+` keeps every line.
    let is_text = |line: &str| header == "|+" || !is_blank(line) || line.trim_end_matches('\r').len() > indent;
    let last = raw.iter().rposition(|(_, line)| is_text(line))?;
    let old: Vec<Line> = raw[..=last]
        .iter()
        .map(|(start, line)| Line {
            start: *start,
            text: line.get(indent..).unwrap_or_default().trim_end_matches('\r'),
        })
        .collect();
    let new = if header == "|+" { new.strip_suffix('\n').unwrap_or(new) } else { new.trim_end_matches('\n') };
    let new: Vec<&str> = new.split('\n').collect();
    let before = old.iter().zip(&new).take_while(|(old, new)| old.text == **new).count();
    let room = old.len().min(new.len()) - before;
    let behind = old.iter().rev().zip(new.iter().rev()).take(room).take_while(|(old, new)| old.text == **new).count();
    let end = raw[last].0 + raw[last].1.len() + 1;
    let at = |index: usize| old.get(index).map_or(end.min(text.len()), |line| line.start);
    let mut range = at(before)..at(old.len() - behind);
    let (pad, newline) = (" ".repeat(indent), newline(text, colon));
    let put = |line: &&str| if line.is_empty() { newline.to_owned() } else { format!("{pad}{line}{newline}") };
    let mut lines: String = new[before..new.len() - behind].iter().map(put).collect();
    if range.end == text.len() && !text.ends_with('\n') {
        lines.truncate(lines.trim_end_matches(['\r', '\n']).len());
        // Lines inserted after a last line without a line break need one before them.
        if range.is_empty() {
            lines.insert_str(0, newline);
        } else if lines.is_empty() {
            // Where the last lines go, the line above is the last one, without a line break.
            let above = &text[..range.start];
            range.start = above.strip_suffix("\r\n").or_else(|| above.strip_suffix('\n')).unwrap_or(above).len();
        }
    }
    Some(Splice { range, replacement: lines })
}

fn lines(text: &str, from: usize, to: usize) -> Vec<(usize, &str)> {
    let mut at = from;
    let mut lines = Vec::new();
    for line in text[from..to.max(from)].split_inclusive('\n') {
        lines.push((at, line.trim_end_matches('\n')));
        at += line.len();
    }
    lines
}

fn quoted(text: &str, node: &Node, new: &str) -> Option<Splice> {
    let start = node.content + 1;
    let raw = text.get(start..node.end.checked_sub(1)?)?;
    if raw.contains('\n') || line_start(text, node.end) > node.content {
        return None;
    }
    let old = characters(raw)?;
    let new: Vec<char> = new.chars().collect();
    let before = old.iter().zip(&new).take_while(|((_, old), new)| old == *new).count();
    let room = old.len().min(new.len()) - before;
    let behind = old.iter().rev().zip(new.iter().rev()).take(room).take_while(|((_, old), new)| old == *new).count();
    let at = |index: usize| start + old.get(index).map_or(raw.len(), |(at, _)| *at);
    let middle: String = new[before..new.len() - behind].iter().collect();
    let written = style::scalar_text(&middle, true);
    Some(Splice { range: at(before)..at(old.len() - behind), replacement: written[1..written.len() - 1].to_owned() })
}

/// The characters between double quotes, each with its byte offset; `None` if one is written as an escape that only
/// YAML has, or as a pair of JSON escapes.
fn characters(raw: &str) -> Option<Vec<(usize, char)>> {
    let mut all = Vec::with_capacity(raw.len());
    let mut rest = raw.char_indices();
    while let Some((at, c)) = rest.next() {
        let c = if c == '\\' { escaped(&mut rest)? } else { c };
        all.push((at, c));
    }
    Some(all)
}

fn escaped(rest: &mut std::str::CharIndices) -> Option<char> {
    Some(match rest.next()?.1 {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        'f' => '\u{c}',
        c @ ('"' | '\\' | '/') => c,
        'x' => hex(rest, 2)?,
        'u' => hex(rest, 4)?,
        _ => return None,
    })
}

/// A character from hexadecimal digits; a surrogate is not a character.
fn hex(rest: &mut std::str::CharIndices, digits: usize) -> Option<char> {
    let code: Option<u32> = (0..digits).try_fold(0, |code, _| Some(code * 16 + rest.next()?.1.to_digit(16)?));
    char::from_u32(code?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use crate::edit::manifest::{ManifestObject, edit, members, splice};
    use crate::edit::{Edit, bootstrap};
    use crate::model::{FieldPath, kinds};

    const CHART: &str = include_str!("../../../tests/fixtures/bootstrap/chart.yaml");

    fn path() -> FieldPath {
        FieldPath::keys(&["data", "envoy.yaml"])
    }

    fn changed(text: &str, change: impl Fn(&str) -> String) -> String {
        let found = members(text, &kinds::CONFIG_MAP).found;
        let [ManifestObject::Member { object, place }] = &found[..] else { panic!("{found:?}\n{text}") };
        let old = path().get(&object.value).unwrap().as_str().unwrap();
        let edits = [Edit::set(path(), json!(change(old)))];
        splice(text, &[edit(text, place, &edits).unwrap()])
    }

    fn manifest(body: &str, header: &str, pad: usize) -> String {
        let pad = " ".repeat(pad);
        let body: String = body
            .split_inclusive('\n')
            .map(|line| if line == "\n" { line.into() } else { format!("{pad}{line}") })
            .collect();
        format!(
            "apiVersion: v1\nkind: ConfigMap # keep\nmetadata: {{name: x}}\ndata:\n\n  envoy.yaml: {header} # keep\n{body}"
        )
    }

    fn inserted(text: &str) -> String {
        changed(text, |old| bootstrap::insert(old).unwrap())
    }

    fn removed(text: &str) -> String {
        changed(text, |old| bootstrap::remove(old).unwrap())
    }

    #[test]
    fn a_bootstrap_in_a_manifest_is_edited_line_by_line() {
        for (header, end) in [
            ("|", "other: 1\n"),
            ("|", ""),
            ("|-", "  z: 1\n"),
            ("|+", ""),
            ("|", "\n\n# keep\n"),
            ("|", "---\nkind: X\n"),
        ] {
            for crlf in [false, true] {
                let text = format!("{}{end}", manifest(CHART, header, 4));
                let text = if crlf { text.replace('\n', "\r\n") } else { text };
                let after = inserted(&text);
                assert!(after.contains("      - name: gateway_proxy_sds"), "{after}");
                assert_eq!(after.lines().count(), text.lines().count() + 12, "{header} {end:?}");
                assert_eq!(removed(&after), text, "{header} {end:?}");
            }
        }
    }

    #[test]
    fn a_bootstrap_in_quotes_or_json_keeps_its_escapes() {
        let escaped = serde_json::to_string(CHART).unwrap().replace('~', "\\u007e").replace("\\\"", "\\u0022");
        for text in [
            format!("apiVersion: v1\nkind: ConfigMap\ndata:\n  envoy.yaml: {escaped} # keep\n"),
            format!("{{\"apiVersion\": \"v1\", \"kind\": \"ConfigMap\", \"data\": {{\"envoy.yaml\": {escaped}}}}}\n"),
        ] {
            let after = inserted(&text);
            assert!(after.contains("\\u007e") && after.contains("\\n  - name: gateway_proxy_sds\\n"), "{after}");
            assert_eq!(removed(&after), text);
        }
    }

    proptest! {
        #[test]
        fn lines_put_in_and_taken_out_leave_every_byte(
            lines in prop::collection::vec("[a-c #:-]{0,4}", 1..8),
            extra in prop::collection::vec("[a-c]{1,3}", 1..3),
            at in 0..8_usize,
            header in prop::sample::select(vec!["|", "|-", "|+"]),
        ) {
            let body: String = std::iter::once("first\n".to_owned()).chain(lines.iter().map(|line| format!("{line}\n"))).collect();
            let before = manifest(&body, header, 4);
            let all: Vec<&str> = body.lines().collect();
            let at = 1 + at % all.len();
            let after = changed(&before, |old| {
                let mut lines: Vec<&str> = old.split('\n').collect();
                let at = at.min(lines.len() - 1);
                lines.splice(at..at, extra.iter().map(String::as_str));
                lines.join("\n")
            });
            let original = members(&before, &kinds::CONFIG_MAP).found;
            let [ManifestObject::Member { object, .. }] = &original[..] else { panic!() };
            let old = path().get(&object.value).unwrap().as_str().unwrap().to_owned();
            let back = changed(&after, |_| old.clone());
            prop_assert_eq!(back, before, "{}", after);
        }
    }
}
