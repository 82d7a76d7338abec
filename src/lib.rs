//! gloo-rs: Gloo Gateway beside an Istio mesh, operated from one command line.

#![forbid(unsafe_code)]

pub mod apply;
pub mod edit;
pub mod error;
pub mod load;
pub mod model;
pub mod yaml;
