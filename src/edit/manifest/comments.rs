//! Comments that an edit does not keep.

use super::split::{self, TextDocument};
use crate::yaml;

/// A comment of a text.
struct Comment<'t> {
    /// From 1.
    line: usize,
    text: String,
    /// The whole line, and the next one.
    lines: [&'t str; 2],
}

impl Comment<'_> {
    /// What two comments must share to be the same, from the strictest to the loosest: of equal comments, the one whose
    /// line is still there is kept.
    const SAME: [fn(&Self, &Self) -> bool; 3] = [
        |one, other| one.lines == other.lines,
        |one, other| one.lines[0] == other.lines[0],
        |one, other| one.text == other.text,
    ];
}

/// The lines of `before` with comments that `after` does not have, from 1. Comments of documents that cannot be read are
/// not compared: those are not edited.
pub(crate) fn lost_comments(before: &str, after: &str) -> Vec<usize> {
    if !before.contains('#') {
        return Vec::new();
    }
    let (mut lost, mut kept) = (comments(before), comments(after));
    for is_same in Comment::SAME {
        lost.retain(|comment| {
            let found = kept.iter().position(|other| comment.text == other.text && is_same(comment, other));
            found.map(|found| kept.swap_remove(found)).is_none()
        });
    }
    lost.into_iter().map(|comment| comment.line).collect()
}

fn comments(text: &str) -> Vec<Comment<'_>> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let at = |line: usize| lines.get(line - 1).copied().unwrap_or_default();
    let of_document = |document: TextDocument| {
        let comments = yaml::comments(&text[document.range]).unwrap_or_default();
        comments.into_iter().map(move |(line, comment)| (document.line + line - 1, comment))
    };
    let all = split::documents(text).into_iter().flat_map(of_document);
    all.map(|(line, text)| Comment { line, text, lines: [at(line), at(line + 1)] }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_lost_if_the_new_text_has_it_less_often() {
        let before = "# top\na: 1 # same\n---\nb: # same\n  # inside\n  c: 1\ntext: '# none'\n";
        assert!(lost_comments(before, before).is_empty());
        assert_eq!(lost_comments(before, "# top\na: 1 # same\n---\nb: 2\n"), [4, 5]);
        assert_eq!(lost_comments(before, "a: 1 # same\n---\nd:\n  # inside\n  b: 1 # same\n"), [1], "they may move");
        assert!(lost_comments("a: 1\n", "").is_empty());
        let alike = "a: 1 # same\nb: 2 # same\n# above\nc: 3\n# above\nd: 4\n";
        assert_eq!(lost_comments(alike, "b: 2 # same\n# above\nd: 4\n"), [1, 3], "the line that is left has its own");
        assert_eq!(lost_comments(alike, "a: 1 # same\n# above\nc: 3\n"), [2, 5]);
    }
}
