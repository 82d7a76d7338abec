//! The only writes: the cluster and files. Guarded, told truly.

pub mod archive;
pub mod caught;
pub mod claims;
pub mod cluster;
pub mod files;
pub mod log_levels;
pub mod transaction;
