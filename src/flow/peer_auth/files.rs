//! `istio peer-auth` on manifests: the policy is edited, appended to the only text, or removed.

use serde_json::Value;

use crate::edit::manifest::{self, ManifestObject, ManifestPlace, members};
use crate::edit::{Edit, Op};
use crate::error::{Exit, Failure, Reason};
use crate::flow::emit::{Edited, Emit};
use crate::flow::files::by_hand;
use crate::flow::interrupt::Interrupts;
use crate::flow::report::Report;
use crate::load::files::{LoadedFile, SourceText, find, sources_of};
use crate::load::policies::ISTIO_SYSTEM;
use crate::model::{Object, kinds};
use crate::options::{FilesTask, PeerAuth};
use crate::plan::advice::{Advice, Code};
use crate::plan::outcome::{Objection, Outcome, Row};
use crate::plan::peer::change::{PolicyVerdict, PolicyWish, at_level, decide};
use crate::plan::peer::{self, Policies};

/// The content of the manifests that matters for policies.
pub(super) struct ReadPolicies {
    /// Texts that contain a policy, and the only text of a filter.
    texts: Vec<SourceText>,
    policies: Vec<Seen>,
    /// Documents that may contain a policy but cannot be read.
    doubtful: Vec<Row>,
    /// Mesh configurations.
    maps: Vec<Value>,
    is_single: bool,
}

/// A policy and its position.
struct Seen {
    value: Value,
    text: usize,
    place: ManifestPlace,
}

/// Reads the manifests. A policy without a namespace is in `home`.
///
/// # Errors
/// A file cannot be read.
pub(super) fn read(files: &FilesTask, home: Option<&str>, interrupts: &Interrupts) -> Result<ReadPolicies, Failure> {
    let mut inputs = find(&sources_of(&files.paths)?)?;
    let is_single = inputs.is_single();
    let mut read =
        ReadPolicies { texts: Vec::new(), policies: Vec::new(), doubtful: Vec::new(), maps: Vec::new(), is_single };
    let mut stdin = interrupts.stdin();
    while let Some(loaded) = inputs.next(&mut stdin) {
        interrupts.check()?;
        match loaded? {
            LoadedFile::Text(text) => read.take(text, home),
            LoadedFile::PassedOver { .. } => {}
            LoadedFile::Encrypted { name, by } => {
                let why = Objection::new(Reason::Unsafe, by.to_string()).hint(by.advice());
                read.doubtful.push(Row { file: Some(name), ..Row::left(nobody(), Outcome::Refused, why) });
            }
            LoadedFile::Refused { name, why, hint } => {
                let why = Objection::new(Reason::File, why).hint(hint);
                read.doubtful.push(Row { file: Some(name), ..Row::left(nobody(), Outcome::Refused, why) });
            }
        }
    }
    Ok(read)
}

impl ReadPolicies {
    fn take(&mut self, text: SourceText, home: Option<&str>) {
        let is_map = |value: &Value| value["kind"] == "ConfigMap" && value["data"]["mesh"].is_string();
        if text.text.contains("ConfigMap") {
            self.maps.extend(manifest::values(&text.text).into_iter().filter(is_map));
        }
        let before = self.policies.len();
        for found in members(&text.text, &kinds::PEER_AUTHENTICATION).found {
            match found {
                ManifestObject::Member { object: Object { mut value, reference }, place } => {
                    if let (Some(home), true) = (home, reference.namespace.is_empty())
                        && let Some(metadata) = value.get_mut("metadata").and_then(Value::as_object_mut)
                    {
                        metadata.insert("namespace".to_owned(), home.into());
                    }
                    self.policies.push(Seen { value, text: self.texts.len(), place });
                }
                ManifestObject::Refused { line, why, hint, .. } => {
                    let why = Objection::new(Reason::Unsafe, why).hint(hint);
                    self.doubtful.push(Row::left(nobody(), Outcome::Refused, why).at(&text.name, line));
                }
            }
        }
        if self.is_single || self.policies.len() > before {
            self.texts.push(text);
        }
    }

    pub(super) fn values(&self) -> Vec<Value> {
        self.policies.iter().map(|seen| seen.value.clone()).collect()
    }

    /// The root namespace according to the mesh configuration in the manifests.
    pub(super) fn root_namespace(&self) -> Option<String> {
        peer::root_namespace(&self.maps)
    }

    pub(super) fn doubtful(self) -> Vec<Row> {
        self.doubtful
    }
}

fn nobody() -> crate::model::ObjectRef {
    crate::model::ObjectRef::new(&kinds::PEER_AUTHENTICATION, "", "")
}

