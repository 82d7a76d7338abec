//! The output of a run, during it and at its end, in every format, with the exit code.

mod end;
mod tell;

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Instant;

use serde_json::{Map, Value};

use super::interrupt::Interrupts;
use crate::cli;
use crate::command::{CommandLine, Hint, TypedTarget};
use crate::error::{Exit, Failure, Reason};
use crate::kube::{Session, Trace};
use crate::model::ObjectRef;
use crate::options::{DryRunMode, FilesDestination, Format, Preview};
use crate::plan::advice::{Advice, Code};
use crate::plan::outcome::{Outcome, Row};
use crate::render::line::Line;
use crate::render::text::{self, Mark};
use crate::rights::Needs;
use crate::ui::{Lead, Ui};

/// Where result lines go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answers {
    Stdout,
    /// Used if stdout carries manifests or a diff.
    Stderr,
}

/// The words in the summary of a bulk run.
#[derive(Debug, Clone)]
pub(crate) struct Sweep {
    /// The participle for a changed object, such as `enabled`.
    pub done: &'static str,
    /// The singular of what is counted, such as `Upstream`.
    pub noun: &'static str,
    /// The command that selects only the failed objects, without their names.
    pub again: CommandLine,
    /// The namespace that is omitted with names.
    pub namespace: String,
    pub skipped: SkippedLines,
}

/// Whether the objects that a bulk run skips are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SkippedLines {
    Verbose,
    Always,
}

/// Collects and prints the results.
pub(crate) struct Report<'u> {
    pub ui: &'u mut Ui,
    interrupts: Interrupts,
    /// The flags for cluster and user that are added to every printed command.
    target: TypedTarget,
    words: &'u [String],
    /// The kind of the document.
    kind: &'static str,
    format: Format,
    answers: Answers,
    mark: Mark,
    /// The only session of the run, once it is open.
    session: Option<Rc<Session>>,
    trace: Option<Trace>,
    declared: Option<Needs>,
    /// Kept only if a document is printed at the end.
    rows: Vec<Row>,
    advice: Vec<Advice>,
    failure: Option<Failure>,
    counts: BTreeMap<&'static str, usize>,
    skipped: BTreeMap<Reason, usize>,
    failed: Vec<ObjectRef>,
    /// Number of objects that were applied, not verified.
    unconfirmed: usize,
    last_reason: Option<Reason>,
    usual_namespace: String,
    sweep: Option<Sweep>,
    begun: Instant,
    exit: Exit,
    said: Vec<(Code, String)>,
    fields: Map<String, Value>,
    printed: bool,
    /// Whether rows and advice are needed at the end.
    keeps: Keeps,
    /// The line that says which cluster is used, once it was printed.
    context: Option<String>,
    diffs: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Keeps {
    Nothing,
    Rows,
}

impl<'u> Report<'u> {
    /// Whether the command that runs has this flag.
    pub(crate) fn takes(&self, flag: &str) -> bool {
        let words: Vec<_> = self.words.iter().map(String::as_str).collect();
        cli::takes(&words, flag)
    }

    /// An empty report of the command with these words.
    pub(crate) fn new(ui: &'u mut Ui, words: &'u [String], format: Format) -> Self {
        Self {
            ui,
            interrupts: Interrupts::none(),
            target: TypedTarget::default(),
            words,
            kind: "Result",
            format,
            answers: Answers::Stdout,
            mark: Mark::Written,
            session: None,
            trace: None,
            declared: None,
            rows: Vec::new(),
            advice: Vec::new(),
            failure: None,
            counts: BTreeMap::new(),
            skipped: BTreeMap::new(),
            failed: Vec::new(),
            unconfirmed: 0,
            last_reason: None,
            usual_namespace: String::new(),
            sweep: None,
            begun: Instant::now(),
            exit: Exit::Done,
            said: Vec::new(),
            fields: Map::new(),
            printed: false,
            keeps: if matches!(format, Format::Json | Format::Yaml) { Keeps::Rows } else { Keeps::Nothing },
            context: None,
            diffs: Vec::new(),
        }
    }

    /// Sets the trace that receives the requests of the run, whatever the verbosity.
    #[must_use]
    pub(crate) fn traced(self, trace: Option<Trace>) -> Self {
        Self { trace, ..self }
    }

