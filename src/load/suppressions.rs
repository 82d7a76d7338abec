//! Reads the file of suppressed findings.

use std::path::Path;

use crate::check::suppress::{Suppression, parse};
use crate::command::gloo_rs;
use crate::error::{Exit, Failure, Reason, plain};
use crate::file;
use crate::yaml;

/// Reads the file.
///
/// # Errors
/// It cannot be read, or is not such a list.
pub(crate) fn read(path: &Path) -> Result<Vec<Suppression>, Failure> {
    let failure =
        |why: String| Failure::new(Exit::Failed, Reason::File, format!("--suppress {}: {why}", path.display()));
    let text = file::text(path).map_err(|error| failure(plain(&error)).caused_by(&error))?;
    let document =
        yaml::parse(&text).map_err(|problem| failure(format!("line {}: {}", problem.line, problem.message)))?;
    parse(&document).map_err(|why| failure(why).hint(gloo_rs("check --help").then(" has an example")))
}
