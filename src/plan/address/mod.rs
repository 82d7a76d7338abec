//! Where a gateway is: what `proxy url` and `proxy address` print, decided from its Service, and only
//! where the Service cannot answer, from pods and nodes.

mod balancer;
mod node;
mod port;

use serde_json::Value;

use super::advice::{Advice, Code};
use crate::error::{Exit, Failure, Reason};
use crate::model::{Object, ObjectRef};
use crate::text::{Host, Scheme};

pub(crate) use balancer::Unassigned;
use port::GatewayPort;

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct AddressWish {
    /// A port's name or number as the Service has them.
    pub port: Option<String>,
    pub reach: Reach,
    pub prefer: Prefer,
    pub amount: Amount,
}

/// Which way to the gateway.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Reach {
    /// The one that the Service's type says.
    #[default]
    ServiceType,
    /// The node port, whatever the type (`--local-cluster`).
    NodePort,
}

/// Where a place has several addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Prefer {
    /// The first place; of a balancer's place the host name, of a node the IP.
    #[default]
    AsListed,
    Ip,
    Hostname,
}

/// How many addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Amount {
    #[default]
    One,
    All,
}

/// What was read so far, beside the Service.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AddressSources<'a> {
    pub pods: Option<&'a [Value]>,
    /// Of the nodes asked for, those that there are.
    pub nodes: Option<&'a [Value]>,
}

/// What the things read come to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AddressAnswer {
    Found(FoundAddresses),
    /// Read this too, add it to what was seen, ask again.
    Needs(Need),
    /// Not there yet; waiting may help.
    Pending(Pending),
    /// There is none, and waiting does not help.
    Refused(Failure),
}

/// What has to be read for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Need {
    Pods { namespace: String, selector: String },
    Nodes(Vec<String>),
}

/// At least one address, best first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundAddresses {
    pub addresses: Vec<Address>,
    pub advice: Vec<Advice>,
}

/// One place where the gateway answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub host: Host,
    pub port: u16,
    /// `None` where the port speaks something else than HTTP, or nothing says what it speaks.
    pub scheme: Option<Scheme>,
    /// The Service's name for the port.
    pub port_name: Option<String>,
    /// Which field has the host: `loadBalancer ingress ip`, `node n1 ExternalIP`.
    pub source: String,
}

impl Address {
    fn at(port: &GatewayPort, host: Host, number: u16, source: String) -> Self {
        Self { host, port: number, scheme: port.scheme(), port_name: port.name.map(str::to_owned), source }
    }

    /// `host:port`, an IPv6 host in brackets.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// `http://host:port`; without a scheme as [`Self::address`].
    #[must_use]
    pub fn url(&self) -> String {
        match self.scheme {
            Some(scheme) => format!("{}://{}", scheme.name(), self.address()),
            None => self.address(),
        }
    }
}

/// An address that is not there yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pending {
    pub service: ObjectRef,
    pub cause: PendingCause,
}

/// What it waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PendingCause {
    /// The load balancer has given no address.
    NoIngress(Unassigned),
    /// No pod behind the Service is ready: each one and why.
    NoReadyPod(Vec<String>),
}

/// Decides from what was read so far. Asked with the Service alone first: for a load balancer
/// and a cluster IP that is all it takes.
#[must_use]
pub(crate) fn answer(service: &Object, seen: AddressSources, wish: &AddressWish) -> AddressAnswer {
    decide(&View { service, wish }, seen).unwrap_or_else(AddressAnswer::Refused)
}

/// The field selector for the events that say why an address is pending.
#[must_use]
pub(crate) fn event_selector(service: &ObjectRef) -> String {
    format!("involvedObject.kind=Service,involvedObject.name={},type=Warning", service.name)
}

/// A Service and what is asked of it.
struct View<'a> {
    service: &'a Object,
    wish: &'a AddressWish,
}

