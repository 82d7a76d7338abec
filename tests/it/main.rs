//! The integration tests, one binary, so that one plane serves them all.

#[path = "../stage/mod.rs"]
mod stage;

mod stage_self;
