//! Helm: what it keeps in the cluster about a release.

mod record;

pub use record::{Problem, Record, Storage, read};
