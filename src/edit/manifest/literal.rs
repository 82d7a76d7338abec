//! A block scalar (`|`) that holds a text of lines: only the lines that differ are written anew.

use super::cut::Cut;
use super::style::newline;
use crate::yaml::Node;

/// The change from the text that stands there to `new`, in the scalar's own indentation; `None` where the
/// scalar is of another style or says its indentation itself. `colon` is where the key's colon ends.
pub fn cut(text: &str, colon: usize, node: &Node, new: &str) -> Option<Cut> {
    let line_end = |at: usize| text[at..].find('\n').map_or(text.len(), |end| at + end + 1);
    let header = text[colon..].lines().next()?.trim_start().strip_prefix('|')?;
    let mark = header.split('#').next()?.trim();
    if !matches!(mark, "" | "-" | "+") {
        return None;
    }
    let start = line_end(colon);
    if node.end <= start {
        return None;
    }
    let body = &text[start..line_end(node.end - 1)];
    let old: Vec<&str> = body.split_inclusive('\n').collect();
    let first = old.iter().find(|line| !line.trim().is_empty())?;
    let indent = &first[..first.len() - first.trim_start_matches(' ').len()];
    let bare = |line: &str| line.trim_end_matches(['\r', '\n']).strip_prefix(indent).unwrap_or_default().to_owned();
    let wanted: Vec<&str> = new.strip_suffix('\n').unwrap_or(new).split('\n').collect();
    let same = |(line, wanted): (&&str, &&str)| bare(line) == **wanted;
    let head = old.iter().zip(&wanted).take_while(|pair| same(*pair)).count();
    let room = old.len().min(wanted.len()) - head;
    let tail = old.iter().rev().zip(wanted.iter().rev()).take(room).take_while(|pair| same(*pair)).count();
    let bytes = |lines: &[&str]| lines.iter().map(|line| line.len()).sum::<usize>();
    let newline = newline(text, start);
    let lines: String = wanted[head..wanted.len() - tail]
        .iter()
        .flat_map(|line| [if line.is_empty() { "" } else { indent }, line, newline])
        .collect();
    let range = start + bytes(&old[..head])..start + bytes(&old[..old.len() - tail]);
    Some(Cut { range, text: lines })
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use crate::edit::Edit;
    use crate::edit::manifest::{Found, edit, members, splice};
    use crate::model::{FieldPath, kinds::CONFIG_MAP};

    const HEAD: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\ndata:\n\n";

    /// The text after the value of `data.x` became `new`.
    fn set(text: &str, new: &str) -> String {
        let found = members(text, &CONFIG_MAP).found;
        let [Found::Member { place, .. }] = &found[..] else { panic!("{found:?}") };
        let edits = [Edit::set(FieldPath::keys(&["data", "x"]), Value::from(new))];
        splice(text, &[edit(text, place, &edits).unwrap()])
    }

    #[test]
    fn only_the_lines_that_differ_are_written_anew() {
        for (tail, newline) in [("", "\n"), ("---\nkind: Other\n", "\n"), ("  y: 1\n", "\n"), ("", "\r\n")] {
            let lay = |body: &str| format!("{HEAD}  x: | # kept\n{body}{tail}").replace('\n', newline);
            let before = lay("    a:\n    # comment\n\n    - b\n       \n    c: 1\n");
            let old = "a:\n# comment\n\n- b\n   \nc: 1\n";
            let new = "a:\n# comment\n\n- b\n- new\n   \nc: 1\n";
            let after = set(&before, new);
            assert_eq!(after, lay("    a:\n    # comment\n\n    - b\n    - new\n       \n    c: 1\n"));
            assert_eq!(set(&after, old), before);
        }
    }

    #[test]
    fn a_text_that_the_style_cannot_hold_is_written_in_another() {
        let before = format!("{HEAD}  x: |-\n    a\n");
        let after = set(&before, "a\n\n\n");
        assert!(after.starts_with(HEAD), "{after}");
        let found = members(&after, &CONFIG_MAP).found;
        let [Found::Member { object, .. }] = &found[..] else { panic!("{found:?}") };
        assert_eq!(object.value["data"]["x"], "a\n\n\n");
    }
}
