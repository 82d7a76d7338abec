//! The mesh of real parts: istiods that the real Helm installed, their injector, their authority, and sidecars that they
//! configure.

mod stage_self;
