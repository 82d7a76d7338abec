//! `gloo-rs proxy certs`.

use super::pods::PodsArgs;
use crate::cli::help;
use crate::error::Failure;
use crate::options::{CertsTask, Command};

/// List the certificates that Envoy uses, their secrets, and when they expire
#[derive(Debug, clap::Args)]
#[command(after_help = help::proxy::CERTS)]
pub(crate) struct CertsArgs {
    #[command(flatten)]
    pods: PodsArgs,
    /// Exit with code 3 if a certificate is valid for fewer days than this
    #[arg(long, value_name = "DAYS")]
    fail_under: Option<u16>,
}

impl CertsArgs {
    pub(crate) fn options(self) -> Result<Command, Failure> {
        Ok(Command::Certs(CertsTask { pods: self.pods.options()?, fail_under: self.fail_under.map(i64::from) }))
    }
}
