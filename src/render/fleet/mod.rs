//! The answers of several contexts as one: a table with a column for the context, a heading for each context, or one
//! document.

mod columns;
mod documents;

use super::answer::{AnswerPart, ClusterAnswer};
use super::line::Line;
use super::tone::Tone;
use crate::error::{Exit, Failure, Reason};
use crate::plan::advice::Advice;

pub(crate) use documents::{junit, results, sarif};

/// What is known of a context after the run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ContextState {
    /// The cluster answered, with a finding or without.
    Answered,
    /// The cluster was not read, or may not be.
    Unknown,
    /// This program failed.
    Failed,
}

impl ContextState {
    /// All of them, in the order of the summary.
    pub(crate) const ALL: [Self; 3] = [Self::Answered, Self::Unknown, Self::Failed];

    /// Its name in the document.
    #[must_use]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::Unknown => "unknown",
            Self::Failed => "failed",
        }
    }

    /// The state of a context whose work ended so.
    #[must_use]
    pub(crate) fn of(failure: Option<&Failure>) -> Self {
        const NOT_TOLD: [Reason; 4] = [Reason::Forbidden, Reason::Unauthorized, Reason::Unknown, Reason::Kubeconfig];
        let Some(Failure { exit, reason, .. }) = failure else { return Self::Answered };
        match exit {
            Exit::NoAnswer | Exit::Interrupted => Self::Unknown,
            _ if NOT_TOLD.contains(reason) => Self::Unknown,
            Exit::Failed => Self::Failed,
            _ => Self::Answered,
        }
    }
}

/// The answer of one context.
pub(crate) struct ContextAnswer {
    pub context: String,
    /// The address of its API server, if a session was opened.
    pub server: Option<String>,
    pub answer: ClusterAnswer,
    /// The failure that ended the work.
    pub failure: Option<Failure>,
}

impl ContextAnswer {
    /// The exit code of a run on this context alone.
    #[must_use]
    pub(crate) fn exit(&self) -> Exit {
        self.failure.as_ref().map_or(self.answer.exit, |failure| self.answer.exit.prevailing(failure.exit))
    }

    /// What is known of the context.
    #[must_use]
    pub(crate) fn state(&self) -> ContextState {
        ContextState::of(self.failure.as_ref())
    }

    /// A text with the name of the context in front.
    fn named(&self, text: &str) -> String {
        format!("context {}: {text}", self.context)
    }

    fn stated(&self, failure: &Failure) -> AnswerPart {
        AnswerPart::Failure(Failure { message: self.named(&failure.message), ..failure.clone() })
    }

    /// The failure that ended the work. What a signal ended is told once for all contexts.
    fn ended(&self) -> Option<AnswerPart> {
        self.failure.as_ref().filter(|failure| failure.exit != Exit::Interrupted).map(|failure| self.stated(failure))
    }

    /// A message beside the answer, with the name of the context; `None` for a part of the answer itself.
    fn message(&self, part: &AnswerPart) -> Option<AnswerPart> {
        match part {
            AnswerPart::Advice(advice) => {
                Some(AnswerPart::Advice(Advice { message: self.named(&advice.message), ..advice.clone() }))
            }
            AnswerPart::Failure(failure) => Some(self.stated(failure)),
            AnswerPart::Status(line) => Some(AnswerPart::Status(self.named(&line.to_string()).into())),
            _ => None,
        }
    }

    /// The parts of the answer, those beside it with the name of the context.
    fn take_parts(&mut self) -> Vec<AnswerPart> {
        let parts = std::mem::take(&mut self.answer.parts);
        parts.into_iter().map(|part| self.message(&part).unwrap_or(part)).collect()
    }
}

/// The form of the answers of several contexts as text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Layout {
    /// Tables and values, with the context in the first column.
    Columns,
    /// A heading for each context.
    Headings,
}

/// The text: what is printed in which order, with the context in every part.
#[must_use]
pub(crate) fn text(all: Vec<ContextAnswer>, layout: Layout) -> Vec<AnswerPart> {
    match layout {
        Layout::Columns => columns::columns(all),
        Layout::Headings => headings(all),
    }
}

/// What is printed beside a document: warnings, notes and failures, each with its context.
#[must_use]
pub(crate) fn beside(all: &[ContextAnswer]) -> Vec<AnswerPart> {
    let of = |one: &ContextAnswer| {
        let parts = one.answer.parts.iter().filter_map(|part| one.message(part));
        parts.chain(one.ended()).collect::<Vec<_>>()
    };
    all.iter().flat_map(of).collect()
}

/// A heading for each context, and below it what was found there.
fn headings(all: Vec<ContextAnswer>) -> Vec<AnswerPart> {
    let mut parts = Vec::new();
    for (place, mut one) in all.into_iter().enumerate() {
        if place > 0 {
            parts.push(AnswerPart::Line(Line::default()));
        }
        let server = one.server.as_ref().map_or_else(String::new, |server| format!(" ({server})"));
        parts.push(AnswerPart::Line(format!("context {}{server}", one.context).into()));
        if let (Some(failure), state @ (ContextState::Unknown | ContextState::Failed)) = (&one.failure, one.state()) {
            let line = Line::default().toned(state.name(), &Tone::Unknown).text(format!(": {}", failure.message));
            parts.push(AnswerPart::Paragraph(line));
        }
        parts.extend(one.take_parts());
        parts.extend(one.ended());
    }
    parts
}

#[cfg(test)]
mod tests;
