//! Tests only: calls every pure reader of external data with values in which parts have another type.
//!
//! `each` replaces every node of a value by one value of each type, one at a time; `spoiled` replaces a few at random.
//! A reader may refuse such a value or skip a part of it. It must not panic.

mod envoy;
mod gloo;
mod objects;

use proptest::prelude::*;
use serde_json::{Value, json};

/// A value of each type, with sizes and texts that often break readers.
fn others() -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(u64::MAX),
        json!(1e300),
        json!(""),
        json!("x"),
        json!("\u{1b}]52;c;eA==\u{7}\u{e4}\u{202e}/..:["),
        json!([]),
        json!(["x"]),
        json!([[{}]]),
        json!({}),
        json!({"x": "y"}),
    ]
}

/// Replaces each node in turn by a value of each type.
pub(crate) fn each(value: &Value, look: &mut dyn FnMut(&Value)) {
    for pointer in pointers(value) {
        for other in others() {
            look(&with(value, &pointer, other));
        }
    }
}

/// The value with up to five nodes replaced at random.
pub(crate) fn spoiled(value: &Value) -> impl Strategy<Value = Value> + use<> {
    let (value, others) = (value.clone(), others());
    prop::collection::vec((any::<prop::sample::Index>(), prop::sample::select(others)), 1..6).prop_map(move |changes| {
        changes.into_iter().fold(value.clone(), |value, (at, other)| {
            let pointers = pointers(&value);
            with(&value, &pointers[at.index(pointers.len())], other)
        })
    })
}

fn with(value: &Value, pointer: &str, other: Value) -> Value {
    let mut value = value.clone();
    *value.pointer_mut(pointer).expect("the pointer was made from the value") = other;
    value
}

/// The JSON pointer (RFC 6901) of every node, the whole value first.
fn pointers(value: &Value) -> Vec<String> {
    let mut all = vec![String::new()];
    let below = |key: String, inner: &Value| {
        let here = format!("/{}", key.replace('~', "~0").replace('/', "~1"));
        pointers(inner).into_iter().map(move |rest| format!("{here}{rest}")).collect::<Vec<_>>()
    };
    match value {
        Value::Array(items) => {
            all.extend(items.iter().enumerate().flat_map(|(index, item)| below(index.to_string(), item)));
        }
        Value::Object(fields) => all.extend(fields.iter().flat_map(|(key, inner)| below(key.clone(), inner))),
        _ => {}
    }
    all
}

#[test]
fn every_node_is_replaced_by_every_type() {
    let value = json!({"a/b": [1, {"~": "c"}]});
    assert_eq!(pointers(&value), ["", "/a~1b", "/a~1b/0", "/a~1b/1", "/a~1b/1/~0"]);
    let mut seen = Vec::new();
    each(&value, &mut |value| seen.push(value.clone()));
    assert_eq!(seen.len(), 5 * others().len());
    assert!(seen.contains(&json!({"a/b": [1, {"~": []}]})) && seen.contains(&json!("x")));
}
