//! What is said about the sources of values: which there are, which were not read, and where each value is.

use serde_json::{Value, json};

use super::files::{self, ValuesFiles};
use super::refused::give;
use crate::command::flag;
use crate::edit::Edit;
use crate::edit::values::{self, Decided, SourceContent, ValuesSource};
use crate::error::{Exit, Failure, Reason};
use crate::flow::notes::Notes;
use crate::model::FieldPath;
use crate::plan::advice::{Advice, Code};
use crate::plan::values::{Chart, Old, ValueChange, ValuesPlan, settings, templated};
use crate::render::diff::Secrets;
use crate::render::values as shown;

/// What a source is called: a file by its name, a field by its path, with the file if that is not the home's.
fn name(files: &ValuesFiles, source: &ValuesSource) -> String {
    match source.seat() {
        Some((text, values::Seat::Plain { .. })) => files::shown(&files.texts[*text]).to_owned(),
        Some((text, _)) if *text != files.home.text => {
            format!("{} in {}", source.origin, files::shown(&files.texts[*text]))
        }
        _ => source.origin.clone(),
    }
}

/// Says which sources there are, if there is more than one, and which of them were not read.
pub(super) fn say(files: &ValuesFiles, notes: &mut dyn Notes) {
    let has_values = |source: &&ValuesSource| source.values().is_some_and(|values| !values.is_null());
    let there: Vec<_> = files.home.sources.iter().filter(has_values).map(|source| name(files, source)).collect();
    let unread: Vec<_> = files.unread().collect();
    if files.denied.is_none() && (there.len() > 1 || files.attached_any() || !unread.is_empty()) && !there.is_empty() {
        notes.status(&format!("sources, later ones win: {}", there.join(", ")));
    }
    for source in &files.home.sources {
        let said = |why: &str| Advice::note(Code::Unknown, format!("not read: {} ({why})", source.origin));
        match &source.content {
            SourceContent::Missing(why) => notes.advice(said(why).hint(give())),
            SourceContent::Unread(why) => notes.advice(said(why)),
            _ => {}
        }
    }
    for note in &files.home.notes {
        notes.advice(Advice::note(Code::Swallowed, note.as_str()));
    }
}

/// Marks the changes of keys that a source which was not read may set.
///
/// # Errors
/// A change rests on a key that is unset, and whether it is unset is unknown.
pub(super) fn settle(
    files: &ValuesFiles,
    (before, chart): (&Value, &Chart),
    plan: &mut ValuesPlan,
) -> Result<(), Failure> {
    for change in &mut plan.changes {
        let Decided::Unknown(source) = values::decided(&files.home.sources, &change.path) else { continue };
        if matches!(change.old, Old::Set(_)) {
            continue;
        }
        change.old = Old::Unknown;
        // What a flag asks for, and the integration itself, are set whatever is there.
        let is_wanted = change.source.starts_with("--") || change.path == chart.integration(before);
        if !is_wanted {
            let origin = &files.home.sources[source].origin;
            let message = format!("{}: unknown, because {origin} was not read; nothing changed", change.path);
            let failure = Failure::new(Exit::Failed, Reason::Unknown, message);
            let failure = files.give().into_iter().fold(failure, Failure::hint);
            return Err(match change.path == chart.auto_mtls(before) {
                true => failure.hint(flag("--auto-mtls").or_else(" or ", flag("--no-auto-mtls")).text(" decides")),
                false => failure,
            });
        }
    }
    Ok(())
}

/// Istio's address is only looked up if it is known that the values have none.
///
/// # Errors
/// A source was not read that may have it.
pub(super) fn check_address(files: &ValuesFiles) -> Result<(), Failure> {
    let decides = flag("--istio-discovery-address").text(" ADDRESS decides");
    check_all_read(files, "the address of istiod is unknown, because not all was read")
        .map_err(|failure| failure.hint(decides))
}

/// With `--check`, no change is an answer only if all values are known.
///
/// # Errors
/// A source was not read that may have other values, or a value is a template.
pub(super) fn check_is_whole(files: &ValuesFiles, (values, chart): (&Value, &Chart)) -> Result<(), Failure> {
    check_all_read(files, "what was read needs no change, but not all was read")?;
    let unknown: Vec<_> = templated(values, chart).iter().map(ToString::to_string).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    let message = format!("what is known needs no change, but values are templates: {}", unknown.join(", "));
    Err(Failure::new(Exit::Failed, Reason::Unknown, message).hint("check what the templates render to"))
}

