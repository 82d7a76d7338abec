//! Whether clients outside of the mesh reach a gateway that a ztunnel captures.

use serde_json::Value;

use super::Captured;
use crate::model::{Object, Snapshot, kinds};
use crate::plan::Unread;
use crate::plan::labels::PodSelector;
use crate::plan::peer::{Mode, Policies};
use crate::plan::pod::pod_port;

/// With this annotation ztunnel does not carry what comes to a pod (Istio, `constants.AmbientBypassInboundCapture`).
const BYPASS_INBOUND: &str = "ambient.istio.io/bypass-inbound-capture";

/// Why it is unknown without a port.
const NO_PORT: &str = "a policy has a mode for single ports, and nothing names the ports of its pods";

/// Returns the policy by which ztunnel refuses plaintext to a port of the gateway's pods. `None` if it refuses none.
///
/// # Errors
/// Why it is unknown.
pub(super) fn by(
    snapshot: &Snapshot,
    gateway: &Object,
    captured: &Captured,
    policies: Result<Policies<'_>, Unread>,
) -> Result<Option<String>, Unread> {
    let template = &gateway.value["spec"]["template"];
    match captured {
        Captured::No => return Ok(None),
        Captured::Unproven(why) | Captured::Unread(why) => return Err(why.clone()),
        Captured::Yes if template["metadata"]["annotations"][BYPASS_INBOUND] == "true" => return Ok(None),
        Captured::Yes => {}
    }
    let (policies, namespace) = (policies?, &gateway.reference.namespace);
    let mut is_known = true;
    for port in ports(snapshot, gateway) {
        match policies.on_port(namespace, &template["metadata"]["labels"], port) {
            Some(effective) if effective.mode == Mode::Strict => {
                let set_by = effective.set_by();
                return Ok(Some(set_by.map_or_else(|| "Istio's default".to_owned(), ToString::to_string)));
            }
            Some(_) => {}
            None => is_known = false,
        }
    }
    if is_known { Ok(None) } else { Err(NO_PORT.into()) }
}

/// Returns the ports of the pods on which a gateway gets requests: those that its Services lead to, otherwise those that
/// its containers declare. One `None` if there are neither.
fn ports(snapshot: &Snapshot, gateway: &Object) -> Vec<Option<u64>> {
    let template = &gateway.value["spec"]["template"];
    let of_services = behind_services(snapshot, &gateway.reference.namespace, template);
    let ports = if of_services.is_empty() { declared(template) } else { of_services };
    if ports.is_empty() { vec![None] } else { ports.into_iter().map(Some).collect() }
}

fn behind_services(snapshot: &Snapshot, namespace: &str, template: &Value) -> Vec<u64> {
    let selects = |service: &&Object| {
        let selector = PodSelector::from_service(&service.value, &std::collections::BTreeMap::new());
        selector.is_some_and(|selector| selector.selects(&template["metadata"]["labels"]))
    };
    let own = snapshot.all(&kinds::SERVICE).iter().filter(|service| service.reference.namespace == namespace);
    let entries = own.filter(selects).filter_map(|service| service.value["spec"]["ports"].as_array()).flatten();
    entries.filter_map(|entry| pod_port(entry, template)).collect()
}

fn declared(template: &Value) -> Vec<u64> {
    let containers = template["spec"]["containers"].as_array().into_iter().flatten();
    let ports = containers.filter_map(|container| container["ports"].as_array()).flatten();
    ports.filter_map(|port| port["containerPort"].as_u64()).collect()
}
