//! The rows of a view of a config dump, or of any list of objects, as a table.

use super::table::{self, Align};
use crate::envoy::view::{Column, ColumnWidth, ViewRow, cell};

/// Prints the lines of the table, the header first. A column for the pod is added if the rows are of several pods.
pub(crate) fn lines(
    columns: &[Column],
    rows: impl Iterator<Item = ViewRow> + Clone,
    width: ColumnWidth,
    print: &mut dyn FnMut(&str),
) {
    let first = rows.clone().next();
    let pods = rows.clone().any(|row| row.get("pod") != first.as_ref().and_then(|first| first.get("pod")));
    let pod = Column { title: "POD", key: "pod", width: ColumnWidth::Usual };
    let shown: Vec<_> = pods.then_some(pod).into_iter().chain(columns.iter().copied()).collect();
    let shown: Vec<_> = shown.into_iter().filter(|column| column.width <= width).collect();
    let heads: Vec<_> = shown.iter().map(|column| (column.title, Align::Left)).collect();
    let cells = rows.map(|row| shown.iter().map(|column| cell(row.get(column.key))).collect());
    table::lines(&heads, cells).for_each(|line| print(&line));
}
