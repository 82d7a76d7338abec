//! What decides the sidecars of a Gateway's proxy, and who writes it.
//!
//! Gloo's controller makes the proxy of a Gateway from the `GatewayParameters` of its class, over which it merges those
//! that the Gateway itself names (gloo, `deployer.getGatewayParametersForGateway`). Whether a proxy has sidecars at all is
//! one switch in Settings.

use serde_json::Value;

use super::Unread;
use super::advice::{Advice, Code};
use super::outcome::Objection;
use super::owner::{self, Owner};
use super::sidecars::Flags;
use super::values::ParametersHome;
use crate::error::Reason;
use crate::model::{Object, ObjectRef};

/// The objects behind the proxy of a Gateway.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct GatewayParameters {
    pub gateway: Object,
    /// The `GatewayParameters` of the Gateway's class.
    pub of_class: Object,
    /// Those that the Gateway names.
    pub own: Option<Object>,
    pub settings: Object,
    /// The other Gateways of the same installation of Gloo.
    pub others: Result<Vec<ObjectRef>, Unread>,
}

/// What has the settings, and is to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Keeper {
    /// The values of a Helm release.
    Release { namespace: String, name: String },
    /// The objects themselves.
    Objects,
}

/// The fields that the controller takes from a Gateway's own parameters only where those of the class lack them
/// (gloo, `deployer.deepMergeIstioContainer`; tried on 1.22).
const OF_CLASS: [&str; 3] = ["istioDiscoveryAddress", "istioMetaMeshId", "istioMetaClusterId"];

impl GatewayParameters {
    /// The objects as a home of Istio's settings.
    pub(crate) fn home(&self) -> ParametersHome<'_> {
        ParametersHome { parameters: &self.of_class, settings: &self.settings }
    }

    /// The namespace of this installation of Gloo.
    pub(crate) fn installation(&self) -> &str {
        &self.settings.reference.namespace
    }

    /// The port of the proxy's pods for the first listener with plain HTTP. Ports that only root may open are 8000 higher
    /// (gloo, `ports.TranslatePort`).
    pub(crate) fn http_port(&self) -> Option<u16> {
        let listeners = self.gateway.value["spec"]["listeners"].as_array()?;
        let http = listeners.iter().find(|listener| listener["protocol"] == "HTTP")?;
        let port = u16::try_from(http["port"].as_u64()?).ok()?;
        Some(if port < 1024 { port + 8000 } else { port })
    }

    /// The address of the istiod that the proxy uses. `None` if it has no sidecars.
    pub(crate) fn address(&self) -> Option<String> {
        let address = &spec_of_istio(&self.of_class)["istioProxyContainer"]["istioDiscoveryAddress"];
        address.as_str().filter(|_| self.home().has_sidecars()).map(str::to_owned)
    }

    /// Returns where the settings are changed.
    ///
    /// # Errors
    /// Why a change would have no effect on this Gateway.
    pub(crate) fn keeper(&self) -> Result<Keeper, Objection> {
        for parameters in self.own.iter().chain([&self.of_class]) {
            let reference = shown(parameters);
            if !parameters.value["spec"]["selfManaged"].is_null() {
                let why = format!("{reference} has selfManaged: Gloo's controller makes no proxy; nothing changed");
                return Err(Objection::new(Reason::Managed, why).hint("add the sidecars where the proxy is made"));
            }
            if spec_of_istio(parameters)["customSidecars"].as_array().is_some_and(|sidecars| !sidecars.is_empty()) {
                let why = format!("{reference} has customSidecars, which replace Istio's settings; nothing changed");
                return Err(Objection::new(Reason::Managed, why).hint("change or remove the customSidecars"));
            }
        }
        Ok(match owner::find(&self.of_class.value) {
            Some(Owner::Helm { release, namespace }) => Keeper::Release { namespace, name: release },
            _ => Keeper::Objects,
        })
    }

    /// The advice about fields of the Gateway's own parameters that have no effect, or that keep the requested ones from
    /// having one. `after` is the class's `spec.kube.istio` after the change.
    pub(crate) fn on_own(&self, after: &Value, flags: &Flags) -> Vec<Advice> {
        let Some(own) = &self.own else { return Vec::new() };
        let container = &spec_of_istio(own)["istioProxyContainer"];
        let differs = |field: &&str| {
            let (own, of_class) = (&container[*field], &after["istioProxyContainer"][*field]);
            !own.is_null() && !of_class.is_null() && own != of_class
        };
        let fields: Vec<_> = OF_CLASS.into_iter().filter(differs).collect();
        let mut advice = Vec::new();
        if !fields.is_empty() {
            let what = format!(
                "{} of {} has no effect: the controller takes it from {}",
                fields.join(", "),
                shown(own),
                shown(&self.of_class)
            );
            advice.push(Advice::warning(Code::NoEffect, what).about(&own.reference));
        }
        if flags.proxy_image.is_some() && !container["image"].is_null() {
            let what = format!("{} sets its own image of istio-proxy, which stays", shown(own));
            advice.push(Advice::warning(Code::NoEffect, what).about(&own.reference));
        }
        advice
    }

    /// What the user must agree to: the settings are those of all Gateways of the installation.
    pub(crate) fn risk(&self) -> Option<String> {
        match &self.others {
            Ok(others) if others.is_empty() => None,
            Ok(others) => {
                let names: Vec<_> = others.iter().map(|other| format!("{}/{}", other.namespace, other.name)).collect();
                Some(format!("the sidecars of other Gateways too: {}", names.join(", ")))
            }
            Err(why) => Some(format!("the sidecars of all other Gateways too, which are unknown: {why}")),
        }
    }
}

