//! The only writes: the cluster and files.

pub mod files;
