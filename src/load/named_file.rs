//! Reads a file that is given with a flag.

use std::path::Path;

use crate::error::{Exit, Failure, Reason, plain};
use crate::file;

/// The content of the file.
///
/// # Errors
/// It cannot be read, or is too large to be the intended file.
pub(crate) fn read(flag: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    file::read(path).map_err(|error| {
        let why = format!("{flag} {}: {}", path.display(), plain(&error));
        Failure::new(Exit::Failed, Reason::File, why).caused_by(&error)
    })
}
