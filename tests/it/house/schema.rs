//! Documents held against a JSON Schema, of any draft.

use serde_json::Value;

/// What is wrong with a value, each with its place.
pub fn faults(schema: &Value, value: &Value) -> Vec<String> {
    let validator = jsonschema::options().should_validate_formats(true).build(schema);
    let validator = validator.unwrap_or_else(|error| panic!("the schema is none: {error}"));
    validator.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

/// The same for a schema of ours, which is closed first: a key that it does not describe is a fault here, so that no
/// field goes undocumented, while readers must allow it.
pub fn faults_when_closed(schema: &Value, value: &Value) -> Vec<String> {
    let mut schema = schema.clone();
    close(&mut schema);
    faults(&schema, value)
}

fn close(schema: &mut Value) {
    let keywords = schema.as_object_mut().expect("a schema is an object");
    for (keyword, argument) in keywords.iter_mut() {
        match (keyword.as_str(), argument) {
            ("items" | "additionalProperties", schema) => close(schema),
            ("properties" | "$defs", Value::Object(schemas)) => schemas.values_mut().for_each(close),
            ("anyOf", Value::Array(schemas)) => schemas.iter_mut().for_each(close),
            (
                "$schema" | "$id" | "$ref" | "title" | "description" | "type" | "const" | "enum" | "minimum"
                | "required",
                _,
            ) => {}
            // A validator takes a misspelt keyword for a remark, and lets everything pass.
            (keyword, argument) => panic!("the schema says {keyword}: {argument}, which is not known here"),
        }
    }
    if keywords.contains_key("properties") {
        keywords.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_fault_is_found_with_its_place() {
        for draft in ["https://json-schema.org/draft/2020-12/schema", "http://json-schema.org/draft-07/schema#"] {
            for (inner, value) in [
                (json!({"type": ["string", "null"]}), json!(1)),
                (json!({"enum": ["a"]}), json!("b")),
                (json!({"required": ["a"]}), json!({})),
                (json!({"anyOf": [{"type": "null"}, {"const": 1}]}), json!(2)),
                (json!({"items": {"minimum": 0}}), json!([0, -1])),
                (json!({"format": "uri"}), json!("a")),
                (json!({"format": "uri-reference"}), json!("a b")),
                (json!({"format": "date-time"}), json!("today")),
                (json!({"$ref": "#/$defs/a"}), json!(1)),
            ] {
                let schema = json!({"$schema": draft, "properties": {"x": inner}, "$defs": {"a": {"type": "null"}}});
                let found = faults(&schema, &json!({"x": value}));
                assert!(found.len() == 1 && found[0].starts_with("/x"), "{schema} {value} {found:?}");
            }
        }
    }

    #[test]
    fn an_undescribed_key_is_a_fault_of_a_closed_schema_alone() {
        let object = json!({"properties": {"a": {"type": "null"}}});
        for schema in [
            json!({"properties": {"x": object}}),
            json!({"properties": {"x": {"anyOf": [{"type": "null"}, object]}}}),
            json!({"properties": {"x": {"$ref": "#/$defs/b"}}, "$defs": {"b": object}}),
            json!({"additionalProperties": object}),
        ] {
            let (fits, more) = (json!({"x": {"a": null}}), json!({"x": {"a": null, "b": 1}}));
            assert_eq!(faults_when_closed(&schema, &fits), [""; 0]);
            assert_eq!(faults(&schema, &more), [""; 0]);
            assert_eq!(faults_when_closed(&schema, &more).len(), 1, "{schema}");
        }
    }

    #[test]
    #[should_panic(expected = "requird")]
    fn a_misspelt_keyword_is_no_schema() {
        faults_when_closed(&json!({"requird": ["a"]}), &json!({}));
    }
}
