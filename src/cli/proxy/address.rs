//! `gloo-rs proxy address`.

use crate::cli::help;

/// Print the host and port of a gateway proxy
#[derive(Debug, clap::Args)]
#[command(after_help = help::proxy::ADDRESS)]
pub(crate) struct AddressArgs {
    #[command(flatten)]
    pub address: super::target::TargetArgs,
}
