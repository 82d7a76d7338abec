//! Computes the splice in the text for one edit.
//!
//! Where a splice may fail because of block scalars or comments, several are offered. The caller uses the first one
//! after which the document reads as planned. A removal removes exactly what an insertion added.

use std::ops::Range;

use serde_json::Value;

use super::Splice;
use super::place::Task;
use super::scalar;
use super::style::{self, Flow, column, line_start};
use crate::yaml::{MapEntry, Node, Shape};

/// The possible splices, the best first; none if there is nothing to do.
pub(super) fn cuts(text: &str, root: &Node, task: &Task) -> Vec<Splice> {
    let page = Page { text, root };
    match task {
        Task::Nothing => Vec::new(),
        Task::Replace { parent, index, value } => {
            let there = match &parent.shape {
                Shape::Map { entries, .. } => entries.get(*index),
                _ => None,
            };
            let in_place = there.and_then(|entry| scalar::cut(text, entry, value));
            in_place.into_iter().chain(page.replace(parent, *index, value)).collect()
        }
        Task::Fill { holder, in_flow: false, value } => page.block_value(holder, value),
        Task::Fill { holder, in_flow: true, value } => page.flow_value(&holder.value, holder.colon, value),
        Task::Insert { parent, holder, in_flow, key, value } => {
            let parts = page.parts(parent);
            match (is_flow(parent), parts.last()) {
                (false, Some(_)) => page.block_insert(parent, *holder, &parts, key.as_deref(), value),
                (_, Some(_)) => page.flow_insert(parent, &parts, key.as_deref(), value),
                (_, None) => page.fill_empty(parent, holder.filter(|_| !in_flow), key.as_deref(), value),
            }
        }
        Task::InsertAfter { parent, holder, index, value } => {
            let parts = page.parts(parent);
            let above = &parts[..=*index];
            match is_flow(parent) {
                true => page.flow_insert(parent, above, None, value),
                false => page.block_insert(parent, *holder, above, None, value),
            }
        }
        Task::Remove { parent, holder, in_flow, index } => {
            let parts = page.parts(parent);
            if is_flow(parent) {
                page.flow_remove(parent, &parts, *index)
            } else {
                page.block_remove(parent, holder.filter(|_| !in_flow), &parts, *index)
            }
        }
    }
}

/// An entry of a map, or an item of a list with its dash.
struct Part {
    start: usize,
    end: usize,
    raw_end: usize,
    ends_in_block_scalar: bool,
}

fn is_flow(node: &Node) -> bool {
    matches!(node.shape, Shape::Map { flow: true, .. } | Shape::List { flow: true, .. })
}

struct Page<'t> {
    text: &'t str,
    root: &'t Node,
}

