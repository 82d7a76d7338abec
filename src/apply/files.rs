//! Replaces files completely and together: all new files are written next to the old ones first, then all are renamed.
//! If a rename fails, the earlier ones are undone: until the last rename, each old file keeps a second name.
//!
//! The new file gets the owner, the mode, the access control list and the other extended attributes of the old one, or
//! it is refused. A file with several hard links is refused, because the other names would keep the old text. For a
//! symbolic link, its target is replaced, and the link remains.

mod attributes;

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use super::caught::caught_now;
use crate::error::{Exit, Failure, Reason, plain};

/// The prefix of temporary files, which are removed when the run ends.
const PREFIX: &str = ".gloo-rs-";

/// A fingerprint of a file's content, in 24 bytes. It detects later changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Print {
    len: u64,
    hashes: [u64; 2],
}

impl Print {
    /// The fingerprint of these bytes.
    #[must_use]
    pub(crate) fn of_bytes(bytes: &[u8]) -> Self {
        let hash = |key: u8| {
            let mut hasher = DefaultHasher::new();
            (key, bytes).hash(&mut hasher);
            hasher.finish()
        };
        Self { len: bytes.len() as u64, hashes: [hash(0), hash(1)] }
    }
}

/// New contents in temporary files next to the old files. If it is dropped, they are removed and nothing has changed.
#[derive(Debug, Default)]
pub(crate) struct Staging {
    staged: Vec<Staged>,
}

#[derive(Debug)]
struct Staged {
    file: PathBuf,
    sibling: TempPath,
    old: Print,
    attributes: attributes::FileVersion,
}

/// A commit that stopped. If [`Self::done`] is empty, every file is as before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Halted {
    /// The files that were renamed and could not be rolled back.
    pub done: Vec<PathBuf>,
    /// Number of renames that were rolled back.
    pub rolled_back: usize,
    /// The files that were not renamed. The first is the one that failed.
    pub not_done: Vec<PathBuf>,
    pub failure: Box<Failure>,
}

impl Staging {
    /// Writes the new bytes next to the file, with its owner, mode and attributes.
    ///
    /// # Errors
    /// The file or its directory cannot be written, the file has other hard links or attributes that cannot be kept, or
    /// its content has changed since it was read.
    pub(crate) fn stage(&mut self, file: &Path, new: &[u8], old: Print) -> Result<(), Failure> {
        let file = fs::canonicalize(file).map_err(|error| cannot(file, &error))?;
        let attributes = attributes::version(&file).map_err(|error| cannot(&file, &error))?;
        check_unchanged(&file, old)?;
        let links = attributes.links();
        if links > 1 {
            return Err(failure(format!("{}: has {links} hard links; not written", file.display()))
                .detail("the other links would keep the old content")
                .hint(
                    "make the other names symbolic links to it, or print the result instead: -f FILE without --write",
                ));
        }
        let sibling = write_sibling(&file, new)?;
        self.staged.push(Staged { file, sibling, old, attributes });
        Ok(())
    }

    /// Puts all new contents in place. Before the first rename, all of them are synced to disk, and every file is
    /// checked again. `proceed` is called for each file until then, and once more before the first rename.
    ///
    /// # Errors
    /// Nothing was done, or a rename failed and the earlier ones were rolled back. [`Halted`] says which were not.
    pub(crate) fn commit(self, proceed: &dyn Fn() -> Result<(), Failure>) -> Result<Vec<PathBuf>, Halted> {
        self.commit_by(proceed, &Staged::put)
    }

    /// Commits, with `put` to rename each file. A panic in it is a rename that failed.
    fn commit_by(
        self,
        proceed: &dyn Fn() -> Result<(), Failure>,
        put: &dyn Fn(Staged) -> Result<Option<TempPath>, Failure>,
    ) -> Result<Vec<PathBuf>, Halted> {
        let files: Vec<PathBuf> = self.staged.iter().map(|staged| staged.file.clone()).collect();
        let halted =
            |failure| Halted { done: Vec::new(), rolled_back: 0, not_done: files.clone(), failure: Box::new(failure) };
        // All are synced at the end: if each were synced when it
        // is written, each would wait for its own journal commit.
        for staged in &self.staged {
            proceed().map_err(halted)?;
            File::open(&staged.sibling)
                .and_then(|sibling| sibling.sync_all())
                .map_err(|error| halted(cannot(&staged.file, &error)))?;
            staged.check_unchanged().map_err(halted)?;
        }
        proceed().map_err(halted)?;
        let mut renamed = Vec::with_capacity(files.len());
        for (at, staged) in self.staged.into_iter().enumerate() {
            match caught_now(|| put(staged)).unwrap_or_else(|panicked| Err(panicked.into())) {
                Ok(old) => renamed.push(old),
                Err(failure) => return Err(rolled_back(&files, at, renamed, failure)),
            }
        }
        drop(renamed);
        sync_directories(&files);
        Ok(files)
    }
}

impl Staged {
    fn check_unchanged(&self) -> Result<(), Failure> {
        let now = attributes::version(&self.file).map_err(|error| cannot(&self.file, &error))?;
        if now != self.attributes {
            return Err(changed(&self.file));
        }
        check_unchanged(&self.file, self.old)
    }

    /// Renames the new file over the old one, which keeps a second
    /// name. Returns `None` if the file system has no hard links.
    fn put(self) -> Result<Option<TempPath>, Failure> {
        self.check_unchanged()?;
        let old = tempfile::Builder::new()
            .prefix(PREFIX)
            .make_in(directory(&self.file), |name| fs::hard_link(&self.file, name))
            .map(|linked| linked.into_parts().1)
            .ok();
        self.sibling.persist(&self.file).map_err(|error| cannot(&self.file, &error.error))?;
        Ok(old)
    }
}

