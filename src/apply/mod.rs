//! The only writes: guarded, told truly.

pub mod cluster;
