//! The flags of a comparison with a baseline.

use std::path::{Path, PathBuf};

use crate::error::Failure;
use crate::options::BaselineTask;

#[derive(Debug, clap::Args)]
pub(in crate::cli) struct BaselineArgs {
    /// Compare with this baseline; exit with code 3 only if something got worse
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Write the baseline of this run; with --baseline: compare first
    #[arg(long, value_name = "FILE")]
    write_baseline: Option<PathBuf>,
}

impl BaselineArgs {
    pub(in crate::cli) fn options(self) -> Result<BaselineTask, Failure> {
        for (flag, file) in [("--baseline", &self.baseline), ("--write-baseline", &self.write_baseline)] {
            if file.as_deref().is_some_and(|file| file == Path::new("-") || file.as_os_str().is_empty()) {
                return Err(Failure::usage(format!("{flag} needs the name of a file")));
            }
        }
        Ok(BaselineTask { compare: self.baseline, write: self.write_baseline })
    }
}
