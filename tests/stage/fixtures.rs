//! Installs the objects of the guide, from `tests/fixtures`, in a plane.

use anyhow::Result;

use super::plane::Plane;

const GLOO_CRDS: &str = include_str!("../fixtures/crds/gloo.yaml");
const GATEWAY_API_CRDS: &str = include_str!("../fixtures/crds/gateway-api.yaml");
const ISTIO_CRDS: &str = include_str!("../fixtures/crds/istio.yaml");
const ISTIO: &str = include_str!("../fixtures/istio.yaml");
pub const GLOO: &str = include_str!("../fixtures/gloo.yaml");
pub const APPS: &str = include_str!("../fixtures/apps.yaml");
pub const UPSTREAMS: &str = include_str!("../fixtures/upstreams.yaml");
pub const ROUTING: &str = include_str!("../fixtures/routing.yaml");

/// The namespaces of the guide's installation.
pub const GLOO_NAMESPACE: &str = "gloo-system";
const APPS_NAMESPACE: &str = "default";

impl Plane {
    /// Installs the whole guide: definitions, Istio, Gloo in `gloo-system`, backends in `default`. Everything else in
    /// this file needs it once.
    pub fn install_guide(&self) -> Result<()> {
        self.install_definitions_and_istio()?;
        self.install_gloo_and_apps()?;
        self.api().wait_available("istio-system")
    }

    /// Installs Gloo in `gloo-system` and its backends in `default`.
    pub fn install_gloo_and_apps(&self) -> Result<()> {
        for manifests in [GLOO, APPS, UPSTREAMS, ROUTING] {
            self.api().apply(manifests)?;
        }
        [GLOO_NAMESPACE, APPS_NAMESPACE].into_iter().try_for_each(|namespace| self.api().wait_available(namespace))
    }

    /// Installs what every installation needs.
    pub fn install_definitions_and_istio(&self) -> Result<()> {
        self.install_definitions()?;
        self.api().apply(ISTIO)
    }

    /// Installs the kinds of Gloo, Istio and the Gateway API.
    pub fn install_definitions(&self) -> Result<()> {
        self.install_gloo_definitions()?;
        self.api().apply(ISTIO_CRDS)
    }

    /// Installs the kinds of Gloo and the Gateway API.
    pub fn install_gloo_definitions(&self) -> Result<()> {
        [GLOO_CRDS, GATEWAY_API_CRDS].into_iter().try_for_each(|manifests| self.api().apply(manifests))
    }

    /// Installs another Gloo in a new namespace and returns its name. Its Upstreams point at the backends in `default`.
    pub fn install_gloo(&self, prefix: &str) -> Result<String> {
        let gloo = self.namespace(prefix)?;
        for manifests in [GLOO, UPSTREAMS, ROUTING] {
            self.api().apply(&manifests.replace(GLOO_NAMESPACE, &gloo))?;
        }
        self.api().wait_available(&gloo)?;
        Ok(gloo)
    }

    /// Installs the backends in a new namespace and returns its name. Their Upstreams (`NAMESPACE-httpbin-8000` and so
    /// on) are in the given Gloo's namespace.
    pub fn install_apps(&self, prefix: &str, gloo: &str) -> Result<String> {
        let apps = self.namespace(prefix)?;
        self.api().apply(&moved(APPS, &apps))?;
        self.api().apply(&moved(&UPSTREAMS.replace(GLOO_NAMESPACE, gloo), &apps))?;
        self.api().wait_available(&apps)?;
        Ok(apps)
    }
}

/// The objects of the backends, moved to another namespace, with the names that discovery gives them.
fn moved(manifests: &str, apps: &str) -> String {
    manifests
        .replace("amespace: default", &format!("amespace: {apps}"))
        .replace("name: default-", &format!("name: {apps}-"))
}
