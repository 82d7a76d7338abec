//! The only writes: the cluster and files. Guarded, told truly.

pub mod claims;
pub mod cluster;
pub mod files;
pub mod transaction;
