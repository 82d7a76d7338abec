//! `gloo-rs istio peer-auth strict`.

use crate::cli::help;
use crate::error::Failure;
use crate::options::{Command, Global};
use crate::plan::peer::Mode;
use crate::plan::peer::change::PolicyWish;
use crate::plan::policy::OtherTls;

/// Require mutual TLS from every client
///
/// Sets the mode of the PeerAuthentication of a namespace, of the mesh or of a workload to STRICT. Creates one if there
/// is none. Refused while a gateway would get 503s from it, or if that is unknown.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::PEER_AUTH_STRICT)]
pub(crate) struct PeerAuthStrictArgs {
    #[command(flatten)]
    change: super::ChangeArgs,
    /// Proceed even if a gateway may get 503s; also if that is unknown
    #[arg(long)]
    force: bool,
}

impl PeerAuthStrictArgs {
    pub(crate) fn options(self, global: &Global) -> Result<Command, Failure> {
        self.change.options(PolicyWish::Set(Mode::Strict), OtherTls::Keep, super::caution(self.force), global)
    }
}
