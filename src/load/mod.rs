//! The only reads: what stands around an object in the cluster, and files.

pub mod files;
pub mod survey;
