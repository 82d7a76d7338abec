//! Label selectors: a parsed selector stays the same when it is printed and parsed again, and matches if all its parts
//! do.

use super::{line, text};
use crate::model::{Object, Selector, kinds::UPSTREAM};
use crate::plan::routes::select;
use serde_json::{Value, json};

pub(super) fn run(data: &[u8]) {
    let (first, rest) = line(data);
    let Some(typed) = text(first) else { return };
    let labels: Value = serde_json::from_slice(rest).unwrap_or_else(|_| json!({"app": "a", "tier": "b"}));
    if let Ok(selector) = Selector::parse(typed) {
        assert_eq!(Selector::parse(&selector.to_string()).as_ref(), Ok(&selector));
        let all = selector.matches(&labels);
        // Without parentheses each part between commas is a selector, and all of them must match.
        if !typed.contains('(') {
            let mut parts = typed.split(',').map(|part| Selector::parse(part).expect("a part is one too"));
            assert_eq!(all, parts.all(|part| part.matches(&labels)));
        }
    }
    let object = Object::new(&UPSTREAM, json!({"metadata": {"name": "x", "namespace": "y", "labels": labels}}));
    let _ = select::has_labels(&object, &labels);
    if let Some(expressions) = labels.as_array() {
        let _ = select::meets(&object, expressions);
    }
}
