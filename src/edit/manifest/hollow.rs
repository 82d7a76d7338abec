//! Maps that were empty, or nothing at all, before something was put into them, told by the blanks inside their
//! braces.
//!
//! `{}` becomes `{ key: value }`, two blanks wider, and what is taken out of that leaves `{}`; a null becomes
//! `{   key: value    }`, its spelling told by how many blanks there are. A map that this program made itself has no
//! such blanks and goes as a whole. So taking out gives the first bytes back without a note of what was there. Whoever
//! writes braces so by hand keeps an empty map.

use std::ops::Range;

use super::{Edit, Op, Place, Unsafe, edit, splice};
use crate::model::{FieldPath, Segment};
use crate::yaml::{self, Entry, Node, Shape};

/// Between the braces of a map that was empty there are these, half of them on each side.
const BLANKS: &str = "  ";
/// How nothing is spelled, and how many blanks there are between the braces of what it became: too many and too odd
/// to come from a map.
const NOTHINGS: [(&str, usize); 3] = [("", 5), ("null", 7), ("~", 9)];

/// What something was before anything was put into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hollow {
    /// `{}`
    Map,
    Null,
}

/// The text after these edits of the object at a place, what was empty kept in mind: a map or a null that was filled
/// is as it was once it is empty, or null, again.
///
/// # Errors
/// Why it cannot be done safely, and the change to make by hand.
pub(crate) fn edit_filling(text: &str, place: &Place, edits: &[Edit]) -> Result<String, Unsafe> {
    let (wide, wide_place) = at_ends(text, place, edits, &|at, edit| match edit.op {
        Op::Set(ref new) if new.is_null() => respelled(&at),
        Op::Set(_) => widened(&at),
        Op::Remove => None,
    });
    let after = splice(&wide, &[edit(&wide, &wide_place, edits)?]);
    let mut after_place = wide_place;
    after_place.document.range.end = after_place.document.range.end + after.len() - wide.len();
    let narrow = at_ends(&after, &after_place, edits, &|at, edit| match edit.op {
        Op::Remove => narrowed(&at),
        Op::Set(_) => None,
    });
    Ok(narrow.0)
}

/// What was empty below `base` before something was put into it.
#[must_use]
pub(crate) fn filled(text: &str, place: &Place, base: &FieldPath) -> Vec<(FieldPath, Hollow)> {
    let Some(slice) = text.get(place.document.range.clone()) else { return Vec::new() };
    let Ok(Some(root)) = yaml::outline(slice) else { return Vec::new() };
    let mut found = Vec::new();
    let way = place.item.join(base);
    let end = descend(slice, &root, way.segments());
    if end.left.is_empty() {
        collect(slice, end.node, &FieldPath::root(), &mut found);
    }
    found
}

fn collect(text: &str, node: &Node, at: &FieldPath, found: &mut Vec<(FieldPath, Hollow)>) {
    let Shape::Map { entries, flow } = &node.shape else { return };
    let inner = if *flow { inside(text, node) } else { "" };
    if nothing_in(inner).is_some() {
        found.push((at.clone(), Hollow::Null));
    } else if inner.starts_with(' ') && inner.ends_with(' ') {
        found.push((at.clone(), Hollow::Map));
    }
    for entry in entries {
        collect(text, &entry.value, &at.then(Segment::Key(entry.key.clone())), found);
    }
}

/// Where a way ends in a document.
struct End<'n, 's> {
    text: &'n str,
    node: &'n Node,
    /// The entry whose value the node is.
    entry: Option<&'n Entry>,
    /// What of the way leads to nothing.
    left: &'s [Segment],
}

/// An empty map two blanks wider; braces where nothing is written.
fn widened(at: &End) -> Option<(Range<usize>, String)> {
    if is_empty_flow_map(at.node) {
        let inner = at.node.content + 1..at.node.end - 1;
        return Some((inner.clone(), format!("{}{BLANKS}", &at.text[inner])));
    }
    let is_leaf = matches!(at.node.shape, Shape::Empty | Shape::Scalar) && !at.node.is_marked();
    let written = at.text[at.node.start..at.node.end].trim();
    let (_, blanks) = NOTHINGS.into_iter().find(|(nothing, _)| is_leaf && *nothing == written)?;
    let braces = format!("{{{}}}", " ".repeat(blanks));
    match written {
        "" => at.entry?.colon.map(|colon| (colon..colon, format!(" {braces}"))),
        _ => Some((at.node.start..at.node.end, braces)),
    }
}

/// The opposite for a map.
fn narrowed(at: &End) -> Option<(Range<usize>, String)> {
    let inner = is_empty_flow_map(at.node).then(|| at.node.content + 1..at.node.end - 1)?;
    let text = &at.text[inner.clone()];
    text.trim().is_empty().then(|| text.strip_suffix(BLANKS))?.map(|text| (inner, text.to_owned()))
}

