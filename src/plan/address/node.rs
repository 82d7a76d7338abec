//! Node port addresses: selects the nodes of ready pods, and which of a node's addresses to print.

use std::collections::BTreeSet;

use serde_json::Value;

use super::port::GatewayPort;
use super::{
    Address, AddressAnswer, AddressNeed, AddressReach, AddressSources, Amount, Pending, PendingCause, Prefer, View,
    found,
};
use crate::error::{Failure, Reason};
use crate::model::{ObjectRef, kinds};
use crate::plan::advice::{Advice, Code};
use crate::plan::labels::labels;
use crate::plan::pod;

/// The maximum number of nodes to read for one address. Each node is one request.
const NODES_FOR_ONE: usize = 8;

/// Returns the node port at nodes that run a ready pod. With `externalTrafficPolicy: Local` no other node answers. With
/// `Cluster` any node would do, but the same nodes are used.
pub(super) fn answer(view: &View, port: &GatewayPort, seen: AddressSources) -> Result<AddressAnswer, Failure> {
    let node_port = port.on_nodes.ok_or_else(|| unallocated(view, port))?;
    let selector = selector(view)?;
    let Some(pods) = seen.pods else {
        return Ok(AddressAnswer::Needs(AddressNeed::Pods {
            namespace: view.service.reference.namespace.clone(),
            selector,
        }));
    };
    let mut names: BTreeSet<&str> =
        pods.iter().filter(|pod| pod::not_ready(pod).is_none()).filter_map(node_of).collect();
    if names.is_empty() {
        let cause = PendingCause::NoReadyPod(pods.iter().map(pod::why_not).collect());
        return Ok(AddressAnswer::Pending(Pending { service: view.service.reference.clone(), cause }));
    }
    if view.wish.amount == Amount::One {
        names = names.into_iter().take(NODES_FOR_ONE).collect();
    }
    let Some(nodes) = seen.nodes else {
        return Ok(AddressAnswer::Needs(AddressNeed::Nodes(names.into_iter().map(str::to_owned).collect())));
    };
    from_nodes(view, port, node_port, &names, nodes)
}

fn unallocated(view: &View, port: &GatewayPort) -> Failure {
    let kind = view.spec()["type"].as_str().unwrap_or("ClusterIP");
    let refused = view.refused(Reason::NoAddress, &format!("has no node port for port {}", port.shown()));
    match (view.wish.reach, kind) {
        (AddressReach::NodePort, "ClusterIP") if view.spec()["clusterIP"] == "None" => refused
            .detail("it is headless (clusterIP: None): it has no address of its own")
            .hint("name the gateway's own Service: --name NAME"),
        (AddressReach::NodePort, "ClusterIP") => refused
            .detail("its type is ClusterIP: only NodePort and LoadBalancer have node ports")
            .hint("without --local-cluster its cluster IP is printed"),
        (_, "LoadBalancer") => refused
            .detail("none is allocated (allocateLoadBalancerNodePorts)")
            .hint("without --local-cluster the load balancer's address is printed"),
        _ => refused.detail("none is allocated"),
    }
}

fn selector(view: &View) -> Result<String, Failure> {
    let terms: Vec<String> =
        labels(&view.spec()["selector"]).iter().map(|(key, value)| format!("{key}={value}")).collect();
    if terms.is_empty() {
        return Err(
            view.refused(Reason::NoAddress, "has no selector, so it is unknown which pods, and so which nodes, answer")
        );
    }
    Ok(terms.join(","))
}

fn from_nodes(
    view: &View,
    port: &GatewayPort,
    node_port: u16,
    names: &BTreeSet<&str>,
    nodes: &[Value],
) -> Result<AddressAnswer, Failure> {
    let mut ranked = Vec::new();
    let mut unusable = Vec::new();
    for name in names {
        match nodes.iter().find(|node| node["metadata"]["name"] == **name) {
            None => unusable.push(format!("node {name}: not found")),
            Some(node) => match best(node, view.wish.prefer) {
                None => unusable.push(format!("node {name}: has no address")),
                Some((rank, kind)) => ranked.push((rank, *name, kind, node)),
            },
        }
    }
    if ranked.is_empty() {
        let refused = view.refused(Reason::NoAddress, "has ready pods, but none of their nodes has an address");
        return Err(unusable.into_iter().fold(refused, Failure::detail));
    }
    ranked.sort_unstable_by_key(|(rank, name, ..)| (*rank, *name));
    let mut addresses: Vec<Address> = Vec::new();
    let mut advice = Vec::new();
    for (_, name, kind, node) in if view.wish.amount == Amount::One { &ranked[..1] } else { &ranked[..] } {
        for text in of_kind(node, kind) {
            addresses.push(Address::at(port, view.host(text)?, node_port, format!("node {name} {kind}")));
        }
        if view.wish.reach == AddressReach::ServiceType && !kind.starts_with("External") {
            advice.push(
                Advice::warning(
                    Code::NodesOnly,
                    format!("node {name} has no ExternalIP: its {kind} is reachable from the nodes' network only"),
                )
                .about(&ObjectRef::new(&kinds::NODE, "", *name)),
            );
        }
    }
    Ok(found(view.wish, addresses, advice))
}

/// Returns the rank and the kind of the node's best address. External addresses come before internal ones. `Hostname`
/// is last, because it can rarely be resolved.
fn best(node: &Value, prefer: Prefer) -> Option<(usize, &'static str)> {
    let kinds = if prefer == Prefer::Hostname {
        ["ExternalDNS", "ExternalIP", "InternalDNS", "InternalIP", "Hostname"]
    } else {
        ["ExternalIP", "ExternalDNS", "InternalIP", "InternalDNS", "Hostname"]
    };
    kinds.into_iter().enumerate().find(|(_, kind)| of_kind(node, kind).next().is_some())
}

fn of_kind<'n>(node: &'n Value, kind: &str) -> impl Iterator<Item = &'n str> {
    let addresses = node["status"]["addresses"].as_array().into_iter().flatten();
    addresses
        .filter(move |address| address["type"] == *kind)
        .filter_map(|address| address["address"].as_str().filter(|text| !text.is_empty()))
}

fn node_of(pod: &Value) -> Option<&str> {
    pod["spec"]["nodeName"].as_str().filter(|name| !name.is_empty())
}
