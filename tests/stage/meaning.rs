//! Derives from the objects of one Upstream what Gloo and Istio would do: how the gateway sends, and what its endpoints
//! accept.
//!
//! This is a second interpretation of the same objects, independent of the program's own on purpose, which is tested
//! against it.

use serde_json::{Value, json};

use super::pair::{Endpoints, Takes};

/// The objects that determine the result.
#[derive(Debug, Clone, Default)]
pub struct Around {
    pub upstream: Value,
    pub settings: Value,
    /// The ConfigMap of the gateway.
    pub bootstrap: Value,
    /// The pods of the gateway, and those that the Service of the Upstream selects.
    pub gateways: Vec<Value>,
    pub backends: Vec<Value>,
    /// The target port of the Service in the pods.
    pub port: Value,
    /// The policies of the mesh and of the backends' namespace.
    pub policies: Vec<Value>,
    /// The addresses `NAME.NAMESPACE.svc:PORT` of the available istiods.
    pub istiods: Vec<String>,
}

/// How the gateway sends requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    Plaintext,
    /// With Istio's `sslConfig`; the gateway has a certificate.
    Istio,
    /// With auto-mTLS; the gateway has a certificate.
    PerPod,
    /// With TLS, but the gateway has no certificate for it.
    WithoutSecret,
}

/// The behaviour that follows from the objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meaning {
    pub takes: Takes,
    pub way: Way,
    pub endpoints: Endpoints,
    /// Whether the gateway's bootstrap has the cluster that serves the certificate.
    pub knows_sds: bool,
}

impl Around {
    pub fn meaning(&self) -> Meaning {
        let ready: Vec<_> = self.backends.iter().filter(|pod| is_ready(pod)).collect();
        let is_meshed = !ready.is_empty() && ready.iter().all(|pod| is_meshed(pod));
        Meaning {
            takes: if is_meshed { self.demand(ready[0]) } else { Takes::NoSidecar },
            way: self.way(is_meshed),
            endpoints: if ready.is_empty() { Endpoints::None } else { Endpoints::Backend },
            knows_sds: self.knows_sds(),
        }
    }

    fn way(&self, is_meshed: bool) -> Way {
        let spec = &self.upstream["spec"];
        let options = &self.settings["spec"]["gloo"]["istioOptions"];
        let is_auto = options["enableIntegration"] == true
            && options["enableAutoMtls"] == true
            && spec["disableIstioAutoMtls"] != true;
        match (&spec["sslConfig"], is_auto) {
            (Value::Null, false) => Way::Plaintext,
            // An endpoint outside of the mesh gets plaintext.
            (Value::Null, true) if !is_meshed => Way::Plaintext,
            (Value::Null, true) if self.has_certificate() => Way::PerPod,
            (config, _) if is_istio(config) && self.has_certificate() => Way::Istio,
            _ => Way::WithoutSecret,
        }
    }

    fn knows_sds(&self) -> bool {
        let text = self.bootstrap["data"]["envoy.yaml"].as_str().unwrap_or_default();
        let Ok(bootstrap) = serde_yaml::from_str::<Value>(text) else { return false };
        let of = |name: &str| bootstrap["static_resources"][name].as_array().cloned().unwrap_or_default();
        of("clusters").iter().any(|cluster| cluster["name"] == "gateway_proxy_sds")
    }

    /// Whether each pod of the gateway has the sidecars that get a certificate, from an istiod that exists.
    fn has_certificate(&self) -> bool {
        let living: Vec<_> = self.gateways.iter().filter(|pod| !is_leaving(pod)).collect();
        let fetches = |pod: &&Value| {
            let address = container(pod, "istio-proxy").and_then(|proxy| variable(&proxy, "CA_ADDR"));
            is_running(pod, "sds")
                && is_running(pod, "istio-proxy")
                && address.is_some_and(|address| self.istiods.contains(&address))
        };
        self.knows_sds() && !living.is_empty() && living.iter().all(fetches)
    }

    /// The mode of the nearest policy that sets one: of the port, the workload, the namespace, the mesh.
    fn demand(&self, pod: &Value) -> Takes {
        let namespace = &pod["metadata"]["namespace"];
        let selects = |policy: &Value| {
            let wanted = policy["spec"]["selector"]["matchLabels"].as_object();
            wanted.map(|wanted| wanted.iter().all(|(key, value)| pod["metadata"]["labels"][key] == *value))
        };
        let near = |policy: &&Value| policy["metadata"]["namespace"] == *namespace;
        let of_workload: Vec<_> = self.policies.iter().filter(near).filter(|it| selects(it) == Some(true)).collect();
        let (of_namespace, of_mesh): (Vec<_>, Vec<_>) =
            self.policies.iter().filter(|it| selects(it).is_none()).partition(near);
        let port = self.port.to_string();
        let modes = (of_workload.iter().map(|policy| &policy["spec"]["portLevelMtls"][&port]["mode"])).chain(
            [of_workload.clone(), of_namespace, of_mesh].into_iter().flatten().map(|it| &it["spec"]["mtls"]["mode"]),
        );
        match modes.filter_map(Value::as_str).find(|mode| *mode != "UNSET") {
            Some("STRICT") => Takes::Strict,
            Some("DISABLE") => Takes::Disable,
            _ => Takes::Permissive,
        }
    }
}

/// Whether an `sslConfig` gets Istio's certificates from the gateway's own sidecars.
fn is_istio(config: &Value) -> bool {
    let sds = &config["sds"];
    config["alpnProtocols"] == json!(["istio"])
        && sds["certificatesSecretName"] == "istio_server_cert"
        && sds["validationContextName"] == "istio_validation_context"
        && sds["targetUri"] == "127.0.0.1:8234"
}

fn is_meshed(pod: &Value) -> bool {
    pod["metadata"]["labels"]["security.istio.io/tlsMode"] == "istio" && is_running(pod, "istio-proxy")
}

fn is_leaving(pod: &Value) -> bool {
    !pod["metadata"]["deletionTimestamp"].is_null()
}

fn is_ready(pod: &Value) -> bool {
    !is_leaving(pod) && super::api::has_condition(pod, "Ready")
}

/// Whether a container or an init container of this name is ready.
fn is_running(pod: &Value, name: &str) -> bool {
    let lists = ["containerStatuses", "initContainerStatuses"].into_iter();
    let mut all = lists.filter_map(|list| pod["status"][list].as_array()).flatten();
    all.any(|status| status["name"] == name && status["ready"] == true)
}

fn container(pod: &Value, name: &str) -> Option<Value> {
    pod["spec"]["containers"].as_array()?.iter().find(|container| container["name"] == name).cloned()
}

fn variable(container: &Value, name: &str) -> Option<String> {
    let all = container["env"].as_array()?;
    Some(all.iter().find(|variable| variable["name"] == name)?["value"].as_str()?.to_owned())
}
