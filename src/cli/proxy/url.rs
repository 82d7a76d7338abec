//! `gloo-rs proxy url`.

use crate::cli::help;

/// Print the URL of a gateway proxy
///
/// The port is always printed. IPv6 addresses are in brackets. A port that is neither HTTP nor HTTPS
/// is printed without a scheme.
#[derive(Debug, clap::Args)]
#[command(after_help = help::proxy::URL)]
pub(crate) struct UrlArgs {
    #[command(flatten)]
    pub address: super::target::TargetArgs,
}
