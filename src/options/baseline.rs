//! The options of a comparison with a baseline.

use std::path::PathBuf;

/// The file to compare with, and the file to write.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct BaselineTask {
    pub compare: Option<PathBuf>,
    pub write: Option<PathBuf>,
}
