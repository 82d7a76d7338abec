//! `gloo-rs istio uninject`.

use crate::cli::{help, preview};
use crate::error::Failure;
use crate::options::{Command, Global, Injection, Rollouts, Sidecars, UpstreamsTask};
use crate::plan::policy::Caution;

/// Take Istio's sidecars away from the gateway
///
/// Takes out what inject puts in, by name, from any partial state, also glooctl's. Refused while
/// Upstreams still need the sidecars, unless --include-upstreams takes their mTLS off as well.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::UNINJECT)]
pub(crate) struct UninjectArgs {
    #[command(flatten)]
    proxies: super::proxies::ProxiesArgs,
    /// Take mTLS off the Upstreams that need the sidecars
    #[arg(long)]
    include_upstreams: bool,
    /// Proceed although something would point at a cluster that is gone
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
            rollouts: if self.proxies.waits() { Rollouts::Wait } else { Rollouts::NoWait },
            preview: self.preview.preview(),
            files: self.preview.files(global.format)?,
            secrets,
        }))
    }
}
