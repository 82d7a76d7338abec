//! What Gloo's control plane says of itself on its admin port: pure readers of it.

pub mod snapshot;
pub mod socket;
mod wire;

pub use snapshot::{Keep, Read, Section, read};
pub use socket::{Socket, route_configs, socket_of};

/// The key under which Gloo serves a cluster for an Upstream (Gloo's `UpstreamToClusterName`).
#[must_use]
pub fn cluster_name(namespace: &str, upstream: &str) -> String {
    format!("{upstream}_{namespace}")
}
