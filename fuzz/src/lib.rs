//! What several targets need.

#![forbid(unsafe_code)]

use gloo_rs::edit::manifest;
use gloo_rs::model::{Kind, Object};
use serde_json::Value;

/// The input as a text; most readers of texts get them as such.
#[must_use]
pub fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// The first byte of the input, which chooses, and the rest.
#[must_use]
pub fn choice(data: &[u8]) -> (usize, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (usize::from(*first), rest))
}

/// The input cut at its first line end.
#[must_use]
pub fn line(data: &[u8]) -> (&[u8], &[u8]) {
    let end = data.iter().position(|byte| *byte == b'\n');
    end.map_or((data, &[]), |end| (&data[..end], &data[end + 1..]))
}

/// The objects of a kind in a manifest.
#[must_use]
pub fn objects(text: &str, kind: &'static Kind) -> Vec<Object> {
    manifest::objects(text, &[kind]).found.into_iter().map(|(object, _)| object).collect()
}

/// Every text in a value; keys are names.
pub fn texts<'v>(value: &'v Value, see: &mut dyn FnMut(&'v str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(items) => items.iter().for_each(|item| texts(item, see)),
        Value::Object(fields) => fields.values().for_each(|value| texts(value, see)),
        _ => {}
    }
}
