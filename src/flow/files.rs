//! Edits objects in manifests with the same plans as on the cluster, without a cluster, a kubeconfig or network access.
//!
//! Only one file is in memory at a time. Of each object only its row is kept, and of each edited file its splices.
//! Nothing is printed or written before every file is planned.

use std::collections::HashSet;

use super::emit::{Edited, Emit};
use super::report::{Report, SkippedLines, Sweep};
use super::rows::Rows;
use crate::command::{flag, gloo_rs};
use crate::edit::json;
use crate::edit::manifest::{self, Job, ManifestObject as InText, ManifestPlace, Splice};
use crate::error::{Exit, Failure, Reason};
use crate::load::files::{self, FileReader, LoadedFile, SourceText};
use crate::model::{Object, ObjectRef};
use crate::options::{Absent, FilesTask, GLOO_SYSTEM, Global, Named, ObjectsTask, Selection};
use crate::plan::PerObject;
use crate::plan::advice::{Advice, Code};
use crate::plan::mtls::UpstreamContext;
use crate::plan::outcome::{Decision, Objection, Outcome, Row};
use crate::plan::policy::Picked;
use crate::render::text::count;
use crate::text::nearest;

/// The state of a run while the files are read.
struct Run<'r> {
    plan: &'r dyn PerObject,
    task: &'r ObjectsTask,
    global: &'r Global,
    rows: Rows,
    advice: Vec<Advice>,
    /// Notes about comments that the changes do not keep.
    lost: Vec<Advice>,
    emit: Emit,
    found: HashSet<Named>,
    /// Names of this kind that were seen but not selected, for suggestions when a name is mistyped.
    others: Vec<String>,
    /// Documents that may contain a named object, but cannot be fully read.
    doubtful: Vec<Row>,
    files: usize,
    passed_over: usize,
}

/// Edits the selected objects in the manifests.
///
/// # Errors
/// The run could not be planned, or the files could not be written. The results of single objects are in the report.
pub(super) fn edit(
    plan: &dyn PerObject,
    task: &ObjectsTask,
    global: &Global,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let Some(FilesTask { paths, .. }) = &task.files else { return Ok(()) };
    edit_in(plan, task, global, files::find(&files::sources_of(paths)?)?, report)
}

/// Edits the selected objects in the manifests of this reader.
///
/// # Errors
/// As for [`edit`].
pub(super) fn edit_in(
    plan: &dyn PerObject,
    task: &ObjectsTask,
    global: &Global,
    mut inputs: FileReader,
    report: &mut Report<'_>,
) -> Result<(), Failure> {
    let Some(FilesTask { destination, .. }) = &task.files else { return Ok(()) };
    let emit = Emit::choose(task.preview, *destination, inputs.is_single());
    report.form_for_files(task.preview, *destination);
    let mut run = Run::new(plan, task, global, emit);
    let mut stdin = report.interrupts().stdin();
    while let Some(loaded) = inputs.next(&mut stdin) {
        report.interrupts().check()?;
        run.take(loaded?)?;
    }
    run.finish(report)
}

impl<'r> Run<'r> {
    fn new(plan: &'r dyn PerObject, task: &'r ObjectsTask, global: &'r Global, emit: Emit) -> Self {
        Self {
            plan,
            task,
            global,
            rows: Rows::default(),
            advice: Vec::new(),
            lost: Vec::new(),
            emit,
            found: HashSet::new(),
            others: Vec::new(),
            doubtful: Vec::new(),
            files: 0,
            passed_over: 0,
        }
    }

