//! `gloo-rs istio peer-auth remove`.

use crate::cli::help;
use crate::error::Failure;
use crate::options::{Command, Global};
use crate::plan::peer::change::PolicyWish;
use crate::plan::policy::OtherTls;

/// Take away the PeerAuthentication that gloo-rs made
///
/// What holds then is said before: the next wider policy, or PERMISSIVE. Refused where that is STRICT and a gateway
/// would get 503s from it.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::PEER_AUTH_REMOVE)]
pub(crate) struct PeerAuthRemoveArgs {
    #[command(flatten)]
    change: super::ChangeArgs,
    /// Take it away although somebody else made it
    #[arg(long)]
    overwrite: bool,
    /// Go on although a gateway would get 503s, or although that cannot be known
    #[arg(long)]
    force: bool,
}

impl PeerAuthRemoveArgs {
    pub(crate) fn options(self, global: &Global) -> Result<Command, Failure> {
        let foreign = if self.overwrite { OtherTls::Replace } else { OtherTls::Keep };
        self.change.options(PolicyWish::Remove, foreign, super::caution(self.force), global)
    }
}
