//! Files are replaced whole and together: all are written beside the old ones first, then all are renamed.

use std::fs::{self, File, Metadata};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use tempfile::{NamedTempFile, TempPath};

use crate::error::{Exit, Failure, Reason};
use crate::load::files::reason;

/// What a file held when it was read, in 24 bytes: enough to see that it is another now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Print {
    len: u64,
    hashes: [u64; 2],
}

impl Print {
    /// The print of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let hash = |key: u8| {
            let mut hasher = DefaultHasher::new();
            (key, bytes).hash(&mut hasher);
            hasher.finish()
        };
        Self { len: bytes.len() as u64, hashes: [hash(0), hash(1)] }
    }
}

/// New contents that stand beside their files; dropped, they are gone and nothing has changed.
#[derive(Debug, Default)]
pub struct Staging {
    staged: Vec<Staged>,
}

#[derive(Debug)]
struct Staged {
    file: PathBuf,
    sibling: TempPath,
    old: Print,
}

/// A commit that stopped part-way: some files are new, some are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Halted {
    pub done: Vec<PathBuf>,
    /// The first of these is the one that failed.
    pub not_done: Vec<PathBuf>,
    pub failure: Box<Failure>,
}

impl Staging {
    /// How many files are staged.
    #[must_use]
    pub fn len(&self) -> usize {
        self.staged.len()
    }

    /// Whether no file is staged.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.staged.is_empty()
    }

    /// Writes the new bytes beside the file, with its mode and owner.
    ///
    /// # Errors
    /// The file or its directory cannot be written, or the file is not what was read any more.
    pub fn stage(&mut self, file: &Path, new: &[u8], old: Print) -> Result<(), Failure> {
        let file = fs::canonicalize(file).map_err(|error| cannot(file, &error))?;
        check_unchanged(&file, old)?;
        let sibling = write_beside(&file, new).map_err(|error| cannot(&file, &error))?;
        self.staged.push(Staged { file, sibling, old });
        Ok(())
    }

    /// Puts all the new contents in place. Before the first rename all of them are on the disk, and every file
    /// is checked once more.
    ///
    /// # Errors
    /// Nothing is done, or a rename failed part-way; [`Halted`] says which files are new.
    pub fn commit(self) -> Result<Vec<PathBuf>, Halted> {
        let files: Vec<PathBuf> = self.staged.iter().map(|staged| staged.file.clone()).collect();
        let halted = |done: usize, failure: Failure| Halted {
            done: files[..done].to_vec(),
            not_done: files[done..].to_vec(),
            failure: Box::new(failure),
        };
        // Synced together: one by one as they are written, each would wait for a journal commit of its own.
        for staged in &self.staged {
            File::open(&staged.sibling)
                .and_then(|sibling| sibling.sync_all())
                .map_err(|error| halted(0, cannot(&staged.file, &error)))?;
            check_unchanged(&staged.file, staged.old).map_err(|failure| halted(0, failure))?;
        }
        for (done, staged) in self.staged.into_iter().enumerate() {
            check_unchanged(&staged.file, staged.old).map_err(|failure| halted(done, failure))?;
            staged.sibling.persist(&staged.file).map_err(|error| halted(done, cannot(&staged.file, &error.error)))?;
        }
        sync_directories(&files);
        Ok(files)
    }
}

/// Writes a new file that nobody else can read.
///
/// # Errors
/// It is there already, or its directory cannot be written.
pub fn create_private(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    if fs::symlink_metadata(file).is_ok() {
        return Err(failure(format!("{}: it is there already; not written", file.display()))
            .hint("name a new file, or take that one away"));
    }
    let directory = file.parent().filter(|directory| !directory.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // A temporary file is made with mode 0600, and the link fails where a name came meanwhile.
    let write = || -> io::Result<()> {
        let mut new = tempfile::Builder::new().prefix(".gloo-rs-").tempfile_in(directory)?;
        new.write_all(bytes)?;
        new.as_file().sync_all()?;
        new.persist_noclobber(file).map(drop).map_err(|error| error.error)
    };
    write().map_err(|error| cannot(file, &error))
}

fn write_beside(file: &Path, new: &[u8]) -> io::Result<TempPath> {
    let metadata = fs::metadata(file)?;
    // A rename would go around a file's write protection: it is asked for as an editor would ask.
    File::options().append(true).open(file)?;
    let directory = file.parent().unwrap_or(Path::new("."));
    let mut sibling: NamedTempFile = tempfile::Builder::new().prefix(".gloo-rs-").tempfile_in(directory)?;
    sibling.write_all(new)?;
    keep_owner(&metadata, sibling.path())?;
    sibling.as_file().set_permissions(metadata.permissions())?;
    Ok(sibling.into_temp_path())
}

/// The owner and group stay if this user may give files away; a group of one's own may always be given.
#[cfg(unix)]
fn keep_owner(old: &Metadata, sibling: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, chown};
    let new = fs::metadata(sibling)?;
    if (old.uid(), old.gid()) != (new.uid(), new.gid()) && chown(sibling, Some(old.uid()), Some(old.gid())).is_err() {
        let _ = chown(sibling, None, Some(old.gid()));
    }
    Ok(())
}

#[cfg(not(unix))]
fn keep_owner(_: &Metadata, _: &Path) -> io::Result<()> {
    Ok(())
}

fn check_unchanged(file: &Path, old: Print) -> Result<(), Failure> {
    let mut bytes = Vec::new();
    // One byte more than was read tells that it grew, however much it grew.
    File::open(file)
        .and_then(|open| open.take(old.len + 1).read_to_end(&mut bytes))
        .map_err(|error| cannot(file, &error))?;
    if Print::of(&bytes) == old {
        return Ok(());
    }
    Err(failure(format!("{}: somebody changed it meanwhile; not written", file.display())).hint("run it again"))
}