    /// The trace that receives each request, if set.
    pub(crate) fn trace(&self) -> Option<Trace> {
        self.trace.clone()
    }

    /// Sets the rights that the session is held to.
    #[must_use]
    pub(crate) fn held_to(self, declared: Option<Needs>) -> Self {
        Self { declared, ..self }
    }

    /// The rights that the session is held to, if any.
    pub(crate) fn declared(&self) -> Option<Needs> {
        self.declared.clone()
    }

    /// Sets the signals that end the run.
    #[must_use]
    pub(crate) fn until(self, interrupts: Interrupts) -> Self {
        Self { interrupts, ..self }
    }

    /// Sets the cluster and user flags from the command line.
    #[must_use]
    pub(crate) fn on(self, target: TypedTarget) -> Self {
        Self { target, ..self }
    }

    /// Prints an error to stderr without an effect on the exit code.
    pub(crate) fn trouble(&mut self, message: &str, details: &[String], hints: impl IntoIterator<Item = Hint>) {
        let hints: Vec<_> = hints.into_iter().map(|hint| hint.on(&self.target)).collect();
        self.ui.error(message, details, &hints);
    }

    /// The signals that end the run.
    pub(crate) fn interrupts(&self) -> Interrupts {
        self.interrupts.clone()
    }

    /// The session of the run, once it is open. The steps of a plan of several commands share it.
    pub(crate) fn session(&self) -> Option<Rc<Session>> {
        self.session.clone()
    }

    /// Keeps the session for the rest of the run.
    pub(crate) fn keep_session(&mut self, session: &Rc<Session>) {
        self.session = Some(Rc::clone(session));
    }

    /// Prints to stderr which cluster is used, unless an earlier step printed the same line.
    pub(crate) fn context(&mut self, line: &str) {
        if self.context.as_deref() != Some(line) {
            self.ui.status(line);
            self.context = Some(line.to_owned());
        }
    }

    /// Sets where result lines go, and the mark of those that were not written.
    pub(crate) fn form(&mut self, answers: Answers, mark: Mark) {
        self.answers = answers;
        self.mark = mark;
    }

    /// Sets the form for a run on the cluster, and returns its mark.
    pub(crate) fn form_for_cluster(&mut self, preview: Preview) -> Mark {
        let mark = match (preview.dry_run, preview.is_on()) {
            (Some(DryRunMode::Server), _) => Mark::ServerDryRun,
            (_, true) => Mark::ClientDryRun,
            (_, false) => Mark::Written,
        };
        self.form(if preview.diff { Answers::Stderr } else { Answers::Stdout }, mark);
        mark
    }

    /// Sets the form for a run on manifests. Manifests or a diff go to stdout; otherwise the result lines do.
    pub(crate) fn form_for_files(&mut self, preview: Preview, destination: FilesDestination) {
        let manifests = !preview.is_on() && destination == FilesDestination::Stdout;
        let answers = if preview.diff || manifests { Answers::Stderr } else { Answers::Stdout };
        self.form(answers, if preview.is_on() { Mark::ClientDryRun } else { Mark::Written });
    }

    /// Sets the namespace that is omitted with names.
    pub(crate) fn usual_namespace(&mut self, namespace: &str) {
        namespace.clone_into(&mut self.usual_namespace);
    }

    /// Starts a bulk run: skipped objects are counted, and a summary is printed at the end.
    pub(crate) fn begin_sweep(&mut self, sweep: Sweep) {
        self.ui.begin_progress(&format!("{}s", sweep.noun));
        self.sweep = Some(sweep);
    }

    pub(crate) fn is_document(&self) -> bool {
        matches!(self.format, Format::Json | Format::Yaml)
    }

    /// Prints a line that is not the result of an object. A document
    /// has a field for it, and with `-o name` it goes to stderr.
    pub(crate) fn line(&mut self, line: impl Into<Line>) {
        match self.format {
            Format::Name => self.ui.status(line),
            _ if self.is_document() => {}
            _ => self.ui.answer(line),
        }
    }

    /// Prints a diff that does not belong to a single row.
    pub(crate) fn diff(&mut self, diff: String) {
        if !self.is_document() {
            self.ui.diff(&diff);
        }
        self.diffs.push(diff);
    }

