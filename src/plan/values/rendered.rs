//! What a chart makes of values: the settings in the objects that Helm renders.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::plan::gateway::PROXY_LABEL;
use crate::plan::sidecars::parts::ISTIO_PROXY;
use crate::plan::sidecars::state::{discovery_address, env, item};
use crate::yaml;

/// The settings of one object, in the order of printing: `address` and its value.
pub(crate) type ObjectSettings = BTreeMap<&'static str, String>;

/// The names of the settings: switches of Settings, then what an istio-proxy uses.
pub(crate) const SETTINGS: [&str; 7] =
    ["integration", "autoMtls", "address", "meshId", "clusterId", "image", "customSidecars"];

/// The kinds of objects with settings.
const KINDS: [&str; 4] = ["Settings", "GatewayParameters", "Deployment", "DaemonSet"];

/// A rendered object.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct RenderedObject {
    pub kind: String,
    pub name: String,
}

/// The settings in all rendered objects that have some. A proxy without istio-proxy has none.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct RenderedSettings(pub BTreeMap<RenderedObject, ObjectSettings>);

impl RenderedSettings {
    /// Reads the output of `helm template`.
    ///
    /// # Errors
    /// An object of interest is not YAML.
    pub(crate) fn read(text: &str) -> Result<Self, String> {
        let mut found = BTreeMap::new();
        for document in documents(text) {
            let is_of_kind = |kind: &&str| document.lines().any(|line| line.trim_end() == format!("kind: {kind}"));
            if !KINDS.iter().any(is_of_kind) {
                continue;
            }
            let object = yaml::parse(&document).map_err(|problem| format!("rendered object: {}", problem.message))?;
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let Some(settings) = of_object(&object) else { continue };
            found.insert(
                RenderedObject { kind: text(&object["kind"]), name: text(&object["metadata"]["name"]) },
                settings,
            );
        }
        Ok(Self(found))
    }

    /// Returns every object that is in one of both, with its settings in each.
    pub(crate) fn beside<'r>(
        &'r self,
        other: &'r Self,
    ) -> impl Iterator<Item = (&'r RenderedObject, Option<&'r ObjectSettings>, Option<&'r ObjectSettings>)> {
        let missing = other.0.keys().filter(|object| !self.0.contains_key(object));
        let mut all: Vec<_> = self.0.keys().chain(missing).collect();
        all.sort();
        all.into_iter().map(|object| (object, self.0.get(object), other.0.get(object)))
    }
}

/// Splits a stream of YAML documents, so that a document that only Helm can read does not hide the others.
fn documents(text: &str) -> Vec<String> {
    let mut all = vec![String::new()];
    for line in text.lines() {
        if line.trim_end() == "---" {
            all.push(String::new());
        } else if let Some(last) = all.last_mut() {
            last.push_str(line);
            last.push('\n');
        }
    }
    all
}

fn of_object(object: &Value) -> Option<ObjectSettings> {
    match object["kind"].as_str()? {
        "Settings" => {
            let switch = |field: &str| match object["spec"]["gloo"]["istioOptions"][field] == true {
                true => "on".to_owned(),
                false => "off".to_owned(),
            };
            Some([("integration", switch("enableIntegration")), ("autoMtls", switch("enableAutoMtls"))].into())
        }
        "GatewayParameters" => Some(of_parameters(&object["spec"]["kube"]["istio"])),
        _ => {
            let (key, value) = PROXY_LABEL.split_once('=')?;
            let is_proxy = object["metadata"]["labels"][key] == value;
            let containers = &object["spec"]["template"]["spec"]["containers"];
            is_proxy.then(|| item(containers, ISTIO_PROXY).map(of_container).unwrap_or_default())
        }
    }
}

fn of_container(container: &Value) -> ObjectSettings {
    let variable = |name: &str| env(container, name).map(str::to_owned);
    let all = [
        ("address", variable("CA_ADDR").or_else(|| discovery_address(container))),
        ("meshId", variable("ISTIO_META_MESH_ID")),
        ("clusterId", variable("ISTIO_META_CLUSTER_ID")),
        ("image", container["image"].as_str().map(str::to_owned)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn of_parameters(istio: &Value) -> ObjectSettings {
    let container = &istio["istioProxyContainer"];
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let image = &container["image"];
    let whole = || {
        let place =
            [&image["registry"], &image["repository"]].into_iter().filter_map(text).collect::<Vec<_>>().join("/");
        let version = text(&image["digest"]).map(|digest| format!("@{digest}"));
        format!("{place}{}", version.or_else(|| Some(format!(":{}", text(&image["tag"])?))).unwrap_or_default())
    };
    let names = |list: &Value| {
        let names: Vec<_> = list.as_array()?.iter().filter_map(|it| it["name"].as_str()).collect();
        Some(names.join(", "))
    };
    let all = [
        ("address", text(&container["istioDiscoveryAddress"])),
        ("meshId", text(&container["istioMetaMeshId"])),
        ("clusterId", text(&container["istioMetaClusterId"])),
        ("image", image.is_object().then(whole)),
        ("customSidecars", names(&istio["customSidecars"])),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RENDERED: &str = "---
# Source: gloo/templates/settings.yaml
kind: Settings
metadata: {name: default}
spec: {gloo: {istioOptions: {enableIntegration: true, enableAutoMtls: false}}}
---
kind: ConfigMap
metadata: {name: broken
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: gloo, labels: {gloo: gloo}}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: gateway-proxy, labels: {gloo: gateway-proxy}}
spec:
  template:
    spec:
      containers:
      - name: istio-proxy
        image: docker.io/istio/proxyv2:1.28.3
        env:
        - {name: CA_ADDR, value: a.b.svc:15012}
        - {name: ISTIO_META_MESH_ID, value: m}
---
kind: GatewayParameters
metadata: {name: gloo-gateway}
spec:
  kube:
    istio:
      istioProxyContainer:
        image: {registry: docker.io/istio, repository: proxyv2, tag: 1.28.3}
        istioDiscoveryAddress: a.b.svc:15012
        istioMetaClusterId: east
";

    #[test]
    fn the_settings_of_every_gateway_are_read() {
        let RenderedSettings(found) = RenderedSettings::read(RENDERED).unwrap();
        let of = |kind: &str| found.iter().find(|(object, _)| object.kind == kind).unwrap().1.clone();
        let settings = |all: &[(&'static str, &str)]| -> ObjectSettings {
            all.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
        };
        assert_eq!(found.len(), 3);
        assert_eq!(of("Settings"), settings(&[("integration", "on"), ("autoMtls", "off")]));
        let image = ("image", "docker.io/istio/proxyv2:1.28.3");
        assert_eq!(of("Deployment"), settings(&[("address", "a.b.svc:15012"), ("meshId", "m"), image]));
        assert_eq!(of("GatewayParameters"), settings(&[("address", "a.b.svc:15012"), ("clusterId", "east"), image]));
    }

    #[test]
    fn objects_of_one_side_are_listed_too() {
        let all = RenderedSettings::read(RENDERED).unwrap();
        let none = RenderedSettings::default();
        assert_eq!(none.beside(&all).filter(|(_, before, after)| before.is_none() && after.is_some()).count(), 3);
        assert_eq!(all.beside(&none).filter(|(_, _, after)| after.is_none()).count(), 3);
        assert_eq!(all.beside(&all).count(), 3);
    }
}
