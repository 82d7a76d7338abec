//! Masks the text of manifests, node by node: the whole scalar of a secret is replaced, in any style.
//!
//! A document whose nodes are not found in its text is written again from its masked value. A document that cannot be
//! parsed is masked line by line, and so are comments, which the parser does not return.

use std::collections::{BTreeMap, HashMap};
use std::ops::Range;

use serde_json::Value;

use super::cover::{self, Cover, Leaf};
use super::texts::{OUTERMOST, SecretTexts, embedded};
use super::{MASK, lines};
use crate::edit::manifest::{Splice, documents, splice};
use crate::yaml::{self, Node, Shape};

/// The value with its hidden parts replaced.
pub(super) fn masked(value: &Value, texts: &SecretTexts) -> Value {
    let mut shown = value.clone();
    if let Some(cover) = covered(value, texts, OUTERMOST) {
        cover::apply(&mut shown, cover);
    }
    shown
}

/// A manifest's text with its secrets replaced.
#[must_use]
pub(crate) fn masked_manifest(text: &str) -> String {
    let documents: Vec<_> =
        documents(text).into_iter().map(|range| (yaml::parse(&text[range.clone()]).ok(), range)).collect();
    let texts = SecretTexts::of_all(documents.iter().filter_map(|(value, _)| value.as_ref()));
    texts.masked_long(&by_place(text, &documents, &texts, OUTERMOST))
}

/// The hidden parts of a value, given the texts of its secrets. `depth` is the number of texts that contain the value.
fn covered(value: &Value, texts: &SecretTexts, depth: usize) -> Option<Cover> {
    cover::cover(value, &mut |leaf| match leaf {
        Leaf::Secret(_) => Some(Cover::Whole),
        Leaf::Text(text) => inside(text, texts, depth).map(Cover::Inside),
    })
}

/// The masked form of a text that is not itself a secret, if it contains one. The text may be a document of its own.
fn inside(text: &str, texts: &SecretTexts, depth: usize) -> Option<String> {
    let values = embedded(text, depth);
    let shown = match &values[..] {
        [] if text.contains([':', '=']) => lines::masked(text),
        [] => text.to_owned(),
        _ => {
            let documents: Vec<_> =
                documents(text).into_iter().map(|range| (yaml::parse(&text[range.clone()]).ok(), range)).collect();
            by_place(text, &documents, texts, depth + 1)
        }
    };
    let shown = texts.masked_long(&shown);
    (shown != text).then_some(shown)
}

fn by_place(text: &str, documents: &[(Option<Value>, Range<usize>)], texts: &SecretTexts, depth: usize) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut at = 0;
    for (value, range) in documents {
        shown.push_str(&text[at..range.start]);
        let slice = &text[range.clone()];
        shown.push_str(
            &value.as_ref().map_or_else(|| lines::masked(slice), |value| document(slice, value, texts, depth)),
        );
        at = range.end;
    }
    shown.push_str(&text[at..]);
    shown
}

fn document(text: &str, value: &Value, texts: &SecretTexts, depth: usize) -> String {
    let cover = covered(value, texts, depth);
    let root = match yaml::outline(text) {
        Ok(Some(root)) => root,
        Ok(None) => return lines::masked(text),
        Err(_) => return written(value, cover),
    };
    if matches!(root.shape, Shape::Scalar) && cover.is_none() {
        return lines::masked(text);
    }
    let mut places = Places { text, anchors: HashMap::new(), scalars: Vec::new(), found: BTreeMap::new() };
    places.see(&root);
    if let Some(cover) = &cover
        && places.hide(cover, value, &root).is_err()
    {
        return written(value, Some(cover.clone()));
    }
    let comments = comments(text, &places.scalars);
    let comments = comments.into_iter().map(|at| Splice { replacement: lines::masked(&text[at.clone()]), range: at });
    let scalars = places.found.into_values();
    splice(text, &comments.chain(scalars).collect::<Vec<_>>())
}

/// Writes the document from its value, without comments and styles.
fn written(value: &Value, cover: Option<Cover>) -> String {
    let mut shown = value.clone();
    if let Some(cover) = cover {
        cover::apply(&mut shown, cover);
    }
    yaml::write(&shown)
}

/// A secret whose node was not found in the text.
struct Lost;

struct Places<'t> {
    text: &'t str,
    /// The nodes with each anchor, in order.
    anchors: HashMap<&'t str, Vec<&'t Node>>,
    /// The ranges of keys and scalars, in order: no comment starts inside them.
    scalars: Vec<Range<usize>>,
    found: BTreeMap<usize, Splice>,
}

impl<'t> Places<'t> {
    fn see(&mut self, node: &'t Node) {
        let marks = self.text[node.start..node.content].split_whitespace();
        for anchor in marks.filter_map(|mark| mark.strip_prefix('&')) {
            self.anchors.entry(anchor).or_default().push(node);
        }
        match &node.shape {
            Shape::Empty | Shape::Alias => {}
            Shape::Scalar => self.scalars.push(raw(self.text, node).start..node.raw_end),
            Shape::List { items, .. } => items.iter().for_each(|item| self.see(item)),
            Shape::Map { entries, .. } => {
                for entry in entries {
                    self.scalars.push(entry.start..entry.end);
                    self.see(&entry.value);
                }
            }
        }
    }

