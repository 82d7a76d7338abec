//! The `EndpointSlice`s of a Service: which of its pods get requests, and on which port.

use std::collections::HashMap;

use serde_json::Value;

use crate::plan::Unread;

/// The label with the name of the slice's Service.
const SERVICE_NAME: &str = "kubernetes.io/service-name";

/// The endpoints of a Service's port, by pod. They contain what the metadata of a pod does not: whether it is ready,
/// and the number of a port that the Service refers to by name.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum PodEndpoints<'s> {
    Read(HashMap<&'s str, Endpoint>),
    Unread(Unread),
}

/// The endpoint of one pod.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Endpoint {
    is_ready: bool,
    /// The port of the container.
    port: Option<u64>,
}

impl<'s> PodEndpoints<'s> {
    /// Creates the value for pods that are read with their status and containers, so that no endpoints are needed.
    pub(crate) fn whole_pods() -> Self {
        Self::Unread("the pod has no status".into())
    }

    /// Reads the endpoints of the port with this name. The name is empty if the Service has one port without a name. If
    /// no slice has the port, nothing is known, because the port may be new.
    pub(crate) fn from_slices(slices: impl IntoIterator<Item = &'s Value>, port_name: &str) -> Self {
        let mut read = HashMap::new();
        let mut has_port = false;
        for slice in slices {
            let ports = slice["ports"].as_array().into_iter().flatten();
            let mut of_this_name = ports.filter(|port| port["name"].as_str().unwrap_or_default() == port_name);
            // A slice without the port contains pods whose containers do not have it.
            let Some(port) = of_this_name.next() else { continue };
            has_port = true;
            for endpoint in slice["endpoints"].as_array().into_iter().flatten() {
                let Some(pod) = endpoint["targetRef"]["name"].as_str() else { continue };
                // A missing value means ready: discovery.k8s.io/v1, EndpointConditions.
                let is_ready = endpoint["conditions"]["ready"] != false;
                let known = read.entry(pod).or_insert(Endpoint { is_ready, port: port["port"].as_u64() });
                known.is_ready |= is_ready;
            }
        }
        match has_port {
            true => Self::Read(read),
            false => Self::Unread("no EndpointSlice has the port".into()),
        }
    }

    /// Returns whether the pod gets requests. A pod that is in no slice gets none.
    pub(super) fn is_ready(&self, pod: &str) -> Result<bool, Unread> {
        match self {
            Self::Read(endpoints) => Ok(endpoints.get(pod).is_some_and(|endpoint| endpoint.is_ready)),
            Self::Unread(why) => Err(why.clone()),
        }
    }

    /// Returns the number of the pod's port.
    pub(crate) fn port(&self, pod: &str) -> Option<u64> {
        match self {
            Self::Read(endpoints) => endpoints.get(pod)?.port,
            Self::Unread(_) => None,
        }
    }
}

/// Returns the name of a slice's Service. It is in the slice's namespace.
pub(crate) fn service(slice: &Value) -> Option<&str> {
    slice["metadata"]["labels"][SERVICE_NAME].as_str()
}

/// Removes the unused parts of the slice: addresses, zones, nodes.
pub(crate) fn reduced(mut slice: Value) -> Value {
    for endpoint in slice.get_mut("endpoints").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(endpoint) = endpoint.as_object_mut() else { continue };
        endpoint.retain(|key, _| key == "targetRef" || key == "conditions");
        if let Some(target) = endpoint.get_mut("targetRef").and_then(Value::as_object_mut) {
            target.retain(|key, _| key == "name");
        }
    }
    slice
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn slice(port: &Value, endpoints: &Value) -> Value {
        json!({"ports": [port], "endpoints": endpoints})
    }

    #[test]
    fn a_pod_is_ready_where_one_of_its_slices_says_so_or_does_not_say() {
        let pod = |name: &str, ready: Value| json!({"targetRef": {"name": name}, "conditions": {"ready": ready}});
        let http = json!({"name": "http", "port": 8080});
        let slices = [
            slice(&http, &json!([pod("a", json!(false)), pod("b", json!(true)), pod("c", Value::Null)])),
            slice(&http, &json!([pod("a", json!(true)), pod("b", json!(false))])),
            slice(&json!({"name": "admin", "port": 9000}), &json!([pod("d", json!(true))])),
        ];
        let endpoints = PodEndpoints::from_slices(&slices, "http");
        let of = |pod| (endpoints.is_ready(pod), endpoints.port(pod));
        for pod in ["a", "b", "c"] {
            assert_eq!(of(pod), (Ok(true), Some(8080)), "{pod}");
        }
        for pod in ["d", "e"] {
            assert_eq!(of(pod), (Ok(false), None), "{pod}");
        }
    }

    #[test]
    fn slices_without_the_port_tell_nothing() {
        let other = slice(&json!({"name": "admin", "port": 9000}), &json!([{"targetRef": {"name": "a"}}]));
        for slices in [vec![other], Vec::new()] {
            assert!(PodEndpoints::from_slices(&slices, "http").is_ready("a").is_err(), "{slices:?}");
        }
    }

    #[test]
    fn a_port_of_one_name_may_have_a_number_for_each_pod() {
        let of = |pod: &str, port: u64| {
            slice(&json!({"name": "", "port": port}), &json!([{"targetRef": {"name": pod}, "conditions": {}}]))
        };
        let slices = [of("a", 8080), of("b", 9090)];
        let endpoints = PodEndpoints::from_slices(&slices, "");
        assert_eq!((endpoints.port("a"), endpoints.port("b")), (Some(8080), Some(9090)));
    }

    #[test]
    fn a_reduced_slice_says_the_same() {
        let whole = json!({
            "metadata": {"name": "cart-1"}, "ports": [{"name": "http", "port": 80}],
            "endpoints": [{"addresses": ["10.0.0.1"], "conditions": {"ready": true}, "nodeName": "n", "zone": "z",
                "targetRef": {"kind": "Pod", "name": "a", "namespace": "shop", "uid": "u"}}],
        });
        let reduced = reduced(whole.clone());
        assert_eq!(PodEndpoints::from_slices([&reduced], "http"), PodEndpoints::from_slices([&whole], "http"));
        assert_eq!(reduced["endpoints"], json!([{"conditions": {"ready": true}, "targetRef": {"name": "a"}}]));
        assert_eq!(reduced["metadata"], whole["metadata"]);
    }
}
