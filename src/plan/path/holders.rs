//! Objects with destinations, and the gateways that serve them. A `RouteTable` or an `UpstreamGroup` is served by the
//! gateways of the routes that lead to it.

use std::collections::HashMap;

use serde_json::json;

use super::serving::ServingGateways;
use crate::model::{Kind, Object, kinds};
use crate::plan::destinations::{self, DestinationTarget};
use crate::plan::routes::{RouteTarget, delegation};

/// What is kept of an object with destinations.
#[derive(Debug)]
pub(super) struct Holder {
    /// Its name and labels.
    stub: Object,
    /// The gateways that serve it, or for a kind that others lead to, those that may.
    gateways: ServingGateways,
    pub upstreams: Vec<(String, String)>,
    /// The text and the target of its routes to Services that it names itself.
    pub services: Vec<(String, RouteTarget)>,
    /// The objects that it leads to.
    leads: Vec<DestinationTarget>,
}

impl Holder {
    pub(super) fn read(object: &Object, gateways: ServingGateways) -> Self {
        let metadata = &object.value["metadata"];
        let own = &object.reference.namespace;
        let stub = json!({"metadata": {
            "namespace": own, "name": object.reference.name, "labels": metadata["labels"],
        }});
        let stub = Object::new(object.reference.kind, stub);
        let mut holder = Self { stub, gateways, upstreams: Vec::new(), services: Vec::new(), leads: Vec::new() };
        for destination in destinations::read(object) {
            match destination.target {
                DestinationTarget::Upstream { namespace, name } => {
                    holder.upstreams.push((if namespace.is_empty() { own.clone() } else { namespace }, name));
                }
                DestinationTarget::Kube { service, port } => {
                    let kind = object.reference.kind.singular;
                    let shown = format!("{kind} {own}/{}, {}", object.reference.name, destination.path);
                    let target = RouteTarget::Service { namespace: service.namespace, name: service.name, port };
                    holder.services.push((shown, target));
                }
                lead @ (DestinationTarget::RouteTable { .. }
                | DestinationTarget::UpstreamGroup { .. }
                | DestinationTarget::Selected { .. }) => holder.leads.push(lead),
                _ => {}
            }
        }
        holder
    }

    fn is(&self, kind: &Kind) -> bool {
        *self.stub.reference.kind == *kind
    }

    fn is_led_to(&self) -> bool {
        self.is(&kinds::ROUTE_TABLE) || self.is(&kinds::UPSTREAM_GROUP)
    }
}

/// Returns the gateways that serve each of these objects. If no route is known to lead to an object, those that may.
pub(super) fn serving(holders: &[Holder]) -> Vec<ServingGateways> {
    let own = |holder: &Holder| if holder.is_led_to() { ServingGateways::default() } else { holder.gateways.clone() };
    let mut reached: Vec<_> = holders.iter().map(own).collect();
    let mut leads = Leads::new(holders);
    let mut open: Vec<usize> = (0..holders.len()).filter(|index| !holders[*index].is_led_to()).collect();
    while let Some(from) = open.pop() {
        for to in leads.from(from) {
            let mut gateways = reached[to].clone();
            gateways.add(reached[from].of_objects_in(&holders[to].stub.reference.namespace));
            if gateways != reached[to] {
                reached[to] = gateways;
                open.push(to);
            }
        }
    }
    let no_gateway = ServingGateways::default();
    let pairs = holders.iter().zip(reached);
    pairs.map(|(holder, reached)| if reached == no_gateway { holder.gateways.clone() } else { reached }).collect()
}

/// The objects that each object leads to.
struct Leads<'h> {
    holders: &'h [Holder],
    by_name: HashMap<(&'static str, &'h str, &'h str), usize>,
    /// The tables that a selector selects in a namespace.
    selected: HashMap<(String, &'h str), Vec<usize>>,
}

impl<'h> Leads<'h> {
    fn new(holders: &'h [Holder]) -> Self {
        let name = |(index, holder): (usize, &'h Holder)| {
            let reference = &holder.stub.reference;
            ((reference.kind.kind, reference.namespace.as_str(), reference.name.as_str()), index)
        };
        Self { holders, by_name: holders.iter().enumerate().map(name).collect(), selected: HashMap::new() }
    }

    fn from(&mut self, index: usize) -> Vec<usize> {
        let Holder { stub, leads, .. } = &self.holders[index];
        let home = stub.reference.namespace.as_str();
        let mut found = Vec::new();
        for lead in leads {
            match lead {
                DestinationTarget::RouteTable { namespace, name } => {
                    found.extend(self.by_name.get(&(kinds::ROUTE_TABLE.kind, namespace.as_str(), name.as_str())));
                }
                DestinationTarget::UpstreamGroup { namespace, name } => {
                    let namespace = if namespace.is_empty() { home } else { namespace };
                    found.extend(self.by_name.get(&(kinds::UPSTREAM_GROUP.kind, namespace, name.as_str())));
                }
                DestinationTarget::Selected { selector } => {
                    let holders = self.holders.iter().enumerate();
                    let is_selected = |(_, it): &(usize, &Holder)| {
                        it.is(&kinds::ROUTE_TABLE) && delegation::is_selected(selector, home, &it.stub)
                    };
                    let select = || holders.filter(is_selected).map(|(index, _)| index).collect();
                    found.extend(self.selected.entry((selector.to_string(), home)).or_insert_with(select).iter());
                }
                _ => {}
            }
        }
        found
    }
}
