//! `gloo-rs istio uninject`.

use crate::cli::{help, preview};
use crate::error::Failure;
use crate::options::{Command, Global, Injection, Rollouts, Sidecars, UpstreamsTask};
use crate::plan::policy::Caution;

/// Remove Istio's sidecars from the gateway
///
/// Removes what inject or glooctl added, by name and from any partial state. Refused while
/// Upstreams still need the sidecars, unless --include-upstreams turns off their mTLS as well.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::UNINJECT)]
pub(crate) struct UninjectArgs {
    #[command(flatten)]
    proxies: super::proxies::ProxiesArgs,
    /// Also turn off mTLS for Upstreams; for those that need the sidecars
    #[arg(long)]
    include_upstreams: bool,
    /// Proceed even if the cluster is in use; if something would still refer to it
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    preview: preview::PreviewArgs,
}

impl UninjectArgs {
    pub(crate) fn options(self, global: &Global) -> Result<Command, Failure> {
        let secrets = self.preview.secrets();
        Ok(Command::Sidecars(Sidecars {
            act: Injection::Uninject {
                upstreams: if self.include_upstreams { UpstreamsTask::Included } else { UpstreamsTask::Left },
                caution: if self.force { Caution::Forced } else { Caution::Careful },
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
