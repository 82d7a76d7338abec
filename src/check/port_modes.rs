//! Finds modes of single ports in a `PeerAuthentication` that name the port of a Service, not that of the workload.

use serde_json::Value;

use super::{Finding, Look, codes};
use crate::command::kubectl;
use crate::model::{Object, ObjectRef, kinds};
use crate::plan::labels::{labels, selects};
use crate::plan::path::endpoints::{self, PodEndpoints};
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
    let told: Vec<String> = ports.keys().filter_map(|port| instead(look, *port, &services, &pods)).collect();
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
fn instead(look: &Look<'_>, port: u64, services: &[&Object], pods: &[&Value]) -> Option<String> {
    let ports = || {
        services.iter().flat_map(|service| {
            service.value["spec"]["ports"].as_array().into_iter().flatten().map(move |port| (*service, port))
        })
    };
    // A name that no container of a pod has may still be a port of the pod.
    let is_of_pod = |target: Option<u64>| target.is_none_or(|target| target == port);
    if ports().any(|(service, of_service)| pods.iter().any(|pod| is_of_pod(target(look, service, of_service, pod)))) {
        return None;
    }
    let (service, of_service) = ports().find(|(_, of_service)| of_service["port"] == port)?;
    let target = pods.iter().find_map(|pod| target(look, service, of_service, pod))?;
    Some(format!("{port} is a port of service {}, whose pods listen on {target}", service.reference.name))
}

/// The pod's port behind a Service's port. Of a pod in a cluster the containers are not read: there the
/// `EndpointSlice`s of a Service in the cluster have the number of a named port.
fn target(look: &Look<'_>, service: &Object, of_service: &Value, pod: &Value) -> Option<u64> {
    pod_port(of_service, pod).or_else(|| {
        let ObjectRef { namespace, name, .. } = &service.reference;
        if look.world.snapshot.spot(&service.reference).is_some() {
            return None;
        }
        let slices = look.in_namespace(&kinds::ENDPOINT_SLICE, namespace);
        let of_service_slices = slices.iter().map(|slice| &slice.value);
        let slices = of_service_slices.filter(|slice| endpoints::service(slice) == Some(name));
        let port_name = of_service["name"].as_str().unwrap_or_default();
        PodEndpoints::from_slices(slices, port_name).port(pod["metadata"]["name"].as_str()?)
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::check::look::World;
    use crate::model::{ListAnswer, ListPart, Selector, Snapshot, Unknown};

    /// The details of the finding about a policy for port 80 of a Service whose named port is `port` of the pod.
    fn found(port: u64) -> Option<Vec<String>> {
        let labels = json!({"app": "cart"});
        let name = json!({"namespace": "shop", "name": "cart", "labels": labels});
        let objects = [
            json!({"apiVersion": "security.istio.io/v1", "kind": "PeerAuthentication", "metadata": name, "spec": {
                "selector": {"matchLabels": labels}, "portLevelMtls": {"80": {"mode": "PERMISSIVE"}}}}),
            json!({"apiVersion": "v1", "kind": "Service", "metadata": name, "spec": {
                "selector": labels, "ports": [{"name": "web", "port": 80, "targetPort": "http"}]}}),
            // Only the metadata, as in a cluster.
            json!({"apiVersion": "v1", "kind": "Pod", "metadata": name}),
            json!({"apiVersion": "discovery.k8s.io/v1", "kind": "EndpointSlice",
                "metadata": {"namespace": "shop", "name": "cart-x", "labels": {"kubernetes.io/service-name": "cart"}},
                "ports": [{"name": "web", "port": port}], "endpoints": [{"targetRef": {"name": "cart"}}]}),
        ];
        let kinds = [&kinds::PEER_AUTHENTICATION, &kinds::SERVICE, &kinds::POD, &kinds::ENDPOINT_SLICE];
        let mut snapshot = Snapshot::new(Unknown::because("not read"));
        for (kind, object) in kinds.into_iter().zip(objects) {
            snapshot.put(kind, ListPart::All, ListAnswer::Read(vec![Object::new(kind, object)]));
        }
        let world = World::new(&snapshot, "gloo-system", Selector::parse("gloo").unwrap(), "not here");
        find(&Look::new(&world)).pop().map(|finding| finding.details)
    }

    #[test]
    fn a_named_port_of_pods_in_a_cluster_is_the_one_of_their_endpoints() {
        assert_eq!(found(8080).unwrap(), ["80 is a port of service cart, whose pods listen on 8080"]);
        assert_eq!(found(80), None, "the port of the Service is that of the pods");
    }
}
