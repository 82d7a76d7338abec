//! The flags of every command that writes: `--dry-run`, `--diff`, `--check`, `-f`, `--write`.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::command::flag;
use crate::error::Failure;
use crate::options::{DryRunMode, FilesDestination, FilesTask, Format, Preview};
use crate::render::diff::Secrets;

/// Those of a command that is about the cluster alone.
#[derive(Debug, clap::Args)]
pub(super) struct LivePreviewArgs {
    /// Only show what would change; server: have the API server validate it
    #[arg(long, value_name = "WHO", num_args = 0..=1, require_equals = true, default_missing_value = "client")]
    dry_run: Option<Who>,
    /// Only print the change, as a unified diff
    #[arg(long)]
    diff: bool,
    /// Exit 3 if something would change; write nothing
    #[arg(long)]
    check: bool,
    /// Show secrets in a diff; not ***
    #[arg(long)]
    show_secrets: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct PreviewArgs {
    #[command(flatten)]
    live: LivePreviewArgs,
    /// Read manifests, not the cluster: a file, a directory, or - for stdin; can be repeated
    #[arg(short, long = "filename", value_name = "FILE|DIR|-")]
    filenames: Vec<PathBuf>,
    /// With -f: edit the files in place
    #[arg(long, requires = "filenames")]
    write: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Who {
    Client,
    Server,
}

impl LivePreviewArgs {
    pub(super) fn preview(&self) -> Preview {
        let dry_run = self.dry_run.map(|who| match who {
            Who::Client => DryRunMode::Client,
            Who::Server => DryRunMode::Server,
        });
        Preview { dry_run, diff: self.diff, check: self.check }
    }

    pub(super) fn secrets(&self) -> Secrets {
        if self.show_secrets { Secrets::Shown } else { Secrets::Masked }
    }
}

impl PreviewArgs {
    pub(super) fn preview(&self) -> Preview {
        self.live.preview()
    }

    pub(super) fn secrets(&self) -> Secrets {
        self.live.secrets()
    }

    /// The manifests, if the command is about manifests.
    pub(super) fn files(self, format: Format) -> Result<Option<FilesTask>, Failure> {
        if self.filenames.is_empty() {
            return Ok(None);
        }
        let preview = self.preview();
        if preview.dry_run == Some(DryRunMode::Server) {
            return Err(
                Failure::usage("--dry-run=server needs the cluster, and -f does not use it").hint(flag("--dry-run"))
            );
        }
        if self.write && preview.is_on() {
            return Err(
                Failure::usage("--write cannot be combined with --dry-run, --diff or --check").hint("leave one out")
            );
        }
        if !self.write && !preview.is_on() && format != Format::Text {
            return Err(Failure::usage("-o cannot be used here: with -f the manifests are printed on stdout")
                .hint("add --write, --dry-run or --check"));
        }
        if self.write && self.filenames.iter().any(|path| path.as_os_str() == "-") {
            return Err(
                Failure::usage("--write cannot write to stdin").hint("without --write the result is printed on stdout")
            );
        }
        let destination = if self.write { FilesDestination::InPlace } else { FilesDestination::Stdout };
        Ok(Some(FilesTask { paths: self.filenames, destination }))
    }
}
