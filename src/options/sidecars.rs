//! The options for Istio's sidecars in the gateway's pods.

use std::path::PathBuf;

use super::{FilesTask, Preview};
use crate::plan::policy::Caution;
use crate::render::diff::Secrets;
use crate::text::{GatewayName, ProxyName};

/// The options of `istio inject` and `istio uninject`.
#[derive(Debug, Clone)]
pub(crate) struct Sidecars {
    pub act: Injection,
    pub proxies: Proxies,
    /// Gloo's Helm chart, for a Gateway whose settings are in a release: `--chart`.
    pub chart: Option<PathBuf>,
    pub rollouts: Rollouts,
    pub preview: Preview,
    /// Edits manifests instead of the cluster.
    pub files: Option<FilesTask>,
    pub secrets: Secrets,
}

/// The options of `proxy restart`.
#[derive(Debug, Clone)]
pub(crate) struct Restart {
    pub proxies: Proxies,
    pub rollouts: Rollouts,
    pub preview: Preview,
    pub secrets: Secrets,
}

/// One of the two commands, with the options that only it has.
#[derive(Debug, Clone)]
pub(crate) enum Injection {
    Inject { istio: IstioWish, sds_image: Option<String>, posture: Posture, auto_mtls: SettingsSwitches },
    Uninject { upstreams: UpstreamsTask, caution: Caution },
}

/// The options about istiod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct IstioWish {
    /// A revision or a tag.
    pub revision: Option<String>,
    /// The revision or tag that another part of the same plan uses. It is taken if nothing else chooses one of several.
    pub in_use: Option<String>,
    pub namespace: Option<String>,
    pub discovery_address: Option<String>,
    pub mesh_id: Option<String>,
    pub cluster_id: Option<String>,
    pub proxy_image: Option<String>,
}

/// The selected gateway proxies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proxies {
    /// The one named gateway-proxy, or the only one.
    Usual,
    Named(Vec<ProxyName>),
    /// The one that Gloo creates for a Gateway: `--gateway`.
    Gateway(GatewayName),
    All,
}

/// The securityContext of the sidecars.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Posture {
    Usual,
    /// With a restricted securityContext: `--restricted`.
    Restricted,
}

/// Whether Settings are changed as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SettingsSwitches {
    Alone,
    /// Also enables auto-mTLS in Settings: `--auto-mtls`.
    On,
}

/// Whether Upstreams that need the sidecars are changed as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UpstreamsTask {
    Left,
    /// They are changed too: `--include-upstreams`.
    Included,
}

/// Whether to wait for a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rollouts {
    Wait,
    NoWait,
}
