//! Finds manifests of `-f FILE|DIR|-` by kubectl's rules, and reads them one at a time.

use std::collections::HashSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::vec;

use crate::command::quoted;
use crate::edit::encrypted::Encryption;
use crate::error::{Exit, Failure, Reason, plain};

pub(crate) use encoding::Encoding;

/// Size limit in bytes. It is larger than any manifest, and
/// protects the memory if a device or image is named by mistake.
const LIMIT: u64 = 256 * 1024 * 1024;
const LIMIT_NAME: &str = "256 MiB";

/// The source of one `-f`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum FileSource {
    /// `-`: standard input.
    Stdin,
    /// A file or a directory.
    Path(PathBuf),
}

/// A text that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SourceText {
    /// The name as given or found, for messages. `-` is standard input.
    pub name: String,
    /// The file with symbolic links resolved, or `None` for standard input.
    pub file: Option<PathBuf>,
    pub text: String,
    /// The encoding of the file, in which it is written back.
    pub encoding: Encoding,
}

/// The result of reading one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum LoadedFile {
    Text(SourceText),
    /// A named file that is encrypted as a whole.
    Encrypted {
        name: String,
        by: Encryption,
    },
    /// A file of a directory that is not a manifest: binary, encrypted, or in another encoding.
    PassedOver {
        name: String,
        why: String,
        /// The tool that encrypted it as a whole, if one did.
        by: Option<Encryption>,
    },
    /// A link out of the directory, or a file in it that cannot be read. It is not followed, but reported.
    Refused {
        name: String,
        why: String,
        hint: String,
    },
}

/// The sources for these arguments.
///
/// # Errors
/// A usage error if `-` is given twice or a name is empty.
pub(crate) fn sources(arguments: &[String]) -> Result<Vec<FileSource>, Failure> {
    if arguments.iter().filter(|argument| *argument == "-").count() > 1 {
        return Err(Failure::usage("-f -: standard input can be read only once"));
    }
    arguments
        .iter()
        .map(|argument| match argument.as_str() {
            "" => Err(Failure::usage("-f: the name of the file is empty")),
            "-" => Ok(FileSource::Stdin),
            path => Ok(FileSource::Path(PathBuf::from(path))),
        })
        .collect()
}

/// The sources for these paths.
///
/// # Errors
/// As [`sources`].
pub(crate) fn sources_of(paths: &[PathBuf]) -> Result<Vec<FileSource>, Failure> {
    sources(&paths.iter().map(|path| path.to_string_lossy().into_owned()).collect::<Vec<_>>())
}

/// An iterator over the texts, in order. Each file is read when it is requested, so only one is in memory.
#[derive(Debug)]
pub(crate) struct FileReader {
    queue: vec::IntoIter<Queued>,
    /// Whether the source is one file or standard input, so that the command is a filter.
    is_single: bool,
}

#[derive(Debug)]
enum Queued {
    Stdin,
    File {
        name: String,
        file: PathBuf,
        explicit: bool,
    },
    Refused {
        name: String,
        why: String,
        hint: String,
    },
    /// It is read already.
    Read(LoadedFile),
}

/// Finds the files of the sources. Directories are walked; no file is read yet.
///
/// # Errors
/// A path is missing or not a file, or a directory has no manifests or cannot be listed.
pub(crate) fn find(sources: &[FileSource]) -> Result<FileReader, Failure> {
    let mut queue = Vec::new();
    let mut seen = HashSet::new();
    let mut has_directory = false;
    for source in sources {
        let FileSource::Path(path) = source else {
            queue.push(Queued::Stdin);
            continue;
        };
        let metadata = fs::metadata(path).map_err(|error| cannot("read", path, &error))?;
        if metadata.is_dir() {
            has_directory = true;
            let mut walk = Walk::open(path)?;
            walk.directory(path)?;
            if walk.found.is_empty() {
                return Err(failure(format!("{}: no manifest in it", shown(path)))
                    .detail("looked for *.yaml, *.yml and *.json, hidden directories skipped")
                    .hint("name the file itself, whatever its name ends in"));
            }
            queue.extend(walk.found.into_iter().filter(|found| is_new(&mut seen, found)));
        } else {
            check_regular(path, &metadata)?;
            let file = fs::canonicalize(path).map_err(|error| cannot("read", path, &error))?;
            let queued = Queued::File { name: shown(path), file, explicit: true };
            queue.extend(is_new(&mut seen, &queued).then_some(queued));
        }
    }
    Ok(FileReader { is_single: queue.len() == 1 && !has_directory, queue: queue.into_iter() })
}

