//! The mesh of real parts: istiods that the real Helm installed, their injector, their authority, and sidecars that they
//! configure.

mod authorization;
mod bench;
mod certificates;
mod modes;
mod stage_self;