    /// Like [`Self::line`], for sentences that a terminal may wrap.
    pub(crate) fn paragraph(&mut self, line: impl Into<Line>) {
        match self.format {
            Format::Name => self.ui.status(line),
            _ if self.is_document() => {}
            _ => self.ui.paragraph(line),
        }
    }

    /// Prints the outcome of an object in these words, with its name in the form of this run.
    pub(crate) fn line_about(&mut self, object: &ObjectRef, words: &str, outcome: Outcome) {
        self.line(Line::from(text::subject(object, &self.usual_namespace)).text(" ").toned(words, &outcome));
    }

    /// Records the result of an object that its command has printed already.
    pub(crate) fn record(&mut self, mut row: Row) {
        row.hint = row.hint.map(|hint| hint.on(&self.target));
        *self.counts.entry(row.outcome.name()).or_default() += 1;
        self.exit = self.exit.prevailing(row.exit);
        if self.format == Format::Name && row.outcome.is_answer() {
            self.ui.answer(row.object.to_string());
        }
        if self.keeps != Keeps::Nothing {
            self.rows.push(row);
        }
    }

    /// Records and prints the result of an object.
    pub(crate) fn row(&mut self, mut row: Row) {
        row.hint = row.hint.map(|hint| hint.on(&self.target));
        *self.counts.entry(row.outcome.name()).or_default() += 1;
        self.exit = self.exit.prevailing(row.exit);
        self.last_reason = row.reason;
        self.ui.advance();
        if let (Some(diff), false) = (&row.diff, self.is_document()) {
            self.ui.diff(diff);
        }
        match row.outcome {
            Outcome::Changed | Outcome::Unchanged => match (self.format, self.answers) {
                (Format::Name, Answers::Stdout) => self.ui.answer(text::subject(&row.object, &self.usual_namespace)),
                (Format::Text, Answers::Stdout) => {
                    self.ui.answer(text::answer(&row, self.mark, &self.usual_namespace));
                }
                (_, Answers::Stderr) => self.ui.status(text::answer(&row, self.mark, &self.usual_namespace)),
                _ => {}
            },
            Outcome::Skipped => {
                if let Some(reason) = row.reason {
                    *self.skipped.entry(reason).or_default() += 1;
                }
                let line = format!("skipped {}", text::trouble(&row, &self.usual_namespace));
                match (self.sweep.as_ref().map(|sweep| sweep.skipped), row.reason) {
                    (Some(SkippedLines::Always), Some(reason)) => {
                        self.ui.status(format!("{line} ({})", reason.name()));
                    }
                    _ => self.ui.verbose(line),
                }
            }
            Outcome::Refused | Outcome::NotFound | Outcome::Failed => {
                if row.exit == Exit::Done {
                    self.ui.status(text::trouble(&row, &self.usual_namespace));
                } else {
                    self.ui.error(&text::trouble(&row, &self.usual_namespace), &row.details, row.hint.as_ref());
                }
                if row.outcome == Outcome::Failed && self.sweep.is_some() {
                    self.failed.push(row.object.clone());
                }
            }
        }
        if row.outcome.is_answer() && row.exit != Exit::Done {
            self.unconfirmed += 1;
            self.ui.error(&text::trouble(&row, &self.usual_namespace), &row.details, row.hint.as_ref());
        }
        if self.keeps != Keeps::Nothing {
            self.rows.push(row);
        }
    }

    /// Records and prints the results of several objects.
    pub(crate) fn rows(&mut self, rows: Vec<Row>) {
        for row in rows {
            self.row(row);
        }
    }

    /// Sorts the objects of the document and of the command to copy by namespace and name.
    pub(crate) fn order_rows(&mut self) {
        self.rows.sort_by(|one, other| place_in_list(&one.object).cmp(&place_in_list(&other.object)));
        self.failed.sort_by(|one, other| place_in_list(one).cmp(&place_in_list(other)));
    }

    /// Prints a warning or a note, if there is one.
    pub(crate) fn advice_if(&mut self, advice: Option<Advice>) {
        if let Some(advice) = advice {
            self.advice(advice);
        }
    }

    /// Prints warnings and notes, in order.
    pub(crate) fn advices(&mut self, advice: Vec<Advice>) {
        for advice in advice {
            self.advice(advice);
        }
    }

