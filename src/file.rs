//! Reads a file that a flag, a variable or a kubeconfig names, within a limit of memory.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The largest file that `read` reads, in bytes: above any kubeconfig, token, chart or bundle of certificates.
pub(crate) const MOST: u64 = 16 << 20;

/// The content of a file that a flag, a variable or a kubeconfig names.
///
/// # Errors
/// It cannot be read, or is too large to be the intended file: a device has no end.
pub(crate) fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MOST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MOST {
        let why = format!("larger than {} MiB", MOST >> 20);
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
    }
    Ok(bytes)
}

/// The text of a file, as `read`.
///
/// # Errors
/// As `read`, and text that is not UTF-8.
pub(crate) fn text(path: &Path) -> io::Result<String> {
    String::from_utf8(read(path)?).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_without_an_end_is_refused() {
        assert_eq!(read(Path::new("/dev/zero")).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
        assert_eq!(text(Path::new("/dev/zero")).unwrap_err().kind(), io::ErrorKind::FileTooLarge);
    }
}
