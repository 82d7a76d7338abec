//! `gloo-rs istio peer-auth get`.

use std::path::PathBuf;

use crate::cli::help;
use crate::error::Failure;
use crate::options::{Command, FilesDestination, FilesTask, Global, PeerAuthGet};

/// Print the mode that applies, and which policies set it
///
/// Without a scope: the mode of the mesh, and of every namespace, workload and port that has a policy.
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::PEER_AUTH_GET)]
pub(crate) struct PeerAuthGetArgs {
    #[command(flatten)]
    scope: super::ScopeArgs,
    /// Read manifests, not the cluster: a file, a directory, or - for stdin; can be repeated
    #[arg(short, long = "filename", value_name = "FILE|DIR|-")]
    filenames: Vec<PathBuf>,
}

impl PeerAuthGetArgs {
    pub(crate) fn options(self, global: &Global) -> Result<Command, Failure> {
        let (scope, root_namespace) = self.scope.scope(global)?;
        let files = FilesTask { paths: self.filenames, destination: FilesDestination::Stdout };
        let files = (!files.paths.is_empty()).then_some(files);
        Ok(Command::PeerAuthGet(PeerAuthGet { scope, root_namespace, files }))
    }
}