impl<'a> View<'a> {
    fn spec(&self) -> &'a Value {
        &self.service.value["spec"]
    }

    /// `service gloo-system/gateway-proxy`: how every sentence about it begins.
    fn named(&self) -> String {
        named(&self.service.reference)
    }

    fn refused(&self, reason: Reason, why: &str) -> Failure {
        Failure::new(Exit::Failed, reason, format!("{} {why}", self.named()))
    }

    /// The host that the cluster gave, or a failure that names the Service.
    fn host(&self, text: &str) -> Result<Host, Failure> {
        Host::parse(text).ok_or_else(|| {
            self.refused(Reason::BadAnswer, "has an address that is neither an IP nor a DNS name")
                .detail(text.chars().take(80).flat_map(char::escape_default).collect::<String>())
        })
    }
}

/// `service NAMESPACE/NAME`.
pub(crate) fn named(service: &ObjectRef) -> String {
    format!("service {}/{}", service.namespace, service.name)
}

fn decide(view: &View, seen: AddressSources) -> Result<AddressAnswer, Failure> {
    let kind = view.spec()["type"].as_str().unwrap_or("ClusterIP");
    if kind == "ExternalName" {
        let alias = view.spec()["externalName"].as_str().unwrap_or_default();
        return Err(view
            .refused(Reason::NoAddress, "is of type ExternalName: an alias, not an address")
            .detail(format!("externalName: {alias}"))
            .hint("name the gateway's own Service: --name NAME"));
    }
    let port = port::choose(view)?;
    match (view.wish.reach, kind) {
        (Reach::NodePort, _) | (_, "NodePort") => node::answer(view, &port, seen),
        (_, "LoadBalancer") => balancer::answer(view, &port),
        (_, "ClusterIP") => cluster_ip(view, &port),
        (_, other) => {
            Err(view.refused(Reason::BadAnswer, &format!("is of a type this program does not know: {other}")))
        }
    }
}

fn cluster_ip(view: &View, port: &GatewayPort) -> Result<AddressAnswer, Failure> {
    let spec = view.spec();
    if spec["clusterIP"] == "None" {
        return Err(view
            .refused(Reason::NoAddress, "is headless (clusterIP: None): it has no address of its own")
            .hint("name the gateway's own Service: --name NAME"));
    }
    let mut addresses = external_ips(view, port)?;
    let mut advice = Vec::new();
    if addresses.is_empty() {
        let dual = spec["clusterIPs"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ips = if dual.is_empty() { std::slice::from_ref(&spec["clusterIP"]) } else { dual };
        for ip in ips.iter().filter_map(Value::as_str).filter(|ip| !ip.is_empty()) {
            addresses.push(Address::at(port, view.host(ip)?, port.number, "clusterIP".into()));
        }
        advice.push(
            Advice::warning(
                Code::InsideOnly,
                format!("{} is of type ClusterIP: reachable from inside the cluster only", view.named()),
            )
            .about(&view.service.reference),
        );
    }
    if addresses.is_empty() {
        return Err(view.refused(Reason::NoAddress, "has no cluster IP"));
    }
    Ok(found(view.wish, addresses, advice))
}

/// Addresses that somebody routes to the nodes, whatever the Service's type.
fn external_ips(view: &View, port: &GatewayPort) -> Result<Vec<Address>, Failure> {
    let ips = view.spec()["externalIPs"].as_array().map(Vec::as_slice).unwrap_or_default();
    ips.iter()
        .filter_map(Value::as_str)
        .map(|ip| Ok(Address::at(port, view.host(ip)?, port.number, "externalIPs".into())))
        .collect()
}

/// As many as were asked for, those of the kind preferred first, none twice.
fn found(wish: &AddressWish, mut addresses: Vec<Address>, advice: Vec<Advice>) -> AddressAnswer {
    addresses.sort_by_key(|address| match wish.prefer {
        Prefer::AsListed => false,
        Prefer::Ip => !address.host.is_ip(),
        Prefer::Hostname => address.host.is_ip(),
    });
    let mut kept: Vec<Address> = Vec::new();
    for address in addresses {
        if !kept.iter().any(|other| other.address() == address.address()) {
            kept.push(address);
        }
    }
    if wish.amount == Amount::One {
        kept.truncate(1);
    }
    AddressAnswer::Found(FoundAddresses { addresses: kept, advice })
}

#[cfg(test)]
mod tests;
