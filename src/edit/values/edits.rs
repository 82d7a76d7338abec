//! Writes edits into the sources of a home, each in its own form.

use serde_json::Value;

use super::home::{Seat, ValuesSource};
use super::{plain, set};
use crate::edit::manifest::{self, ManifestPlace, Unsafe};
use crate::edit::{Edit, Op, json};
use crate::model::{FieldPath, Segment};

/// Why a text was not edited, with its index.
pub(crate) type Refusal = (usize, Unsafe);

/// The texts that change, with their indices. `edits` have the index of their source.
///
/// # Errors
/// Which text cannot be edited, and why.
pub(crate) fn edited(
    texts: &[&str],
    sources: &[ValuesSource],
    edits: &[(usize, Edit)],
) -> Result<Vec<(usize, String)>, Refusal> {
    let mut of_objects: Vec<(usize, ManifestPlace, Vec<Edit>)> = Vec::new();
    let mut changed = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        let edits: Vec<Edit> = edits.iter().filter(|(of, _)| *of == index).map(|(_, edit)| edit.clone()).collect();
        let (Some(values), Some((text, seat)), false) = (source.values(), source.seat(), edits.is_empty()) else {
            continue;
        };
        let at = |cannot: Unsafe| (*text, cannot);
        if let Seat::Plain { start } = seat {
            changed.push((*text, whole(texts[*text], *start, values, &edits).map_err(at)?));
            continue;
        }
        let (place, edits) = in_object(texts[*text], seat, values, &edits).map_err(at)?;
        match of_objects.iter_mut().find(|(of, other, _)| of == text && other == place) {
            Some((.., there)) => there.extend(edits),
            None => of_objects.push((*text, place.clone(), edits)),
        }
    }
    for (index, text) in texts.iter().enumerate() {
        let jobs = of_objects.iter().filter(|(of, ..)| *of == index);
        let splices: Result<Vec<_>, _> = jobs.map(|(_, place, edits)| manifest::edit(text, place, edits)).collect();
        let splices = splices.map_err(|cannot| (index, cannot))?;
        if !splices.is_empty() {
            changed.push((index, manifest::splice(text, &splices)));
        }
    }
    Ok(changed.into_iter().filter(|(text, new)| texts[*text] != new).collect())
}

fn whole(text: &str, start: usize, values: &Value, edits: &[Edit]) -> Result<String, Unsafe> {
    match start {
        // Helm's output for empty values was not written by a person, so it is not kept.
        1.. if plain::is_nothing(values) => plain::edit("", values, edits),
        _ => plain::edit(&text[start..], values, edits),
    }
}

/// The edits of the object that has the values.
fn in_object<'s>(
    text: &str,
    seat: &'s Seat,
    values: &Value,
    edits: &[Edit],
) -> Result<(&'s ManifestPlace, Vec<Edit>), Unsafe> {
    match seat {
        Seat::Map { place, path } => {
            let inside = |edit: &Edit| Edit { path: path.join(&edit.path), op: edit.op.clone() };
            let after = json::apply(values, edits).unwrap_or(Value::Null);
            let is_emptied = !plain::is_nothing(values) && plain::is_nothing(&after);
            Ok((
                place,
                match is_emptied {
                    true => vec![without(text, place, path)],
                    false => edits.iter().map(inside).collect(),
                },
            ))
        }
        Seat::Text { place, path } => {
            let object = manifest::value_at(text, place).unwrap_or(Value::Null);
            let inner = path.get(&object).and_then(Value::as_str).unwrap_or_default();
            let after = plain::edit(inner, values, edits)
                .map_err(|cannot| Unsafe { line: manifest::line_of(text, place, path) + cannot.line, ..cannot })?;
            let edit = match after.trim().is_empty() {
                true => without(text, place, path),
                false => Edit::set(path.clone(), after.into()),
            };
            Ok((place, vec![edit]))
        }
        Seat::Parameters { place, path } => {
            let object = manifest::value_at(text, place).unwrap_or(Value::Null);
            let list = path.get(&object).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let names = list.iter().map(|parameter| parameter["name"].as_str().unwrap_or_default());
            let value = |name: &str| {
                let item = path.then(Segment::Named(name.to_owned()));
                (item.then(Segment::Key("value".to_owned())), item)
            };
            single(text, place, path, &names.collect::<Vec<_>>(), edits, &value)
        }
        Seat::Pairs { place, path } => {
            let object = manifest::value_at(text, place).unwrap_or(Value::Null);
            let map = path.get(&object).and_then(Value::as_object);
            let names = map.into_iter().flat_map(|map| map.keys().map(String::as_str));
            let value = |name: &str| {
                let entry = path.then(Segment::Key(name.to_owned()));
                (entry.clone(), entry)
            };
            single(text, place, path, &names.collect::<Vec<_>>(), edits, &value)
        }
        Seat::Plain { .. } => Err(Unsafe { line: 1, why: "not a manifest".to_owned(), manual: Vec::new() }),
    }
}

/// The edits of single values. `value` gives the path of a name's value, and of what to remove with it.
fn single<'s>(
    text: &str,
    place: &'s ManifestPlace,
    path: &FieldPath,
    names: &[&str],
    edits: &[Edit],
    value: &dyn Fn(&str) -> (FieldPath, FieldPath),
) -> Result<(&'s ManifestPlace, Vec<Edit>), Unsafe> {
    let refused = |why: String| Unsafe { line: manifest::line_of(text, place, path), why, manual: Vec::new() };
    let mut found = Vec::new();
    let mut removed = 0;
    for edit in edits {
        if edit.op == Op::Remove {
            let below =
                |name: &&&str| set::path(name).is_some_and(|path| path.segments().starts_with(edit.path.segments()));
            let of_edit: Vec<_> = names.iter().filter(below).map(|name| Edit::remove(value(name).1)).collect();
            removed += of_edit.len();
            found.extend(of_edit);
            continue;
        }
        let mut of_edit = names.iter().filter(|name| set::path(name).as_ref() == Some(&edit.path));
        let (Some(name), None) = (of_edit.next(), of_edit.next()) else {
            return Err(refused(format!("{path} sets {} not by one parameter of its own", edit.path)));
        };
        if let Op::Set(new) = &edit.op {
            let new = set::text(new).ok_or_else(|| refused(format!("{path}: {name} is a single value")))?;
            found.push(Edit::set(value(name).0, new.into()));
        }
    }
    Ok((place, if removed == names.len() { vec![without(text, place, path)] } else { found }))
}

/// The edit for values that become empty: removes the field, and the map around it if that has no other key.
fn without(text: &str, place: &ManifestPlace, path: &FieldPath) -> Edit {
    let object = manifest::value_at(text, place).unwrap_or(Value::Null);
    let around = path.parent().filter(|around| {
        let map = around.get(&object).and_then(Value::as_object);
        !around.segments().is_empty() && map.is_some_and(|map| map.len() == 1)
    });
    Edit::remove(around.unwrap_or_else(|| path.clone()))
}