    fn hide(&mut self, cover: &Cover, value: &Value, node: &'t Node) -> Result<(), Lost> {
        let node = self.target(node)?;
        let at = raw(self.text, node);
        match (cover, &node.shape) {
            (Cover::Whole, Shape::Scalar) => {
                let replacement = masked_scalar(&self.text[at.clone()]);
                self.found.insert(at.start, Splice { range: at, replacement });
            }
            (Cover::Inside(shown), Shape::Scalar) => {
                let replacement = rewritten(&self.text[at.clone()], value.as_str().ok_or(Lost)?, shown);
                self.found.entry(at.start).or_insert(Splice { range: at, replacement });
            }
            (Cover::Map(children), Shape::Map { entries, .. }) => {
                let by_key: HashMap<&str, &'t Node> =
                    entries.iter().map(|entry| (entry.key.as_str(), &entry.value)).collect();
                for (key, cover) in children {
                    let inner = match by_key.get(key.as_str()) {
                        Some(inner) => inner,
                        None => self.merged(key, by_key.get("<<").ok_or(Lost)?)?,
                    };
                    self.hide(cover, value.get(key).ok_or(Lost)?, inner)?;
                }
            }
            (Cover::List(children), Shape::List { items, .. }) => {
                for (number, cover) in children {
                    self.hide(cover, value.get(number).ok_or(Lost)?, items.get(*number).ok_or(Lost)?)?;
                }
            }
            _ => return Err(Lost),
        }
        Ok(())
    }

    /// The node itself, or for an alias the last node before it with that anchor.
    fn target(&self, node: &'t Node) -> Result<&'t Node, Lost> {
        if !matches!(node.shape, Shape::Alias) {
            return Ok(node);
        }
        let name = self.text[node.content..node.end].strip_prefix('*').ok_or(Lost)?;
        let carriers = self.anchors.get(name).ok_or(Lost)?;
        carriers.iter().rfind(|carrier| carrier.start < node.start).copied().ok_or(Lost)
    }

    /// The value of a key from a merge: from the first of several maps that has it.
    fn merged(&self, key: &str, node: &'t Node) -> Result<&'t Node, Lost> {
        let node = self.target(node)?;
        match &node.shape {
            Shape::List { items, .. } => items.iter().find_map(|item| self.merged(key, item).ok()).ok_or(Lost),
            Shape::Map { entries, .. } => {
                let find = |key: &str| entries.iter().find(|entry| entry.key == key).map(|entry| &entry.value);
                find(key).map_or_else(|| self.merged(key, find("<<").ok_or(Lost)?), Ok)
            }
            _ => Err(Lost),
        }
    }
}

/// The range of a scalar as it is written. The parser reports the start of a block scalar after its header: `|`, `>-`,
/// `|2 # why`.
fn raw(text: &str, node: &Node) -> Range<usize> {
    let header = || {
        let before = text[..node.content].trim_end();
        let line = before.rfind('\n').map_or(0, |end| end + 1);
        let bare = before[line..].split_once(" #").map_or(&before[line..], |(bare, _)| bare).trim_end();
        let token = bare.rfind([' ', '\t']).map_or(0, |blank| blank + 1);
        bare[token..].starts_with(['|', '>']).then_some(line + token)
    };
    let start = if node.ends_in_block_scalar { header() } else { None };
    start.unwrap_or(node.content)..node.end
}

/// The replacement of a scalar. Quotes stay, so that JSON stays JSON.
fn masked_scalar(raw: &str) -> String {
    match raw.chars().next() {
        Some(quote @ ('"' | '\'')) => format!("{quote}{MASK}{quote}"),
        _ => MASK.to_owned(),
    }
}

/// Replaces the text of a scalar, in its own style where that is safe: plain, quoted without escapes, or a literal
/// block. Every other scalar is quoted as in JSON.
fn rewritten(raw: &str, text: &str, shown: &str) -> String {
    if raw == text {
        return shown.to_owned();
    }
    if let Some(quote @ ('"' | '\'')) = raw.chars().next()
        && raw.len() == text.len() + 2
        && &raw[1..raw.len() - 1] == text
    {
        return format!("{quote}{shown}{quote}");
    }
    literal(raw, text, shown).unwrap_or_else(|| Value::from(shown).to_string())
}

fn literal(raw: &str, text: &str, shown: &str) -> Option<String> {
    let (header, body) = raw.strip_prefix('|').and_then(|_| raw.split_once('\n'))?;
    let indent = body.lines().find(|line| !line.trim().is_empty()).map(|line| line.len() - line.trim_start().len())?;
    let bare: Vec<_> = body.lines().map(|line| line.get(indent..).unwrap_or_default()).collect();
    if bare.join("\n") != text.trim_end() {
        return None;
    }
    let end = if header.ends_with('\r') { "\r\n" } else { "\n" };
    let blanks = " ".repeat(indent);
    let lines =
        shown.trim_end().lines().map(|line| if line.is_empty() { String::new() } else { format!("{blanks}{line}") });
    Some(format!("{header}\n{}", lines.collect::<Vec<_>>().join(end)))
}

/// The ranges of the comments. Consecutive comments on lines of their own are one range.
fn comments(text: &str, scalars: &[Range<usize>]) -> Vec<Range<usize>> {
    let mut found: Vec<Range<usize>> = Vec::new();
    let mut scalars = scalars.iter().peekable();
    let mut open = false;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let end = start + line.len();
        let sign = line.match_indices('#').map(|(at, _)| start + at).find(|at| {
            while scalars.next_if(|scalar| scalar.end <= *at).is_some() {}
            let is_in_scalar = scalars.peek().is_some_and(|scalar| scalar.contains(at));
            !is_in_scalar && (*at == start || text[..*at].ends_with([' ', '\t']))
        });
        let alone = sign.is_some_and(|sign| text[start..sign].trim().is_empty());
        match (sign, found.last_mut()) {
            (Some(_), Some(last)) if alone && open => last.end = end,
            (Some(_), _) if alone => found.push(start..end),
            (Some(sign), _) => found.push(sign..end),
            (None, _) => {}
        }
        open = alone;
        start = end;
    }
    found
}
