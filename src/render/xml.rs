//! XML as a tree, so that every text is escaped.

use super::text::is_obeyed;

/// An element. Its texts and children are always escaped when they are written.
pub(super) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    children: Vec<Self>,
    /// The text, line by line.
    text: Vec<String>,
}

impl Element {
    /// An empty element.
    #[must_use]
    pub(super) fn new(name: &'static str) -> Self {
        Self { name, attributes: Vec::new(), children: Vec::new(), text: Vec::new() }
    }

    /// Adds an attribute.
    #[must_use]
    pub(super) fn with(mut self, name: &'static str, value: impl std::fmt::Display) -> Self {
        self.attributes.push((name, format!("{value}")));
        self
    }

    /// Adds a child element.
    #[must_use]
    pub(super) fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    /// Adds lines of text.
    #[must_use]
    pub(super) fn lines(mut self, lines: impl IntoIterator<Item = String>) -> Self {
        self.text.extend(lines);
        self
    }

    /// The document with this element as its root.
    #[must_use]
    pub(super) fn document(&self) -> String {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        self.write(&mut out, 0);
        out
    }

    fn write(&self, out: &mut String, depth: usize) {
        let indent = "  ".repeat(depth);
        out.push_str(&indent);
        out.push('<');
        out.push_str(self.name);
        for (name, value) in &self.attributes {
            out.extend([" ", name, "=\"", &escaped(value), "\""]);
        }
        if self.children.is_empty() && self.text.is_empty() {
            out.push_str("/>\n");
            return;
        }
        out.push('>');
        out.push_str(&self.text.iter().map(|line| escaped(line)).collect::<Vec<_>>().join("\n"));
        if !self.children.is_empty() {
            out.push('\n');
            for child in &self.children {
                child.write(out, depth + 1);
            }
            out.push_str(&indent);
        }
        out.extend(["</", self.name, ">\n"]);
    }
}

/// Escapes a text: characters with a meaning in XML become entities; characters that control a terminal, or that XML
/// 1.0 does not allow, are made visible.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            c if is_obeyed(c) || matches!(c, '\u{fffe}' | '\u{ffff}') => out.extend(c.escape_unicode()),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stays_text() {
        let hostile = "\"/><x>&amp;\u{1b}[31m\n]]>\u{0}\u{ffff}\u{202e}'";
        let document =
            Element::new("a").with("b", hostile).child(Element::new("c").lines([hostile.to_owned()])).document();
        let safe = "&quot;/&gt;&lt;x&gt;&amp;amp;\\u{1b}[31m\\u{a}]]&gt;\\u{0}\\u{ffff}\\u{202e}&apos;";
        let wanted = format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<a b=\"{safe}\">\n  <c>{safe}</c>\n</a>\n");
        assert_eq!(document, wanted);
    }
}
