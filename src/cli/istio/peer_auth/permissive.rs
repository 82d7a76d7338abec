//! `gloo-rs istio peer-auth permissive`.

use crate::cli::help;
use crate::error::Failure;
use crate::options::{Command, Global};
use crate::plan::peer::Mode;
use crate::plan::peer::change::PolicyWish;
use crate::plan::policy::{Caution, OtherTls};

/// Accept both mutual TLS and plaintext
///
/// Sets the mode of the PeerAuthentication of a namespace, of the mesh or of a workload to PERMISSIVE. Creates one if
/// there is none.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::PEER_AUTH_PERMISSIVE)]
pub(crate) struct PeerAuthPermissiveArgs {
    #[command(flatten)]
    change: super::ChangeArgs,
}

impl PeerAuthPermissiveArgs {
    pub(crate) fn options(self, global: &Global) -> Result<Command, Failure> {
        self.change.options(PolicyWish::Set(Mode::Permissive), OtherTls::Keep, Caution::Careful, global)
    }
}
