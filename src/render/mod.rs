//! Plans, outcomes and answers as text, diff, JSON and YAML: values in, text out.

pub mod address;
pub mod age;
pub mod describe;
pub mod diff;
pub mod document;
pub mod dump;
pub mod findings;
pub mod junit;
pub mod peer_auth;
pub mod pending;
pub mod provenance;
pub mod revisions;
pub mod sarif;
pub mod served;
pub mod table;
pub mod text;
pub mod values;
pub mod verdict;
pub mod version;
pub mod visible;
pub mod wrap;
mod xml;
