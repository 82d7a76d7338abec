//! The rows of a view of a config dump, or of any list of objects, as a table.

use super::table::{self, Align, Table};
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
    let shown = shown(columns, width, pods.then_some(POD));
    let heads: Vec<_> = shown.iter().map(|column| (column.title, Align::Left)).collect();
    let cells = rows.map(|row| shown.iter().map(|column| cell(row.get(column.key))).collect());
    table::lines(&heads, cells).for_each(|line| print(&line));
}

/// The table as a value. It always has the column for the pod, so that the tables of several clusters are alike.
pub(crate) fn table(columns: &[Column], rows: impl Iterator<Item = ViewRow>, width: ColumnWidth) -> Table {
    let shown = shown(columns, width, Some(POD));
    let cells = |row: ViewRow| shown.iter().map(|column| cell(row.get(column.key))).collect::<Vec<_>>().into();
    Table {
        columns: shown.iter().map(|column| (column.title, Align::Left)).collect(),
        rows: rows.map(cells).collect(),
        toned: 0,
        dispensable: &[],
    }
}

const POD: Column = Column { title: "POD", key: "pod", width: ColumnWidth::Usual };

fn shown(columns: &[Column], width: ColumnWidth, pod: Option<Column>) -> Vec<Column> {
    pod.into_iter().chain(columns.iter().copied()).filter(|column| column.width <= width).collect()
}
