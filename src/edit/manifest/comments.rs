//! Comments that an edit does not keep.

use std::collections::HashMap;

use super::split::{self, TextDocument};
use crate::yaml;

/// The lines of `before` with comments that `after` does not have, from 1. Comments of documents that cannot be read are
/// not compared: those are not edited.
pub(crate) fn lost_comments(before: &str, after: &str) -> Vec<usize> {
    if !before.contains('#') {
        return Vec::new();
    }
    let all = |text: &str| -> Vec<(usize, String)> {
        let of_document = |document: TextDocument| {
            let comments = yaml::comments(&text[document.range]).unwrap_or_default();
            comments.into_iter().map(move |(line, comment)| (document.line + line - 1, comment))
        };
        split::documents(text).into_iter().flat_map(of_document).collect()
    };
    let mut kept: HashMap<String, usize> = HashMap::new();
    for (_, comment) in all(after) {
        *kept.entry(comment).or_default() += 1;
    }
    let mut is_lost = |comment: &str| match kept.get_mut(comment) {
        Some(number) if *number > 0 => {
            *number -= 1;
            false
        }
        _ => true,
    };
    all(before).into_iter().filter(|(_, comment)| is_lost(comment)).map(|(line, _)| line).collect()
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
    }
}
