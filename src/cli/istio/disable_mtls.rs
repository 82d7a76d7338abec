//! `gloo-rs istio disable-mtls`.

use crate::cli::help;
use crate::error::Failure;
use crate::options::{Command, Global};
use crate::plan::mtls::MtlsWish;

/// Turn off Istio's mutual TLS for Upstreams
///
/// Removes the sslConfig that enable-mtls writes, and nothing else.
///
/// A run with --all, -A or -l skips Upstreams with pods that accept only mutual TLS. A named Upstream
/// is changed with a warning, but refused without --force if requests that work now would get 503s.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::DISABLE_MTLS)]
pub(crate) struct DisableMtlsArgs {
    #[command(flatten)]
    mtls: super::mtls::MtlsArgs,
}

impl DisableMtlsArgs {
    pub(crate) fn options(self, global: &Global) -> Result<Command, Failure> {
        self.mtls.options(MtlsWish::Disable, global)
    }
}
