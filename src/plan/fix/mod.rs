//! The commands that fix a gateway proxy or a backend.
//!
//! The owner of the settings decides which command it is. Each command names its namespace, its object and, where
//! several istiods could be meant, the revision, so that it works as it is printed.

mod backend;
mod gateway;

pub(crate) use backend::{BackendFix, NoSidecar};
pub(crate) use gateway::{GatewayFix, gateways};

/// Stands for a revision that only the operator can choose, as in the command's `--help`.
pub(crate) const REVISION: &str = "REVISION";

#[cfg(test)]
mod tests;
