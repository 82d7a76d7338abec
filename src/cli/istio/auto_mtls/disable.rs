//! `gloo-rs istio auto-mtls disable`.

use crate::cli::help;

/// Turn off Gloo's automatic mutual TLS
///
/// Without a selection, turns off both switches in Gloo's Settings. With a selection, those Upstreams
/// opt out and all others keep it.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::AUTO_MTLS_DISABLE)]
pub(crate) struct AutoMtlsDisableArgs {
    #[command(flatten)]
    pub choice: super::ChoiceArgs,
}
