//! Regular expressions as Envoy evaluates them: RE2's syntax, and the whole text must match.

use regex::bytes::RegexBuilder;

/// The size limit of a compiled expression. Envoy warns above a program of 100 instructions.
const LIMIT: usize = 1 << 20;

/// Returns whether an expression matches the whole text.
///
/// Classes such as `\d` are ASCII only, as in RE2.
///
/// # Errors
/// It is not a valid expression, or only RE2 understands it, so the result is not guessed.
pub(crate) fn is_whole_match(pattern: &str, text: &str) -> Result<bool, String> {
    let compile = |pattern: &str| RegexBuilder::new(pattern).unicode(false).size_limit(LIMIT).build();
    let unread = || format!("cannot read the regex {pattern}");
    if is_read_otherwise(pattern) {
        return Err(unread());
    }
    // The pattern is compiled alone first, so that a stray parenthesis cannot close the group below.
    let whole = compile(pattern).and_then(|_| compile(&format!(r"\A(?:{pattern})\z")));
    whole.map(|regex| regex.is_match(text.as_bytes())).map_err(|_| unread())
}

/// Returns whether an expression contains syntax that the crate and RE2 read differently: `\<` and `\>` (RE2: the
/// characters themselves), `\b{start}`, sets in sets (RE2: the character `[`), `&&`, `--` and `~~` in a set, flags such
/// as `x`.
fn is_read_otherwise(pattern: &str) -> bool {
    let mut in_set = false;
    let mut rest = pattern;
    while let Some(first) = rest.chars().next() {
        let after = &rest[first.len_utf8()..];
        let (step, is_otherwise) = match first {
            '\\' => {
                let second = after.chars().next().map_or(0, char::len_utf8);
                (1 + second, after.starts_with(['<', '>']) || after.starts_with("b{"))
            }
            '[' if in_set => (1, !after.starts_with(':')),
            // A `]` directly after the `[` is a member of the set.
            '[' => {
                in_set = true;
                let negated = usize::from(after.starts_with('^'));
                (1 + negated + usize::from(after[negated..].starts_with(']')), false)
            }
            ':' if in_set && after.starts_with(']') => (2, false),
            ']' => {
                in_set = false;
                (1, false)
            }
            _ if in_set => (first.len_utf8(), ["&&", "--", "~~"].iter().any(|sign| rest.starts_with(sign))),
            '(' => (1, after.strip_prefix('?').is_some_and(has_flags_of_the_crate)),
            _ => (first.len_utf8(), false),
        };
        if is_otherwise {
            return true;
        }
        rest = &rest[step..];
    }
    false
}

fn has_flags_of_the_crate(flags: &str) -> bool {
    let is_flag = |c: &char| c.is_ascii_alphabetic();
    !flags.starts_with('P')
        && flags.chars().filter(|c| *c != '-').take_while(is_flag).any(|flag| !matches!(flag, 'i' | 'm' | 's' | 'U'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_text_matches_or_nothing_does() {
        assert_eq!(is_whole_match("/api/v[0-9]+", "/api/v12"), Ok(true));
        assert_eq!(is_whole_match("/api", "/api/v1"), Ok(false));
        assert_eq!(is_whole_match("/a|/b", "/b"), Ok(true));
        assert_eq!(is_whole_match("/a|/b", "/a/b"), Ok(false));
        assert_eq!(is_whole_match(r"/\d", "/\u{664}"), Ok(false), "an Arabic digit is none of RE2's");
    }

    #[test]
    fn what_re2_reads_otherwise_is_no_answer() {
        for pattern in
            [r"/a\<b", r"/a\>", r"\b{start}a", "[a[b]]", "[a&&b]", "[a--b]", "[a~~b]", "(?x)/a # b", "(?iR:a)"]
        {
            assert!(is_whole_match(pattern, "/a<b").is_err(), "{pattern}");
        }
        for pattern in ["[[:alpha:]&]", "[]a&-]", r"[^]\]&]", "(?i)a", "(?s-m:a)", "(?P<x>a)", "(?:a--)?a", r"\\?<?a"] {
            assert_eq!(is_whole_match(pattern, "a"), Ok(true), "{pattern}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_no_answer() {
        assert!(is_whole_match("/a)|(/b", "/b").is_err());
        assert!(is_whole_match("(", "").is_err());
        assert!(is_whole_match(&"(a{1000}){1000}".repeat(9), "a").is_err());
    }
}
