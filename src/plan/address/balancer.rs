//! The addresses that a load balancer assigned to a Service.

use jiff::Timestamp;
use serde_json::Value;

use super::{Address, AddressAnswer, Pending, PendingCause, View, external_ips, found};
use crate::error::{Failure, Reason};
use crate::plan::address::port::GatewayPort;
use crate::plan::advice::{Advice, Code};

/// What is known about a Service to which no address is assigned yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unassigned {
    pub created: Option<Timestamp>,
    /// The load balancer class, that is the controller that must act. `None` is the cluster's default controller.
    pub class: Option<String>,
    /// The address requested in `spec.loadBalancerIP`.
    pub asked_ip: Option<String>,
    /// Whether the port already has a node port.
    pub node_port: bool,
}

pub(super) fn answer(view: &View, port: &GatewayPort) -> Result<AddressAnswer, Failure> {
    let entries = view.service.value["status"]["loadBalancer"]["ingress"].as_array();
    let entries = entries.map(Vec::as_slice).unwrap_or_default();
    let mut addresses = Vec::new();
    let mut advice = Vec::new();
    for entry in entries {
        match port_error(entry, port) {
            None => addresses.extend(places(view, port, entry)?),
            Some(error) => advice.push(
                Advice::warning(
                    Code::PortNotServed,
                    format!("port {} is not served at {}: {error}", port.shown(), shown(entry)),
                )
                .about(&view.service.reference),
            ),
        }
    }
    addresses.extend(external_ips(view, port)?);
    if !addresses.is_empty() {
        return Ok(found(view.wish, addresses, advice));
    }
    if advice.is_empty() {
        let cause = PendingCause::NoIngress(unassigned(view, port));
        return Ok(AddressAnswer::Pending(Pending { service: view.service.reference.clone(), cause }));
    }
    let refused = view.refused(Reason::NoAddress, "has an address, but its load balancer does not serve the port");
    Err(advice.into_iter().fold(refused, |failure, said| failure.detail(said.message)))
}

/// Returns the addresses of one ingress entry. An entry may have both a host name and an IP. The host name comes first,
/// as in glooctl.
fn places(view: &View, port: &GatewayPort, entry: &Value) -> Result<Vec<Address>, Failure> {
    ["hostname", "ip"]
        .into_iter()
        .filter_map(|field| Some((field, entry[field].as_str().filter(|text| !text.is_empty())?)))
        .map(|(field, text)| {
            let source = format!("loadBalancer ingress {field}{}", mode(entry));
            Ok(Address::at(port, view.host(text)?, port.number, source))
        })
        .collect()
}

/// Returns the suffix for `ipMode: Proxy`, where packets come from the load balancer and not from the node's own rules.
/// `VIP` is the usual mode and is not shown.
fn mode(entry: &Value) -> &'static str {
    if entry["ipMode"] == "Proxy" { " (ipMode Proxy)" } else { "" }
}

fn port_error<'e>(entry: &'e Value, port: &GatewayPort) -> Option<&'e str> {
    let statuses = entry["ports"].as_array()?;
    let ours = statuses.iter().find(|status| {
        status["port"].as_u64() == Some(port.number.into())
            && status["protocol"].as_str().unwrap_or("TCP") == port.protocol
    })?;
    ours["error"].as_str().filter(|error| !error.is_empty())
}

fn shown(entry: &Value) -> &str {
    entry["hostname"].as_str().or_else(|| entry["ip"].as_str()).unwrap_or("an entry without an address")
}

fn unassigned(view: &View, port: &GatewayPort) -> Unassigned {
    let spec = view.spec();
    let text = |value: &Value| value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
    Unassigned {
        created: view.service.value["metadata"]["creationTimestamp"].as_str().and_then(|at| at.parse().ok()),
        class: text(&spec["loadBalancerClass"]),
        asked_ip: text(&spec["loadBalancerIP"]),
        node_port: port.on_nodes.is_some(),
    }
}