/// `gatewayparameters/gloo-gateway`
fn shown(parameters: &Object) -> String {
    format!("{}/{}", parameters.reference.kind.singular, parameters.reference.name)
}

/// Returns Istio's part of `GatewayParameters`.
pub(crate) fn spec_of_istio(parameters: &Object) -> &Value {
    &parameters.value["spec"]["kube"]["istio"]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::kinds;

    fn object(name: &str, metadata: &Value, spec: &Value) -> Object {
        let mut value = json!({"metadata": metadata, "spec": spec});
        if let Some(metadata) = value["metadata"].as_object_mut() {
            metadata.insert("name".to_owned(), name.into());
            metadata.insert("namespace".to_owned(), "gloo-system".into());
        }
        Object::new(&kinds::GATEWAY_PARAMETERS, value)
    }

    fn parameters(of_class: Object, own: Option<Object>) -> GatewayParameters {
        let empty = json!({"metadata": {"name": "default", "namespace": "gloo-system"}});
        GatewayParameters {
            gateway: Object::new(
                &kinds::KUBE_GATEWAY,
                json!({"metadata": {"name": "http", "namespace": "gloo-system"}}),
            ),
            of_class,
            own,
            settings: Object::new(&kinds::SETTINGS, empty),
            others: Ok(Vec::new()),
        }
    }

    #[test]
    fn the_owner_of_the_class_decides_what_is_changed() {
        let helm = json!({
            "labels": {"app.kubernetes.io/managed-by": "Helm"},
            "annotations": {"meta.helm.sh/release-name": "gloo", "meta.helm.sh/release-namespace": "edge"},
        });
        let argo = json!({"annotations": {"argocd.argoproj.io/tracking-id": "gloo:x"}});
        let release = Keeper::Release { namespace: "edge".to_owned(), name: "gloo".to_owned() };
        for (metadata, keeper) in [(helm, release), (argo, Keeper::Objects), (json!({}), Keeper::Objects)] {
            let found = parameters(object("gloo-gateway", &metadata, &json!({})), None);
            assert_eq!(found.keeper(), Ok(keeper));
        }
    }

    #[test]
    fn requests_go_to_the_port_of_the_pods_for_the_first_listener_of_plain_http() {
        let port = |listeners: Value| {
            let mut found = parameters(object("gloo-gateway", &json!({}), &json!({})), None);
            found.gateway.value["spec"] = json!({ "listeners": listeners });
            found.http_port()
        };
        let listener = |protocol: &str, port: u32| json!({"name": "x", "protocol": protocol, "port": port});
        assert_eq!(port(json!([listener("HTTPS", 443), listener("HTTP", 80)])), Some(8080));
        assert_eq!(port(json!([listener("HTTP", 1024), listener("HTTP", 80)])), Some(1024));
        assert_eq!(port(json!([listener("HTTP", 1023)])), Some(9023));
        for none in [json!([listener("HTTPS", 8443)]), json!([listener("HTTP", 70_000)]), json!([]), Value::Null] {
            assert_eq!(port(none.clone()), None, "{none}");
        }
    }

    #[test]
    fn the_address_is_in_use_only_while_settings_have_the_integration_on() {
        let spec = json!({"kube": {"istio": {"istioProxyContainer": {"istioDiscoveryAddress": "istiod.x.svc:15012"}}}});
        let mut found = parameters(object("gloo-gateway", &json!({}), &spec), None);
        assert_eq!(found.address(), None);
        found.settings.value["spec"] = json!({"gloo": {"istioOptions": {"enableIntegration": true}}});
        assert_eq!(found.address().as_deref(), Some("istiod.x.svc:15012"));
    }

    #[test]
    fn what_would_have_no_effect_is_refused() {
        let plain = || object("gloo-gateway", &json!({}), &json!({"kube": {}}));
        for spec in [json!({"selfManaged": {}}), json!({"kube": {"istio": {"customSidecars": [{"name": "x"}]}}})] {
            let of_class = parameters(object("gloo-gateway", &json!({}), &spec), None);
            assert!(of_class.keeper().is_err(), "{spec}");
            let own = parameters(plain(), Some(object("mine", &json!({}), &spec)));
            assert!(own.keeper().unwrap_err().message.contains("mine"), "{spec}");
        }
        let none = json!({"kube": {"istio": {"customSidecars": []}}});
        assert!(parameters(object("gloo-gateway", &json!({}), &none), Some(plain())).keeper().is_ok());
    }

    #[test]
    fn the_address_and_ids_of_a_gateway_itself_have_no_effect_where_the_class_has_them() {
        let own = json!({"kube": {"istio": {"istioProxyContainer": {
            "istioDiscoveryAddress": "a:1", "istioMetaMeshId": "m", "image": {"tag": "1"}}}}});
        let found = parameters(object("gloo-gateway", &json!({}), &json!({})), Some(object("mine", &json!({}), &own)));
        let of = |after: Value, flags: &Flags| {
            let advice = found.on_own(&json!({"istioProxyContainer": after}), flags);
            advice.into_iter().map(|advice| advice.message).collect::<Vec<_>>()
        };
        let none = Flags::default();
        let said = of(json!({"istioDiscoveryAddress": "b:1", "istioMetaMeshId": "m"}), &none);
        assert!(said.len() == 1 && said[0].starts_with("istioDiscoveryAddress of "), "{said:?}");
        assert!(of(json!({"istioMetaMeshId": "m"}), &none).is_empty(), "where the class lacks them, they count");
        let image = Flags { proxy_image: Some("x/y:2".to_owned()), ..Flags::default() };
        assert!(of(json!({}), &image)[0].contains("sets its own image"));
        assert!(parameters(object("x", &json!({}), &json!({})), None).on_own(&json!({}), &image).is_empty());
    }
}
