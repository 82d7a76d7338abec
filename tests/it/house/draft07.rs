//! As much of JSON Schema draft 7 as the schema of SARIF uses, to the letter: unlike `schema.rs`, which is stricter, it
//! holds a value to what somebody else's schema says and no more.

use serde_json::Value;

/// What is wrong with a value, each with its place.
pub fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    check(schema, schema, value, "", &mut faults);
    faults
}

fn check(root: &Value, schema: &Value, value: &Value, place: &str, faults: &mut Vec<String>) {
    let Some(keywords) = schema.as_object() else { return };
    if let Some(reference) = keywords.get("$ref") {
        let pointer =
            reference.as_str().and_then(|text| text.strip_prefix('#')).expect("a reference stays in the file");
        let referred = root.pointer(pointer).unwrap_or_else(|| panic!("{reference} leads nowhere"));
        return check(root, referred, value, place, faults);
    }
    for (keyword, argument) in keywords {
        let holds = match keyword.as_str() {
            "$schema" | "$id" | "title" | "description" | "default" | "definitions" => true,
            "type" => argument
                .as_array()
                .map_or(std::slice::from_ref(argument), Vec::as_slice)
                .iter()
                .any(|name| is_of(name, value)),
            "enum" => argument.as_array().unwrap().contains(value),
            "minimum" => value.as_f64().is_none_or(|number| number >= argument.as_f64().unwrap()),
            "maximum" => value.as_f64().is_none_or(|number| number <= argument.as_f64().unwrap()),
            "minItems" => value.as_array().is_none_or(|items| items.len() as u64 >= argument.as_u64().unwrap()),
            "uniqueItems" => {
                *argument != true
                    || value.as_array().is_none_or(|items| {
                        items.iter().enumerate().all(|(index, item)| !items[..index].contains(item))
                    })
            }
            "required" => {
                let keys = argument.as_array().unwrap();
                keys.iter().all(|key| !value.is_object() || value.get(key.as_str().unwrap()).is_some())
            }
            "format" => value.as_str().is_none_or(|text| has_format(argument.as_str().unwrap(), text)),
            // Nothing that is printed here has one; whatever does is a fault until it is compared.
            "pattern" => !value.is_string(),
            "anyOf" => count(root, argument, value) > 0,
            "oneOf" => count(root, argument, value) == 1,
            "properties" => {
                for (key, inner) in value.as_object().into_iter().flatten() {
                    check(root, &argument[key], inner, &format!("{place}/{key}"), faults);
                }
                true
            }
            "additionalProperties" => {
                let known = &schema["properties"];
                let others =
                    value.as_object().into_iter().flatten().filter(|(key, _)| known.get(key.as_str()).is_none());
                for (key, inner) in others {
                    match argument {
                        Value::Bool(false) => faults.push(format!("{place}: {key} is not allowed")),
                        schema => check(root, schema, inner, &format!("{place}/{key}"), faults),
                    }
                }
                true
            }
            "items" => {
                for (index, item) in value.as_array().into_iter().flatten().enumerate() {
                    check(root, argument, item, &format!("{place}/{index}"), faults);
                }
                true
            }
            keyword => panic!("the schema uses {keyword}, which this check does not know"),
        };
        if !holds {
            faults.push(format!("{place}: {keyword} {argument} does not hold of {value}"));
        }
    }
}

fn count(root: &Value, schemas: &Value, value: &Value) -> usize {
    let fits = |schema: &&Value| {
        let mut faults = Vec::new();
        check(root, schema, value, "", &mut faults);
        faults.is_empty()
    };
    schemas.as_array().unwrap().iter().filter(fits).count()
}

fn is_of(name: &Value, value: &Value) -> bool {
    match name.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("{other} is a type this check does not know"),
    }
}

/// Characters that no URI has; times are read as such.
fn has_format(format: &str, text: &str) -> bool {
    match format {
        "uri" => text.contains(':') && is_of_uri(text),
        "uri-reference" => is_of_uri(text),
        "date-time" => text.parse::<jiff::Timestamp>().is_ok(),
        other => panic!("{other} is a format this check does not know"),
    }
}

fn is_of_uri(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&b))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_keyword_finds_its_fault() {
        for (schema, value) in [
            (json!({"type": "integer"}), json!(1.5)),
            (json!({"enum": ["a"]}), json!("b")),
            (json!({"minimum": -1}), json!(-2)),
            (json!({"maximum": 1}), json!(2)),
            (json!({"minItems": 1}), json!([])),
            (json!({"uniqueItems": true}), json!([1, 1])),
            (json!({"required": ["a"]}), json!({})),
            (json!({"format": "uri-reference"}), json!("a b")),
            (json!({"format": "uri"}), json!("a")),
            (json!({"pattern": "x"}), json!("x")),
            (json!({"anyOf": [{"type": "null"}]}), json!(1)),
            (json!({"oneOf": [{"type": "integer"}, {"minimum": 0}]}), json!(1)),
            (json!({"properties": {"a": {"type": "null"}}}), json!({"a": 1})),
            (json!({"additionalProperties": false, "properties": {}}), json!({"a": 1})),
            (json!({"additionalProperties": {"type": "null"}}), json!({"a": 1})),
            (json!({"items": {"type": "null"}}), json!([null, 1])),
            (json!({"$ref": "#/definitions/a", "definitions": {"a": {"type": "null"}}}), json!(1)),
        ] {
            assert_eq!(faults(&schema, &value).len(), 1, "{schema} {value}");
        }
    }
}
