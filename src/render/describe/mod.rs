//! What `istio describe` says, as text, as a table, as values and as CSV.

mod csv;
mod request;
mod row;
mod target;
mod value;

pub use csv::{HEAD as CSV_HEAD, line as csv};
pub use request::lines as request;
pub use row::{Row, Width, table};
pub use target::lines as target;
pub use value::{of_answer, of_target};
