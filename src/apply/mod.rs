//! The only writes: the cluster and files. Guarded, told truly.

pub(crate) mod archive;
pub(crate) mod caught;
pub(crate) mod claims;
pub(crate) mod cluster;
pub(crate) mod files;
pub(crate) mod log_levels;
pub(crate) mod transaction;
