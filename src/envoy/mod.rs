//! Envoy's admin interface: what to ask it for, and what its answers say. Pure; the wire is `src/kube/forward.rs`.

pub mod admin;
pub mod certs;
pub mod dump;
pub mod levels;
pub mod mask;
pub mod mesh_certificate;
pub mod pieces;
pub mod state;
pub mod updates;
pub mod view;
pub mod x509;
