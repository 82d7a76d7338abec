//! Finds modes of single ports in a `PeerAuthentication` that name the port of a Service, not that of the workload.

use serde_json::Value;

use super::{Finding, Look, codes};
use crate::command::kubectl;
use crate::model::{Object, kinds};
use crate::plan::labels::{labels, selects};
use crate::plan::peer::{port_modes, selector};
use crate::plan::pod::{is_running, pod_port};

/// One finding for each policy with such ports.
pub(super) fn find(look: &Look<'_>) -> Vec<Finding> {
    let policies =
        look.all(&kinds::PEER_AUTHENTICATION).iter().filter(|policy| look.is_watched(&policy.reference.namespace));
    policies.filter_map(|policy| of_policy(look, policy)).collect()
}

fn of_policy(look: &Look<'_>, policy: &Object) -> Option<Finding> {
    let (wanted, ports) = (selector(&policy.value), port_modes(&policy.value));
    // Without a selector Istio ignores the ports.
    if ports.is_empty() || wanted.is_empty() {
        return None;
    }
    let home = &policy.reference.namespace;
    let pods = look.in_namespace(&kinds::POD, home).into_iter().filter(|pod| is_running(&pod.value));
    let pods: Vec<&Value> = pods.map(|pod| &pod.value).filter(|pod| selects(&wanted, labels_of(pod))).collect();
    let services = look.in_namespace(&kinds::SERVICE, home).into_iter().filter(|service| {
        let selected = labels(&service.value["spec"]["selector"]);
        !selected.is_empty() && pods.iter().any(|pod| selects(&selected, labels_of(pod)))
    });
    let services: Vec<&Object> = services.collect();
    let told: Vec<String> = ports.keys().filter_map(|port| instead(*port, &services, &pods)).collect();
    (!told.is_empty()).then(|| {
        let message = "portLevelMtls names the port of a Service, so it has no effect: its keys are ports of the pods";
        Finding::new(&codes::PORT_OF_SERVICE, &policy.reference, message)
            .details(told)
            .hint(kubectl("edit peerauthentication").value(&policy.reference.name).with("-n", home))
    })
}

fn labels_of(pod: &Value) -> &Value {
    &pod["metadata"]["labels"]
}

/// The workload's port that is meant with the port of a Service. `None` if a pod may have this port itself.
fn instead(port: u64, services: &[&Object], pods: &[&Value]) -> Option<String> {
    let ports = || {
        services.iter().flat_map(|service| {
            service.value["spec"]["ports"].as_array().into_iter().flatten().map(move |port| (*service, port))
        })
    };
    // A name that no container of a pod has may still be a port of the pod.
    let is_of_pod = |target: Option<u64>| target.is_none_or(|target| target == port);
    if ports().any(|(_, of_service)| pods.iter().any(|pod| is_of_pod(pod_port(of_service, pod)))) {
        return None;
    }
    let (service, of_service) = ports().find(|(_, of_service)| of_service["port"] == port)?;
    let target = pods.iter().find_map(|pod| pod_port(of_service, pod))?;
    Some(format!("{port} is a port of service {}, whose pods listen on {target}", service.reference.name))
}
