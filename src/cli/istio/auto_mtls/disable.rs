//! `gloo-rs istio auto-mtls disable`.

use crate::cli::help;

/// Stop Gloo from using mutual TLS by itself
///
/// Without a selection both switches in Gloo's Settings are turned off. With a selection those Upstreams
/// opt out, and the rest keeps it.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::AUTO_MTLS_DISABLE)]
pub(crate) struct AutoMtlsDisableArgs {
    #[command(flatten)]
    pub choice: super::ChoiceArgs,
}
