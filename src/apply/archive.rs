//! A zip file that grows member by member beside its place, and is put there when it is whole.

use std::fs::File;
use std::io::{self, Seek as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::error::{Exit, Failure, Reason};
use crate::zip;

/// A zip file under way; dropped, it is gone.
pub struct Archive {
    place: PathBuf,
    writer: zip::Writer<NamedTempFile>,
}

impl Archive {
    /// Begins beside the place where it is to be. The file is its owner's alone.
    ///
    /// # Errors
    /// Something is there already, or its directory cannot be written to.
    pub fn begin(place: &Path) -> Result<Self, Failure> {
        if place.symlink_metadata().is_ok() {
            return Err(taken(place));
        }
        let directory = place.parent().filter(|path| !path.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let sibling = tempfile::Builder::new()
            .prefix(".gloo-rs-")
            .tempfile_in(directory)
            .map_err(|error| cannot(place, &error))?;
        Ok(Self { place: place.to_owned(), writer: zip::Writer::new(sibling) })
    }

    /// Begins a file of this name in the working directory, with a number where the name is taken.
    ///
    /// # Errors
    /// The working directory cannot be written to.
    pub fn begin_free(stem: &str) -> Result<Self, Failure> {
        let names = std::iter::once(format!("{stem}.zip")).chain((2..).map(|number| format!("{stem}-{number}.zip")));
        let free = names.map(PathBuf::from).find(|path| path.symlink_metadata().is_err());
        Self::begin(&free.expect("there are more names than files"))
    }

    /// Begins the next member.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn member(&mut self, name: &str) -> Result<(), Failure> {
        self.writer.begin(name).map_err(|error| cannot(&self.place, &error))
    }

    /// Writes more of the member.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.writer.write(bytes).map_err(|error| cannot(&self.place, &error))
    }

    /// Takes the member back that was begun last.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn abort_member(&mut self) -> Result<(), Failure> {
        self.writer.take_back().map_err(|error| cannot(&self.place, &error))
    }

    /// Puts the file in its place.
    ///
    /// # Errors
    /// It cannot be written, or something has come to be there meanwhile.
    pub fn finish(self) -> Result<PathBuf, Failure> {
        let Self { place, writer } = self;
        let whole = writer.finish().and_then(|mut whole| {
            // A member that was taken back may have reached further.
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

fn taken(place: &Path) -> Failure {
    failure(format!("{}: is there already and is not replaced", place.display())).hint("--output-file names another")
}

fn cannot(place: &Path, error: &io::Error) -> Failure {
    failure(format!("{}: cannot be written: {}", place.display(), crate::load::files::reason(error)))
        .hint("--output-file names a place elsewhere")
}

fn failure(message: String) -> Failure {
    Failure::new(Exit::Failed, Reason::File, message)
}