    /// Prints a warning or a note, unless it was printed before.
    pub(crate) fn advice(&mut self, mut advice: Advice) {
        let key = (advice.code, advice.message.clone());
        if self.said.contains(&key) {
            return;
        }
        self.said.push(key);
        advice.hint = advice.hint.map(|hint| hint.on(&self.target));
        self.ui.advice(&advice);
        if self.keeps != Keeps::Nothing {
            self.advice.push(advice);
        }
    }

    /// Records and prints a failure of the whole run.
    pub(crate) fn failure(&mut self, mut failure: Failure) {
        failure.hints = failure.hints.into_iter().map(|hint| hint.on(&self.target)).collect();
        self.exit = self.exit.prevailing(failure.exit);
        self.ui.end_progress();
        self.ui.failure(&failure);
        self.failure.get_or_insert(failure);
    }

    /// Records a failure that was printed in other words, such as a usage error by clap.
    pub(crate) fn said_failure(&mut self, failure: Failure) {
        self.exit = self.exit.prevailing(failure.exit);
        self.failure.get_or_insert(failure);
    }

    /// Sets the kind of the document, if it is another one than the result of a run.
    pub(crate) fn kind(&mut self, kind: &'static str) {
        self.kind = kind;
    }

    /// Adds a field to the document, in addition to the common ones.
    pub(crate) fn field(&mut self, key: &str, value: Value) {
        self.fields.insert(key.to_owned(), value);
    }

    /// Adds values to a list in the document. Each step of a plan of several commands adds its own.
    pub(crate) fn extend_field(&mut self, key: &str, more: Vec<Value>) {
        let all = self.fields.entry(key).or_insert_with(|| Value::Array(Vec::new()));
        if let Some(all) = all.as_array_mut() {
            all.extend(more);
        }
    }

    /// Records that a change by an earlier step was rolled back, which replaces its earlier result.
    pub(crate) fn rolled_back(&mut self, row: Row) {
        let is_it = |earlier: &Row| earlier.object == row.object && earlier.outcome == Outcome::Changed;
        let earlier = self.rows.len();
        self.rows.retain(|earlier| !is_it(earlier));
        if let Some(count) = self.counts.get_mut(Outcome::Changed.name()) {
            *count = count.saturating_sub(earlier - self.rows.len());
        }
        self.record(row);
    }

    /// The reason of the last object's result.
    pub(crate) fn last_reason(&self) -> Option<Reason> {
        self.last_reason
    }

    /// The current exit code of the run.
    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// Sets the exit code, unless the current one takes precedence.
    pub(crate) fn ends(&mut self, exit: Exit) {
        self.exit = self.exit.prevailing(exit);
    }

    /// Whether no object was reported.
    pub(crate) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }

    /// The number of objects with this outcome.
    pub(crate) fn count(&self, outcome: Outcome) -> usize {
        self.counts.get(outcome.name()).copied().unwrap_or_default()
    }

    /// Prints a value as the whole of stdout, in the requested format, in place of the document.
    pub(crate) fn value(&mut self, value: &Value) {
        let text = match self.format {
            Format::Yaml => Some(crate::yaml::write(value)).filter(|yaml| !text::has_obeyed(yaml)),
            _ => None,
        };
        // JSON is also YAML, and only JSON can write any character as an escape.
        let text = text.unwrap_or_else(|| text::inert_json(&format!("{value:#}\n")));
        self.whole(text.as_bytes());
    }

    /// Prints bytes from another program as they arrive. No document is printed afterwards.
    pub(crate) fn part(&mut self, bytes: &[u8]) {
        self.printed = true;
        self.ui.foreign(bytes);
    }

    /// Prints lines of a log from another program.
    pub(crate) fn log(&mut self, lead: Option<Lead<'_>>, lines: &[Vec<u8>]) {
        self.ui.log(lead, lines);
    }

    /// Prints bytes that are the whole of stdout.
    pub(crate) fn whole(&mut self, bytes: &[u8]) {
        self.printed = true;
        self.ui.foreign(bytes);
        self.ui.end_foreign();
    }
}

fn place_in_list(object: &ObjectRef) -> (&str, &str) {
    (&object.namespace, &object.name)
}
