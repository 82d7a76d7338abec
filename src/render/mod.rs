//! Plans, outcomes and answers as text, diff, JSON and YAML: values in, text out.

pub mod age;
pub mod diff;
pub mod document;
pub mod mask;
pub mod pending;
pub mod revisions;
pub mod table;
pub mod text;
