//! Envoy's admin interface: what to ask it for, and what its answers say. Pure; the wire is `src/kube/forward.rs`.

pub(crate) mod admin;
pub(crate) mod certs;
pub(crate) mod dump;
pub(crate) mod levels;
pub(crate) mod mask;
pub(crate) mod mesh_certificate;
pub(crate) mod pieces;
pub(crate) mod state;
pub(crate) mod updates;
pub(crate) mod view;
pub(crate) mod x509;
