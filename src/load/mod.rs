//! The only reads: the cluster and files.

pub mod files;