/// The renames themselves reach the disk where the system lets directories be synced; where not, they still hold.
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
    failure(format!("{}: cannot write it: {}", file.display(), reason(error)))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn tree(files: &[(&str, &str)]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(root.path().join(name), text).unwrap();
        }
        root
    }

    fn names(root: &Path) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(root).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn text(root: &Path, name: &str) -> String {
        fs::read_to_string(root.join(name)).unwrap()
    }

    #[test]
    fn nothing_is_replaced_before_the_commit_and_siblings_go_when_dropped() {
        let root = tree(&[("a", "old")]);
        let mut staging = Staging::default();
        staging.stage(&root.path().join("a"), b"new", Print::of(b"old")).unwrap();
        assert_eq!((staging.len(), text(root.path(), "a").as_str(), names(root.path()).len()), (1, "old", 2));
        drop(staging);
        assert_eq!(names(root.path()), ["a"]);
    }

    #[test]
    fn a_commit_replaces_all_and_keeps_modes_and_links() {
        let root = tree(&[("a", "old"), ("b", "old")]);
        let (a, b, link) = (root.path().join("a"), root.path().join("b"), root.path().join("link"));
        fs::set_permissions(&a, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&b, &link).unwrap();
        let mut staging = Staging::default();
        staging.stage(&a, b"new a", Print::of(b"old")).unwrap();
        staging.stage(&link, b"new b", Print::of(b"old")).unwrap();
        assert_eq!(staging.commit().unwrap().len(), 2);
        assert_eq!((text(root.path(), "a"), text(root.path(), "b")), ("new a".into(), "new b".into()));
        assert_eq!(fs::metadata(&a).unwrap().permissions().mode() & 0o777, 0o640);
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(names(root.path()), ["a", "b", "link"]);
    }

    #[test]
    fn a_file_that_somebody_changed_is_not_written_and_no_other_either() {
        let root = tree(&[("a", "old"), ("b", "old")]);
        let mut staging = Staging::default();
        staging.stage(&root.path().join("a"), b"new", Print::of(b"old")).unwrap();
        staging.stage(&root.path().join("b"), b"new", Print::of(b"old")).unwrap();
        fs::write(root.path().join("b"), "OLD").unwrap();
        let halted = staging.commit().unwrap_err();
        assert_eq!((halted.done.len(), halted.not_done.len()), (0, 2));
        assert!(halted.failure.message.ends_with("b: somebody changed it meanwhile; not written"));
        assert_eq!((text(root.path(), "a"), text(root.path(), "b")), ("old".into(), "OLD".into()));
        assert_eq!(names(root.path()), ["a", "b"]);
        let refused = Staging::default().stage(&root.path().join("b"), b"new", Print::of(b"old"));
        assert_eq!(refused.unwrap_err().reason, Reason::File);
    }

    #[test]
    fn a_rename_that_fails_part_way_names_what_is_done_and_what_is_not() {
        let root = tree(&[("a", "old"), ("b", "old"), ("c", "old")]);
        let mut staging = Staging::default();
        for name in ["a", "b", "c"] {
            staging.stage(&root.path().join(name), b"new", Print::of(b"old")).unwrap();
        }
        // A directory cannot be renamed over a file, by root neither.
        fs::create_dir(root.path().join("dir")).unwrap();
        staging.staged[1].sibling = TempPath::try_from_path(root.path().join("dir")).unwrap();
        let halted = staging.commit().unwrap_err();
        let short = |files: &[PathBuf]| -> Vec<String> {
            files.iter().map(|file| file.file_name().unwrap().to_str().unwrap().to_owned()).collect()
        };
        assert_eq!((short(&halted.done), short(&halted.not_done)), (vec!["a".into()], vec!["b".into(), "c".into()]));
        assert_eq!((text(root.path(), "a"), text(root.path(), "c")), ("new".into(), "old".into()));
        assert_eq!(names(root.path()), ["a", "b", "c", "dir"]);
    }

    #[test]
    fn a_new_file_is_private_and_never_replaces_one() {
        let root = tree(&[("old", "old")]);
        let new = root.path().join("new");
        create_private(&new, b"secret").unwrap();
        assert_eq!(text(root.path(), "new"), "secret");
        assert_eq!(fs::metadata(&new).unwrap().permissions().mode() & 0o777, 0o600);
        let failure = create_private(&root.path().join("old"), b"x").unwrap_err();
        assert!(failure.message.ends_with("old: it is there already; not written"), "{failure}");
        assert_eq!((text(root.path(), "old"), names(root.path()).len()), ("old".into(), 2));
    }

    #[test]
    fn a_file_that_is_not_there_cannot_be_staged() {
        let root = tree(&[]);
        let failure = Staging::default().stage(&root.path().join("no"), b"", Print::of(b"")).unwrap_err();
        assert!(failure.message.ends_with("no: cannot write it: no such file or directory"), "{failure}");
    }

    #[test]
    fn what_cannot_be_written_fails_before_anything_changed() {
        let root = tree(&[("a", "old")]);
        let mut staging = Staging::default();
        staging.stage(&root.path().join("a"), b"new", Print::of(b"old")).unwrap();
        assert_eq!(staging.stage(root.path(), b"new", Print::of(b"")).unwrap_err().exit, Exit::Failed);
        assert_eq!(text(root.path(), "a"), "old");
    }

    #[test]
    fn prints_differ_where_bytes_do() {
        assert_eq!(Print::of(b"a"), Print::of(b"a"));
        assert_ne!(Print::of(b"a"), Print::of(b"b"));
        assert_ne!(Print::of(b""), Print::of(b"\0"));
    }
}
