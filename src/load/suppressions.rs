//! Reads the file of suppressed findings.

use std::fs;
use std::path::Path;

use crate::check::suppress::{Suppression, parse};
use crate::error::{Exit, Failure, Reason, plain};
use crate::yaml;

/// Size limit in bytes. A list of suppressions is short; the limit protects the memory if a device is named by mistake.
const LIMIT: u64 = 1 << 20;

/// Reads the file.
///
/// # Errors
/// It cannot be read, or is not such a list.
pub(crate) fn read(path: &Path) -> Result<Vec<Suppression>, Failure> {
    let failure =
        |why: String| Failure::new(Exit::Failed, Reason::File, format!("--suppress {}: {why}", path.display()));
    let size = fs::metadata(path).map_err(|error| failure(plain(&error)).caused_by(&error))?;
    if !size.is_file() || size.len() > LIMIT {
        return Err(failure("not a file, or larger than 1 MiB".to_owned()));
    }
    let text = fs::read_to_string(path).map_err(|error| failure(plain(&error)).caused_by(&error))?;
    let document =
        yaml::parse(&text).map_err(|problem| failure(format!("line {}: {}", problem.line, problem.message)))?;
    parse(&document).map_err(|why| failure(why).hint("docs/check.md has an example"))
}