/// Edits the policy of the scope.
///
/// # Errors
/// The manifests cannot be read or written.
pub(super) fn edit(task: &PeerAuth, files: &FilesTask, report: &mut Report<'_>) -> Result<(), Failure> {
    report.form_for_files(task.preview, files.destination);
    let request = &task.request;
    let said = task.root_namespace.as_deref();
    let read = read(files, Some(request.scope.home(said.unwrap_or(ISTIO_SYSTEM))), &report.interrupts())?;
    let told = said.map(str::to_owned).or_else(|| read.root_namespace());
    let all = read.values();
    let policies = Policies { all: &all, root_namespace: told.as_deref().unwrap_or(ISTIO_SYSTEM) };
    report.usual_namespace(request.scope.home(policies.root_namespace));
    if !read.doubtful.is_empty() {
        // What is in them is unknown, so the change is that of a policy that is not there.
        let wanted = decide(request, &Policies { all: &[], ..policies }, &kinds::PEER_AUTHENTICATION);
        for mut row in read.doubtful {
            if row.details.is_empty() && row.line.is_none() {
                row.details = by_hand(match &wanted {
                    PolicyVerdict::Change { edits, .. } => edits.iter().map(to_have).collect(),
                    _ => vec![format!("remove the PeerAuthentication of {}", request.scope)],
                });
            }
            report.row(row);
        }
        return Ok(());
    }
    let level = at_level(&request.scope, &policies);
    if let [first, _, ..] = level.as_slice() {
        let names = level.iter().map(|policy| policy["metadata"]["name"].as_str().unwrap_or_default());
        let names: Vec<_> = names.collect();
        let what = format!("several apply to {}, and no manifest says which is the oldest", request.scope);
        let mut why = Objection::new(Reason::Ambiguous, what);
        why.details.push(names.join(", "));
        report.row(Row::left(
            Object::new(&kinds::PEER_AUTHENTICATION, (*first).clone()).reference,
            Outcome::Refused,
            why,
        ));
        return Ok(());
    }
    let emit = Emit::choose(task.preview, files.destination, read.is_single);
    match decide(request, &policies, &kinds::PEER_AUTHENTICATION) {
        PolicyVerdict::Refuse { object, why } => report.row(Row::left(object, Outcome::Refused, why)),
        PolicyVerdict::Unchanged { object, message } => {
            let message = of_files(request.wish, message, "not there");
            super::say_beside(task, &policies, &object, report);
            write(&read.texts, None, emit, report)?;
            report.row(Row::answer(object, Outcome::Unchanged, message));
        }
        PolicyVerdict::Change { before, edits, message } => {
            let message = of_files(request.wish, message, "removed");
            let (text, line, splice) = match splice(&read, &before, &edits) {
                Ok(found) => found,
                Err(why) => {
                    report.row(Row::left(before.reference, Outcome::Refused, why));
                    return Ok(());
                }
            };
            let edited = Edited { text: &read.texts[text], splices: vec![splice] };
            let mut row = Row::answer(before.reference, Outcome::Changed, message).at(&edited.text.name, line);
            row.diff = task.preview.diff.then(|| edited.diff(task.secrets));
            super::say_beside(task, &policies, &row.object, report);
            let lost = edited.lost_comments();
            write(&read.texts, Some(&(text, edited)), emit, report)?;
            report.row(row);
            if let Some(lost) = lost {
                report.advice(lost);
            }
            report.advice(Advice::note(
                Code::Unknown,
                "files do not show pods and gateways: only the policies were checked",
            ));
            if task.preview.check {
                report.ends(Exit::WouldChange);
            }
        }
    }
    Ok(())
}

fn to_have(edit: &Edit) -> String {
    match &edit.op {
        Op::Set(document) => format!("the document to have: {document}"),
        Op::Remove => format!("remove {}", edit.path),
    }
}

/// The message for a row. Only the cluster shows which mode applies once a policy is removed.
fn of_files(wish: PolicyWish, message: String, without: &str) -> String {
    if wish == PolicyWish::Remove { without.to_owned() } else { message }
}

/// The index of the text to change, the line, and the splice.
fn splice(read: &ReadPolicies, before: &Object, edits: &[Edit]) -> Result<(usize, usize, manifest::Splice), Objection> {
    let unsafe_because = |why: &str| Objection::new(Reason::Unsafe, format!("{why}; nothing changed"));
    let encrypted = |text: &SourceText, by_hand: String| {
        let by = manifest::encryption(&text.text)?;
        let mut why = unsafe_because(&by.to_string()).hint(by.advice());
        why.details.push(by_hand);
        Some(why)
    };
    if before.value.is_null() {
        let (Some(text), true) = (read.texts.first(), read.is_single) else {
            return Err(Objection::new(Reason::NotFound, "is in none of the files")
                .hint("with -f FILE of one file it is added there"));
        };
        let [Edit { op: Op::Set(document), .. }] = edits else {
            return Err(unsafe_because("it is not there"));
        };
        if let Some(why) = encrypted(text, format!("the document to add: {document}")) {
            return Err(why);
        }
        let splice = manifest::appended(&text.text, document)
            .ok_or_else(|| unsafe_because("a JSON file takes no second document"))?;
        let line = text.text.lines().count() + 1;
        return Ok((0, line, splice));
    }
    let name = &before.value["metadata"]["name"];
    let seen = read
        .policies
        .iter()
        .find(|seen| seen.value == before.value)
        .ok_or_else(|| unsafe_because(&format!("{name} is not found again")))?;
    let text = &read.texts[seen.text];
    let is_removal = matches!(edits, [Edit { path, op: Op::Remove }] if path.segments().is_empty());
    if is_removal && let Some(why) = encrypted(text, format!("the document to remove: {name}")) {
        return Err(why);
    }
    let splice = match is_removal {
        true => manifest::without(&seen.place).ok_or_else(|| unsafe_because("it is in a List with others"))?,
        false => manifest::edit(&text.text, &seen.place, edits).map_err(|cannot| {
            let mut why = unsafe_because(&cannot.why);
            why.details = by_hand(cannot.manual);
            why
        })?,
    };
    Ok((seen.text, seen.place.line(), splice))
}

fn write(
    texts: &[SourceText],
    edited: Option<&(usize, Edited<'_>)>,
    mut emit: Emit,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    for (index, text) in texts.iter().enumerate() {
        match edited {
            Some((at, edited)) if *at == index => emit.keep(edited)?,
            _ => emit.keep(&Edited { text, splices: Vec::new() })?,
        }
    }
    emit.commit(report)
}
