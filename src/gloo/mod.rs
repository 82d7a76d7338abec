//! What Gloo's control plane says of itself on its admin port: pure readers of it.

mod collected;
mod compare;
pub mod metrics;
pub mod snapshot;
pub mod socket;
mod view;
pub(crate) mod wire;

pub use collected::{Collected, Offers, Project, Resources};
pub use compare::{Difference, Offer, compare};
pub use snapshot::{Keep, Read, Section, read};
pub use socket::{Socket, route_configs, socket_of};
pub use view::{Filter, columns, row};

/// The key under which Gloo serves a cluster for an Upstream (Gloo's `UpstreamToClusterName`).
#[must_use]
pub fn cluster_name(namespace: &str, upstream: &str) -> String {
    format!("{upstream}_{namespace}")
}