    fn take(&mut self, loaded: LoadedFile) -> Result<(), Failure> {
        match loaded {
            LoadedFile::Text(text) => self.text(&text),
            LoadedFile::PassedOver { .. } => {
                self.passed_over += 1;
                Ok(())
            }
            LoadedFile::Encrypted { name, by } => {
                let nobody = ObjectRef::new(self.plan.kind(), "", "");
                let mut why = Objection::new(Reason::Unsafe, by.to_string()).hint(by.advice());
                why.details = by_hand(self.plan.by_hand());
                self.doubtful.push(Row { file: Some(name), ..Row::left(nobody, Outcome::Refused, why) });
                Ok(())
            }
            LoadedFile::Refused { name, why, hint } => {
                let nobody = ObjectRef::new(self.plan.kind(), "", "");
                let row = Row::left(nobody, Outcome::Refused, Objection::new(Reason::File, why).hint(hint));
                self.doubtful.push(Row { file: Some(name), ..row });
                Ok(())
            }
        }
    }

    /// Plans the edits of one text and keeps the edited text.
    fn text(&mut self, text: &SourceText) -> Result<(), Failure> {
        self.files += 1;
        let mut rows = Vec::new();
        let members = manifest::members(&text.text, self.plan.kind());
        self.passed_over += members.unreadable;
        let mut planned = Vec::new();
        for found in members.found {
            match found {
                InText::Member { object, place } if self.selects(&object) => {
                    match self.member(&text.name, object, place) {
                        Ok(plan) => planned.push(plan),
                        Err(row) => rows.push(*row),
                    }
                }
                InText::Member { object, .. } => self.others.push(object.reference.name),
                InText::Refused { line, why, hint, reference } => {
                    rows.extend(self.refused(&text.name, line, why, hint, reference));
                }
            }
        }
        let jobs: Vec<_> = planned.iter().map(Planned::job).collect();
        let mut splices: Vec<Splice> = Vec::new();
        for (result, it) in manifest::edit_all(&text.text, &jobs).into_iter().zip(&planned) {
            let row = match result {
                Ok(splice) => {
                    splices.push(splice);
                    Row::answer(it.object.reference.clone(), Outcome::Changed, it.message.as_str())
                        .at(&text.name, it.place.line())
                }
                Err(cannot) => {
                    let mut why = Objection::new(Reason::Unsafe, format!("{}; nothing changed", cannot.why));
                    why.details = by_hand(cannot.manual);
                    Row::left(it.object.reference.clone(), Outcome::Refused, why).at(&text.name, cannot.line)
                }
            };
            rows.push(row);
        }
        let edited = Edited { text, splices };
        if let (true, Some(row)) = (self.task.preview.diff && !edited.splices.is_empty(), rows.last_mut()) {
            row.diff = Some(edited.diff(self.task.secrets));
        }
        rows.sort_by_key(|row| row.line);
        self.rows.extend(rows);
        self.lost.extend(edited.lost_comments());
        self.emit.keep(&edited)
    }

    /// Decides about a selected object: returns its edits, or its row if it is not edited.
    fn member(&mut self, file: &str, object: Object, place: ManifestPlace) -> Result<Planned, Box<Row>> {
        let found = match &self.task.selection {
            Selection::Named(names) => {
                let typed: Vec<_> = names.iter().filter(|one| self.names(one, &object)).cloned().collect();
                self.found.extend(typed);
                Picked::Named
            }
            Selection::Sweep { .. } => Picked::Selected,
        };
        let gloo_namespace = self.global.gloo_namespace.as_deref().unwrap_or(GLOO_SYSTEM);
        let around = UpstreamContext::of_manifest(&object, gloo_namespace);
        let reference = object.reference.clone();
        let (outcome, why) = match self.plan.decide(&object, found, &around) {
            Decision::Change { edits, message } => {
                if json::apply(&object.value, &edits).is_ok() {
                    self.advise(&object, found, &around);
                    return Ok(Planned { object, place, edits, message });
                }
                (Outcome::Refused, Objection::new(Reason::Unsafe, "spec has an unexpected type; nothing changed"))
            }
            Decision::Unchanged { message } => {
                return Err(Box::new(Row::answer(reference, Outcome::Unchanged, message).at(file, place.line())));
            }
            Decision::Skip(why) => (Outcome::Skipped, why),
            Decision::Refuse(why) => (Outcome::Refused, why),
        };
        Err(Box::new(Row::left(reference, outcome, why).at(file, place.line())))
    }

