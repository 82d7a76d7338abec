//! `gloo-rs istio inject`.

use crate::cli::{help, preview};
use crate::error::Failure;
use crate::options::{Command, Global, Injection, Posture, Rollouts, SettingsSwitches, Sidecars};

/// Add Istio's sidecars to the gateway
///
/// Adds the sds and istio-proxy containers, their volumes and their cluster in Envoy's bootstrap as
/// one transaction, waits for the rollout and verifies it. If a step fails, the change is rolled back.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::INJECT)]
pub(crate) struct InjectArgs {
    #[command(flatten)]
    proxies: super::proxies::ProxiesArgs,
    #[command(flatten)]
    istiod: super::istiod::IstiodArgs,
    /// Use this image for the sds sidecar [default: the one that matches the running gloo]
    #[arg(long, value_name = "IMAGE", conflicts_with = "gateway")]
    sds_image: Option<String>,
    /// Add a restricted securityContext; for a namespace that enforces it
    #[arg(long, conflicts_with = "gateway")]
    restricted: bool,
    /// Also turn on auto-mTLS in Settings
    #[arg(long)]
    auto_mtls: bool,
    #[command(flatten)]
    preview: preview::PreviewArgs,
}

impl InjectArgs {
    pub(crate) fn options(self, global: &Global) -> Result<Command, Failure> {
        if let Some(image) = &self.sds_image {
            super::names::check_image("--sds-image", image)?;
        }
        let secrets = self.preview.secrets();
        Ok(Command::Sidecars(Sidecars {
            act: Injection::Inject {
                istio: self.istiod.options()?,
                sds_image: self.sds_image,
                posture: if self.restricted { Posture::Restricted } else { Posture::Usual },
                auto_mtls: if self.auto_mtls { SettingsSwitches::On } else { SettingsSwitches::Alone },
            },
            proxies: self.proxies.proxies()?,
            chart: self.proxies.chart(),
            rollouts: if self.proxies.waits() { Rollouts::Wait } else { Rollouts::NoWait },
            preview: self.preview.preview(),
            files: self.preview.files(global.format)?,
            secrets,
        }))
    }
}
