//! What the shells need of the helpers of the tests.

#[path = "../it/support/certificate.rs"]
mod certificate;
#[path = "../it/support/running.rs"]
mod running;
#[path = "../it/support/stub.rs"]
pub mod stub;

pub use running::Running;
