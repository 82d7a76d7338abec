//! What a reading command found in one cluster, as a value: a run on one cluster prints it, a run on several puts the
//! answers together.

use serde_json::{Map, Value};

use super::junit::Suite;
use super::line::Line;
use super::table::Table;
use crate::error::{Exit, Failure};
use crate::plan::advice::Advice;
use crate::posture::baseline::Baseline;

/// A part of an answer, in the order in which it is printed.
pub(crate) enum AnswerPart {
    Line(Line),
    /// A sentence, which a terminal may wrap.
    Paragraph(Line),
    Table(Table),
    /// A value alone on its line, such as a URL.
    Value(String),
    Csv {
        head: &'static str,
        rows: Vec<String>,
    },
    /// For people only, beside the answer.
    Status(Line),
    Advice(Advice),
    /// A failure that did not end the work.
    Failure(Failure),
}

/// An answer that is the whole of stdout, in a format of its own.
pub(crate) enum WholeAnswer {
    /// The document of `version`.
    Version(Value),
    Sarif(Value),
    Junit(Vec<Suite>),
}

/// What a reading command found in one cluster.
#[derive(Default)]
pub(crate) struct ClusterAnswer {
    pub parts: Vec<AnswerPart>,
    pub whole: Option<WholeAnswer>,
    /// The fields of the document, in addition to the common ones.
    pub fields: Map<String, Value>,
    /// The code of the answer; a failure that ended the work is not in it.
    pub exit: Exit,
    /// The facts for the baseline of several clusters, if one is written.
    pub recorded: Option<Baseline>,
    /// The width of the terminal on stdout, if it is one.
    pub columns: Option<usize>,
}

impl ClusterAnswer {
    /// An empty answer, for a stdout of this width.
    pub(crate) fn new(columns: Option<usize>) -> Self {
        Self { columns, ..Self::default() }
    }

    /// Adds a line.
    pub(crate) fn line(&mut self, line: impl Into<Line>) {
        self.parts.push(AnswerPart::Line(line.into()));
    }

    /// Adds a sentence, which a terminal may wrap.
    pub(crate) fn paragraph(&mut self, line: impl Into<Line>) {
        self.parts.push(AnswerPart::Paragraph(line.into()));
    }

    /// Adds a line for people, beside the answer.
    pub(crate) fn status(&mut self, line: impl Into<Line>) {
        self.parts.push(AnswerPart::Status(line.into()));
    }

    /// Adds a warning or a note.
    pub(crate) fn advice(&mut self, advice: Advice) {
        self.parts.push(AnswerPart::Advice(advice));
    }

    /// Adds a failure that does not end the work.
    pub(crate) fn failure(&mut self, failure: Failure) {
        self.ends(failure.exit);
        self.parts.push(AnswerPart::Failure(failure));
    }

    /// Sets a field of the document.
    pub(crate) fn field(&mut self, key: &str, value: Value) {
        self.fields.insert(key.to_owned(), value);
    }

    /// Sets the exit code, unless the current one takes precedence.
    pub(crate) fn ends(&mut self, exit: Exit) {
        self.exit = self.exit.prevailing(exit);
    }

    /// The warnings and notes.
    pub(super) fn advice_told(&self) -> impl Iterator<Item = &Advice> {
        self.parts.iter().filter_map(|part| if let AnswerPart::Advice(advice) = part { Some(advice) } else { None })
    }

    /// The first failure that did not end the work.
    pub(super) fn first_failure(&self) -> Option<&Failure> {
        self.parts.iter().find_map(|part| if let AnswerPart::Failure(failure) = part { Some(failure) } else { None })
    }
}
