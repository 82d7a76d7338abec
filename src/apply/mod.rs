//! All writes, to the cluster and to files. They are guarded, and their results are reported exactly.

pub(crate) mod archive;
pub(crate) mod caught;
pub(crate) mod claims;
pub(crate) mod cluster;
pub(crate) mod files;
pub(crate) mod log_levels;
pub(crate) mod transaction;
