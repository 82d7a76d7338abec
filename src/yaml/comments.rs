//! The comments of a document.

use serde_yaml::granit_parser::{Event, Parser, ScalarStyle};

use super::DEPTH;

/// How deep YAML in block scalars is read: the values in an Application in a ConfigMap are at the second level.
const LEVELS: usize = 4;

/// Returns the comments of one document in order, each with its line, from 1. YAML in a block scalar, as the values of
/// an Argo CD Application are, counts like the rest. `None` if the text cannot be read.
pub(crate) fn comments(text: &str) -> Option<Vec<(usize, String)>> {
    at_level(text, 1)
}

fn at_level(text: &str, level: usize) -> Option<Vec<(usize, String)>> {
    let options = serde_yaml::granit_parser::options! { emit_comments: true, block_nesting_limit: DEPTH };
    let mut parser = Parser::new_from_str_with_options(text, options);
    let mut found = Vec::new();
    loop {
        let (event, span) = parser.next_event()?.ok()?;
        match event {
            Event::StreamEnd => return Some(found),
            Event::Comment(comment, _) => found.push((span.start.line(), comment.trim().to_owned())),
            Event::Scalar(inner, ScalarStyle::Literal, ..) if inner.contains('#') && level < LEVELS => {
                // A span starts at the first line that is not blank.
                let blank = inner.len() - inner.trim_start_matches('\n').len();
                let before = span.start.line().saturating_sub(1 + blank);
                let of_inner = at_level(&inner, level + 1).into_iter().flatten();
                found.extend(of_inner.map(|(line, text)| (before + line, text)));
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
        let lines = (0..2000).map(|level| " ".repeat(level) + "a: |\n").chain([" ".repeat(2000) + "# deep\n"]);
        assert!(comments(&lines.collect::<String>()).is_some(), "no depth ends the stack");
        assert_eq!(comments("a: [").map(|found| found.len()), None);
        assert_eq!(comments("{\"a\": \"# b\"}").unwrap(), []);
    }
}
