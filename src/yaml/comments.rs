//! The comments of a document.

use serde_yaml::granit_parser::{Event, Parser, ScalarStyle};

use super::DEPTH;

/// Returns the comments of one document in order, each with its line, from 1. YAML in a block scalar, as the values of
/// an Argo CD Application are, counts like the rest. `None` if the text cannot be read.
pub(crate) fn comments(text: &str) -> Option<Vec<(usize, String)>> {
    let options = serde_yaml::granit_parser::options! { emit_comments: true, block_nesting_limit: DEPTH };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut found = Vec::new();
    loop {
        let (event, span) = parser.next_event()?.ok()?;
        match event {
            Event::StreamEnd => return Some(found),
            Event::Comment(comment, _) => found.push((span.start.line(), comment.trim().to_owned())),
            Event::Scalar(inner, ScalarStyle::Literal, ..) if inner.contains('#') => {
                // A span starts at the first line that is not blank.
                let line = span.start.line() - 1 - (inner.len() - inner.trim_start_matches('\n').len());
                found.extend(comments(&inner).into_iter().flatten().map(|(inner, text)| (line + inner, text)));
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_have_their_lines_also_in_a_block_scalar() {
        let text = "# top\na: 1 # one\nb: '# none'\nvalues: |\n\n  # inner\n  c: 2\n\n  d: 3 # three\n# last\n";
        let wanted = [(1, "top"), (2, "one"), (6, "inner"), (9, "three"), (10, "last")];
        let found = comments(text).unwrap();
        assert_eq!(found.iter().map(|(line, text)| (*line, text.as_str())).collect::<Vec<_>>(), wanted);
        assert_eq!(comments("a: [").map(|found| found.len()), None);
        assert_eq!(comments("{\"a\": \"# b\"}").unwrap(), []);
    }
}
