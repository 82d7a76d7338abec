//! What is behind a Service's port: its pods, and what each pod accepts.

use std::collections::BTreeMap;

use serde_json::Value;

use super::endpoints::PodEndpoints;
use super::{Behind, Declared, Membership, NoPort, Pod};
use crate::bounded;
use crate::plan::Unread;
use crate::plan::authorization::AuthorizationPolicies;
use crate::plan::backend::external;
use crate::plan::labels::PodSelector;
use crate::plan::peer::{Mode, PORT_UNKNOWN, Policies};
use crate::plan::pod::{Capture, SIDECAR_STATUS, accepts_hbone, barred, capture, is_meshed, pod_port};

/// The label that names the istiod of a sidecar whose annotation is missing.
const REVISION: &str = "istio.io/rev";

/// What the mesh requires of the pods of a namespace.
pub(crate) struct PodPolicies<'p> {
    /// Whether the label of their namespace requests the ambient mesh.
    pub is_ambient: bool,
    /// The policies that they enforce.
    pub peer: Result<Policies<'p>, Unread>,
    pub authorization: Result<AuthorizationPolicies<'p>, Unread>,
}

/// A Service's port with pods behind it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ServicePort<'s> {
    /// `shop/cart`
    service: &'s str,
    entry: &'s Value,
    /// Whether pods get requests before they are ready.
    is_unready_served: bool,
    /// Selects the pods behind the port.
    pub selector: PodSelector,
}

impl<'s> ServicePort<'s> {
    /// Finds the port with this number, or the first port. `narrowed` is the additional selector of an Upstream.
    ///
    /// # Errors
    /// What is behind the port, if that is known without the pods.
    pub(crate) fn find(
        name: &'s str,
        service: &'s Value,
        number: Option<u64>,
        narrowed: &BTreeMap<String, String>,
    ) -> Result<Self, Behind> {
        let full = name.to_owned();
        if let Some(kind) = external(service) {
            return Err(Behind::Outside { kind });
        }
        let ports = || service["spec"]["ports"].as_array().into_iter().flatten();
        let is_it = |entry: &&Value| number.is_none() || entry["port"].as_u64() == number;
        let Some(entry) = ports().find(is_it) else {
            let has = ports().filter_map(shown).collect();
            return Err(Behind::NoPort(NoPort { service: full, port: number.unwrap_or_default(), has }));
        };
        match PodSelector::from_service(service, narrowed) {
            Some(selector) => {
                let is_unready_served = service["spec"]["publishNotReadyAddresses"] == true;
                Ok(Self { service: name, entry, is_unready_served, selector })
            }
            None => Err(Behind::ByHand { service: full }),
        }
    }

