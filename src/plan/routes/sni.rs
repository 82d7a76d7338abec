//! Which filter chain takes a connection. With TLS the server name decides it that the client asks for, which is taken
//! to be the request's host.
//!
//! Gloo makes a chain of all `VirtualServices` whose `sslConfig` differs in nothing but `sniDomains`, merges these, and
//! compares domains inside a chain only (`GroupVirtualServicesBySslConfig` and `ComputeVirtualHosts`,
//! `projects/gateway/pkg/translator`).

use std::cmp::Reverse;

use serde_json::Value;

use super::domain::{self, Rank};
use super::list;
use crate::model::Object;

/// A filter chain that takes a connection.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chain<'v> {
    pub virtual_services: Vec<&'v Object>,
    /// How well the server name fits.
    pub rank: Rank,
    /// One of another chain that takes the very name: no listener can have both.
    pub rival: Option<&'v Object>,
}

impl<'v> Chain<'v> {
    /// Without TLS there is one, and it takes everything.
    pub(crate) fn plain(virtual_services: Vec<&'v Object>) -> Self {
        Self { virtual_services, rank: Rank::Any, rival: None }
    }

    /// The one whose server names fit best; none: no certificate is shown to such a client. `usual` are the names of
    /// those that have none of their own.
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

/// The server names of a group; one member without any lets the whole of it take the usual ones.
fn names<'v>(group: &[&'v Object], usual: &'v [Value]) -> Vec<&'v str> {
    let own: Vec<_> = group.iter().map(|service| list(&service.value["spec"]["sslConfig"], "sniDomains")).collect();
    let merged = if own.iter().any(|names| names.is_empty()) { vec![usual] } else { own };
    merged.into_iter().flatten().filter_map(Value::as_str).collect()
}

/// How well the best of these fits; none at all are for anybody.
fn rank(names: &[&str], server_name: &str) -> Option<Rank> {
    match names {
        [] => Some(Rank::Any),
        names => names.iter().filter_map(|name| domain::rank(name, server_name)).max(),
    }
}