    fn advise(&mut self, object: &Object, found: Picked, around: &UpstreamContext) {
        if found == Picked::Named {
            self.advice.extend(self.plan.advise(object, around));
        }
    }

    /// Handles a document that contains such an object, or may contain one, and cannot be edited.
    fn refused(
        &mut self,
        file: &str,
        line: usize,
        why: String,
        hint: String,
        reference: Option<ObjectRef>,
    ) -> Option<Row> {
        let mut why = Objection::new(Reason::Unsafe, why).hint(hint);
        why.details = by_hand(self.plan.by_hand());
        let Some(reference) = reference else {
            let nobody = ObjectRef::new(self.plan.kind(), "", "");
            self.doubtful.push(Row::left(nobody, Outcome::Refused, why).at(file, line));
            return None;
        };
        let object = Object { value: serde_json::Value::Null, reference };
        if let Selection::Named(names) = &self.task.selection {
            let typed: Vec<_> = names.iter().filter(|one| self.names(one, &object)).cloned().collect();
            if typed.is_empty() {
                self.passed_over += 1;
                return None;
            }
            self.found.extend(typed);
        }
        Some(Row::left(object.reference, Outcome::Refused, why).at(file, line))
    }

    fn selects(&self, object: &Object) -> bool {
        match &self.task.selection {
            Selection::Named(names) => names.iter().any(|named| self.names(named, object)),
            Selection::Sweep { labels, .. } => {
                self.in_namespace(None, object)
                    && labels.as_ref().is_none_or(|labels| labels.matches(&object.value["metadata"]["labels"]))
            }
        }
    }

    fn names(&self, named: &Named, object: &Object) -> bool {
        named.name == object.reference.name && self.in_namespace(named.namespace.as_deref(), object)
    }

    /// In manifests the namespace filters only if it was given with a flag. An object without a namespace matches any.
    fn in_namespace(&self, named: Option<&str>, object: &Object) -> bool {
        let wanted = named.or(self.global.namespace.as_deref());
        let namespace = object.reference.namespace.as_str();
        namespace.is_empty() || wanted.is_none_or(|wanted| wanted == namespace)
    }

    /// Reports all results, and writes the files unless an object was refused.
    fn finish(mut self, report: &mut Report<'_>) -> Result<(), Failure> {
        let sweeps = matches!(self.task.selection, Selection::Sweep { .. });
        self.settle_doubts();
        let missing = self.missing();
        let stopped = self.rows.any(|_, row| row.outcome == Outcome::Refused);
        let nothing = self.rows.is_empty() && missing.iter().all(|row| row.exit != Exit::Done);
        let held = stopped && !self.task.preview.is_on();
        if !held && !nothing {
            std::mem::replace(&mut self.emit, Emit::nothing()).commit(report)?;
        }
        if sweeps {
            report.begin_sweep(self.words_of_a_sweep());
        }
        for row in std::mem::take(&mut self.rows).whole().chain(missing) {
            report.row(if held { held_back(row) } else { row });
        }
        if held {
            self.lost.clear();
        }
        for advice in self.advice.drain(..).chain(self.lost.drain(..)) {
            report.advice(advice);
        }
        if sweeps && report.is_empty() && self.task.absent == Absent::Fails {
            report.failure(self.nothing_found());
        }
        self.say_what_was_passed_over(sweeps, report);
        if held {
            report.ui.status("nothing was written: a run writes all of its objects or none");
        }
        if self.task.preview.check && report.count(Outcome::Changed) > 0 {
            report.ends(Exit::WouldChange);
        }
        Ok(())
    }

