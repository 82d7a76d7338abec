//! Readers for the admin port of Gloo's control plane. Pure.

mod collected;
mod compare;
pub(crate) mod metrics;
pub(crate) mod snapshot;
pub(crate) mod socket;
mod view;
pub(crate) mod wire;

pub(crate) use collected::{Collected, Offers, Project, Resources};
pub(crate) use compare::{Offer, ServedDifference, compare};
pub(crate) use snapshot::{Keep, ServedSection, SnapshotQuery, read};
pub(crate) use socket::{Socket, route_configs, socket_of};
pub(crate) use view::{ServedFilter, columns, row};

/// The key under which Gloo serves the cluster of an Upstream (Gloo's `UpstreamToClusterName`).
#[must_use]
pub(crate) fn cluster_name(namespace: &str, upstream: &str) -> String {
    format!("{upstream}_{namespace}")
}
