//! Every document of a text, whatever its kind.

use std::ops::Range;

use serde_json::Value;

use super::split::documents;
use super::{ManifestPlace, Unsafe, guess};
use crate::model::{FieldPath, Segment};
use crate::yaml;

/// A document of a text, or an item of a `List` in it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct LocatedDocument {
    pub value: Value,
    pub place: ManifestPlace,
}

/// The documents of a text in order, without empty ones; of a `List` its items.
///
/// # Errors
/// The range of a document that cannot be read, and where and why. The others are not affected.
pub(crate) fn located(text: &str) -> Vec<Result<LocatedDocument, (Range<usize>, Unsafe)>> {
    let mut stream = yaml::aliases::Stream::default();
    let mut found = Vec::new();
    for document in documents(text) {
        let slice = &text[document.range.clone()];
        match stream.parse(slice) {
            Ok(Value::Null) => {}
            Ok(value) => {
                let place = ManifestPlace { document, item: FieldPath::root() };
                found.extend(items(LocatedDocument { value, place }).into_iter().map(Ok));
            }
            Err(problem) => {
                let line = document.line + problem.line.saturating_sub(1);
                let (why, _) = guess::refusal(slice, &problem.message);
                found.push(Err((document.range, Unsafe { line, why, manual: Vec::new() })));
            }
        }
    }
    found
}

fn items(mut whole: LocatedDocument) -> Vec<LocatedDocument> {
    let is_list = whole.value["apiVersion"].is_string()
        && whole.value["kind"].as_str().is_some_and(|kind| kind.ends_with("List"));
    if !is_list || !whole.value["items"].is_array() {
        return vec![whole];
    }
    let Some(Value::Array(items)) = whole.value.get_mut("items").map(Value::take) else { return Vec::new() };
    let path = |index| FieldPath::keys(&["items"]).then(Segment::Index(index));
    items
        .into_iter()
        .enumerate()
        .map(|(index, value)| LocatedDocument {
            value,
            place: ManifestPlace { document: whole.place.document.clone(), item: path(index) },
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_and_items_of_lists_are_found_and_broken_ones_named() {
        let text =
            "# c\n---\na: 1\n---\n---\napiVersion: v1\nkind: List\nitems:\n- kind: A\n- kind: B\n---\na: {{ x }}\n";
        let found = located(text);
        let values: Vec<_> = found.iter().flatten().map(|it| it.value.to_string()).collect();
        assert_eq!(values, [r#"{"a":1}"#, r#"{"kind":"A"}"#, r#"{"kind":"B"}"#]);
        let broken: Vec<_> = found.iter().filter_map(|it| it.as_ref().err()).collect();
        assert_eq!((broken.len(), broken[0].1.line), (1, 12));
    }
}
