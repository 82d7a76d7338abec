//! The files of the chart in a record: what Helm needs to render the release again. The charts that it contains are
//! not in the record.

use serde::Deserialize;
use serde_json::Value;

use super::chart::File;
use super::record::{RecordProblem, Storage, decoded, opened};
use crate::bounded;

#[derive(Deserialize)]
struct Stored<'r> {
    #[serde(borrow)]
    chart: StoredChart<'r>,
}

#[derive(Deserialize)]
struct StoredChart<'r> {
    #[serde(deserialize_with = "bounded::field")]
    metadata: Value,
    #[serde(default, deserialize_with = "bounded::field")]
    values: Value,
    #[serde(default)]
    schema: Option<String>,
    #[serde(default, borrow, deserialize_with = "bounded::list")]
    templates: Vec<StoredFile<'r>>,
    #[serde(default, borrow, deserialize_with = "bounded::list")]
    files: Vec<StoredFile<'r>>,
}

#[derive(Deserialize)]
struct StoredFile<'r> {
    name: String,
    /// In base64, which has no escapes in JSON.
    #[serde(default, borrow)]
    data: Option<&'r str>,
}

/// The files of the chart, without its CRDs, in the value of `release` of the record's object.
///
/// # Errors
/// The record is broken.
pub(crate) fn chart_files(data: &str, storage: Storage) -> Result<Vec<File>, RecordProblem> {
    let json = opened(data, storage)?;
    let Stored { chart } =
        serde_json::from_slice(&json).map_err(|error| RecordProblem(format!("not a release in JSON: {error}")))?;
    let text = |data: &str| Ok(String::from_utf8_lossy(&decoded(data.as_bytes())?).into_owned());
    let file = |path: &str, text: String| File { path: path.to_owned(), text };
    // JSON is YAML.
    let mut files = vec![file("Chart.yaml", chart.metadata.to_string()), file("values.yaml", chart.values.to_string())];
    if let Some(schema) = &chart.schema {
        files.push(file("values.schema.json", text(schema)?));
    }
    let stored = chart.templates.into_iter().chain(chart.files);
    for StoredFile { name, data } in stored.filter(|it| !it.name.starts_with("crds/")) {
        files.push(file(&name, text(data.unwrap_or_default())?));
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_chart_of_a_record_is_its_files() {
        let encoded = |text: &str| STANDARD.encode(text);
        let record = json!({"chart": {
            "metadata": {"name": "gloo", "version": "1.18.2"}, "values": {"a": 1}, "schema": encoded("{}"),
            "templates": [{"name": "templates/a.yaml", "data": encoded("x: 1\n")}],
            "files": [{"name": "crds/b.yaml", "data": encoded("y")}, {"name": "README.md", "data": encoded("z")}],
        }});
        let files = chart_files(&STANDARD.encode(record.to_string()), Storage::ConfigMap).unwrap();
        let files: Vec<_> = files.iter().map(|file| (file.path.as_str(), file.text.as_str())).collect();
        assert_eq!(
            files,
            [
                ("Chart.yaml", r#"{"name":"gloo","version":"1.18.2"}"#),
                ("values.yaml", r#"{"a":1}"#),
                ("values.schema.json", "{}"),
                ("templates/a.yaml", "x: 1\n"),
                ("README.md", "z"),
            ]
        );
        assert!(chart_files("%", Storage::ConfigMap).is_err());
    }
}
