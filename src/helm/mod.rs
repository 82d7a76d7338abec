//! Helm: what it keeps in the cluster about a release, and the user's own program.

mod record;
mod run;

pub use record::{Problem, Record, Storage, read};
pub use run::{Helm, Running};
