//! Envoy's admin interface: what to ask it for, and what its answers say. Pure; the wire is `src/kube/forward.rs`.

pub mod admin;
pub mod levels;
pub mod mesh_certificate;
pub mod state;
