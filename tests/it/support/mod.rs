//! What tests stand on.

mod certificate;
mod running;
mod sandbox;
pub mod stub;

pub use certificate::Certificate;
pub use sandbox::{Output, Sandbox};
