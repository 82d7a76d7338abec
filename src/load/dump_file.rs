//! Reads a saved config dump, on its own or in a snapshot.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, Read, Seek as _};
use std::path::Path;

use crate::command::gloo_rs;
use crate::envoy::dump::{DumpReader, DumpSection, NoDump};
use crate::envoy::view::View;
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
    /// The sections of the dump.
    pub sections: BTreeSet<DumpSection>,
    /// The lines before the JSON, which were skipped.
    pub skipped: Vec<String>,
}

/// Adds each dump of a file to a view; `-` is stdin.
///
/// # Errors
/// The file cannot be read, or contains no dump.
pub(crate) fn look(path: &Path, stdin: &mut dyn Read, view: &mut View) -> Result<Vec<DumpState>, Failure> {
    if path.as_os_str() == "-" {
        return Ok(vec![one("stdin", None, stdin, &mut MOST.clone(), view)?]);
    }
    let shown = path.display().to_string();
    let mut file = File::open(path).map_err(|error| unread(&shown, &error))?;
    let mut first = Vec::new();
    let begun = file.by_ref().take(zip::MAGIC.len() as u64).read_to_end(&mut first).and_then(|_| file.rewind());
    begun.map_err(|error| unread(&shown, &error))?;
    match first == zip::MAGIC {
        true => of_snapshot(&shown, file, view),
        false => Ok(vec![one(&shown, None, &mut file, &mut MOST.clone(), view)?]),
    }
}

fn of_snapshot(shown: &str, file: File, view: &mut View) -> Result<Vec<DumpState>, Failure> {
    let bad = |why: &dyn std::fmt::Display| broken(format!("{shown}: not a whole zip file: {why}"));
    let mut archive = zip::ZipReader::open(file).map_err(|error| bad(&error))?;
    let mut seen = Vec::new();
    let mut left = MOST;
    for member in archive.members.clone() {
        let name = &member.name;
        let (pod, file) = name.rsplit_once('/').map_or((None, name.as_str()), |(pod, file)| (Some(pod), file));
        if file == MEMBER {
            let mut from = archive.member(&member).map_err(|error| bad(&error))?;
            seen.push(one(&format!("{shown}, {name}"), pod, &mut from, &mut left, view)?);
        }
    }
    match seen.is_empty() {
        true => Err(broken(format!("{shown}: no {MEMBER} in it")).hint(gloo_rs("proxy snapshot").then(" writes one"))),
        false => Ok(seen),
    }
}

/// Reads one dump. `left` is the size limit in bytes for this one and the following ones.
fn one(
    shown: &str,
    pod: Option<&str>,
    from: &mut dyn Read,
    left: &mut u64,
    view: &mut View,
) -> Result<DumpState, Failure> {
    view.begin(pod.map(|pod| ("pod", pod.to_owned())).into_iter().collect());
    let mut reader = DumpReader::of(&view.sections());
    let bad = |why: &dyn std::fmt::Display| broken(format!("{shown}: not a config dump: {why}"));
    let mut chunk = Vec::with_capacity(CHUNK);
    let mut skipped = None;
    loop {
        chunk.clear();
        let length = from.take(CHUNK as u64).read_to_end(&mut chunk).map_err(|error| unread(shown, &error))?;
        if length == 0 {
            break;
        }
        *left = left.checked_sub(length as u64).ok_or_else(|| bad(&"it is too long"))?;
        let start = if skipped.is_none() { start_of_json(&chunk) } else { 0 };
        skipped.get_or_insert_with(|| lines(&chunk[..start]));
        reader.push(&chunk[start..], &mut |entry| view.take(&entry)).map_err(|why| bad(&why))?;
        view.fits_in_memory().map_err(|why| too_much(shown, &why, Reason::File))?;
    }
    let sections = reader.finish().map_err(|why| bad(&why))?;
    view.end();
    view.fits_in_memory().map_err(|why| too_much(shown, &why, Reason::File))?;
    Ok(DumpState { pod: pod.map(str::to_owned), sections, skipped: skipped.unwrap_or_default() })
}

/// The hint where all of a dump is too much.
pub(crate) const PART: &str = "select a part: NAME, --port, --domain or --upstream";

/// The failure for a dump whose selected rows take too much memory.
pub(crate) fn too_much(of: &str, why: &NoDump, reason: Reason) -> Failure {
    Failure::new(Exit::Failed, reason, format!("{of}: {why}")).hint(PART)
}

/// Returns the position of the first line that begins with `{`. Before it there may be what a tool printed: a log line of
/// the JVM that ran it, or the headers of `curl -i`. Without such a line the JSON begins at the start.
fn start_of_json(text: &[u8]) -> usize {
    let mut at = 0;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if line.trim_ascii_start().first() == Some(&b'{') {
            return at;
        }
        at += line.len();
    }
    0
}

/// Returns the lines of a text that are not empty.
fn lines(text: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    text.lines().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

fn unread(shown: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::Failed, Reason::File, format!("{shown}: {}", plain(error))).caused_by(error)
}

fn broken(message: String) -> Failure {
    Failure::new(Exit::Failed, Reason::File, message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envoy::view::ViewFilter;

    const DUMP: &str =
        r#"{"configs": [{"@type": "x.ClustersConfigDump", "static_clusters": [{"cluster": {"name": "c"}}]}]}"#;

    fn read(text: &str) -> Result<(DumpState, Vec<String>), Failure> {
        let mut view = View::new(DumpSection::Clusters, ViewFilter::default());
        let mut states = look(Path::new("-"), &mut text.as_bytes(), &mut view)?;
        Ok((states.remove(0), view.finish().names))
    }

    #[test]
    fn lines_before_the_json_are_skipped_and_reported() {
        let headers = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n";
        for (before, skipped) in [
            ("", vec![]),
            ("\n  ", vec![]),
            ("[0.004s][info][gc] Using G1\n", vec!["[0.004s][info][gc] Using G1"]),
            (headers, vec!["HTTP/1.1 200 OK", "content-type: application/json"]),
        ] {
            let (state, names) = read(&format!("{before}{DUMP}")).unwrap();
            assert_eq!(names, ["c"]);
            assert_eq!(state.skipped, skipped);
            assert_eq!(state.sections, BTreeSet::from([DumpSection::Clusters]));
        }
    }

    #[test]
    fn a_text_without_a_dump_is_an_error_of_the_text_itself() {
        for text in ["", "HTTP/1.1 404 Not Found\r\n\r\ninvalid path\n", "log line\n{\"server\": 1}", &DUMP[..40]] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
