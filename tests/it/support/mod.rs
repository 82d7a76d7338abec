//! What tests stand on.

mod certificate;
mod sandbox;
pub mod stub;

pub use certificate::Certificate;
pub use sandbox::{Output, Sandbox};
