//! `gloo-rs istio enable-mtls`.

use crate::cli::help;
use crate::error::Failure;
use crate::options::{Command, Global};
use crate::plan::mtls::MtlsWish;

/// Turn on mutual TLS with Istio's certificates for Upstreams
///
/// Writes the sslConfig with which Envoy uses and requires Istio's certificates, from its sds sidecar.
///
/// Refuses to replace TLS settings not managed by Istio. A run with --all, -A or -l skips Upstreams
/// with pods outside the mesh, and those for which a PeerAuthentication disables mutual TLS. A named
/// Upstream is changed with a warning, but refused without --force if requests that work now would
/// get 503s.
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
