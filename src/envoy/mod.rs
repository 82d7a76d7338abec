//! Envoy's admin interface: its requests, and readers of its answers. Pure; the requests are sent by
//! `src/kube/forward.rs`.

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
