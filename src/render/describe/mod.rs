//! The output of `istio describe`, as text, as a table, as values and as CSV.

mod csv;
mod request;
mod row;
mod target;
mod value;

pub(crate) use csv::{HEAD as CSV_HEAD, cell as csv_cell, line as csv};
pub(crate) use request::lines as request;
pub(crate) use row::{TargetRow, Width, grouped, table};
pub(crate) use target::lines as target;
pub(crate) use value::{of_answer, of_target};
