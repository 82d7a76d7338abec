//! Writes edits into the sources of a home, each in its own form.

use serde_json::Value;

use super::source::{ParameterKind, Seat, ValuesSource};
use super::{plain, set};
use crate::edit::manifest::{self, ManifestPlace, Unsafe};
use crate::edit::{Edit, Op, json};
use crate::model::{FieldPath, Segment};
use crate::yaml;

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
    for (text, seat) in sources.iter().filter_map(ValuesSource::seat) {
        let mut objects = of_objects.iter_mut();
        if let Some((.., edits)) =
            objects.find(|(of, place, _)| of == text && seat.place().is_some_and(|it| it == place))
        {
            without_emptied(texts[*text], seat, edits);
        }
    }
    for (.., edits) in &mut of_objects {
        if edits.iter().any(|edit| matches!(edit.path.segments().last(), Some(Segment::Index(_)))) {
            by_position(edits);
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
                false => Edit::set(path.clone(), as_ended(inner, after).into()),
            };
            Ok((place, vec![edit]))
        }
        Seat::Parameters { place, path, kind } => {
            let object = manifest::value_at(text, place).unwrap_or(Value::Null);
            let list = path.get(&object).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
            let values = parameters(path, list, *kind);
            match *kind {
                ParameterKind::Text => as_text(text, place, &values, edits)?,
                ParameterKind::Typed => {}
            }
            single(text, place, path, &values, edits)
        }
        Seat::Pairs { place, path } => {
            let object = manifest::value_at(text, place).unwrap_or(Value::Null);
            let names = path.get(&object).and_then(Value::as_object).into_iter().flat_map(serde_json::Map::keys);
            let single_of = |name: &String| {
                let entry = path.then(Segment::Key(name.clone()));
                Single { name: name.clone(), value: entry.clone(), item: entry }
            };
            let pairs: Vec<_> = names.map(single_of).collect();
            single(text, place, path, &pairs, edits)
        }
        Seat::Plain { .. } => Err(Unsafe { line: 1, why: "not a manifest".to_owned(), manual: Vec::new() }),
    }
}

/// The text without blank lines at its end, if it had none before: a block scalar that is written with `|` has none, and
/// would become a quoted text. They stay if they belong to a value.
fn as_ended(before: &str, after: String) -> String {
    if before.ends_with("\n\n") || !after.ends_with("\n\n") {
        return after;
    }
    let trimmed = format!("{}\n", after.trim_end_matches('\n'));
    if yaml::parse(&trimmed) == yaml::parse(&after) { trimmed } else { after }
}

/// A single value in a manifest.
struct Single {
    /// Its path, as in `--set`.
    name: String,
    value: FieldPath,
    /// What is removed with it.
    item: FieldPath,
}

/// The parameters of this kind. A name that the list has once finds its item, any other its position.
fn parameters(path: &FieldPath, list: &[Value], kind: ParameterKind) -> Vec<Single> {
    let name = |parameter: &Value| parameter["name"].as_str().unwrap_or_default().to_owned();
    let of_kind = list.iter().enumerate().filter(|(_, parameter)| ParameterKind::new(parameter) == kind);
    let single_of = |(index, parameter): (usize, &Value)| {
        let name = name(parameter);
        let is_once = list.iter().filter(|other| other["name"] == *name).count() == 1;
        let item = path.then(if is_once { Segment::Named(name.clone()) } else { Segment::Index(index) });
        Single { name, value: item.then(Segment::Key("value".to_owned())), item }
    };
    of_kind.map(single_of).collect()
}

/// Refuses a value that is no text for a parameter that is always text: Helm takes the text `"false"` for on.
fn as_text(text: &str, place: &ManifestPlace, values: &[Single], edits: &[Edit]) -> Result<(), Unsafe> {
    for edit in edits {
        let Op::Set(new) = &edit.op else { continue };
        let effective = values.iter().rfind(|it| set::path(&it.name).as_ref() == Some(&edit.path));
        if let (Some(effective), false) = (effective, new.is_string()) {
            return Err(Unsafe {
                line: manifest::line_of(text, place, &effective.item),
                why: format!("{} has forceString: Helm would read the text \"{new}\", not {new}", effective.name),
                manual: vec![format!("remove forceString there, and set value: \"{new}\"")],
            });
        }
    }
    Ok(())
}

/// The edits of single values in `list`. Of several with the same name, the last takes effect: it is changed, and all
/// are removed.
fn single<'s>(
    text: &str,
    place: &'s ManifestPlace,
    list: &FieldPath,
    values: &[Single],
    edits: &[Edit],
) -> Result<(&'s ManifestPlace, Vec<Edit>), Unsafe> {
    let refused = |why: String, manual: Vec<String>| Unsafe { line: manifest::line_of(text, place, list), why, manual };
    let mut found = Vec::new();
    for edit in edits {
        if edit.op == Op::Remove {
            let below = |it: &&Single| {
                set::path(&it.name).is_some_and(|path| path.segments().starts_with(edit.path.segments()))
            };
            found.extend(values.iter().filter(below).map(|it| Edit::remove(it.item.clone())));
            continue;
        }
        let Op::Set(new) = &edit.op else { continue };
        let new =
            set::text(new).ok_or_else(|| refused(format!("{list}: {} is a single value", edit.path), Vec::new()))?;
        let of_edit: Vec<_> = values.iter().filter(|it| set::path(&it.name).as_ref() == Some(&edit.path)).collect();
        match of_edit.split_last() {
            Some((effective, others)) if others.iter().all(|other| other.name == effective.name) => {
                found.push(Edit::set(effective.value.clone(), new.into()));
            }
            Some((effective, _)) => {
                let lines = of_edit.iter().map(|it| manifest::line_of(text, place, &it.item).to_string());
                let why = format!(
                    "{list} sets {} in several spellings: lines {}",
                    edit.path,
                    lines.collect::<Vec<_>>().join(", ")
                );
                return Err(refused(why, vec![format!("keep one of them: {}: {new}", effective.name)]));
            }
            None => {
                let why = format!("{list} sets a value around {}, and no single value there", edit.path);
                return Err(refused(why, vec![format!("{}: {new}", edit.path)]));
            }
        }
    }
    Ok((place, found))
}

/// Removes a list of single values with all of its items, of whatever kind: an empty list is not left.
fn without_emptied(text: &str, seat: &Seat, edits: &mut Vec<Edit>) {
    let (Seat::Parameters { place, path, .. } | Seat::Pairs { place, path }) = seat else { return };
    let object = manifest::value_at(text, place).unwrap_or(Value::Null);
    let length = match path.get(&object) {
        Some(Value::Array(items)) => items.len(),
        Some(Value::Object(pairs)) => pairs.len(),
        _ => return,
    };
    let is_of_list = |edit: &Edit| edit.op == Op::Remove && edit.path.parent().as_ref() == Some(path);
    if length > 0 && edits.iter().filter(|edit| is_of_list(edit)).count() == length {
        edits.retain(|edit| !is_of_list(edit));
        edits.push(without(text, place, path));
    }
}

/// Orders the edits of an object so that no removal moves the position of what is still to be edited.
fn by_position(edits: &mut [Edit]) {
    edits.sort_by_key(|edit| match (&edit.op, edit.path.segments().last()) {
        (Op::Remove, Some(Segment::Index(index))) => (1, usize::MAX - index),
        (Op::Remove, _) => (2, 0),
        (Op::Set(_), _) => (0, 0),
    });
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