/// A file that is given twice is read once.
fn is_new(seen: &mut HashSet<PathBuf>, queued: &Queued) -> bool {
    match queued {
        Queued::File { file, .. } => seen.insert(file.clone()),
        Queued::Stdin | Queued::Refused { .. } | Queued::Read(_) => true,
    }
}

impl FileReader {
    /// Whether the source is one FILE or `-`. The whole text is then printed, edited or not.
    #[must_use]
    pub(crate) fn is_single(&self) -> bool {
        self.is_single
    }

    /// Reads all files now and shows each text, and returns a reader that gives them again.
    ///
    /// # Errors
    /// As for [`Self::next`].
    pub(crate) fn read_ahead(
        mut self,
        stdin: &mut dyn Read,
        look: &mut dyn FnMut(&SourceText),
    ) -> Result<Self, Failure> {
        let mut queue = Vec::new();
        while let Some(loaded) = self.next(stdin) {
            let loaded = loaded?;
            if let LoadedFile::Text(text) = &loaded {
                look(text);
            }
            queue.push(Queued::Read(loaded));
        }
        Ok(Self { queue: queue.into_iter(), is_single: self.is_single })
    }

    /// Reads the next one. `stdin` is only used if `-` was given.
    ///
    /// # Errors
    /// A named file or standard input cannot be read, is too large, binary, or in another encoding than kubectl reads.
    pub(crate) fn next(&mut self, stdin: &mut dyn Read) -> Option<Result<LoadedFile, Failure>> {
        Some(match self.queue.next()? {
            Queued::Refused { name, why, hint } => Ok(LoadedFile::Refused { name, why, hint }),
            Queued::Read(loaded) => Ok(loaded),
            Queued::Stdin => loaded("-".to_owned(), None, Explicit::Stdin, read_text(stdin)),
            Queued::File { name, file, explicit } => {
                let read = read_file(&file);
                let explicit = if explicit { Explicit::File } else { Explicit::No };
                loaded(name, Some(file), explicit, read)
            }
        })
    }
}

/// Whether a source was named itself, or found in a directory.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Explicit {
    Stdin,
    File,
    No,
}

fn loaded(
    name: String,
    file: Option<PathBuf>,
    explicit: Explicit,
    read: Result<(String, Encoding), Unread>,
) -> Result<LoadedFile, Failure> {
    let error = match read {
        Ok((text, encoding)) => return Ok(LoadedFile::Text(SourceText { name, file, text, encoding })),
        Err(error) => error,
    };
    let why = error.sentence();
    Ok(match (explicit, error) {
        (Explicit::Stdin | Explicit::File, Unread::Encrypted(by)) => LoadedFile::Encrypted { name, by },
        (Explicit::Stdin, _) => return Err(failure(format!("standard input: {why}"))),
        (Explicit::File, _) => return Err(failure(format!("{name}: {why}"))),
        (Explicit::No, Unread::TooLarge | Unread::Io(_)) => {
            LoadedFile::Refused { name, why, hint: "make it readable, or name the other files one by one".to_owned() }
        }
        (Explicit::No, Unread::Encrypted(by)) => LoadedFile::PassedOver { name, why, by: Some(by) },
        (Explicit::No, _) => LoadedFile::PassedOver { name, why, by: None },
    })
}

