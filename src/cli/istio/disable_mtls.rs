//! `gloo-rs istio disable-mtls`.

use crate::cli::help;
use crate::error::Failure;
use crate::options::{Command, Global};
use crate::plan::mtls::MtlsWish;

/// Take Istio's mutual TLS off Upstreams
///
/// Removes the sslConfig that enable-mtls writes, and no other.
///
/// A sweep leaves Upstreams whose peer demands mutual TLS; a name takes any and warns.
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
