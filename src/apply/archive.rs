//! Writes a zip file member by member to a temporary file, and moves it to its path when it is complete.

use std::fs::File;
use std::io::{self, Seek as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::command::flag;
use crate::error::{Exit, Failure, Reason, plain};
use crate::zip;

/// A zip file in progress. If it is dropped, the file is removed.
pub(crate) struct Archive {
    place: PathBuf,
    writer: zip::ZipWriter<NamedTempFile>,
}

impl Archive {
    /// Creates a temporary file in the same directory. Only its owner can read it.
    ///
    /// # Errors
    /// The path exists already, or its directory cannot be written to.
    pub(crate) fn begin(place: &Path) -> Result<Self, Failure> {
        if place.symlink_metadata().is_ok() {
            return Err(taken(place));
        }
        let directory = place.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let sibling = tempfile::Builder::new()
            .prefix(".gloo-rs-")
            .tempfile_in(directory)
            .map_err(|error| cannot(place, &error))?;
        Ok(Self { place: place.to_owned(), writer: zip::ZipWriter::new(sibling) })
    }

    /// Creates a file with this name in the working directory. Adds a number if the name exists.
    ///
    /// # Errors
    /// The working directory cannot be written to.
    pub(crate) fn begin_free(stem: &str) -> Result<Self, Failure> {
        let names = std::iter::once(format!("{stem}.zip")).chain((2..).map(|number| format!("{stem}-{number}.zip")));
        let free = names.map(PathBuf::from).find(|path| path.symlink_metadata().is_err());
        Self::begin(&free.expect("there are more names than files"))
    }

    /// Starts the next member.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn member(&mut self, name: &str) -> Result<(), Failure> {
        self.writer.begin(name).map_err(|error| cannot(&self.place, &error))
    }

    /// Writes more bytes of the member.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.writer.write(bytes).map_err(|error| cannot(&self.place, &error))
    }

    /// Removes the member that was started last.
    ///
    /// # Errors
    /// The file cannot be written.
    pub(crate) fn abort_member(&mut self) -> Result<(), Failure> {
        self.writer.take_back().map_err(|error| cannot(&self.place, &error))
    }

    /// Moves the file to its path.
    ///
    /// # Errors
    /// It cannot be written, or the path exists by now.
    pub(crate) fn finish(self) -> Result<PathBuf, Failure> {
        let Self { place, writer } = self;
        let whole = writer.finish().and_then(|mut whole| {
            // A member that was removed may have been longer.
            let length = whole.stream_position()?;
            whole.as_file().set_len(length)?;
            whole.as_file().sync_all()?;
            Ok(whole)
        });
        let whole = whole.map_err(|error| cannot(&place, &error))?;
        let placed: Result<File, _> = whole.persist_noclobber(&place);
        placed.map_err(|error| match error.error.kind() {
            io::ErrorKind::AlreadyExists => taken(&place),
            _ => cannot(&place, &error.error),
        })?;
        Ok(place)
    }
}

/// Converts a name from a cluster to one part of a path. A valid object name (a DNS subdomain, RFC 1123) is unchanged.
/// In any other name every byte except letters, digits and `-` is escaped, so that different names stay different.
#[must_use]
pub(crate) fn file_name(name: &str) -> String {
    const LONGEST: usize = 253;
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(is_plain) && !label.starts_with('-');
    if name.len() <= LONGEST && name.split('.').all(is_label) {
        return name.to_owned();
    }
    let escaped = |byte: u8| match is_plain(byte) || byte.is_ascii_uppercase() {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    };
    let escaped: String = name.bytes().map(escaped).collect();
    // Only a hostile name is longer. An empty name becomes `%`.
    escaped.chars().take(LONGEST).chain(name.is_empty().then_some('%')).collect()
}

fn taken(place: &Path) -> Failure {
    failure(format!("{}: already exists and is not replaced", place.display()))
        .hint(flag("--output-file").text(" chooses another file"))
}

fn cannot(place: &Path, error: &io::Error) -> Failure {
    failure(format!("{}: cannot be written: {}", place.display(), plain(error)))
        .caused_by(error)
        .hint(flag("--output-file").text(" chooses another place"))
}

fn failure(message: String) -> Failure {
    Failure::new(Exit::Failed, Reason::File, message)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_valid_name_stays_and_any_other_is_escaped() {
        for name in ["gateway-proxy-7f8c9-x2x", "a", "a.b-c.d", "0"] {
            assert_eq!(file_name(name), name);
        }
        for (name, expected) in [
            ("../../../../x", "%2E%2E%2F%2E%2E%2F%2E%2E%2F%2E%2E%2Fx"),
            ("..", "%2E%2E"),
            (".", "%2E"),
            ("a..b", "a%2E%2Eb"),
            ("/etc/passwd", "%2Fetc%2Fpasswd"),
            ("C:\\x", "C%3A%5Cx"),
            ("a\u{0}b\u{1b}", "a%00b%1B"),
            ("-rf", "-rf"),
            ("A", "A"),
            ("%2E", "%252E"),
            ("\u{e4}", "%C3%A4"),
            ("", "%"),
        ] {
            assert_eq!(file_name(name), expected, "{name}");
        }
        assert_eq!(file_name(&"/".repeat(70_000)).len(), 253);
    }

    proptest! {
        #[test]
        fn no_name_leaves_its_directory(name in "[./\\\\%a-z\\x00-\\x1f\u{e4}:]{0,20}") {
            let escaped = file_name(&name);
            let parts: Vec<_> = Path::new(&escaped).components().collect();
            prop_assert!(matches!(parts[..], [std::path::Component::Normal(_)]), "{escaped}");
            prop_assert!(!escaped.contains(['\\', ':', '\0']) && escaped.is_ascii());
        }
    }
}
