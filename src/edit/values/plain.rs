//! Values as a text of their own: a values file, Helm's output, or the text in a field of a manifest.

use serde_json::{Map, Value};

use crate::edit::manifest::{self, ManifestPlace, Unsafe};
use crate::edit::{Edit, json};
use crate::yaml;

/// The line that `helm get values` prints above the values.
const USER_SUPPLIED: &str = "USER-SUPPLIED VALUES:";
const COMPUTED: &str = "COMPUTED VALUES:";

/// The values of a text, and their offset after Helm's header.
///
/// # Errors
/// Where the text cannot be read, and why.
pub(super) fn read(text: &str) -> Result<(usize, Value), Unsafe> {
    let bare = text.trim_start_matches('\u{feff}');
    let first = bare.lines().next().unwrap_or_default().trim_end();
    if first == COMPUTED {
        let why = "these are computed values, which include the chart's defaults; dump them without --all".to_owned();
        return Err(Unsafe { line: 1, why, manual: Vec::new() });
    }
    let start = header(text);
    let values = yaml::parse(&text[start..]).map_err(|problem| Unsafe {
        line: problem.line.max(1) + usize::from(start > 0),
        why: problem.message,
        manual: Vec::new(),
    })?;
    if !values.is_object() && !values.is_null() {
        return Err(refused("values must be a map, and this is not one".to_owned()));
    }
    Ok((start, values))
}

/// The text after these edits of its values.
///
/// # Errors
/// Why the edit is not safe, and the change to make by hand.
pub(super) fn edit(text: &str, values: &Value, edits: &[Edit]) -> Result<String, Unsafe> {
    if edits.is_empty() {
        return Ok(text.to_owned());
    }
    let after = json::apply(values, edits).map_err(|path| refused(format!("{path} cannot be set")))?;
    let bare = text.strip_prefix('\u{feff}').unwrap_or(text);
    let marked = |after: String| format!("{}{after}", &text[..text.len() - bare.len()]);
    match (is_nothing(values), is_nothing(&after)) {
        (true, _) => return fill(bare, &after).map(marked),
        (_, true) if !bare.trim_start().starts_with('{') => {
            let left = empty(bare);
            if yaml::parse(&left).is_ok_and(|left| left.is_null() || left.as_object().is_some_and(Map::is_empty)) {
                return Ok(marked(left));
            }
        }
        _ => {}
    }
    let place = manifest::whole(text)
        .ok_or_else(|| refused("several documents in one values file: Helm reads only the first".to_owned()))?;
    at(text, &place, edits)
}

fn at(text: &str, place: &ManifestPlace, edits: &[Edit]) -> Result<String, Unsafe> {
    Ok(manifest::splice(text, &[manifest::edit(text, place, edits)?]))
}

/// Whether there are no values.
pub(super) fn is_nothing(values: &Value) -> bool {
    values.as_object().is_none_or(Map::is_empty)
}

fn refused(why: String) -> Unsafe {
    Unsafe { line: 1, why, manual: Vec::new() }
}

/// The length in bytes of the header line that Helm prints above values.
pub(super) fn header(text: &str) -> usize {
    let first = text.trim_start_matches('\u{feff}').lines().next().unwrap_or_default();
    match first.trim_end() == USER_SUPPLIED {
        true => text.find('\n').map_or(text.len(), |end| end + 1),
        false => 0,
    }
}

/// The texts that mean that there are no values.
const NOTHINGS: [&str; 3] = ["{}", "null", "~"];

/// Adds values to a text without any. Comments stay above them; a line that means no values becomes a comment.
fn fill(text: &str, after: &Value) -> Result<String, Unsafe> {
    let commented = |line: &str| match NOTHINGS.contains(&line.trim_end()) {
        true => format!("# {line}"),
        false => line.to_owned(),
    };
    let mut kept: String = text.split_inclusive('\n').map(commented).collect();
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let values = yaml::write(after).replace('\n', newline);
    // If the last line of the file has no line break, it has none afterwards.
    let is_open = !kept.is_empty() && !kept.ends_with('\n');
    kept.push_str(if is_open { newline } else { "" });
    kept.push_str(if is_open { values.trim_end_matches(newline) } else { &values });
    match yaml::parse(&kept).as_ref() == Ok(after) {
        true => Ok(kept),
        false => Err(refused("no change of the text gives the planned result".to_owned())),
    }
}

/// The text after all values are removed: the lines above them, and comments.
fn empty(text: &str) -> String {
    let first = yaml::outline(text).ok().flatten().map_or(0, |root| root.content);
    let (above, values) = text.split_at(text[..first].rfind('\n').map_or(0, |end| end + 1));
    let is_kept = |line: &&str| line.trim().is_empty() || line.starts_with('#') || line.starts_with("---");
    let uncommented = |line| match str::strip_prefix(line, "# ") {
        Some(said) if NOTHINGS.contains(&said.trim_end()) => said,
        _ => line,
    };
    let lines = above.split_inclusive('\n').chain(values.split_inclusive('\n').filter(is_kept));
    let mut kept: String = lines.map(uncommented).collect();
    if !text.ends_with('\n') && kept.ends_with('\n') {
        kept.pop();
        if kept.ends_with('\r') {
            kept.pop();
        }
    }
    kept
}