/// Restores the old text of each renamed file, the last one first.
fn rolled_back(files: &[PathBuf], at: usize, renamed: Vec<Option<TempPath>>, mut failure: Failure) -> Halted {
    let (mut done, mut rolled_back) = (Vec::new(), 0);
    for (file, old) in files.iter().zip(renamed).rev() {
        match old.map(|old| old.persist(file)) {
            Some(Ok(())) => rolled_back += 1,
            Some(Err(error)) => {
                // The only remaining name of the old text is not removed.
                if let Ok(kept) = error.path.keep() {
                    failure = failure.detail(format!("old text of {}: {}", file.display(), kept.display()));
                }
                done.push(file.clone());
            }
            None => done.push(file.clone()),
        }
    }
    done.reverse();
    sync_directories(files);
    Halted { done, rolled_back, not_done: files[at..].to_vec(), failure: Box::new(failure) }
}

/// Writes a whole file: replaces it with its owner, mode and attributes, or creates it with the usual mode.
///
/// # Errors
/// It cannot be written, or its attributes cannot be kept. An existing file is unchanged then.
pub(crate) fn write_whole(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let failure = match fs::read(file) {
        Ok(old) => replace(file, bytes, &old).err(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            create(file, bytes).err().map(|error| cannot(file, &error))
        }
        Err(error) => Some(cannot(file, &error)),
    };
    failure.map_or(Ok(()), |failure| Err(Failure { hints: vec!["name another file".into()], ..failure }))
}

fn replace(file: &Path, new: &[u8], old: &[u8]) -> Result<(), Failure> {
    if new == old {
        return Ok(());
    }
    let mut staging = Staging::default();
    staging.stage(file, new, Print::of_bytes(old))?;
    staging.commit(&|| Ok(())).map(drop).map_err(|halted| *halted.failure)
}

fn create(file: &Path, bytes: &[u8]) -> io::Result<()> {
    // The umask limits this mode, as for any new file.
    let usual = fs::Permissions::from_mode(0o666);
    let mut new = tempfile::Builder::new().prefix(PREFIX).permissions(usual).tempfile_in(directory(file))?;
    new.write_all(bytes)?;
    new.as_file().sync_all()?;
    new.persist_noclobber(file).map(drop).map_err(|error| error.error)
}

/// Writes a new file that only its owner can read.
///
/// # Errors
/// The file exists already, or its directory cannot be written.
pub(crate) fn create_private(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if fs::symlink_metadata(file).is_ok() {
        return Err(failure(format!("{}: already exists; not written", file.display()))
            .hint("name a new file, or remove the existing one"));
    }
    // A temporary file has mode 0600, and the rename fails if the path exists by now.
    let write = || -> io::Result<()> {
        let mut new = tempfile::Builder::new().prefix(PREFIX).tempfile_in(directory(file))?;
        new.write_all(bytes)?;
        new.as_file().sync_all()?;
        new.persist_noclobber(file).map(drop).map_err(|error| error.error)
    };
    write().map_err(|error| cannot(file, &error))
}

fn write_sibling(file: &Path, new: &[u8]) -> Result<TempPath, Failure> {
    let write = || -> io::Result<(File, NamedTempFile)> {
        // A rename would ignore the write protection of the file,
        // so it is opened for writing first, as an editor would.
        let old = File::options().read(true).append(true).open(file)?;
        let mut sibling: NamedTempFile = tempfile::Builder::new().prefix(PREFIX).tempfile_in(directory(file))?;
        sibling.write_all(new)?;
        Ok((old, sibling))
    };
    let (old, sibling) = write().map_err(|error| cannot(file, &error))?;
    attributes::copy(&old, sibling.as_file()).map_err(|lost| {
        failure(format!("{}: cannot keep its {}: {}; not written", file.display(), lost.what, plain(&lost.error)))
            .caused_by(&lost.error)
            .detail("the new file would be open to other users than the old one")
            .hint("run this as a user who may set it, or print the result instead: -f FILE without --write")
    })?;
    Ok(sibling.into_temp_path())
}

fn directory(file: &Path) -> &Path {
    file.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn check_unchanged(file: &Path, old: Print) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    // One more byte than expected is enough to see that the file has grown.
    File::open(file)
        .and_then(|open| open.take(old.len + 1).read_to_end(&mut bytes))
        .map_err(|error| cannot(file, &error))?;
    if Print::of_bytes(&bytes) == old {
        return Ok(());
    }
    Err(changed(file))
}

fn changed(file: &Path) -> Failure {
    failure(format!("{}: changed by another process since it was read; not written", file.display()))
        .hint("run the same command again")
}

/// Syncs the renames to disk if the system allows directories to be synced. If not, the renames are still effective.
fn sync_directories(files: &[PathBuf]) {
    let mut directories: Vec<&Path> = files.iter().filter_map(|file| file.parent()).collect();
    directories.sort_unstable();
    directories.dedup();
    for directory in directories {
        let _ = File::open(directory).and_then(|open| open.sync_all());
    }
}

fn failure(message: String) -> Failure {
    Failure::new(Exit::Failed, Reason::File, message)
}

fn cannot(file: &Path, error: &io::Error) -> Failure {
    failure(format!("{}: cannot write it: {}", file.display(), plain(error))).caused_by(error)
}

#[cfg(test)]
mod tests;
