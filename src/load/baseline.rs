//! Reads the file of a baseline.

use std::io::ErrorKind;
use std::path::Path;

use crate::error::{Exit, Failure, Reason, plain};
use crate::file;
use crate::posture::baseline::Baselines;

/// Reads the baseline to compare with.
///
/// # Errors
/// The file cannot be read, or is not a baseline.
pub(crate) fn read(path: &Path) -> Result<Baselines, Failure> {
    let failure =
        |why: String| Failure::new(Exit::Failed, Reason::File, format!("--baseline {}: {why}", path.display()));
    let text = file::text(path).map_err(|error| failure(plain(&error)).caused_by(&error))?;
    Baselines::parse(&text).map_err(|why| failure(why).hint("--write-baseline FILE writes a baseline"))
}

/// Checks that a baseline may be written to this path: nothing is there, or an older baseline. Returns what is there, if
/// it can be read.
///
/// # Errors
/// The file has something else, which would be lost, or it cannot be read.
pub(crate) fn replaced(path: &Path) -> Result<Option<Baselines>, Failure> {
    let failure =
        |why: String| Failure::new(Exit::Failed, Reason::File, format!("--write-baseline {}: {why}", path.display()));
    let text = match file::text(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failure(plain(&error)).caused_by(&error)),
    };
    match text.is_empty() || Baselines::is_one(&text) {
        true => Ok(Baselines::parse(&text).ok()),
        false => Err(failure("it exists and is not a baseline; not written".to_owned())
            .hint("name another file, or remove this one")),
    }
}
