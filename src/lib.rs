//! gloo-rs: Gloo Gateway beside an Istio mesh, operated from one command line.

#![forbid(unsafe_code)]

pub mod cli;
pub mod edit;
pub mod error;
pub mod kube;
pub mod model;
pub mod options;
pub mod plan;
pub mod render;
pub mod ui;
pub mod yaml;
