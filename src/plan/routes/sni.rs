//! Which filter chain accepts a connection. With TLS, it is chosen by the client's server name (SNI), assumed to be the
//! request's host.
//!
//! Gloo makes one chain of all `VirtualServices` whose `sslConfig` differs only in `sniDomains`, merges these, and
//! compares domains only inside a chain (`GroupVirtualServicesBySslConfig` and `ComputeVirtualHosts`,
//! `projects/gateway/pkg/translator`).

use std::cmp::Reverse;

use serde_json::Value;

use super::domain::{self, Rank};
use super::list;
use crate::model::Object;

/// A filter chain that accepts a connection.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chain<'v> {
    pub virtual_services: Vec<&'v Object>,
    /// How well the server name matches.
    pub rank: Rank,
    /// A `VirtualService` of another chain with the same server name. A listener cannot have both.
    pub rival: Option<&'v Object>,
}

impl<'v> Chain<'v> {
    /// Creates the only chain of a port without TLS, which accepts every connection.
    pub(crate) fn plain(virtual_services: Vec<&'v Object>) -> Self {
        Self { virtual_services, rank: Rank::Any, rival: None }
    }

    /// Returns the chain whose server names match best. `None` if no certificate is configured for such a client.
    /// `usual` are the server names for `VirtualServices` without their own.
    pub(crate) fn of_tls(virtual_services: Vec<&'v Object>, usual: &'v [Value], server_name: &str) -> Option<Self> {
        let ranked = grouped(virtual_services).into_iter();
        let mut ranked: Vec<_> =
            ranked.filter_map(|group| Some((rank(&names(&group, usual), server_name)?, group))).collect();
        ranked.sort_by_key(|(rank, _)| Reverse(*rank));
        let mut ranked = ranked.into_iter();
        let (rank, virtual_services) = ranked.next()?;
        let rival = ranked.next().filter(|(other, _)| *other == rank).and_then(|(_, group)| group.first().copied());
        Some(Self { virtual_services, rank, rival })
    }
}

fn grouped(virtual_services: Vec<&Object>) -> Vec<Vec<&Object>> {
    let mut groups: Vec<(Value, Vec<&Object>)> = Vec::new();
    for service in virtual_services {
        let mut config = service.value["spec"]["sslConfig"].clone();
        if let Some(config) = config.as_object_mut() {
            config.remove("sniDomains");
        }
        match groups.iter_mut().find(|(known, _)| *known == config) {
            Some((_, group)) => group.push(service),
            None => groups.push((config, vec![service])),
        }
    }
    groups.into_iter().map(|(_, group)| group).collect()
}

/// Returns the server names of a group. If one member has none, the whole group uses the usual ones.
fn names<'v>(group: &[&'v Object], usual: &'v [Value]) -> Vec<&'v str> {
    let own: Vec<_> = group.iter().map(|service| list(&service.value["spec"]["sslConfig"], "sniDomains")).collect();
    let merged = if own.iter().any(|names| names.is_empty()) { vec![usual] } else { own };
    merged.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// Returns how well the best of these names matches. An empty list matches every client.
fn rank(names: &[&str], server_name: &str) -> Option<Rank> {
    match names {
        [] => Some(Rank::Any),
        names => names.iter().filter_map(|name| domain::rank(name, server_name)).max(),
    }
}
