//! `gloo-rs istio enable-mtls`.

use crate::cli::help;
use crate::error::Failure;
use crate::options::{Command, Global};
use crate::plan::mtls::MtlsWish;

/// Make Upstreams speak mutual TLS with Istio's certificates
///
/// Writes the sslConfig that makes Envoy present and demand the certificates of its sds sidecar.
///
/// Settings that are not Istio's are refused. A sweep takes only Upstreams whose pods all have a
/// sidecar, and none that a PeerAuthentication keeps from mutual TLS; a name takes any and warns.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::ENABLE_MTLS)]
pub(crate) struct EnableMtlsArgs {
    #[command(flatten)]
    mtls: super::mtls::MtlsArgs,
}

impl EnableMtlsArgs {
    pub(crate) fn options(self, global: &Global) -> Result<Command, Failure> {
        self.mtls.options(MtlsWish::Enable, global)
    }
}
