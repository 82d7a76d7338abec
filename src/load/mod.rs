//! The only reads: what stands around an object, from the cluster.

pub mod survey;
