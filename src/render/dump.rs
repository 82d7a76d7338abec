//! The rows of a view of a config dump, or of any list of objects, as a table.

use serde_json::Value;

use super::table::{Align, table};
use crate::envoy::view::{Column, ColumnWidth, ViewRow, cell};

/// The lines of the table, the header first. A column for the pod is added if the rows are of several pods.
#[must_use]
pub(crate) fn lines(columns: &[Column], rows: &[ViewRow], width: ColumnWidth) -> Vec<String> {
    let pods = rows.iter().any(|row| row.get("pod") != rows[0].get("pod"));
    let pod = Column { title: "POD", key: "pod", width: ColumnWidth::Usual };
    let shown: Vec<_> = pods.then_some(pod).into_iter().chain(columns.iter().copied()).collect();
    let shown: Vec<_> = shown.into_iter().filter(|column| column.width <= width).collect();
    let heads: Vec<_> = shown.iter().map(|column| (column.title, Align::Left)).collect();
    let cells = rows.iter().map(|row| shown.iter().map(|column| cell(row.get(column.key))).collect());
    table(&heads, &cells.collect::<Vec<_>>())
}

/// The rows as a value of the document.
#[must_use]
pub(crate) fn value(rows: &[ViewRow]) -> Value {
    rows.iter().cloned().map(Value::Object).collect()
}
