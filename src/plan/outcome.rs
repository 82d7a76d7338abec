//! How each object a command was about ends: there is no other way to end than these.

use super::change::Change;
use crate::command::Hint;
use crate::edit::Edit;
use crate::error::{Exit, Failure, Reason};
use crate::model::{Object, ObjectRef};

/// What a plan says about one object.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Decision {
    /// These edits are made.
    Change { edits: Vec<Edit>, message: String },
    /// The state asked for is there.
    Unchanged { message: String },
    /// A sweep leaves it alone; that is no failure.
    Skip(Objection),
    /// It was named and is left alone; that is a failure.
    Refuse(Objection),
}

impl Decision {
    /// The change to this object; one without edits where it is as asked already.
    ///
    /// # Errors
    /// The row of an object that is left alone.
    pub(crate) fn about(self, before: Object) -> Result<Change, Box<Row>> {
        match self {
            Self::Change { edits, message } => Ok(Change::new(before, edits, message)),
            Self::Unchanged { message } => Ok(Change::new(before, Vec::new(), message)),
            Self::Skip(why) => Err(Box::new(Row::left(before.reference, Outcome::Skipped, why))),
            Self::Refuse(why) => Err(Box::new(Row::left(before.reference, Outcome::Refused, why))),
        }
    }
}

/// Why an object is left alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Objection {
    pub reason: Reason,
    pub message: String,
    /// What stands there now, line by line.
    pub details: Vec<String>,
    pub hint: Option<Hint>,
}

impl Objection {
    /// An objection of one line.
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        Self { reason, message: message.into(), details: Vec::new(), hint: None }
    }

    /// With the flag or command that gets on.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<Hint>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl Objection {
    /// The objection to a whole run.
    pub fn into_failure(self) -> Failure {
        let mut failure = Failure::new(Exit::Failed, self.reason, self.message);
        failure.details = self.details;
        failure.hints.extend(self.hint);
        failure
    }
}

/// How an object ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    Changed,
    Unchanged,
    Skipped,
    Refused,
    NotFound,
    Failed,
}

impl Outcome {
    /// Every outcome there is.
    pub const ALL: [Self; 6] =
        [Self::Changed, Self::Unchanged, Self::Skipped, Self::Refused, Self::NotFound, Self::Failed];

    /// Its name in the JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Unchanged => "unchanged",
            Self::Skipped => "skipped",
            Self::Refused => "refused",
            Self::NotFound => "notFound",
            Self::Failed => "failed",
        }
    }

    /// Whether it belongs on stdout, among what was asked for and is so now.
    pub fn is_answer(self) -> bool {
        matches!(self, Self::Changed | Self::Unchanged)
    }
}

/// One object's line in the result.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    pub object: ObjectRef,
    /// The file it stands in, if it is a manifest, and the line there.
    pub file: Option<String>,
    pub line: Option<usize>,
    pub outcome: Outcome,
    pub reason: Option<Reason>,
    /// What is so now, or why not: `mTLS enabled`.
    pub message: String,
    pub details: Vec<String>,
    pub hint: Option<Hint>,
    /// The change as a unified diff, where one was asked for.
    pub diff: Option<String>,
    /// Who else writes the object: `Argo CD application edge`.
    pub owner: Option<String>,
    /// How the run ends if this were its only object.
    pub exit: Exit,
}

impl Row {
    /// A row that is an answer.
    pub fn answer(object: ObjectRef, outcome: Outcome, message: impl Into<String>) -> Self {
        Self {
            object,
            file: None,
            line: None,
            outcome,
            reason: (outcome == Outcome::Unchanged).then_some(Reason::Already),
            message: message.into(),
            details: Vec::new(),
            hint: None,
            diff: None,
            owner: None,
            exit: Exit::Done,
        }
    }

    /// A row for an object that was left alone.
    pub fn left(object: ObjectRef, outcome: Outcome, why: Objection) -> Self {
        Self {
            reason: Some(why.reason),
            details: why.details,
            hint: why.hint,
            exit: if outcome == Outcome::Skipped { Exit::Done } else { Exit::Failed },
            ..Self::answer(object, outcome, why.message)
        }
    }

    /// The same row, of an object in a file.
    #[must_use]
    pub fn at(mut self, file: &str, line: usize) -> Self {
        self.file = Some(file.to_owned());
        self.line = Some(line);
        self
    }
}