    /// Reports unreadable documents in every bulk run, and otherwise if a named object was not found.
    fn settle_doubts(&mut self) {
        let all_found = match &self.task.selection {
            Selection::Named(names) => names.iter().all(|named| self.found.contains(named)),
            Selection::Sweep { .. } => false,
        };
        if all_found {
            self.passed_over += self.doubtful.len();
        } else {
            self.rows.extend(self.doubtful.drain(..));
        }
    }

    fn missing(&self) -> Vec<Row> {
        let Selection::Named(names) = &self.task.selection else { return Vec::new() };
        let absent = names.iter().filter(|named| !self.found.contains(named));
        absent
            .map(|named| {
                let namespace = named.namespace.as_deref().or(self.global.namespace.as_deref()).unwrap_or_default();
                let object = ObjectRef::new(self.plan.kind(), namespace, named.name.as_str());
                let place = if namespace.is_empty() { String::new() } else { format!(" in namespace {namespace}") };
                let mut why = Objection::new(Reason::NotFound, format!("not found{place} in {}", self.looked_in()));
                let near = nearest(&named.name, self.others.iter().map(String::as_str));
                if !near.is_empty() {
                    why.details.push(format!("near: {}", near.join(", ")));
                }
                let exit = match (self.task.absent, names.len()) {
                    (Absent::IsFine, _) => Exit::Done,
                    (Absent::Fails, 1) => Exit::SaidNo,
                    (Absent::Fails, _) => Exit::Failed,
                };
                Row { exit, ..Row::left(object, Outcome::NotFound, why) }
            })
            .collect()
    }

    fn looked_in(&self) -> String {
        let files = count(self.files, "file");
        let is_doubtful = |name: &str, row: &Row| row.outcome == Outcome::Refused && name.is_empty();
        if self.rows.any(is_doubtful) { format!("what can be read of {files}") } else { files }
    }

    fn nothing_found(&self) -> Failure {
        Failure::new(
            Exit::SaidNo,
            Reason::NotFound,
            format!("no Upstream in {} matches the selection", self.looked_in()),
        )
        .hint(flag("--ignore-not-found").text(" makes this a success"))
    }

    fn say_what_was_passed_over(&self, sweeps: bool, report: &mut Report<'_>) {
        if self.passed_over > 0 {
            let what = count(self.passed_over, "document");
            report
                .advice(Advice::note(Code::PassedOver, format!("skipped {what}: not readable, or not what was named")));
        }
        if sweeps && report.count(Outcome::Changed) > 0 {
            report.ui.status("files do not show pods: only type and TLS settings were checked");
        }
    }

    fn words_of_a_sweep(&self) -> Sweep {
        let words = self.plan.words();
        Sweep {
            done: words.done,
            noun: "Upstream",
            again: gloo_rs(words.command).fixed("-f ... -u"),
            namespace: self.global.namespace.clone().unwrap_or_default(),
            skipped: SkippedLines::Verbose,
        }
    }
}

/// Nothing was written, so no object may be reported as changed.
fn held_back(row: Row) -> Row {
    if row.outcome != Outcome::Changed {
        return row;
    }
    let why = Objection::new(Reason::HeldBack, "not written, because another object was refused");
    Row { file: row.file, line: row.line, ..Row::left(row.object, Outcome::Skipped, why) }
}

/// The change to make by hand, as details.
pub(super) fn by_hand(lines: Vec<String>) -> Vec<String> {
    let indented = lines.into_iter().map(|line| format!("  {line}"));
    std::iter::once("the change to make by hand:".to_owned()).chain(indented).collect()
}

/// An object with the edits to make.
struct Planned {
    object: Object,
    place: ManifestPlace,
    edits: Vec<crate::edit::Edit>,
    message: String,
}

impl Planned {
    fn job(&self) -> Job<'_> {
        Job { place: &self.place, edits: &self.edits, object: Some(&self.object.value) }
    }
}
