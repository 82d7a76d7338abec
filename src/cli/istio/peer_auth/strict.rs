//! `gloo-rs istio peer-auth strict`.

use crate::cli::help;
use crate::error::Failure;
use crate::options::{Command, Global};
use crate::plan::peer::Mode;
use crate::plan::peer::change::PolicyWish;
use crate::plan::policy::OtherTls;

/// Demand mutual TLS of every client
///
/// Sets the mode of the PeerAuthentication of a namespace, of the mesh or of a workload to STRICT, and makes one where
/// none is. Refused while a gateway would get 503s from it, or where that cannot be known.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::PEER_AUTH_STRICT)]
pub(crate) struct PeerAuthStrictArgs {
    #[command(flatten)]
    change: super::ChangeArgs,
    /// Go on although a gateway would get 503s, or although that cannot be known
    #[arg(long)]
    force: bool,
}

impl PeerAuthStrictArgs {
    pub(crate) fn options(self, global: &Global) -> Result<Command, Failure> {
        self.change.options(PolicyWish::Set(Mode::Strict), OtherTls::Keep, super::caution(self.force), global)
    }
}
