//! Which istiod, and what to take from it: the flags of `inject` and of what asks for the same.

use crate::error::Failure;
use crate::options::IstioWish;

#[derive(Debug, clap::Args)]
pub(crate) struct IstiodArgs {
    /// Use this istiod, by revision or tag [default: the one in use, or the only one]
    #[arg(long, value_name = "REVISION|TAG")]
    revision: Option<String>,
    /// Use an istiod of this namespace
    #[arg(long, value_name = "NS")]
    istio_namespace: Option<String>,
    /// Use this address of istiod; HOST:PORT [default: its Service, port 15012]
    #[arg(long, value_name = "ADDR")]
    istio_discovery_address: Option<String>,
    /// Use this mesh id [default: the one in the mesh configuration]
    #[arg(long, value_name = "ID")]
    istio_meta_mesh_id: Option<String>,
    /// Use this cluster id [default: istiod's own]
    #[arg(long, value_name = "ID")]
    istio_meta_cluster_id: Option<String>,
    /// Use this image for istio-proxy [default: istiod's own, proxyv2 for pilot]
    #[arg(long, value_name = "IMAGE")]
    istio_proxy_image: Option<String>,
}

impl IstiodArgs {
    pub(crate) fn options(self) -> Result<IstioWish, Failure> {
        if let Some(namespace) = &self.istio_namespace {
            super::names::check_namespace("--istio-namespace", namespace)?;
        }
        if let Some(revision) = &self.revision {
            super::names::check_namespace("--revision", revision)?;
        }
        if let Some(address) = &self.istio_discovery_address {
            super::names::check_address("--istio-discovery-address", address)?;
        }
        if let Some(image) = &self.istio_proxy_image {
            super::names::check_image("--istio-proxy-image", image)?;
        }
        for (flag, value) in [
            ("--istio-meta-mesh-id", &self.istio_meta_mesh_id),
            ("--istio-meta-cluster-id", &self.istio_meta_cluster_id),
        ] {
            if let Some(text) = value {
                super::names::check_word(flag, text)?;
            }
        }
        Ok(IstioWish {
            revision: self.revision,
            in_use: None,
            namespace: self.istio_namespace,
            discovery_address: self.istio_discovery_address,
            mesh_id: self.istio_meta_mesh_id,
            cluster_id: self.istio_meta_cluster_id,
            proxy_image: self.istio_proxy_image,
        })
    }
}
