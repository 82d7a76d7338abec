//! `gloo-rs istio auto-mtls enable`.

use crate::cli::help;

/// Turn on Gloo's automatic mutual TLS for pods in the mesh
///
/// Without a selection, turns on both switches in Gloo's Settings, as one change. Refused while a gateway
/// proxy lacks Istio's sidecars. With a selection, removes the opt-out from those Upstreams.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::AUTO_MTLS_ENABLE)]
pub(crate) struct AutoMtlsEnableArgs {
    #[command(flatten)]
    pub choice: super::ChoiceArgs,
}
