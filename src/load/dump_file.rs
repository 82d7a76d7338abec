//! Reads a saved config dump, on its own or in a snapshot.

use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::path::Path;

use crate::command::gloo_rs;
use crate::envoy::dump::DumpReader;
use crate::envoy::view::{FoundRows, View};
use crate::error::{Exit, Failure, Reason, plain};
use crate::zip;

/// The member of a snapshot that contains the dump.
const MEMBER: &str = "config.json";
const CHUNK: usize = 64 << 10;
/// Size limit in bytes for all dumps of a file, unpacked. The dump of a large gateway has several hundred megabytes.
const MOST: u64 = 4 << 30;

/// The result for one dump of a file.
pub(crate) struct DumpState {
    /// The pod, if it is from a snapshot.
    pub pod: Option<String>,
    pub found: FoundRows,
}

/// Reads each dump of a file; `-` is stdin.
///
/// # Errors
/// The file cannot be read, or contains no dump.
pub(crate) fn look(path: &Path, stdin: &mut dyn Read, view: &dyn Fn() -> View) -> Result<Vec<DumpState>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(vec![DumpState { pod: None, found: one("stdin", stdin, &mut MOST.clone(), view())? }]);
    }
    let shown = path.display().to_string();
    let mut file = File::open(path).map_err(|error| unread(&shown, &error))?;
    let mut first = Vec::new();
    let begun = file.by_ref().take(zip::MAGIC.len() as u64).read_to_end(&mut first).and_then(|_| file.rewind());
    begun.map_err(|error| unread(&shown, &error))?;
    match first == zip::MAGIC {
        true => of_snapshot(&shown, file, view),
        false => Ok(vec![DumpState { pod: None, found: one(&shown, &mut file, &mut MOST.clone(), view())? }]),
    }
}

fn of_snapshot(shown: &str, file: File, view: &dyn Fn() -> View) -> Result<Vec<DumpState>, Failure> {
    let bad = |why: &dyn std::fmt::Display| broken(format!("{shown}: not a whole zip file: {why}"));
    let mut archive = zip::ZipReader::open(file).map_err(|error| bad(&error))?;
    let mut seen = Vec::new();
    let mut left = MOST;
    for member in archive.members.clone() {
        let name = &member.name;
        let (pod, file) = name.rsplit_once('/').map_or((None, name.as_str()), |(pod, file)| (Some(pod), file));
        if file == MEMBER {
            let mut from = archive.member(&member).map_err(|error| bad(&error))?;
            let found = one(&format!("{shown}, {name}"), &mut from, &mut left, view())?;
            seen.push(DumpState { pod: pod.map(str::to_owned), found });
        }
    }
    match seen.is_empty() {
        true => Err(broken(format!("{shown}: no {MEMBER} in it")).hint(gloo_rs("proxy snapshot").then(" writes one"))),
        false => Ok(seen),
    }
}

/// Reads one dump. `left` is the size limit in bytes for this one and the following ones.
fn one(shown: &str, from: &mut dyn Read, left: &mut u64, mut view: View) -> Result<FoundRows, Failure> {
    let mut reader = DumpReader::default();
    let bad = |why: &dyn std::fmt::Display| broken(format!("{shown}: not a config dump: {why}"));
    let mut chunk = vec![0; CHUNK];
    loop {
        let length = match from.read(&mut chunk) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unread(shown, &error)),
        };
        *left = left.checked_sub(length as u64).ok_or_else(|| bad(&"it is too long"))?;
        reader.push(&chunk[..length], &mut |entry| view.take(&entry)).map_err(|why| bad(&why))?;
        view.fits_in_memory().map_err(|why| bad(&why))?;
    }
    reader.finish().map_err(|why| bad(&why))?;
    Ok(view.finish())
}

fn unread(shown: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::Failed, Reason::File, format!("{shown}: {}", plain(error))).caused_by(error)
}

fn broken(message: String) -> Failure {
    Failure::new(Exit::Failed, Reason::File, message)
}
