//! Regular expressions as Envoy takes them: RE2's syntax, the whole text or nothing.

use regex::bytes::RegexBuilder;

/// What a compiled expression may take; Envoy warns from a program of 100 instructions on.
const LIMIT: usize = 1 << 20;

/// Whether an expression matches the whole of a text.
///
/// Classes such as `\d` are ASCII's, as in RE2.
///
/// # Errors
/// It is no expression, or one that only RE2 understands: nobody should guess then.
pub fn is_whole_match(pattern: &str, text: &str) -> Result<bool, String> {
    let compile = |pattern: &str| RegexBuilder::new(pattern).unicode(false).size_limit(LIMIT).build();
    // On its own first: a stray parenthesis must not close the group below.
    let whole = compile(pattern).and_then(|_| compile(&format!(r"\A(?:{pattern})\z")));
    whole.map(|regex| regex.is_match(text.as_bytes())).map_err(|_| format!("cannot read the regex {pattern}"))
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
    fn what_cannot_be_read_is_no_answer() {
        assert!(is_whole_match("/a)|(/b", "/b").is_err());
        assert!(is_whole_match("(", "").is_err());
        assert!(is_whole_match(&"(a{1000}){1000}".repeat(9), "a").is_err());
    }
}