fn check_all_read(files: &ValuesFiles, what: &str) -> Result<(), Failure> {
    if !files.is_partial() {
        return Ok(());
    }
    let unread: Vec<_> = files.unread().map(|(origin, _)| origin).collect();
    let message = format!("{what}: {}", unread.join(", "));
    let failure = Failure::new(Exit::Failed, Reason::Unknown, message);
    Err(files.give().into_iter().fold(failure, Failure::hint))
}

/// Says the values of Istio that stay, with the source of each, if there are several sources.
pub(super) fn say_effective(
    files: &ValuesFiles,
    (values, chart): (&Value, &Chart),
    plan: &ValuesPlan,
    notes: &mut dyn Notes,
) {
    let has_several = files.home.sources.iter().filter(|source| source.may_set_values()).count() > 1;
    if !has_several && !files.attached_any() {
        return;
    }
    for change in &plan.changes {
        if let Some(origin) = origin(files, &change.path) {
            notes.status(&format!("  {} was set in {origin}", change.path));
        }
    }
    let changes = |path: &FieldPath| plan.changes.iter().any(|change| change.path == *path);
    let paths = settings(values, chart);
    let mut stays = paths.iter().filter(|path| !changes(path)).filter_map(|path| Some((path, path.get(values)?)));
    if let Some(first) = stays.next() {
        notes.status("unchanged, with their source");
        for (path, value) in std::iter::once(first).chain(stays) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let origin = match values::decided(&files.home.sources, path) {
                Decided::By(index) => name(files, &files.home.sources[index]),
                Decided::Unknown(index) => format!("unless {} sets it", files.home.sources[index].origin),
                Decided::Nowhere => continue,
            };
            notes.status(&format!("  {path}: {value} ({origin})"));
        }
    }
}

/// The name of the source that sets the value at this path.
fn origin(files: &ValuesFiles, path: &FieldPath) -> Option<String> {
    match values::decided(&files.home.sources, path) {
        Decided::By(index) => Some(name(files, &files.home.sources[index])),
        Decided::Unknown(_) | Decided::Nowhere => None,
    }
}

/// The changes as a value of the document, each with the source that it is written to.
pub(super) fn changes(files: &ValuesFiles, plan: &ValuesPlan, secrets: Secrets) -> Value {
    let mut all = shown::value(&plan.changes, secrets);
    let items = all.as_array_mut().into_iter().flatten();
    for (item, change) in items.zip(&plan.changes) {
        if let Some(item) = item.as_object_mut() {
            item.insert("origin".to_owned(), json!(origin(files, &change.path)));
            item.insert("writtenTo".to_owned(), json!(written_to(files, change)));
        }
    }
    all
}

fn written_to(files: &ValuesFiles, change: &ValueChange) -> Vec<String> {
    let edit = match &change.new {
        Some(new) => Edit::set(change.path.clone(), new.clone()),
        None => Edit::remove(change.path.clone()),
    };
    let placed = values::placed(&files.home.sources, &[edit]).unwrap_or_default();
    placed.iter().map(|(index, _)| name(files, &files.home.sources[*index])).collect()
}

/// The home as a value of the document; null for values files.
pub(super) fn home(files: &ValuesFiles) -> Value {
    let values::ValuesHome { name, text, chart, .. } = &files.home;
    let values::HomeChart { name: of_chart, repository, version, .. } = chart;
    match name {
        None => Value::Null,
        Some(values::HomeName { kind, namespace, name, .. }) => json!({
            "kind": kind, "namespace": namespace, "name": name, "file": files::shown(&files.texts[*text]),
            "chart": {"name": of_chart, "repository": repository, "version": version},
        }),
    }
}

/// The sources of the values as a value of the document, the lowest first.
pub(super) fn all(files: &ValuesFiles) -> Value {
    let one = |source: &ValuesSource| {
        let why = match &source.content {
            SourceContent::Missing(why) | SourceContent::Unread(why) => Some(why.as_str()),
            _ => None,
        };
        json!({"origin": name(files, source), "read": source.values().is_some(), "why": why})
    };
    files.home.sources.iter().filter(|source| source.may_set_values()).map(one).collect()
}
