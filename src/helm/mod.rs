//! Helm: what it keeps in the cluster about a release, and the user's own program.

mod chart;
mod record;
mod run;

pub use chart::{File, unpacked};
pub use record::{Problem, Record, Storage, read};
pub use run::{Helm, Running};
