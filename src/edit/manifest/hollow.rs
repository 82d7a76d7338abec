//! Maps that were empty before something was put into them, told by the blanks inside their braces.
//!
//! `{}` becomes `{ key: value }`, two blanks wider, and what is taken out of that leaves `{}`; a map that
//! this program made itself has no such blanks and goes as a whole. So taking out gives the first bytes back
//! without a note of what was there. Whoever writes braces so by hand keeps an empty map.

use super::{Edit, Op, Place, Unsafe, edit, splice};
use crate::model::{FieldPath, Segment};
use crate::yaml::{self, Node, Shape};

/// Between the braces of a map that was empty there are these, half of them on each side.
const BLANKS: &str = "  ";

/// The text after these edits of the object at a place, the maps that were empty kept in mind.
///
/// # Errors
/// Why it cannot be done safely, and the change to make by hand.
pub fn edit_filling(text: &str, place: &Place, edits: &[Edit]) -> Result<String, Unsafe> {
    let is_set = |edit: &&Edit| matches!(edit.op, Op::Set(_));
    let (wide, place) = at_braces(text, place, edits.iter().filter(is_set), |inner| match inner.trim() {
        "" => Some(format!("{inner}{BLANKS}")),
        _ => None,
    });
    let after = splice(&wide, &[edit(&wide, &place, edits)?]);
    let mut place = place;
    place.document.range.end = place.document.range.end + after.len() - wide.len();
    let is_remove = |edit: &&Edit| matches!(edit.op, Op::Remove);
    let narrow = at_braces(&after, &place, edits.iter().filter(is_remove), |inner| match inner.trim() {
        "" => inner.strip_suffix(BLANKS).map(str::to_owned),
        _ => None,
    });
    Ok(narrow.0)
}

/// The ways to maps below `base` that were empty before something was put into them.
#[must_use]
pub fn filled(text: &str, place: &Place, base: &FieldPath) -> Vec<FieldPath> {
    let Some(slice) = text.get(place.document.range.clone()) else { return Vec::new() };
    let Ok(Some(root)) = yaml::outline(slice) else { return Vec::new() };
    let mut found = Vec::new();
    if let (node, []) = descend(&root, place.item.join(base).segments()) {
        collect(slice, node, &FieldPath::root(), &mut found);
    }
    found
}

fn collect(text: &str, node: &Node, at: &FieldPath, found: &mut Vec<FieldPath>) {
    let Shape::Map { entries, flow } = &node.shape else { return };
    let inner = if *flow { inside(text, node) } else { "" };
    if inner.starts_with(' ') && inner.ends_with(' ') {
        found.push(at.clone());
    }
    for entry in entries {
        collect(text, &entry.value, &at.then(Segment::Key(entry.key.clone())), found);
    }
}

/// The text with what stands inside the braces of the innermost map on the way of each edit changed.
fn at_braces<'e>(
    text: &str,
    place: &Place,
    edits: impl Iterator<Item = &'e Edit>,
    change: impl Fn(&str) -> Option<String>,
) -> (String, Place) {
    let range = place.document.range.clone();
    let unchanged = || (text.to_owned(), place.clone());
    let Some(slice) = text.get(range.clone()) else { return unchanged() };
    let Ok(Some(root)) = yaml::outline(slice) else { return unchanged() };
    let mut changes: Vec<(usize, usize, String)> = edits
        .filter_map(|edit| {
            let way = place.item.join(&edit.path);
            let (node, _) = descend(&root, way.segments());
            let is_flow_map = matches!(&node.shape, Shape::Map { entries, flow: true } if entries.is_empty());
            let new = change(inside(slice, node)).filter(|_| is_flow_map)?;
            Some((node.content + 1, node.end - 1, new))
        })
        .collect();
    changes.sort();
    changes.dedup();
    let mut after = slice.to_owned();
    for (start, end, new) in changes.into_iter().rev() {
        after.replace_range(start..end, &new);
    }
    let mut place = place.clone();
    place.document.range.end = range.start + after.len();
    (format!("{}{after}{}", &text[..range.start], &text[range.end..]), place)
}

/// What stands between the braces.
fn inside<'t>(text: &'t str, node: &Node) -> &'t str {
    text.get(node.content + 1..node.end.saturating_sub(1)).unwrap_or_default()
}

/// As far as the way goes, and what is left of it.
fn descend<'n, 's>(root: &'n Node, way: &'s [Segment]) -> (&'n Node, &'s [Segment]) {
    let (mut node, mut left) = (root, way);
    while let Some((first, rest)) = left.split_first() {
        let next = match (first, &node.shape) {
            (Segment::Key(key), Shape::Map { entries, .. }) => {
                entries.iter().find(|entry| entry.key == *key).map(|entry| &entry.value)
            }
            (Segment::Index(index), Shape::List { items, .. }) => items.get(*index),
            _ => None,
        };
        let Some(next) = next else { break };
        (node, left) = (next, rest);
    }
    (node, left)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edit::manifest::whole;

    fn keys(keys: &[&str]) -> FieldPath {
        FieldPath::keys(keys)
    }

    #[test]
    fn a_map_that_was_empty_is_known_again_and_left_as_it_was() {
        let (one, two) = (keys(&["a", "b", "c"]), keys(&["a", "b", "d"]));
        for (before, between) in [
            ("a: {b: {}}\n", "a: {b: { c: 1, d: 2 }}\n"),
            ("a:\n  b: {} # why\nz: 1\n", "a:\n  b: { c: 1, d: 2 } # why\nz: 1\n"),
            ("a: {b: { }}\n", "a: {b: { c: 1, d: 2  }}\n"),
            ("{\n  \"a\": {\n    \"b\": {}\n  }\n}\n", "{\n  \"a\": {\n    \"b\": { \"c\": 1, \"d\": 2 }\n  }\n}\n"),
        ] {
            let set = [Edit::set(one.clone(), 1.into()), Edit::set(two.clone(), 2.into())];
            let after = edit_filling(before, &whole(before).unwrap(), &set).unwrap();
            assert_eq!(after, between);
            let place = whole(&after).unwrap();
            assert_eq!(filled(&after, &place, &FieldPath::root()), [keys(&["a", "b"])]);
            let remove = [Edit::remove(one.clone()), Edit::remove(two.clone())];
            assert_eq!(edit_filling(&after, &place, &remove).unwrap(), before);
        }
    }

    #[test]
    fn maps_that_were_made_are_not_taken_for_ones_that_were_empty() {
        for text in ["a: {x: 1}\n", "a:\n  x: 1\n"] {
            let set = [Edit::set(keys(&["a", "b", "c"]), 1.into())];
            let after = edit_filling(text, &whole(text).unwrap(), &set).unwrap();
            assert_eq!(filled(&after, &whole(&after).unwrap(), &FieldPath::root()), Vec::<FieldPath>::new());
        }
    }
}