    /// Returns the port's name, as `EndpointSlice`s use it.
    pub(crate) fn name(&self) -> &'s str {
        self.entry["name"].as_str().unwrap_or_default()
    }

    /// Returns whether its target port is a name.
    pub(crate) fn is_by_name(&self) -> bool {
        self.entry["targetPort"].is_string()
    }

    /// Returns whether the target port is a name that no container of a whole pod has. Such a pod is no endpoint of the
    /// port (Kubernetes, endpointslice `getEndpointPorts`).
    fn is_lacking_in(&self, pod: &Value) -> bool {
        self.is_by_name() && pod["spec"]["containers"].is_array() && pod_port(self.entry, pod).is_none()
    }

    /// Returns what is behind the port, from the selected pods. `endpoints` adds what is missing for pods of which only
    /// the metadata was read.
    pub(crate) fn behind<'v>(
        &self,
        pods: impl IntoIterator<Item = &'v Value>,
        endpoints: &PodEndpoints<'_>,
        policies: &PodPolicies<'_>,
    ) -> Behind {
        let pods = pods.into_iter().map(|pod| self.pod(pod, endpoints, policies)).collect();
        Behind::Pods { service: self.service.to_owned(), port: declared(self.entry), pods }
    }

    fn pod(&self, pod: &Value, endpoints: &PodEndpoints<'_>, policies: &PodPolicies<'_>) -> Pod {
        let PodPolicies { is_ambient, peer: policies, authorization } = policies;
        let membership = match capture(pod, *is_ambient) {
            _ if is_meshed(pod) => Membership::Sidecar,
            Capture::Proven => Membership::Ambient,
            Capture::Labelled => Membership::Labelled,
            Capture::No => Membership::Outside,
        };
        let metadata = &pod["metadata"];
        let text = |key: &str| metadata[key].as_str().unwrap_or_default();
        let (namespace, name) = (text("namespace"), text("name"));
        let port = pod_port(self.entry, pod).or_else(|| endpoints.port(name));
        let demands = policies.as_ref().map_err(Unread::clone).and_then(|policies| {
            let effective = policies.on_port(namespace, &metadata["labels"], port);
            effective.ok_or_else(|| port_unknown(endpoints))
        });
        let open = demands.is_err().then(|| policies.as_ref().ok()).flatten();
        Pod {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            membership,
            accepts_hbone: accepts_hbone(pod),
            revision: (membership == Membership::Sidecar).then(|| revision(metadata)).flatten(),
            port_modes: open.map(|policies| port_modes(namespace, &metadata["labels"], policies)).unwrap_or_default(),
            demands,
            port,
            authorization: match (membership, authorization) {
                (Membership::Outside, _) => Ok(Vec::new()),
                (_, Ok(all)) => Ok(all.of_workload(namespace, &metadata["labels"])),
                (_, Err(why)) => Err(why.clone()),
            },
            ready: match pod["status"].is_object() {
                _ if self.is_lacking_in(pod) => Ok(false),
                true => Ok(self.is_unready_served || is_ready(pod)),
                false => endpoints.is_ready(name),
            },
            barred: barred(pod),
        }
    }
}

/// Returns a port of a Service: `8080 (http)`, `9090/UDP`.
fn shown(port: &Value) -> Option<String> {
    let number = port["port"].as_u64()?;
    let protocol = port["protocol"].as_str().filter(|protocol| *protocol != "TCP");
    let protocol = protocol.map(|protocol| format!("/{protocol}")).unwrap_or_default();
    let name = port["name"].as_str().map(|name| format!(" ({name})")).unwrap_or_default();
    Some(format!("{number}{protocol}{name}"))
}

/// Returns why the mode of a pod's port is unknown, with the permission that is missing.
fn port_unknown(endpoints: &PodEndpoints<'_>) -> Unread {
    match endpoints {
        PodEndpoints::Read(_) => PORT_UNKNOWN.into(),
        PodEndpoints::Unread(why) => Unread { rule: why.rule.clone(), ..PORT_UNKNOWN.into() },
    }
}

/// Returns the modes of a pod's ports. The mode of all other ports is under 0.
fn port_modes(namespace: &str, pod_labels: &Value, policies: &Policies<'_>) -> Vec<(u64, Mode)> {
    let others = (0, policies.of_workload(namespace, pod_labels, None).mode);
    let ports = policies.ports(namespace, pod_labels).into_iter().map(|(port, of_port)| (port, of_port.mode));
    std::iter::once(others).chain(ports).collect()
}

/// Returns the protocol that Istio uses for a port: by `appProtocol`, otherwise by the part of its name before the
/// first `-`.
fn declared(port: &Value) -> Declared {
    let named = port["appProtocol"].as_str().or_else(|| port["name"].as_str()).unwrap_or_default().to_ascii_lowercase();
    let is_grpc_web = named == "grpc-web" || named.starts_with("grpc-web-");
    match named.split('-').next() {
        Some("http" | "http2" | "grpc" | "kubernetes.io/h2c" | "kubernetes.io/ws") => Declared::Http,
        _ if is_grpc_web => Declared::Http,
        _ => Declared::Other,
    }
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|it| it["type"] == "Ready" && it["status"] == "True")
}

fn revision(metadata: &Value) -> Option<String> {
    let status = metadata["annotations"][SIDECAR_STATUS].as_str();
    let status: Option<Value> = status.and_then(|status| bounded::inside(status.as_bytes()));
    let injected = status.as_ref().and_then(|status| status["revision"].as_str()).filter(|it| !it.is_empty());
    injected.or_else(|| metadata["labels"][REVISION].as_str()).map(str::to_owned)
}
