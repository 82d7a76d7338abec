//! Single values with the path in their name, as `helm --set` reads them: `gatewayProxies.gatewayProxy.kind=1`.

use serde_json::{Map, Value};

use crate::model::{FieldPath, Segment};

/// The largest index of a list, as in Helm.
const MOST_ITEMS: usize = 65_536;

/// The path that a name means: `a.b[0].c\.d`. `None` if the name is not a path.
pub(super) fn path(name: &str) -> Option<FieldPath> {
    let mut path = FieldPath::root();
    let mut key = String::new();
    let mut has_key = false;
    let mut rest = name.chars();
    while let Some(c) = rest.next() {
        match c {
            '\\' => key.push(rest.next()?),
            '.' if has_key && key.is_empty() => has_key = false,
            '.' if key.is_empty() => return None,
            '.' => path = path.then(Segment::Key(std::mem::take(&mut key))),
            '[' => {
                if !key.is_empty() {
                    path = path.then(Segment::Key(std::mem::take(&mut key)));
                }
                let index: String = rest.by_ref().take_while(|c| *c != ']').collect();
                path = path.then(Segment::Index(index.parse().ok().filter(|index| *index < MOST_ITEMS)?));
                has_key = true;
            }
            _ => key.push(c),
        }
    }
    if !key.is_empty() {
        path = path.then(Segment::Key(key));
    }
    (!path.segments().is_empty()).then_some(path)
}

/// The value that a text means: `true`, `null`, `1`, `{a,b}`, or the text itself.
pub(super) fn typed(text: &str) -> Value {
    if let Some(items) = text.strip_prefix('{').and_then(|text| text.strip_suffix('}')) {
        return items.split(',').filter(|item| !item.is_empty()).map(typed).collect();
    }
    match text {
        "true" => Value::Bool(true),
        "false" => Value::Bool(false),
        "null" => Value::Null,
        "0" => 0.into(),
        _ if text.starts_with('0') => text.into(),
        _ => text.parse::<i64>().map_or_else(|_| text.into(), Value::from),
    }
}

/// Sets the value at the path, and creates maps and lists on the way.
pub(super) fn put(values: &mut Value, path: &FieldPath, value: Value) {
    let mut at = values;
    for segment in path.segments() {
        match segment {
            Segment::Key(key) => {
                if !at.is_object() {
                    *at = Value::Object(Map::new());
                }
                let Value::Object(map) = at else { return };
                at = map.entry(key.as_str()).or_insert(Value::Null);
            }
            Segment::Index(index) => {
                if !at.is_array() {
                    *at = Value::Array(Vec::new());
                }
                let Value::Array(items) = at else { return };
                if items.len() <= *index {
                    items.resize(index + 1, Value::Null);
                }
                let Some(item) = items.get_mut(*index) else { return };
                at = item;
            }
            Segment::Named(_) => return,
        }
    }
    *at = value;
}

/// A value as the text of `--set`. `None` for maps and lists.
pub(super) fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Bool(_) | Value::Number(_) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn names_are_paths_and_texts_are_values_as_helm_reads_them() {
        let mut values = Value::Null;
        for (name, text) in [
            ("a.b", "true"),
            ("a.c\\.d", "x.y"),
            ("a.l[1].n", "1"),
            ("a.m[0][1]", "012"),
            ("b", "{x,1}"),
            ("c", "null"),
            ("a.b", "false"),
        ] {
            put(&mut values, &path(name).unwrap(), typed(text));
        }
        let wanted = json!({
            "a": {"b": false, "c.d": "x.y", "l": [null, {"n": 1}], "m": [[null, "012"]]},
            "b": ["x", 1], "c": null,
        });
        assert_eq!(values, wanted);
        for name in ["", ".", "a..b", "a[x]", "a[99999999]", "a\\"] {
            assert_eq!(path(name), None, "{name}");
        }
    }
}
