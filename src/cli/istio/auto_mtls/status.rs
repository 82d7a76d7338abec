//! `gloo-rs istio auto-mtls status`.

use std::path::PathBuf;

use crate::cli::help;
use crate::options::{Command, FilesDestination, FilesTask, Preview, SwitchesTask};
use crate::plan::auto_mtls::Off;
use crate::plan::policy::Caution;
use crate::render::diff::Secrets;

/// Show whether the two switches of auto-mTLS are on
#[derive(Debug, clap::Args)]
#[command(after_help = help::istio::AUTO_MTLS_STATUS)]
pub(crate) struct AutoMtlsStatusArgs {
    /// Read manifests, not the cluster: a file, a directory, or - for stdin; can be repeated
    #[arg(short, long = "filename", value_name = "FILE|DIR|-")]
    filenames: Vec<PathBuf>,
}

impl AutoMtlsStatusArgs {
    pub(crate) fn options(self) -> Command {
        let files = FilesTask { paths: self.filenames, destination: FilesDestination::Stdout };
        Command::Switches(SwitchesTask {
            wish: None,
            off: Off::Said,
            caution: Caution::Careful,
            preview: Preview::default(),
            secrets: Secrets::Masked,
            observation: None,
            files: (!files.paths.is_empty()).then_some(files),
        })
    }
}
