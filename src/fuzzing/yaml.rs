//! YAML: a parsed value stays the same when it is written and parsed again, and every node has the range of its text.

use super::text;
use crate::yaml::{self, Node, Shape};

fn walk(text: &str, node: &Node) {
    assert!(node.start <= node.content && node.content <= node.end && node.end <= node.raw_end, "{node:?}");
    assert!(text.get(node.start..node.raw_end).is_some(), "{node:?}");
    match &node.shape {
        Shape::List { items, .. } => items.iter().for_each(|item| walk(text, item)),
        Shape::Map { entries, .. } => {
            for entry in entries {
                assert!(text.get(entry.start..entry.end).is_some(), "{entry:?}");
                walk(text, &entry.value);
            }
        }
        Shape::Empty | Shape::Scalar | Shape::Alias => {}
    }
}

pub(super) fn run(data: &[u8]) {
    let Some(text) = text(data) else { return };
    let Ok(value) = yaml::parse(text) else { return };
    let written = yaml::write(&value);
    assert_eq!(yaml::parse(&written).as_ref(), Ok(&value), "{written}");
    if let Ok(Some(root)) = yaml::outline(text) {
        walk(text, &root);
    }
}
