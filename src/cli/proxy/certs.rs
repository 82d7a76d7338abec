//! `gloo-rs proxy certs`.

use super::pods::PodsArgs;
use crate::cli::help;
use crate::error::Failure;
use crate::options::{CertsTask, Command};

/// List the certificates that Envoy uses, of which secrets they are, and until when they are valid
#[derive(Debug, clap::Args)]
#[command(after_help = help::proxy::CERTS)]
pub(crate) struct CertsArgs {
    #[command(flatten)]
    pods: PodsArgs,
    /// Exit with 3 if a certificate is valid for less than so many days
    #[arg(long, value_name = "DAYS")]
    fail_under: Option<u16>,
}

impl CertsArgs {
    pub(crate) fn options(self) -> Result<Command, Failure> {
        Ok(Command::Certs(CertsTask { pods: self.pods.options()?, fail_under: self.fail_under.map(i64::from) }))
    }
}
