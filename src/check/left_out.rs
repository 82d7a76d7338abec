//! Finds routes and domains that Gloo does not serve, before Gloo says so in a status.

use std::collections::BTreeSet;

use serde_json::json;

use super::mtls::full_name;
use super::statuses::of_object;
use super::{Finding, Look, codes};
use crate::model::{Object, ObjectRef, kinds};
use crate::plan::routes::delegation::flatten;
use crate::plan::routes::{Routing, WhyLeftOut, listeners};

/// One finding for each route that is left out, and for each `VirtualService` that shares a domain. None for an object
/// whose status has the reason. What cannot be read only hides findings.
pub(super) fn find(look: &Look<'_>) -> Vec<Finding> {
    let gateways = look.all(&kinds::GATEWAY);
    let usual = [usual_gateway(look, false), usual_gateway(look, true)];
    let routing = Routing {
        gateways: if gateways.is_empty() && look.is_of_files() { &usual } else { gateways },
        virtual_services: look.all(&kinds::VIRTUAL_SERVICE),
        route_tables: look.all(&kinds::ROUTE_TABLE),
        upstream_groups: look.all(&kinds::UPSTREAM_GROUP),
        settings: look.settings(),
        gloo_namespace: look.gloo(),
        ..Routing::default()
    };
    routes(look, &routing).into_iter().chain(domains(look, &routing)).collect()
}

/// A Gateway as Gloo's chart creates it. Files with routes seldom have one.
fn usual_gateway(look: &Look<'_>, ssl: bool) -> Object {
    let metadata = json!({"namespace": look.gloo(), "name": "gateway-proxy"});
    Object::new(&kinds::GATEWAY, json!({"metadata": metadata, "spec": {"httpGateway": {}, "ssl": ssl}}))
}

fn routes(look: &Look<'_>, routing: &Routing<'_>) -> Vec<Finding> {
    let mut told = BTreeSet::new();
    let mut found = Vec::new();
    let services = look.watched(&kinds::VIRTUAL_SERVICE);
    for left_out in services.into_iter().flat_map(|service| flatten(service, routing).left_out) {
        let WhyLeftOut::Refused(why) = &left_out.why else { continue };
        let own = left_out.trail.last().map_or("", String::as_str);
        let is_new = told.insert((own.to_owned(), why.clone()));
        if is_new && !is_told(look, &left_out.holder) {
            let message = format!("Gloo does not serve {own}: {why}");
            found.push(Finding::new(&codes::LEFT_OUT, &left_out.holder, message).details([left_out.trail.join(" > ")]));
        }
    }
    found
}

fn domains(look: &Look<'_>, routing: &Routing<'_>) -> Vec<Finding> {
    let mut told = BTreeSet::new();
    let mut found = Vec::new();
    let served = if look.is_of_files() { ", if one Gateway serves both" } else { "" };
    for listener in listeners::all(routing).0 {
        for (domain, mut services) in listener.shared_domains(routing) {
            services.retain(|service| look.is_watched(&service.reference.namespace));
            for own in &services {
                let others: Vec<_> = services
                    .iter()
                    .filter(|it| it.reference != own.reference)
                    .map(|it| full_name(&it.reference))
                    .collect();
                let message = format!("its domain {domain} is also in virtualservice {}{served}", others.join(", "));
                if told.insert((full_name(&own.reference), message.clone())) && !is_told(look, &own.reference) {
                    let finding = Finding::new(&codes::SHARED_DOMAIN, &own.reference, message);
                    found.push(finding.decided_by(listener.gateway.reference.clone()));
                }
            }
        }
    }
    found
}

/// Whether Gloo's status of the object is a finding, which has the reason.
fn is_told(look: &Look<'_>, reference: &ObjectRef) -> bool {
    let found = look.find(reference.kind, &reference.namespace, &reference.name);
    found.object().is_some_and(|object| of_object(object, look.gloo()).is_some())
}
