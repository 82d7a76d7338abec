//! YAML in and out.
use serde_json::Value;
/// One document as a JSON value.
///
/// # Errors
/// What is wrong with it.
pub fn parse(text: &str) -> Result<Value, String> {
    serde_yaml::from_str(text).map_err(|e| e.to_string())
}
/// A value as YAML.
pub fn write(value: &Value) -> String {
    serde_yaml::to_string(value).unwrap_or_default()
}
