//! As much of JSON Schema 2020-12 as `docs/result.schema.json` uses, and nothing it uses beyond that.

use serde_json::{Map, Value};

/// What is wrong with a value, each with its place.
///
/// Stricter than the schema in one thing: a key that it does not describe is wrong here, so that
/// no field goes undocumented, while readers must allow it.
pub fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(schema, schema, value, "", &mut faults);
    faults
}

fn check(root: &Value, schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
    let schema = schema.as_object().unwrap_or_else(|| panic!("a schema is an object, not {schema}"));
    for (keyword, argument) in schema {
        match keyword.as_str() {
            "$schema" | "$id" | "$defs" | "title" | "description" => {}
            "$ref" => check(root, referred(root, argument), value, place, faults),
            "type" => {
                let types: Vec<_> = argument.as_array().map_or_else(|| vec![argument], |all| all.iter().collect());
                if !types.iter().any(|name| is_of(name, value)) {
                    faults.push(format!("{place}: {value} is not of type {argument}"));
                }
            }
            "const" => {
                if value != argument {
                    faults.push(format!("{place}: {value} is not {argument}"));
                }
            }
            "enum" => {
                if !argument.as_array().unwrap().contains(value) {
                    faults.push(format!("{place}: {value} is not one of {argument}"));
                }
            }
            "minimum" => {
                if value.as_i64().is_some_and(|number| number < argument.as_i64().unwrap()) {
                    faults.push(format!("{place}: {value} is less than {argument}"));
                }
            }
            "required" => {
                let there = |key: &Value| value.get(key.as_str().unwrap()).is_some() || !value.is_object();
                let missing = argument.as_array().unwrap().iter().filter(|key| !there(key));
                faults.extend(missing.map(|key| format!("{place}: {key} is missing")));
            }
            "properties" => properties(root, argument.as_object().unwrap(), value, place, faults),
            "additionalProperties" => {
                let described = |key: &str| schema.get("properties").is_some_and(|known| known.get(key).is_some());
                for (key, inner) in value.as_object().into_iter().flatten().filter(|(key, _)| !described(key)) {
                    check(root, argument, inner, &format!("{place}/{key}"), faults);
                }
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, argument, item, &format!("{place}/{index}"), faults);
                }
            }
            "anyOf" => {
                let fits = |inner: &Value| {
                    let mut inner_faults = Vec::new();
                    check(root, inner, value, place, &mut inner_faults);
                    inner_faults.is_empty()
                };
                if !argument.as_array().unwrap().iter().any(fits) {
                    faults.push(format!("{place}: {value} fits none of {argument}"));
                }
            }
            keyword => panic!("the schema uses {keyword}, which this check does not know"),
        }
    }
}

fn properties(root: &Value, known: &Map<String, Value>, value: &Value, place: &str, faults: &mut Vec<String>) {
    for (key, inner) in value.as_object().into_iter().flatten() {
        match known.get(key) {
            Some(schema) => check(root, schema, inner, &format!("{place}/{key}"), faults),
            None => faults.push(format!("{place}: {key} is not described")),
        }
    }
}

fn referred<'s>(root: &'s Value, reference: &Value) -> &'s Value {
    let pointer = reference.as_str().and_then(|text| text.strip_prefix('#')).expect("a reference stays in the file");
    root.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"))
}

fn is_of(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is a type this check does not know"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_keyword_finds_its_fault() {
        let table = [
            (json!({"type": "string"}), json!(1)),
            (json!({"type": ["string", "null"]}), json!(true)),
            (json!({"const": "a"}), json!("b")),
            (json!({"enum": ["a"]}), json!("b")),
            (json!({"minimum": 0}), json!(-1)),
            (json!({"required": ["a"]}), json!({"b": 1})),
            (json!({"properties": {"a": {"type": "null"}}}), json!({"a": 1})),
            (json!({"properties": {}}), json!({"a": 1})),
            (json!({"items": {"type": "null"}}), json!([null, 1])),
            (json!({"anyOf": [{"type": "null"}, {"const": 1}]}), json!(2)),
            (json!({"$ref": "#/$defs/a", "$defs": {"a": {"type": "null"}}}), json!(1)),
        ];
        for (schema, value) in table {
            assert_eq!(faults(&schema, &value).len(), 1, "{schema} {value}");
        }
    }

    #[test]
    fn what_fits_has_no_fault() {
        let schema = json!({"type": "object", "required": ["a"], "properties": {
            "a": {"anyOf": [{"type": "null"}, {"type": "array", "items": {"type": "integer", "minimum": 0}}]}}});
        assert_eq!(faults(&schema, &json!({"a": [0, 1]})), [""; 0]);
        assert_eq!(faults(&schema, &json!({"a": null})), [""; 0]);
    }
}