/// Why a file has no text.
#[derive(Debug)]
enum Unread {
    Io(io::Error),
    TooLarge,
    Binary,
    Encrypted(Encryption),
    /// The name of an encoding that kubectl does not read.
    Encoding(&'static str),
    /// The first line that is not UTF-8.
    NotUtf8(usize),
}

impl Unread {
    fn sentence(&self) -> String {
        match self {
            Self::Io(error) => format!("cannot be read: {}", plain(error)),
            Self::TooLarge => format!("larger than {LIMIT_NAME}, the limit of one file"),
            Self::Binary => "binary, not a manifest".to_owned(),
            Self::Encrypted(by) => by.to_string(),
            Self::Encoding(name) => format!("{name}, which is no encoding of manifests; save it as UTF-8"),
            Self::NotUtf8(line) => {
                format!("not UTF-8 (line {line}), perhaps ISO-8859-1 or Windows-1252; save it as UTF-8")
            }
        }
    }
}

/// The text of a file that was read before, or `None` if it can no longer be read.
pub(crate) fn again(path: &Path) -> Option<String> {
    read_file(path).ok().map(|(text, _)| text)
}

fn read_file(path: &Path) -> Result<(String, Encoding), Unread> {
    let mut file = File::open(path).map_err(Unread::Io)?;
    read_text(&mut file)
}

fn read_text(from: &mut dyn Read) -> Result<(String, Encoding), Unread> {
    let mut bytes = Vec::new();
    from.take(LIMIT + 1).read_to_end(&mut bytes).map_err(Unread::Io)?;
    if bytes.len() as u64 > LIMIT {
        return Err(Unread::TooLarge);
    }
    encoding::decode(bytes)
}

/// A walk through one directory.
struct Walk {
    root: PathBuf,
    found: Vec<Queued>,
}

impl Walk {
    fn open(path: &Path) -> Result<Self, Failure> {
        let root = fs::canonicalize(path).map_err(|error| cannot("read", path, &error))?;
        Ok(Self { root, found: Vec::new() })
    }

    fn directory(&mut self, path: &Path) -> Result<(), Failure> {
        let mut entries = fs::read_dir(path)
            .and_then(Iterator::collect::<io::Result<Vec<_>>>)
            .map_err(|error| cannot("list", path, &error))?;
        entries.sort_unstable_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let kind = entry.file_type().map_err(|error| cannot("read", &entry.path(), &error))?;
            let is_hidden = entry.file_name().to_string_lossy().starts_with('.');
            if kind.is_symlink() {
                self.link(&entry.path(), is_hidden);
            } else if kind.is_dir() && !is_hidden {
                self.directory(&entry.path())?;
            } else if kind.is_file() && is_manifest(&entry.path()) {
                self.file(&entry.path());
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) {
        match fs::canonicalize(path) {
            Ok(file) => self.found.push(Queued::File { name: shown(path), file, explicit: false }),
            Err(error) => self.refuse(path, format!("cannot be read: {}", plain(&error)), "fix or remove it"),
        }
    }

    /// Handles a symbolic link. A link to a file inside the tree is read as that
    /// file. A link to a directory inside is ignored, as it would be walked twice. A
    /// link out of the tree is not followed, because its target was not requested.
    fn link(&mut self, path: &Path, is_hidden: bool) {
        let target = match fs::canonicalize(path) {
            Ok(target) => target,
            Err(_) if !is_manifest(path) => return,
            Err(error) => {
                self.refuse(path, format!("a broken link: {}", plain(&error)), "fix or remove the link");
                return;
            }
        };
        let is_file = target.is_file();
        if (is_file && !is_manifest(path)) || (!is_file && (is_hidden || !target.is_dir())) {
            return;
        }
        if !target.starts_with(&self.root) {
            let why = format!("a link to a place outside the directory, {}; not followed", shown(&target));
            self.refuse(path, why, &format!("name it: -f {}", quoted(&shown(&target))));
        } else if is_file {
            self.file(path);
        }
    }

    fn refuse(&mut self, path: &Path, why: String, hint: &str) {
        self.found.push(Queued::Refused { name: shown(path), why, hint: hint.to_owned() });
    }
}

/// kubectl's rule for the files of a directory.
fn is_manifest(path: &Path) -> bool {
    path.extension().is_some_and(|extension| matches!(extension.to_str(), Some("yaml" | "yml" | "json")))
}

/// A read from a FIFO would block, and a device has no end.
fn check_regular(path: &Path, metadata: &Metadata) -> Result<(), Failure> {
    if metadata.is_file() {
        return Ok(());
    }
    Err(failure(format!("{}: not a regular file", shown(path))).hint("-f - reads standard input"))
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

fn failure(message: String) -> Failure {
    Failure::new(Exit::Failed, Reason::File, message)
}

fn cannot(act: &str, path: &Path, error: &io::Error) -> Failure {
    failure(format!("{}: cannot {act} it: {}", shown(path), plain(error))).caused_by(error)
}

mod encoding;
#[cfg(test)]
mod tests;