impl Page<'_> {
    fn parts(&self, node: &Node) -> Vec<Part> {
        match &node.shape {
            Shape::Map { entries, .. } => entries
                .iter()
                .map(|entry| {
                    let MapEntry { start, colon, value, .. } = entry;
                    let end = value.end.max(colon.unwrap_or(0));
                    let ends_in_block_scalar = value.ends_in_block_scalar;
                    Part {
                        start: self.question(*start, *colon),
                        end,
                        raw_end: value.raw_end.max(end),
                        ends_in_block_scalar,
                    }
                })
                .collect(),
            Shape::List { items, flow } => {
                let mut after = node.content;
                items
                    .iter()
                    .map(|item| {
                        let dash = self.text.get(after..item.start).and_then(|gap| gap.rfind('-'));
                        let start = if *flow { item.start } else { dash.map_or(item.start, |dash| after + dash) };
                        after = item.end;
                        let ends_in_block_scalar = item.ends_in_block_scalar;
                        Part { start, end: item.end, raw_end: item.raw_end, ends_in_block_scalar }
                    })
                    .collect()
            }
            Shape::Empty | Shape::Scalar | Shape::Alias => Vec::new(),
        }
    }

    /// The start of an entry. An entry with an explicit key starts with its question mark.
    fn question(&self, key: usize, colon: Option<usize>) -> usize {
        let before = self.text[..key].trim_end_matches(' ');
        if colon.is_none() && before.ends_with('?') { before.len() - 1 } else { key }
    }

    /// The end of the line, without its line break.
    fn line_end(&self, at: usize) -> usize {
        let end = self.text[at..].find('\n').map_or(self.text.len(), |offset| at + offset);
        if self.text[at..end].ends_with('\r') { end - 1 } else { end }
    }

    /// The start of the next line, or the end of the text.
    fn next_line(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |offset| at + offset + 1)
    }

    fn is_first_on_line(&self, at: usize) -> bool {
        self.text[line_start(self.text, at)..at].bytes().all(|byte| byte == b' ')
    }

    /// Inserts one more part after the last of `parts`, in block style.
    fn block_insert(
        &self,
        parent: &Node,
        holder: Option<&MapEntry>,
        parts: &[Part],
        key: Option<&str>,
        value: &Value,
    ) -> Vec<Splice> {
        let (Some(first), Some(last)) = (parts.first(), parts.last()) else { return Vec::new() };
        let indent = column(self.text, first.start);
        let block = style::block(self.text, self.root, parent, holder.map(|holder| holder.start));
        let mut lines = match key {
            Some(key) => style::entry_lines(key, value, indent, block),
            None => style::item_lines(value, indent, block),
        };
        lines[0].insert_str(0, &" ".repeat(indent));
        let newline = style::newline(self.text, last.end);
        let lines = lines.join(newline);
        let whole = format!("{lines}{newline}");
        let mut ways = Vec::new();
        for end in [last.end, last.raw_end] {
            let at = if self.text[..end].ends_with('\n') { end } else { self.next_line(end) };
            if self.text[..at].ends_with('\n') {
                ways.push(Splice { range: at..at, replacement: whole.clone() });
            } else if !last.ends_in_block_scalar {
                ways.push(Splice { range: at..at, replacement: format!("{newline}{lines}") });
            }
        }
        // A block scalar at the end of the file without a line break would get one from a line below it.
        if self.is_first_on_line(first.start) {
            let at = line_start(self.text, first.start);
            ways.push(Splice { range: at..at, replacement: whole });
        }
        ways.dedup();
        ways
    }

    fn block_remove(&self, parent: &Node, holder: Option<&MapEntry>, parts: &[Part], index: usize) -> Vec<Splice> {
        let part = &parts[index];
        let empty = if matches!(parent.shape, Shape::List { .. }) { "[]" } else { "{}" };
        let mut ways = Vec::new();
        if parts.len() == 1 {
            if let (Some(colon), false, true) =
                (holder.and_then(|holder| holder.colon), parent.is_marked(), self.is_first_on_line(part.start))
            {
                let start = line_start(self.text, part.start);
                for end in [part.end, part.raw_end] {
                    let lines = self.lines(start..end);
                    let text = format!(" {empty}{}", &self.text[colon..lines.start]);
                    ways.push(Splice { range: colon..lines.end, replacement: text });
                }
            }
            ways.push(Splice { range: parent.content..parent.end, replacement: empty.to_owned() });
        } else if self.is_first_on_line(part.start) {
            let start = line_start(self.text, part.start);
            let keeps_break = index.checked_sub(1).is_some_and(|previous| parts[previous].ends_in_block_scalar);
            // A block scalar above that keeps its blank lines would also include those below the removed part.
            let blank = self.text[part.raw_end..].len() - self.text[part.raw_end..].trim_start().len();
            let below = line_start(self.text, part.raw_end + blank).max(part.raw_end);
            ways.extend([part.end, part.raw_end, below].map(|end| {
                let lines = self.lines(start..end);
                // Without its last line break, a block scalar above would change its value.
                let from = if keeps_break { start } else { lines.start };
                Splice { range: from..lines.end, replacement: String::new() }
            }));
        } else if let Some(next) = parts.get(index + 1) {
            if self.text[part.end..next.start].trim().is_empty() {
                ways.push(Splice { range: part.start..next.start, replacement: String::new() });
            }
            ways.push(Splice { range: part.start..self.line_end(part.end), replacement: String::new() });
        }
        ways.dedup();
        ways
    }

    /// The lines from a line's start to the end of the line of `end`. At the end of a text without a last line break,
    /// the line break before these lines instead of the one after them.
    fn lines(&self, range: Range<usize>) -> Range<usize> {
        let end = if self.text[..range.end].ends_with('\n') { range.end } else { self.next_line(range.end) };
        if self.text[..end].ends_with('\n') {
            return range.start..end;
        }
        let before = &self.text[..range.start];
        let kept = before.strip_suffix("\r\n").or_else(|| before.strip_suffix('\n')).unwrap_or(before);
        kept.len()..end
    }

    fn replace(&self, parent: &Node, index: usize, value: &Value) -> Vec<Splice> {
        match &parent.shape {
            Shape::Map { entries, flow: false } => self.block_value(&entries[index], value),
            Shape::Map { entries, flow: true } => self.flow_value(&entries[index].value, entries[index].colon, value),
            Shape::List { items, flow: true } => self.flow_value(&items[index], None, value),
            Shape::List { items, flow: false } => {
                let item = &items[index];
                let indent = column(self.text, parent.content);
                let block = style::block(self.text, self.root, parent, None);
                let lines = style::item_lines(value, indent, block).join(style::newline(self.text, item.end));
                let start = self.parts(parent)[index].start;
                vec![Splice { range: start..item.end, replacement: lines }]
            }
            Shape::Empty | Shape::Scalar | Shape::Alias => Vec::new(),
        }
    }

    /// Replaces the text after the key in a block map.
    fn block_value(&self, entry: &MapEntry, value: &Value) -> Vec<Splice> {
        let Some(colon) = entry.colon else { return Vec::new() };
        let indent = column(self.text, entry.start);
        let block = style::block(self.text, self.root, &entry.value, Some(entry.start));
        let lines = style::value_lines(value, indent, block);
        let newline = style::newline(self.text, colon);
        let head = self.line_end(colon);
        let below = entry.value.start > head && !matches!(entry.value.shape, Shape::Scalar);
        let is_empty = matches!(entry.value.shape, Shape::Empty) && !entry.value.is_marked();
        let many = lines.len() > 1;
        let text = lines.join(newline);
        [entry.value.end, entry.value.raw_end]
            .map(|end| {
                // A comment after the key stays with the key.
                let start = if many && (below || is_empty) { head } else { colon };
                let end = if self.text[..end].ends_with('\n') { self.lines_before(end) } else { end };
                Splice { range: start..end.max(start), replacement: text.clone() }
            })
            .to_vec()
    }

    /// The same end, without the line break before it.
    fn lines_before(&self, end: usize) -> usize {
        let text = &self.text[..end];
        text.strip_suffix("\r\n").or_else(|| text.strip_suffix('\n')).unwrap_or(text).len()
    }

    fn flow_value(&self, old: &Node, colon: Option<usize>, value: &Value) -> Vec<Splice> {
        let style = self.flow_style(None);
        let new = if self.is_pretty() {
            let (indent, unit) = self.json_indent(colon.unwrap_or(old.start));
            style::pretty(value, indent, unit, style::newline(self.text, old.start))
        } else {
            style::flow(value, style)
        };
        let gap = if old.start == old.end && colon.is_some() { " " } else { "" };
        vec![Splice { range: old.start..old.end, replacement: format!("{gap}{new}") }]
    }

    /// Inserts one more part after the last of `parts`, in flow style.
    fn flow_insert(&self, parent: &Node, parts: &[Part], key: Option<&str>, value: &Value) -> Vec<Splice> {
        let Some(last) = parts.last() else { return Vec::new() };
        let before = parts.len().checked_sub(2).map_or(parent.content + 1, |previous| parts[previous].end);
        let style = self.flow_style(Some(last));
        let own_line = self.text[before..last.start].contains('\n') && self.is_first_in_line(last.start);
        let newline = style::newline(self.text, last.start);
        let (indent, unit) = self.json_indent(last.start);
        let value = if own_line && self.is_json() {
            style::pretty(value, indent, unit, newline)
        } else {
            style::flow(value, style)
        };
        let part = key.map_or_else(|| value.clone(), |key| style::flow_entry(key, &value, style));
        let lead = &self.text[line_start(self.text, last.start)..last.start];
        let gap = match (own_line, style.compact) {
            (true, _) => format!("{newline}{lead}"),
            (false, true) => String::new(),
            (false, false) => " ".to_owned(),
        };
        vec![Splice { range: last.end..last.end, replacement: format!(",{gap}{part}") }]
    }

    fn fill_empty(&self, parent: &Node, holder: Option<&MapEntry>, key: Option<&str>, value: &Value) -> Vec<Splice> {
        let inner = parent.content + 1..parent.end.saturating_sub(1);
        let whole = match key {
            Some(key) => Value::Object(serde_json::Map::from_iter([(key.to_owned(), value.clone())])),
            None => Value::Array(vec![value.clone()]),
        };
        if let Some(holder) = holder {
            let bare = holder.colon.is_some_and(|colon| matches!(&self.text[colon..parent.end], " {}" | " []"));
            if bare && self.is_line_rest(parent.end) {
                return self.block_value_after(holder, parent, &whole);
            }
        }
        let style = self.flow_style(None);
        let newline = style::newline(self.text, parent.content);
        if self.is_pretty() && inner.is_empty() {
            let (indent, unit) = self.json_indent(parent.content);
            return vec![Splice {
                range: parent.content..parent.end,
                replacement: style::pretty(&whole, indent, unit, newline),
            }];
        }
        let value = style::flow(value, style);
        let part = key.map_or_else(|| value.clone(), |key| style::flow_entry(key, &value, style));
        vec![Splice { range: inner.start..inner.start, replacement: part }]
    }

    /// Replaces ` {}` after a key with lines below it. A comment stays after the key.
    fn block_value_after(&self, holder: &MapEntry, parent: &Node, whole: &Value) -> Vec<Splice> {
        let Some(colon) = holder.colon else { return Vec::new() };
        let block = style::block(self.text, self.root, parent, Some(holder.start));
        let lines = style::value_lines(whole, column(self.text, holder.start), block);
        let end = self.line_end(parent.end);
        let text = lines.join(style::newline(self.text, colon));
        vec![Splice { range: colon..end, replacement: format!("{}{text}", &self.text[parent.end..end]) }]
    }

    fn flow_remove(&self, parent: &Node, parts: &[Part], index: usize) -> Vec<Splice> {
        let part = &parts[index];
        let inner = parent.content + 1..parent.end.saturating_sub(1);
        let gone = |range| Splice { range, replacement: String::new() };
        let with_comma = part.start..self.after_comma(part.end);
        let mut ways = Vec::new();
        if parts.len() == 1 {
            let blank = |gap: &str| gap.contains('\n') && gap.trim().is_empty();
            if blank(&self.text[inner.start..part.start]) && blank(&self.text[part.end..inner.end]) {
                ways.push(gone(inner));
            }
        } else if let Some(next) = parts.get(index + 1) {
            if !self.text[part.end..next.start].contains('#') {
                ways.push(gone(part.start..next.start));
            }
        } else if let Some(previous) = index.checked_sub(1).map(|previous| &parts[previous])
            && !self.text[previous.end..part.start].contains('#')
        {
            ways.push(gone(previous.end..part.end));
        }
        ways.push(gone(with_comma));
        ways
    }

    fn after_comma(&self, at: usize) -> usize {
        let rest = &self.text[at..];
        let gap = rest.len() - rest.trim_start().len();
        if rest[gap..].starts_with(',') { at + gap + 1 } else { at }
    }

    /// Whether only white space stands before this byte on its line.
    fn is_first_in_line(&self, at: usize) -> bool {
        self.text[line_start(self.text, at)..at].trim().is_empty()
    }

    /// Whether at most a comment stands after this byte on its line.
    fn is_line_rest(&self, at: usize) -> bool {
        let rest = self.text[at..self.line_end(at)].trim_start();
        rest.is_empty() || rest.starts_with('#')
    }

    fn is_json(&self) -> bool {
        is_flow(self.root) && self.parts(self.root).first().is_some_and(|part| self.text[part.start..].starts_with('"'))
    }

    fn is_pretty(&self) -> bool {
        self.is_json() && self.parts(self.root).first().is_some_and(|part| self.is_first_in_line(part.start))
    }

    /// The indentation of the line, and the indentation unit of the document.
    fn json_indent(&self, at: usize) -> (&str, &str) {
        let lead = |at: usize| {
            let line = &self.text[line_start(self.text, at)..];
            &line[..line.len() - line.trim_start_matches([' ', '\t']).len()]
        };
        (lead(at), self.parts(self.root).first().map_or("  ", |part| lead(part.start)))
    }

    fn flow_style(&self, neighbour: Option<&Part>) -> Flow {
        let json = self.is_json();
        let quoted = json || neighbour.is_some_and(|part| self.text[part.start..].starts_with('"'));
        let tight = match &self.root.shape {
            Shape::Map { entries, .. } => entries.first().is_some_and(|entry| entry.colon == Some(entry.value.start)),
            _ => false,
        };
        Flow { quoted, compact: json && tight }
    }
}
