//! How the templates escape. Every text goes through one of these, unless the template says `safe`, which it says of
//! numbers and of words of this program only.

use std::fmt::{self, Write};

use askama::filters::Escaper;

use crate::render::text::is_obeyed;

/// Text in HTML, also in attributes. What controls a terminal or reorders text is shown as an escape.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Html;

impl Escaper for Html {
    fn write_escaped_str<W: Write>(&self, mut dest: W, string: &str) -> fmt::Result {
        for c in string.chars() {
            match c {
                '&' => dest.write_str("&amp;")?,
                '<' => dest.write_str("&lt;")?,
                '>' => dest.write_str("&gt;")?,
                '"' => dest.write_str("&quot;")?,
                '\'' => dest.write_str("&#39;")?,
                c if is_obeyed(c) => write!(dest, "{}", c.escape_unicode())?,
                c => dest.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// A code span of Markdown: nothing in it is a link, a mention, a tag or the end of a cell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Markdown;

impl Escaper for Markdown {
    fn write_escaped_str<W: Write>(&self, mut dest: W, string: &str) -> fmt::Result {
        if string.is_empty() {
            return dest.write_char('-');
        }
        // A span ends at a run of as many backticks as it begins with.
        let longest = string.split(|c| c != '`').map(str::len).max().unwrap_or_default();
        let fence = "`".repeat(longest + 1);
        let pad = if longest > 0 || string.trim().is_empty() { " " } else { "" };
        write!(dest, "{fence}{pad}")?;
        for c in string.chars() {
            match c {
                '|' => dest.write_str("\\|")?,
                c if is_obeyed(c) => write!(dest, "{}", c.escape_unicode())?,
                c => dest.write_char(c)?,
            }
        }
        write!(dest, "{pad}{fence}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str) -> String {
        let mut out = String::new();
        Html.write_escaped_str(&mut out, text).unwrap();
        out
    }

    fn markdown(text: &str) -> String {
        let mut out = String::new();
        Markdown.write_escaped_str(&mut out, text).unwrap();
        out
    }

    #[test]
    fn no_text_is_markup() {
        assert_eq!(html("<script>alert(1)</script>"), "&lt;script&gt;alert(1)&lt;/script&gt;");
        assert_eq!(html("\" onload='x' &amp; \u{202e}\u{1b}"), "&quot; onload=&#39;x&#39; &amp;amp; \\u{202e}\\u{1b}");
        assert_eq!(html("\n\u{0}"), "\\u{a}\\u{0}");
    }

    #[test]
    fn no_text_leaves_its_code_span_or_its_cell() {
        for (text, wanted) in [
            ("shop/cart", "`shop/cart`"),
            ("a|b", "`a\\|b`"),
            ("a`b``c", "``` a`b``c ```"),
            ("[x](https://x) @all <b>", "`[x](https://x) @all <b>`"),
            ("a\n\n# b", "`a\\u{a}\\u{a}# b`"),
            ("", "-"),
        ] {
            assert_eq!(markdown(text), wanted);
        }
    }
}
