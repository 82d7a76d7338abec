//! The address of a gateway, as `proxy url` and `proxy address` print it. It comes from the Service. Pods and nodes are
//! read only where the Service is not enough.

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

/// The options of an address request.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct AddressWish {
    /// The name or number of a Service port.
    pub port: Option<String>,
    pub reach: AddressReach,
    pub prefer: Prefer,
    pub amount: Amount,
}

/// Which kind of address to return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum AddressReach {
    /// The kind that follows from the Service's type.
    #[default]
    ServiceType,
    /// The node port, whatever the Service's type (`--local-cluster`).
    NodePort,
}

/// Which address to prefer where one place has several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Prefer {
    /// The first address: the host name of a load balancer, the IP of a node.
    #[default]
    AsListed,
    Ip,
    Hostname,
}

/// How many addresses to return.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Amount {
    #[default]
    One,
    All,
}

/// What was read so far, in addition to the Service.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct AddressSources<'a> {
    pub pods: Option<&'a [Value]>,
    /// The requested nodes that exist.
    pub nodes: Option<&'a [Value]>,
}

/// The result of [`answer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AddressAnswer {
    Found(FoundAddresses),
    /// More objects are needed: read them, add them to [`AddressSources`], and call [`answer`] again.
    Needs(AddressNeed),
    /// There is no address yet. Waiting may help.
    Pending(Pending),
    /// There is no address, and waiting does not help.
    Refused(Failure),
}

/// The objects that must be read for an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AddressNeed {
    Pods { namespace: String, selector: String },
    Nodes(Vec<String>),
}

/// At least one address, the best one first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FoundAddresses {
    pub addresses: Vec<Address>,
    pub advice: Vec<Advice>,
}

/// One address of the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    pub host: Host,
    pub port: u16,
    /// `None` if the port uses a protocol other than HTTP, or if its protocol is unknown.
    pub scheme: Option<Scheme>,
    /// The name of the port in the Service.
    pub port_name: Option<String>,
    /// The field that contains the host: `loadBalancer ingress ip`, `node n1 ExternalIP`.
    pub source: String,
}

impl Address {
    fn at(port: &GatewayPort, host: Host, number: u16, source: String) -> Self {
        Self { host, port: number, scheme: port.scheme(), port_name: port.name.map(str::to_owned), source }
    }

    /// Returns `host:port`. An IPv6 host is in brackets.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Returns `http://host:port`, or the same as [`Self::address`] if there is no scheme.
    #[must_use]
    pub fn url(&self) -> String {
        match self.scheme {
            Some(scheme) => format!("{}://{}", scheme.name(), self.address()),
            None => self.address(),
        }
    }
}

/// A Service that has no address yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pending {
    pub service: ObjectRef,
    pub cause: PendingCause,
}

/// The reason why there is no address yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum PendingCause {
    /// The load balancer has assigned no address.
    NoIngress(Unassigned),
    /// No pod behind the Service is ready. Lists each pod and the reason.
    NoReadyPod(Vec<String>),
}

/// Computes the answer from what was read so far. The first call has only the Service. That is enough for a load
/// balancer and a cluster IP.
#[must_use]
pub(crate) fn answer(service: &Object, seen: AddressSources, wish: &AddressWish) -> AddressAnswer {
    decide(&View { service, wish }, seen).unwrap_or_else(AddressAnswer::Refused)
}

/// Returns the field selector for the events that explain why an address is pending.
#[must_use]
pub(crate) fn event_selector(service: &ObjectRef) -> String {
    format!("involvedObject.kind=Service,involvedObject.name={},type=Warning", service.name)
}

/// A Service and the options of the request.
struct View<'a> {
    service: &'a Object,
    wish: &'a AddressWish,
}

impl<'a> View<'a> {
    fn spec(&self) -> &'a Value {
        &self.service.value["spec"]
    }

    /// Returns `service gloo-system/gateway-proxy`, the start of each message about the Service.
    fn named(&self) -> String {
        named(&self.service.reference)
    }

    fn refused(&self, reason: Reason, why: &str) -> Failure {
        Failure::new(Exit::Failed, reason, format!("{} {why}", self.named()))
    }

    /// Parses the host that the cluster gave. The failure names the Service.
    fn host(&self, text: &str) -> Result<Host, Failure> {
        Host::parse(text).ok_or_else(|| {
            self.refused(Reason::BadAnswer, "has an address that is neither an IP nor a DNS name")
                .detail(text.chars().take(80).flat_map(char::escape_default).collect::<String>())
        })
    }
}

/// Returns `service NAMESPACE/NAME`.
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
        (AddressReach::NodePort, _) | (_, "NodePort") => node::answer(view, &port, seen),
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

/// Returns the `externalIPs`, addresses that are routed to the nodes whatever the Service's type.
fn external_ips(view: &View, port: &GatewayPort) -> Result<Vec<Address>, Failure> {
    let ips = view.spec()["externalIPs"].as_array().map(Vec::as_slice).unwrap_or_default();
    ips.iter()
        .filter_map(Value::as_str)
        .map(|ip| Ok(Address::at(port, view.host(ip)?, port.number, "externalIPs".into())))
        .collect()
}

/// Returns as many addresses as requested, the preferred kind first, without duplicates.
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
