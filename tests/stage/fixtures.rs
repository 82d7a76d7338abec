//! The objects of the guide, from `tests/fixtures`, put into a plane.

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

/// Where the guide installs things.
pub const GLOO_NAMESPACE: &str = "gloo-system";
const APPS_NAMESPACE: &str = "default";

impl Plane {
    /// The whole guide: definitions, Istio, Gloo in `gloo-system`, backends in `default`. Everything
    /// else here needs it done once.
    pub fn install_guide(&self) -> Result<()> {
        self.install_definitions_and_istio()?;
        for manifests in [GLOO, APPS, UPSTREAMS, ROUTING] {
            self.api().apply(manifests)?;
        }
        ["istio-system", GLOO_NAMESPACE, APPS_NAMESPACE]
            .into_iter()
            .try_for_each(|namespace| self.api().wait_available(namespace))
    }

    /// What every installation stands on.
    pub fn install_definitions_and_istio(&self) -> Result<()> {
        self.install_definitions()?;
        self.api().apply(ISTIO)
    }

    /// Gloo's, Istio's and the Gateway API's kinds.
    pub fn install_definitions(&self) -> Result<()> {
        [GLOO_CRDS, GATEWAY_API_CRDS, ISTIO_CRDS].into_iter().try_for_each(|manifests| self.api().apply(manifests))
    }

    /// One more Gloo, in a fresh namespace that is given back, its Upstreams pointing at the
    /// backends in `default`.
    pub fn install_gloo(&self, prefix: &str) -> Result<String> {
        let gloo = self.namespace(prefix)?;
        for manifests in [GLOO, UPSTREAMS, ROUTING] {
            self.api().apply(&manifests.replace(GLOO_NAMESPACE, &gloo))?;
        }
        self.api().wait_available(&gloo)?;
        Ok(gloo)
    }

    /// The backends once more, in a fresh namespace that is given back, with their Upstreams
    /// (`NAMESPACE-httpbin-8000` and so on) in the given Gloo's namespace.
    pub fn install_apps(&self, prefix: &str, gloo: &str) -> Result<String> {
        let apps = self.namespace(prefix)?;
        self.api().apply(&moved(APPS, &apps))?;
        self.api().apply(&moved(&UPSTREAMS.replace(GLOO_NAMESPACE, gloo), &apps))?;
        self.api().wait_available(&apps)?;
        Ok(apps)
    }
}

/// The backends' objects in another namespace: where they are, and what discovery calls them.
fn moved(manifests: &str, apps: &str) -> String {
    manifests
        .replace("amespace: default", &format!("amespace: {apps}"))
        .replace("name: default-", &format!("name: {apps}-"))
}
