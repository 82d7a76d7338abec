//! Istio's sidecars beside the gateway.

use super::{FilesTask, Preview};
use crate::plan::policy::Caution;
use crate::render::diff::Secrets;
use crate::text::ProxyName;

/// `istio inject`, `istio uninject`.
#[derive(Debug, Clone)]
pub(crate) struct Sidecars {
    pub act: Injection,
    pub proxies: Proxies,
    pub rollouts: Rollouts,
    pub preview: Preview,
    /// Manifests instead of the cluster.
    pub files: Option<FilesTask>,
    pub secrets: Secrets,
}

/// Which of the two commands, with what only it has.
#[derive(Debug, Clone)]
pub(crate) enum Injection {
    Inject { istio: IstioWish, sds_image: Option<String>, posture: Posture, auto_mtls: SettingsSwitches },
    Uninject { upstreams: UpstreamsTask, caution: Caution },
}

/// What was typed about istiod.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct IstioWish {
    /// A revision or a tag.
    pub revision: Option<String>,
    pub namespace: Option<String>,
    pub discovery_address: Option<String>,
    pub mesh_id: Option<String>,
    pub cluster_id: Option<String>,
    pub proxy_image: Option<String>,
}

/// Which gateway proxies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Proxies {
    /// The one named gateway-proxy, or the only one.
    Usual,
    Named(Vec<ProxyName>),
    All,
}

/// What the sidecars' securityContext is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Posture {
    Usual,
    /// `--restricted`
    Restricted,
}

/// Whether Settings change as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SettingsSwitches {
    Alone,
    /// `--auto-mtls`
    On,
}

/// Whether Upstreams that need the sidecars are changed as well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UpstreamsTask {
    Left,
    /// `--include-upstreams`
    Included,
}

/// Whether a rollout is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rollouts {
    Wait,
    NoWait,
}