/// The null that was filled here, as it was spelled.
fn respelled(at: &End) -> Option<(Range<usize>, String)> {
    let is_there = at.left.is_empty() && matches!(at.node.shape, Shape::Map { flow: true, .. });
    let nothing = is_there.then(|| nothing_in(inside(at.text, at.node))).flatten()?;
    let start = if nothing.is_empty() { at.entry?.colon? } else { at.node.start };
    Some((start..at.node.end, nothing.to_owned()))
}

fn nothing_in(inner: &str) -> Option<&'static str> {
    let leading = inner.len() - inner.trim_start_matches(' ').len();
    let trailing = inner.len() - inner.trim_end_matches(' ').len();
    let is_it = |blanks: usize| leading == blanks / 2 && trailing == blanks - blanks / 2;
    NOTHINGS.into_iter().find(|(_, blanks)| is_it(*blanks)).map(|(nothing, _)| nothing)
}

fn is_empty_flow_map(node: &Node) -> bool {
    matches!(&node.shape, Shape::Map { entries, flow: true } if entries.is_empty())
}

/// The text with what stands at the end of each edit's way changed.
fn at_ends(
    text: &str,
    place: &Place,
    edits: &[Edit],
    change: &impl Fn(End, &Edit) -> Option<(Range<usize>, String)>,
) -> (String, Place) {
    let range = place.document.range.clone();
    let unchanged = || (text.to_owned(), place.clone());
    let Some(slice) = text.get(range.clone()) else { return unchanged() };
    let Ok(Some(root)) = yaml::outline(slice) else { return unchanged() };
    let mut changes: Vec<_> = edits
        .iter()
        .filter_map(|edit| {
            let way = place.item.join(&edit.path);
            change(descend(slice, &root, way.segments()), edit)
        })
        .collect();
    changes.sort_by_key(|(range, _)| range.start);
    changes.dedup();
    let mut after = slice.to_owned();
    for (range, new) in changes.into_iter().rev() {
        after.replace_range(range, &new);
    }
    let mut place = place.clone();
    place.document.range.end = range.start + after.len();
    (format!("{}{after}{}", &text[..range.start], &text[range.end..]), place)
}

/// What stands between the braces.
fn inside<'t>(text: &'t str, node: &Node) -> &'t str {
    text.get(node.content + 1..node.end.saturating_sub(1)).unwrap_or_default()
}

/// As far as the way goes.
fn descend<'n, 's>(text: &'n str, root: &'n Node, way: &'s [Segment]) -> End<'n, 's> {
    let mut end = End { text, node: root, entry: None, left: way };
    while let Some((first, rest)) = end.left.split_first() {
        let (node, entry) = match (first, &end.node.shape) {
            (Segment::Key(key), Shape::Map { entries, .. }) => match entries.iter().find(|entry| entry.key == *key) {
                Some(entry) => (&entry.value, Some(entry)),
                None => break,
            },
            (Segment::Index(index), Shape::List { items, .. }) => match items.get(*index) {
                Some(item) => (item, None),
                None => break,
            },
            _ => break,
        };
        end = End { text, node, entry, left: rest };
    }
    end
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
            assert_eq!(filled(&after, &place, &FieldPath::root()), [(keys(&["a", "b"]), Hollow::Map)]);
            let remove = [Edit::remove(one.clone()), Edit::remove(two.clone())];
            assert_eq!(edit_filling(&after, &place, &remove).unwrap(), before);
        }
    }

    #[test]
    fn a_null_that_was_filled_is_known_again_and_left_as_it_was_spelled() {
        let (one, two) = (keys(&["a", "b", "c"]), keys(&["a", "b", "d"]));
        for before in [
            "a: null\n",
            "a: ~ # why\nz: 1\n",
            "a:\nz: 1\n",
            "a: # why\n# below\nz: 1\n",
            "a:",
            "a:\n  b:\n  z: 1\n",
            "a: {b: null, z: 1}\n",
            "{a: {b: ~}}\n",
            "{\"a\": {\"b\": null}}\n",
            "a:\n  z: 1\n  b:   null\n",
        ] {
            let set = [Edit::set(one.clone(), 1.into()), Edit::set(two.clone(), 2.into())];
            let after = edit_filling(before, &whole(before).unwrap(), &set).unwrap();
            let place = whole(&after).unwrap();
            let [(path, Hollow::Null)] = &filled(&after, &place, &FieldPath::root())[..] else { panic!("{after}") };
            let null = [Edit::set(path.clone(), serde_json::Value::Null)];
            assert_eq!(edit_filling(&after, &place, &null).unwrap(), before, "{after}");
        }
    }

    #[test]
    fn maps_that_were_made_are_not_taken_for_ones_that_were_empty() {
        for text in ["a: {x: 1}\n", "a:\n  x: 1\n"] {
            let set = [Edit::set(keys(&["a", "b", "c"]), 1.into())];
            let after = edit_filling(text, &whole(text).unwrap(), &set).unwrap();
            assert_eq!(filled(&after, &whole(&after).unwrap(), &FieldPath::root()), []);
        }
    }
}
