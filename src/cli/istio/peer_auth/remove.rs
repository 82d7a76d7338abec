//! `gloo-rs istio peer-auth remove`.

use crate::cli::help;
use crate::error::Failure;
use crate::options::{Command, Global};
use crate::plan::peer::change::PolicyWish;
use crate::plan::policy::OtherTls;

/// Delete the PeerAuthentication that gloo-rs made
///
/// Shows first what applies afterwards: the next wider policy, or PERMISSIVE. Refused if that is STRICT and a gateway
/// would get 503s from it.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::PEER_AUTH_REMOVE)]
pub(crate) struct PeerAuthRemoveArgs {
    #[command(flatten)]
    change: super::ChangeArgs,
    /// Delete it even if gloo-rs did not make it
    #[arg(long)]
    overwrite: bool,
    /// Proceed even if a gateway may get 503s; also if that is unknown
    #[arg(long)]
    force: bool,
}

impl PeerAuthRemoveArgs {
    pub(crate) fn options(self, global: &Global) -> Result<Command, Failure> {
        let foreign = if self.overwrite { OtherTls::Replace } else { OtherTls::Keep };
        self.change.options(PolicyWish::Remove, foreign, super::caution(self.force), global)
    }
}
