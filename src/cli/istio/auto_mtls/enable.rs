//! `gloo-rs istio auto-mtls enable`.

use crate::cli::help;

/// Let Gloo use mutual TLS wherever a pod of the mesh answers
///
/// Without a selection both switches in Gloo's Settings are turned on, as one change: refused while a
/// gateway proxy lacks Istio's sidecars. With a selection the opt-out is taken off those Upstreams.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::AUTO_MTLS_ENABLE)]
pub(crate) struct AutoMtlsEnableArgs {
    #[command(flatten)]
    pub choice: super::ChoiceArgs,
}
