//! What tests stand on.

mod certificate;
pub mod pod_server;
pub mod relay;
mod running;
mod sandbox;
pub mod snapshots;
mod state;
pub mod stub;

pub use certificate::Certificate;
pub use running::Running;
pub use sandbox::{Output, Sandbox};
pub use state::State;
