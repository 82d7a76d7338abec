//! Finds a program named in the kubeconfig as kubectl does, but never in the working directory.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// Why there is no program to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotFound {
    Nowhere,
    /// Found only through an entry of PATH that is relative to the working directory, such as `.` or an empty one.
    WorkingDirectory,
}

/// The path of the program. A name with a slash is a path; any other name is searched in the absolute entries of
/// `path`.
pub(super) fn find(name: &str, path: Option<&OsStr>) -> Result<PathBuf, NotFound> {
    if Path::new(name).components().count() > 1 || name.contains('/') {
        return Ok(PathBuf::from(name));
    }
    let entries: Vec<PathBuf> = path.map(|path| std::env::split_paths(path).collect()).unwrap_or_default();
    let found = |entry: &PathBuf| Some(entry.join(name)).filter(|program| can_be_run(program));
    if let Some(program) = entries.iter().filter(|entry| entry.is_absolute()).find_map(found) {
        return Ok(program);
    }
    let relative = entries.iter().filter(|entry| !entry.is_absolute()).find_map(found);
    Err(if relative.is_some() { NotFound::WorkingDirectory } else { NotFound::Nowhere })
}

#[cfg(unix)]
fn can_be_run(program: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    program.metadata().is_ok_and(|meta| meta.is_file() && meta.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn can_be_run(program: &Path) -> bool {
    program.is_file()
}
