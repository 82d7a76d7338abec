//! Reads a file that is given with a flag.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::error::{Exit, Failure, Reason, plain};

/// Size limit in bytes. A bundle of all certificate authorities is far smaller.
const MOST: u64 = 16 << 20;

/// The content of the file.
///
/// # Errors
/// It cannot be read, or is too large to be the intended file.
pub(crate) fn read(flag: &str, path: &Path) -> Result<Vec<u8>, Failure> {
    let failure = |why: &str| Failure::new(Exit::Failed, Reason::File, format!("{flag} {}: {why}", path.display()));
    let mut bytes = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MOST + 1).read_to_end(&mut bytes));
    match read {
        Err(error) => Err(failure(&plain(&error)).caused_by(&error)),
        Ok(length) if length as u64 > MOST => Err(failure(&format!("larger than {} MiB", MOST >> 20))),
        Ok(_) => Ok(bytes),
    }
}
