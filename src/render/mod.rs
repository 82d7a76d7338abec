//! Renders plans, outcomes and answers as text, diffs, JSON and YAML: values in, text out.

pub(crate) mod address;
pub(crate) mod age;
pub(crate) mod describe;
pub(crate) mod diff;
pub(crate) mod document;
pub(crate) mod dump;
pub(crate) mod findings;
pub(crate) mod junit;
pub(crate) mod line;
pub(crate) mod peer_auth;
pub(crate) mod pending;
pub(crate) mod proof;
pub(crate) mod provenance;
pub(crate) mod revisions;
pub(crate) mod rights;
pub(crate) mod role;
pub(crate) mod sarif;
pub(crate) mod served;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod tone;
pub(crate) mod values;
pub(crate) mod verdict;
pub(crate) mod version;
pub(crate) mod visible;
pub(crate) mod wrap;
mod xml;
