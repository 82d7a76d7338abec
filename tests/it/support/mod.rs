//! The helpers of the tests.

mod certificate;
pub mod commands;
pub mod gate;
pub mod generated;
pub mod pod_server;
pub mod relay;
mod running;
mod sandbox;
pub mod stub;
pub mod world;

pub use crate::stage::snapshots;
pub use certificate::Certificate;
pub use running::Running;
pub use sandbox::{Output, Sandbox};
